/**
 * Makes the program part of the executable survive tools that rewrite ELF files.
 *
 * The compiler stores the program behind the runtime's data, and its address in eight bytes that no
 * section covers any more. strip(1), which dracut and package builders run on every executable, keeps
 * only what sections cover: it zeroes those bytes, and what is left is the plain bun command. So a
 * section that the linker left empty is laid over them, and .bss, whose zeros are in the file now, is
 * declared so.
 */

import { type Elf, offsetOf, PT_LOAD, readElf, type Section, sectionHeaderOffset, sectionNamed } from "./elf.ts";

export interface ProgramPart {
  /** Virtual address of the eight bytes that hold `address`. */
  readonly slot: number;
  /** Virtual address of the program part; its first eight bytes hold `length`. */
  readonly address: number;
  readonly length: number;
}

const SHT_NOBITS = 8;
const SHT_PROGBITS = 1;
const SLOT_SIZE = 8;
/** The table of transactional memory, which no linker fills any more; its header is in every runtime. */
const SPARE = ".tm_clone_table";

/** Rewrites where a section is. */
function place(bytes: Buffer, index: number, address: number, offset: number, size: number): void {
  const header = sectionHeaderOffset(bytes, index);
  for (const [at, value] of [[16, address], [24, offset], [32, size]] as const) bytes.writeBigUInt64LE(BigInt(value), header + at);
}

/** @throws Error unless exactly one place of the data segment holds the address of the program */
export function findProgram(bytes: Buffer, elf: Elf): ProgramPart {
  const section = sectionNamed(elf, ".bun");
  const segment = elf.segments.find((s) => s.type === PT_LOAD && section.offset >= s.offset && section.offset < s.offset + s.fileSize);
  if (segment === undefined) throw new Error("the program part is in no segment");
  const wanted = Buffer.alloc(SLOT_SIZE);
  wanted.writeBigUInt64LE(BigInt(section.address));
  const first = bytes.indexOf(wanted, segment.offset);
  const next = bytes.indexOf(wanted, first + 1);
  if (first < 0 || first >= section.offset || (next >= 0 && next < section.offset)) throw new Error("the address of the program is not in exactly one place");
  return { slot: segment.address + (first - segment.offset), address: section.address, length: Number(bytes.readBigUInt64LE(section.offset)) };
}

/** Changes the section headers in `bytes`, and nothing else. */
export function coverProgram(bytes: Buffer): ProgramPart {
  const elf = readElf(bytes);
  const program = findProgram(bytes, elf);
  const covers = (section: Section): boolean => section.type !== SHT_NOBITS && section.address <= program.slot && program.slot < section.address + section.size;
  if (!elf.sections.some(covers)) {
    const spare = elf.sections.findIndex((section) => section.name === SPARE && section.size === 0);
    if (spare < 0) throw new Error(`there is no empty ${SPARE} section to cover the address of the program`);
    place(bytes, spare, program.slot, offsetOf(elf, program.slot), SLOT_SIZE);
  }
  for (const [index, section] of elf.sections.entries()) {
    if (section.type === SHT_NOBITS && section.name.startsWith(".bss")) {
      bytes.writeUInt32LE(SHT_PROGBITS, sectionHeaderOffset(bytes, index) + 4);
      place(bytes, index, section.address, offsetOf(elf, section.address), section.size);
    }
  }
  return program;
}

/**
 * Bytes of loaded segments that no section covers and that are not zero, as file offsets: what a tool
 * that goes by sections would lose. The file header with the program headers is kept by all of them.
 */
export function uncovered(bytes: Uint8Array, elf: Elf, headerEnd: number): readonly number[] {
  const covered = elf.sections
    .filter((section) => section.type !== SHT_NOBITS && section.address !== 0)
    .map((section) => [section.offset, section.offset + section.size] as const)
    .sort(([left], [right]) => left - right);
  const found: number[] = [];
  for (const segment of elf.segments.filter((s) => s.type === PT_LOAD)) {
    const start = offsetOf(elf, segment.address);
    let at = Math.max(start, headerEnd);
    for (const [from, to] of [...covered, [Infinity, Infinity] as const]) {
      const end = Math.min(from, start + segment.fileSize);
      for (; at < end; at++) if (bytes[at] !== 0) found.push(at);
      at = Math.max(at, to);
    }
  }
  return found;
}
