/** xxHash with 32 bits: the hash of EROFS's filter of xattr names. Source: xxHash specification, "XXH32 algorithm description". */

const P1 = 2654435761;
const P2 = 2246822519;
const P3 = 3266489917;
const P4 = 668265263;
const P5 = 374761393;

const rotate = (word: number, by: number): number => (word << by) | (word >>> (32 - by));

export function xxh32(data: Uint8Array, seed: number): number {
  const word = (at: number): number => (data[at] ?? 0) | ((data[at + 1] ?? 0) << 8) | ((data[at + 2] ?? 0) << 16) | ((data[at + 3] ?? 0) << 24);
  let at = 0;
  let hash = (seed + P5) | 0;
  if (data.length >= 16) {
    const lanes = [seed + P1 + P2, seed + P2, seed, seed - P1].map((lane) => lane | 0);
    for (; at + 16 <= data.length; at += 16) {
      for (let lane = 0; lane < 4; lane++) lanes[lane] = Math.imul(rotate((lanes[lane] ?? 0) + Math.imul(word(at + lane * 4), P2), 13), P1);
    }
    hash = [1, 7, 12, 18].reduce((sum, by, lane) => (sum + rotate(lanes[lane] ?? 0, by)) | 0, 0);
  }
  hash = (hash + data.length) | 0;
  for (; at + 4 <= data.length; at += 4) hash = Math.imul(rotate(hash + Math.imul(word(at), P3), 17), P4);
  for (; at < data.length; at++) hash = Math.imul(rotate(hash + Math.imul(data[at] ?? 0, P5), 11), P1);
  hash = Math.imul(hash ^ (hash >>> 15), P2);
  hash = Math.imul(hash ^ (hash >>> 13), P3);
  return (hash ^ (hash >>> 16)) >>> 0;
}
