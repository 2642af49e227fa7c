/** What check-initramfs wants to know of an ELF program: its machine, its loader, its libraries (System V ABI, chapters 4 and 5). */

import { byteAt, Damage, slice, uint16le, uint32le, uint64le } from "./damage.ts";

const HEADER_LENGTH = 64;
const SEGMENT_LENGTH = 56;
const SECTION_LENGTH = 64;
const SEGMENT = { load: 1, dynamic: 2, interpreter: 3 } as const;
const DYNAMIC = { end: 0, needed: 1, stringTable: 5 } as const;
/** Far beyond what linkers make; keeps a hostile file from making us search for ever. */
const MOST_SEGMENTS = 128;
const MOST_DYNAMIC_ENTRIES = 4096;

export const MACHINE_NAMES: Readonly<Record<number, string>> = {
  3: "x86", 21: "ppc64", 22: "s390x", 40: "arm", 62: "x86-64", 183: "arm64", 243: "riscv64", 258: "loongarch64",
};

export const machineName = (machine: number): string => MACHINE_NAMES[machine] ?? `machine ${machine}`;

export interface ElfFacts {
  readonly machine: number;
  /** Path of the dynamic linker; undefined for a static program. */
  readonly interpreter: string | undefined;
  /** Names of the libraries it asks for. */
  readonly needed: readonly string[];
}

interface Segment {
  readonly type: number;
  readonly offset: number;
  readonly address: number;
  readonly size: number;
}

/** The machine of an ELF file of which at least the header is there; undefined for anything else. */
export function elfMachine(bytes: Uint8Array): number | undefined {
  if (bytes.length < 20 || uint32le(bytes, 0) !== 0x464c457f) return undefined;
  return uint16le(bytes, 18);
}

function readSegments(file: Uint8Array): Segment[] {
  if (file.length < HEADER_LENGTH || uint32le(file, 0) !== 0x464c457f) throw new Damage("it is no ELF file");
  if (byteAt(file, 4) !== 2 || byteAt(file, 5) !== 1) throw new Damage("it is no 64-bit little-endian ELF file");
  const table = uint64le(file, 32);
  const count = uint16le(file, 56);
  if (count > MOST_SEGMENTS) throw new Damage(`it has ${count} program headers`);
  if (uint16le(file, 54) !== SEGMENT_LENGTH) throw new Damage("its program headers are of an unknown size");
  return Array.from({ length: count }, (_, i): Segment => {
    const at = table + i * SEGMENT_LENGTH;
    return { type: uint32le(file, at), offset: uint64le(file, at + 8), address: uint64le(file, at + 16), size: uint64le(file, at + 32) };
  });
}

const text = (bytes: Uint8Array, at: number): string => {
  const end = bytes.indexOf(0, at);
  if (end < 0 || end - at > 4096) throw new Damage("a name in it has no end");
  return Buffer.from(slice(bytes, at, end)).toString("latin1");
};

/** @throws Damage */
export function readElf(file: Uint8Array): ElfFacts {
  const segments = readSegments(file);
  const interpreter = segments.find(({ type }) => type === SEGMENT.interpreter);
  const dynamic = segments.find(({ type }) => type === SEGMENT.dynamic);
  const inFile = (address: number): number => {
    const segment = segments.find(({ type, address: start, size }) => type === SEGMENT.load && address >= start && address < start + size);
    if (segment === undefined) throw new Damage("an address in it lies nowhere");
    return segment.offset + address - segment.address;
  };
  const offsets: number[] = [];
  let strings: number | undefined;
  const entries = Math.min(MOST_DYNAMIC_ENTRIES, Math.floor((dynamic?.size ?? 0) / 16));
  for (let i = 0; i < entries; i++) {
    const at = (dynamic?.offset ?? 0) + i * 16;
    const tag = uint64le(file, at);
    if (tag === DYNAMIC.end) break;
    if (tag === DYNAMIC.needed) offsets.push(uint64le(file, at + 8));
    if (tag === DYNAMIC.stringTable) strings = inFile(uint64le(file, at + 8));
  }
  const base = strings;
  if (offsets.length > 0 && base === undefined) throw new Damage("it has no table of names");
  return {
    machine: uint16le(file, 18),
    interpreter: interpreter === undefined ? undefined : text(slice(file, interpreter.offset, interpreter.offset + interpreter.size), 0),
    needed: base === undefined ? [] : offsets.map((offset) => text(file, base + offset)),
  };
}

/** A number of 64 bits as the linker writes it. */
function bytesOf(value: number): Uint8Array {
  const bytes = new Uint8Array(8);
  new DataView(bytes.buffer).setBigUint64(0, BigInt(value), true);
  return bytes;
}

/**
 * Whether strip(1) went over a compiled program and cut it off from its payload.
 *
 * The payload is in a section .bun, and its address in a word of the data that belongs to no section; GNU strip clears that
 * word, and what is left starts as a bare JavaScript runtime. A file without section headers cannot be stripped at all.
 */
export function isCutOff(file: Uint8Array): boolean {
  const table = uint64le(file, 40);
  const count = uint16le(file, 60);
  const names = uint16le(file, 62);
  if (table === 0 || count === 0) return false;
  const field = (section: number, offset: number): number => uint64le(file, table + section * SECTION_LENGTH + offset);
  const strings = field(names, 24);
  for (let section = 0; section < count; section++) {
    if (text(file, strings + uint32le(file, table + section * SECTION_LENGTH)) !== ".bun") continue;
    const word = bytesOf(field(section, 16));
    const start = field(section, 24);
    const end = start + field(section, 32);
    const bytes = Buffer.from(file.buffer, file.byteOffset, file.byteLength);
    return !readSegments(file).some(({ type, offset, size }) => {
      if (type !== SEGMENT.load) return false;
      for (let at = bytes.indexOf(word, offset); at >= 0 && at < offset + size; at = bytes.indexOf(word, at + 1)) {
        if (at < start || at >= end) return true;
      }
      return false;
    });
  }
  return false;
}
