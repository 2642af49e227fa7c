/**
 * xz (The .xz File Format 1.2), one stream, with LZMA2 and the two branch filters of our machines. Checked are the header's,
 * the block headers' and the index's checksums, and the data's where it is a CRC32, the only one that the kernel checks too.
 */

import { crc32 } from "node:zlib";
import { byteAt, Damage, slice, uint32le } from "../damage.ts";
import { branchFilter } from "./branch-filter.ts";
import type { Emit } from "./index.ts";
import { LzmaDecoder, lzmaProperties } from "./lzma.ts";

const HEADER_LENGTH = 12;
const HEADER_MAGIC = [0xfd, 0x37, 0x7a, 0x58, 0x5a, 0x00] as const;
const FOOTER_MAGIC = [0x59, 0x5a] as const;
const LZMA2_FILTER = 0x21;
const CHECK_CRC32 = 1;
/** Bytes of a check by its number. */
const CHECK_LENGTH = [0, 4, 4, 4, 8, 8, 8, 16, 16, 16, 32, 32, 32, 64, 64, 64] as const;

/** An integer of the format: seven bits a byte, least significant first, nine bytes at most. */
function variable(bytes: Uint8Array, start: number): readonly [value: number, next: number] {
  let value = 0;
  for (let i = 0; i < 9; i++) {
    const byte = byteAt(bytes, start + i);
    value += (byte & 0x7f) * 2 ** (7 * i);
    if (byte < 0x80) {
      if (!Number.isSafeInteger(value)) break;
      return [value, start + i + 1];
    }
  }
  throw new Damage("a number in it is out of all bounds");
}

function expectCrc(bytes: Uint8Array, start: number, end: number, what: string): void {
  if (crc32(slice(bytes, start, end)) !== uint32le(bytes, end)) throw new Damage(`the checksum of its ${what} is wrong`);
}

interface Filters {
  readonly dictionarySize: number;
  /** Number of the branch filter in front of LZMA2. */
  readonly branch: number | undefined;
  readonly branchStart: number;
}

/** @returns the filters of the block whose header is `header` (without its checksum) */
function readFilters(header: Uint8Array): Filters {
  const flags = byteAt(header, 1);
  if (flags & 0x3c) throw new Damage("a block header sets reserved bits");
  let at = 2;
  if (flags & 0x40) at = variable(header, at)[1];
  if (flags & 0x80) at = variable(header, at)[1];
  let branch: number | undefined;
  let branchStart = 0;
  const count = (flags & 3) + 1;
  for (let i = 0; i < count; i++) {
    const [id, afterId] = variable(header, at);
    const [size, start] = variable(header, afterId);
    const properties = slice(header, start, start + size);
    at = start + size;
    if (i === count - 1) {
      if (id !== LZMA2_FILTER || size !== 1) break;
      const bits = byteAt(properties, 0);
      if (bits > 40) break;
      return { dictionarySize: bits === 40 ? 0xffffffff : (2 | (bits & 1)) * 2 ** ((bits >> 1) + 11), branch, branchStart };
    }
    if (branch !== undefined) break;
    branch = id;
    branchStart = size === 4 ? uint32le(properties, 0) : 0;
  }
  throw new Damage("it is filtered in a way that the kernel does not know");
}

/** LZMA2: chunks, each with a byte that says what it is. @returns the position behind the last */
function decodeLzma2(input: Uint8Array, start: number, dictionarySize: number, emit: Emit): number {
  const decoder = new LzmaDecoder(dictionarySize, emit);
  let at = start;
  let needsDictionary = true;
  let needsState = true;
  for (;;) {
    const control = byteAt(input, at++);
    if (control === 0) {
      decoder.flush();
      return at;
    }
    if (control >= 0xe0 || control === 1) {
      decoder.resetDictionary();
      needsDictionary = false;
    } else if (needsDictionary) {
      throw new Damage("it does not begin with a fresh dictionary");
    }
    if (control < 0x80) {
      if (control > 2) throw new Damage("a chunk is of an unknown kind");
      const size = ((byteAt(input, at) << 8) | byteAt(input, at + 1)) + 1;
      decoder.copy(slice(input, at + 2, at + 2 + size));
      at += 2 + size;
      continue;
    }
    const size = (((control & 0x1f) << 16) | (byteAt(input, at) << 8) | byteAt(input, at + 1)) + 1;
    const length = ((byteAt(input, at + 2) << 8) | byteAt(input, at + 3)) + 1;
    at += 4;
    if (control >= 0xc0) {
      const properties = lzmaProperties(byteAt(input, at++));
      if (properties.literalContext + properties.literalPosition > 4) throw new Damage("its LZMA properties are out of range");
      decoder.resetState(properties);
      needsState = false;
    } else if (needsState) {
      throw new Damage("it does not begin with its properties");
    } else if (control >= 0xa0) {
      decoder.resetState();
    }
    const chunk = slice(input, at, at + length);
    decoder.startRange(chunk, 0);
    if (decoder.decode(size) || decoder.position !== length || !decoder.isFinished) throw new Damage("the compressed data is broken");
    at += length;
  }
}

export function decodeXz(input: Uint8Array, emit: Emit): number {
  HEADER_MAGIC.forEach((byte, at) => {
    if (byteAt(input, at) !== byte) throw new Damage("it is no xz stream");
  });
  expectCrc(input, 6, 8, "header");
  const check = byteAt(input, 7);
  const checkLength = CHECK_LENGTH[check];
  if (byteAt(input, 6) !== 0 || checkLength === undefined) throw new Damage("it is of an unknown kind");

  let at = HEADER_LENGTH;
  let blocks = 0;
  for (; byteAt(input, at) !== 0; blocks++) {
    const start = at;
    const headerEnd = start + (byteAt(input, start) + 1) * 4;
    expectCrc(input, start, headerEnd - 4, "block header");
    const { dictionarySize, branch, branchStart } = readFilters(slice(input, start, headerEnd - 4));
    let sum = 0;
    const counted: Emit = (piece) => {
      if (check === CHECK_CRC32) sum = crc32(piece, sum);
      emit(piece);
    };
    const filter = branch === undefined ? undefined : branchFilter(branch, branchStart, counted);
    at = decodeLzma2(input, headerEnd, dictionarySize, filter?.take ?? counted);
    filter?.end();
    while ((at - start) % 4 !== 0) if (byteAt(input, at++) !== 0) throw new Damage("its padding is not empty");
    if (check === CHECK_CRC32 && uint32le(input, at) !== sum) throw new Damage("the checksum of its data is wrong");
    at += checkLength;
  }
  return readIndexAndFooter(input, at, blocks);
}

/** @returns the position behind the stream */
function readIndexAndFooter(input: Uint8Array, start: number, blocks: number): number {
  let [records, at] = variable(input, start + 1);
  if (records !== blocks) throw new Damage("its index does not fit its blocks");
  for (; records > 0; records--) {
    at = variable(input, at)[1];
    at = variable(input, at)[1];
  }
  at += (4 - ((at - start) % 4)) % 4;
  expectCrc(input, start, at, "index");
  at += 4;
  const backward = (uint32le(input, at + 4) + 1) * 4;
  if (backward !== at - start || FOOTER_MAGIC.some((byte, i) => byteAt(input, at + 10 + i) !== byte)) throw new Damage("its footer is wrong");
  // the footer's checksum covers the two fields behind it
  if (crc32(slice(input, at + 4, at + 10)) !== uint32le(input, at)) throw new Damage("the checksum of its footer is wrong");
  return at + HEADER_LENGTH;
}

