/** Data that the golden streams were made from: text that repeats, numbers that do not, and instructions with addresses. */

const LENGTH = 4_000;

/** Park and Miller's generator, so that the data is the same everywhere. */
export function* numbers(seed: number): Generator<number> {
  for (let state = seed; ; ) yield (state = (state * 48271) % 0x7fffffff);
}

export function sample(): Uint8Array {
  const bytes = new Uint8Array(LENGTH);
  const view = new DataView(bytes.buffer);
  const random = numbers(1);
  const next = (below: number): number => (random.next().value as number) % below;
  const words = ["sealed", "root", "initramfs", "composefs", "overlay", "\0\0\0\0\0\0\0\0"];
  let at = 0;
  while (at < LENGTH - 64) {
    const kind = next(8);
    if (kind < 4) {
      for (const byte of new TextEncoder().encode(words[next(words.length)] ?? "")) bytes[at++] = byte;
    } else if (kind < 6) {
      // x86: call near, relative, to one of few places
      bytes[at] = 0xe8 + next(2);
      view.setUint32(at + 1, (next(4) * 4096 - at) >>> 0, true);
      at += 5;
    } else if (kind === 6) {
      // ARM64: bl and adrp, aligned
      at = (at + 3) & ~3;
      view.setUint32(at, (0x94000000 | ((next(4) * 1024 - (at >> 2)) & 0x03ffffff)) >>> 0, true);
      view.setUint32(at + 4, (0x90000000 | (next(4) << 29) | (next(65536) << 5) | next(32)) >>> 0, true);
      at += 8;
    } else {
      for (let i = 0; i < 4; i++) bytes[at++] = next(256);
    }
  }
  return bytes;
}
