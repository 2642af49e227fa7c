/**
 * lz4 in the frame that the kernel takes for an initramfs (`lz4 -l`): a magic number, then blocks with a length before each
 * (lib/decompress_unlz4.c; lz4_Block_format.md). It has no checksums and no end mark: it ends where no block can follow.
 */

import { byteAt, Damage, slice, uint16le, uint32le } from "../damage.ts";
import type { Emit } from "./index.ts";

const MAGIC = 0x184c2102;
const BLOCK_SIZE = 8 << 20;
/** The longest that lz4 makes of a whole block (LZ4_compressBound). */
const LONGEST_BLOCK = BLOCK_SIZE + Math.floor(BLOCK_SIZE / 255) + 16;
const SHORTEST_MATCH = 4;

/** A length whose four bits are full goes on in further bytes, as long as they are 255. */
function extended(block: Uint8Array, at: number): readonly [length: number, next: number] {
  let length = 0;
  for (;;) {
    const more = byteAt(block, at++);
    length += more;
    if (more !== 255) return [length, at];
  }
}

/** Decodes one block into `output`. @returns how many bytes it gave */
export function decodeLz4Block(block: Uint8Array, output: Uint8Array): number {
  let at = 0;
  let out = 0;
  for (;;) {
    const token = byteAt(block, at++);
    let literals = token >> 4;
    if (literals === 15) {
      const [more, next] = extended(block, at);
      literals += more;
      at = next;
    }
    if (out + literals > output.length) throw new Damage("a block is longer than it may be");
    output.set(slice(block, at, at + literals), out);
    at += literals;
    out += literals;
    // the last sequence has no match
    if (at === block.length) return out;

    const offset = uint16le(block, at);
    at += 2;
    let length = token & 15;
    if (length === 15) {
      const [more, next] = extended(block, at);
      length += more;
      at = next;
    }
    length += SHORTEST_MATCH;
    if (offset === 0 || offset > out) throw new Damage("a match points before the beginning");
    if (out + length > output.length) throw new Damage("a block is longer than it may be");
    copyMatch(output, out, offset, length);
    out += length;
  }
}

/** Copies `length` bytes from `offset` before `out`; they may overlap, and then repeat what was just written. */
export function copyMatch(output: Uint8Array, out: number, offset: number, length: number): void {
  let done = Math.min(offset, length);
  output.copyWithin(out, out - offset, out - offset + done);
  while (done < length) {
    const step = Math.min(done, length - done);
    output.copyWithin(out + done, out, out + step);
    done += step;
  }
}

export function decodeLz4Legacy(input: Uint8Array, emit: Emit): number {
  if (uint32le(input, 0) !== MAGIC) throw new Damage("it is no frame of `lz4 -l`; the kernel takes no other");
  const output = new Uint8Array(BLOCK_SIZE);
  let at = 4;
  while (at + 4 <= input.length) {
    const length = uint32le(input, at);
    if (length === MAGIC) {
      at += 4;
      continue;
    }
    // What cannot be the length of a block is what follows: padding (zeros), another archive.
    if (length === 0 || length > LONGEST_BLOCK) break;
    const size = decodeLz4Block(slice(input, at + 4, at + 4 + length), output);
    emit(output.subarray(0, size));
    at += 4 + length;
    // only the last block is shorter
    if (size < BLOCK_SIZE) break;
  }
  return at;
}
