/** Hashes of trees over nothing but zeros, by level: what the holes of sparse files hash to. */

import { ALGORITHMS, BLOCK_SIZE, type VerityAlgorithm } from "./algorithm.ts";

const known: Record<VerityAlgorithm, Uint8Array[]> = { sha256: [], sha512: [] };

/** The hash that stands in level `level` for a block below which all data is zero; level 0 holds the hashes of data blocks. */
export function zeroHash(algorithm: VerityAlgorithm, level: number): Uint8Array {
  const { digestSize, hash } = ALGORITHMS[algorithm];
  const hashes = known[algorithm];
  while (hashes.length <= level) {
    const block = new Uint8Array(BLOCK_SIZE);
    const below = hashes.at(-1);
    if (below !== undefined) for (let at = 0; at < BLOCK_SIZE; at += digestSize) block.set(below, at);
    const result = new Uint8Array(digestSize);
    hash(block, result);
    hashes.push(result);
  }
  return hashes[level] ?? new Uint8Array(digestSize);
}
