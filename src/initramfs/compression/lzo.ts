/**
 * lzop files as the kernel takes them (lib/decompress_unlzo.c), with LZO1X blocks (Documentation/staging/lzo.rst).
 */

import { byteAt, Damage, slice, uint16le, uint32be } from "../damage.ts";
import { copyMatch } from "./lz4.ts";
import type { Emit } from "./index.ts";

const MAGIC = [0x89, 0x4c, 0x5a, 0x4f, 0x00, 0x0d, 0x0a, 0x1a, 0x0a] as const;
const VERSION_WITH_LEVEL = 0x0940;
const FLAG = { adlerOutput: 0x1, adlerInput: 0x2, crcOutput: 0x100, crcInput: 0x200, extraField: 0x40, filter: 0x800 } as const;
/** lzop itself makes blocks of 256 KiB; its format allows 64 MiB. */
const LONGEST_BLOCK = 64 << 20;

interface Header {
  readonly end: number;
  readonly flags: number;
}

function readHeader(input: Uint8Array): Header {
  MAGIC.forEach((byte, at) => {
    if (byteAt(input, at) !== byte) throw new Damage("it is no lzop file");
  });
  let at = MAGIC.length;
  const version = (byteAt(input, at) << 8) | byteAt(input, at + 1);
  // version, library version, version needed, method; then the level
  at += 7 + (version >= VERSION_WITH_LEVEL ? 1 : 0);
  const flags = uint32be(input, at);
  at += 4 + (flags & FLAG.filter ? 4 : 0);
  // mode and time of the file, its name, the header's checksum
  at += 8 + (version >= VERSION_WITH_LEVEL ? 4 : 0);
  at += 1 + byteAt(input, at) + 4;
  if (flags & FLAG.extraField) throw new Damage("it has an extra field, which the kernel does not read");
  return { end: at, flags };
}

export function decodeLzop(input: Uint8Array, emit: Emit): number {
  const { end, flags } = readHeader(input);
  const outputChecks = (flags & FLAG.adlerOutput ? 4 : 0) + (flags & FLAG.crcOutput ? 4 : 0);
  const inputChecks = (flags & FLAG.adlerInput ? 4 : 0) + (flags & FLAG.crcInput ? 4 : 0);
  let at = end;
  for (;;) {
    const size = uint32be(input, at);
    at += 4;
    if (size === 0) return at;
    const length = uint32be(input, at);
    at += 4;
    if (size > LONGEST_BLOCK || length > size) throw new Damage("a block is longer than it may be");
    at += outputChecks + (length < size ? inputChecks : 0);
    const block = slice(input, at, at + length);
    if (length === size) {
      emit(block);
    } else {
      const output = new Uint8Array(size);
      if (decodeLzo1x(block, output) !== size) throw new Damage("a block has not the length that it states");
      emit(output);
    }
    at += length;
  }
}

/** Decodes one LZO1X block into `output`. @returns how many bytes it gave */
export function decodeLzo1x(block: Uint8Array, output: Uint8Array): number {
  let at = 0;
  let out = 0;
  /** Literals copied by the instruction before: it decides what a small instruction means. 4 stands for a long run. */
  let state = 0;

  const run = (bits: number, mask: number): number => {
    if (bits !== 0) return bits;
    let zeros = 0;
    while (byteAt(block, at) === 0) {
      zeros++;
      at++;
    }
    return mask + zeros * 255 + byteAt(block, at++);
  };
  const literals = (count: number): void => {
    if (out + count > output.length) throw new Damage("a block is longer than it may be");
    output.set(slice(block, at, at + count), out);
    at += count;
    out += count;
  };
  const match = (distance: number, length: number): void => {
    if (distance > out) throw new Damage("a match points before the beginning");
    if (out + length > output.length) throw new Damage("a block is longer than it may be");
    copyMatch(output, out, distance, length);
    out += length;
  };

  const first = byteAt(block, 0);
  if (first > 17) {
    at = 1;
    literals(first - 17);
    state = first - 17 < 4 ? first - 17 : 4;
  }
  for (;;) {
    const instruction = byteAt(block, at++);
    let distance: number;
    let length: number;
    let after: number;
    if (instruction >= 64) {
      length = (instruction >> 5) + 1;
      distance = (byteAt(block, at++) << 3) + ((instruction >> 2) & 7) + 1;
      after = instruction & 3;
    } else if (instruction >= 32) {
      length = run(instruction & 31, 31) + 2;
      const low = uint16le(block, at);
      at += 2;
      distance = (low >> 2) + 1;
      after = low & 3;
    } else if (instruction >= 16) {
      length = run(instruction & 7, 7) + 2;
      const low = uint16le(block, at);
      at += 2;
      distance = 16384 + ((instruction & 8) << 11) + (low >> 2);
      if (distance === 16384) return out;
      after = low & 3;
    } else if (state === 0) {
      literals(run(instruction, 15) + 3);
      state = 4;
      continue;
    } else {
      length = state === 4 ? 3 : 2;
      distance = (byteAt(block, at++) << 2) + (instruction >> 2) + (state === 4 ? 2049 : 1);
      after = instruction & 3;
    }
    match(distance, length);
    literals(after);
    state = after;
  }
}
