/**
 * Reads the parts of a 64-bit little-endian ELF file that the build judges and changes.
 *
 * Own code, so that the build needs no binutils; pure, so that it is tested on bytes made up for it.
 * Source: System V ABI, chapters 4 and 5; the GNU version sections: LSB Core, "Symbol Versioning".
 */

export interface Segment {
  readonly type: number;
  readonly flags: number;
  readonly offset: number;
  readonly address: number;
  readonly fileSize: number;
  readonly memorySize: number;
}

export interface Section {
  readonly name: string;
  readonly type: number;
  readonly link: number;
  readonly address: number;
  readonly offset: number;
  readonly size: number;
}

export interface ElfSymbol {
  readonly name: string;
  readonly address: number;
  readonly size: number;
  /** STT_FUNC is 2. */
  readonly kind: number;
  readonly defined: boolean;
}

export interface Elf {
  /** EM_X86_64 is 62, EM_AARCH64 is 183. */
  readonly machine: number;
  /** ET_EXEC is 2, ET_DYN is 3. */
  readonly type: number;
  /** Virtual address of the first instruction. */
  readonly entry: number;
  readonly segments: readonly Segment[];
  readonly sections: readonly Section[];
}

export const EM_X86_64 = 62;
export const EM_AARCH64 = 183;
export const PT_LOAD = 1;
export const PT_INTERP = 3;
export const PT_GNU_STACK = 0x6474e551;
export const PF_X = 1;
export const PF_W = 2;

/** File offset of the header of the section with this index. */
export function sectionHeaderOffset(bytes: Uint8Array, index: number): number {
  const view = viewOf(bytes);
  return word64(view, 40) + index * view.getUint16(58, true);
}

/** Where the program headers end in the file. */
export function headersEnd(bytes: Uint8Array): number {
  const view = viewOf(bytes);
  return word64(view, 32) + view.getUint16(54, true) * view.getUint16(56, true);
}

/** Where e_entry stands in the file header. */
export const ENTRY_OFFSET = 24;

const latin1 = new TextDecoder("latin1");

/** A number that a file gives as 64 bits; anything above 2^53 is nonsense for an offset. */
function word64(view: DataView, at: number): number {
  const value = view.getBigUint64(at, true);
  if (value > BigInt(Number.MAX_SAFE_INTEGER)) throw new Error(`ELF: a number of ${value} at ${at}`);
  return Number(value);
}

function viewOf(bytes: Uint8Array): DataView {
  return new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
}

/** The NUL-terminated string at `at`; it must end inside `bytes`. */
export function stringAt(bytes: Uint8Array, at: number): string {
  const end = bytes.indexOf(0, at);
  if (at < 0 || end < 0) throw new Error(`ELF: a string at ${at} does not end`);
  return latin1.decode(bytes.subarray(at, end));
}

/** @throws Error when `bytes` is not a whole 64-bit little-endian ELF file with section headers */
export function readElf(bytes: Uint8Array): Elf {
  if (bytes.length < 64 || latin1.decode(bytes.subarray(0, 4)) !== "\x7fELF" || bytes[4] !== 2 || bytes[5] !== 1) {
    throw new Error("ELF: not a 64-bit little-endian ELF file");
  }
  const view = viewOf(bytes);
  const segments: Segment[] = [];
  const [segmentTable, segmentSize, segmentCount] = [word64(view, 32), view.getUint16(54, true), view.getUint16(56, true)];
  for (let index = 0; index < segmentCount; index++) {
    const at = segmentTable + index * segmentSize;
    segments.push({
      type: view.getUint32(at, true),
      flags: view.getUint32(at + 4, true),
      offset: word64(view, at + 8),
      address: word64(view, at + 16),
      fileSize: word64(view, at + 32),
      memorySize: word64(view, at + 40),
    });
  }
  const [sectionTable, sectionSize, sectionCount] = [word64(view, 40), view.getUint16(58, true), view.getUint16(60, true)];
  const namesAt = sectionTable + view.getUint16(62, true) * sectionSize;
  const names = word64(view, namesAt + 24);
  const sections: Section[] = [];
  for (let index = 0; index < sectionCount; index++) {
    const at = sectionTable + index * sectionSize;
    sections.push({
      name: stringAt(bytes, names + view.getUint32(at, true)),
      type: view.getUint32(at + 4, true),
      address: word64(view, at + 16),
      offset: word64(view, at + 24),
      size: word64(view, at + 32),
      link: view.getUint32(at + 40, true),
    });
  }
  return { machine: view.getUint16(18, true), type: view.getUint16(16, true), entry: word64(view, ENTRY_OFFSET), segments, sections };
}

export function sectionNamed(elf: Elf, name: string): Section {
  const section = elf.sections.find((candidate) => candidate.name === name);
  if (section === undefined) throw new Error(`ELF: no section ${name}`);
  return section;
}

/** File offset of `address`, which must lie in the file part of a loaded segment. */
export function offsetOf(elf: Elf, address: number): number {
  const segment = elf.segments.find((s) => s.type === PT_LOAD && address >= s.address && address < s.address + s.fileSize);
  if (segment === undefined) throw new Error(`ELF: address 0x${address.toString(16)} is not in the file`);
  return segment.offset + (address - segment.address);
}

/** The dynamic symbol table. */
export function dynamicSymbols(bytes: Uint8Array, elf: Elf): readonly ElfSymbol[] {
  const table = sectionNamed(elf, ".dynsym");
  const strings = sectionNamed(elf, ".dynstr");
  const view = viewOf(bytes);
  const symbols: ElfSymbol[] = [];
  for (let at = table.offset; at + 24 <= table.offset + table.size; at += 24) {
    symbols.push({
      name: stringAt(bytes, strings.offset + view.getUint32(at, true)),
      kind: view.getUint8(at + 4) & 15,
      defined: view.getUint16(at + 6, true) !== 0,
      address: word64(view, at + 8),
      size: word64(view, at + 16),
    });
  }
  return symbols;
}

/** DT_NEEDED entries in file order. */
export function neededLibraries(bytes: Uint8Array, elf: Elf): readonly string[] {
  const dynamic = sectionNamed(elf, ".dynamic");
  const strings = sectionNamed(elf, ".dynstr");
  const view = viewOf(bytes);
  const names: string[] = [];
  for (let at = dynamic.offset; at + 16 <= dynamic.offset + dynamic.size; at += 16) {
    if (word64(view, at) === 1) names.push(stringAt(bytes, strings.offset + word64(view, at + 8)));
  }
  return names;
}

/** The program interpreter, e.g. "/lib64/ld-linux-x86-64.so.2". */
export function interpreter(bytes: Uint8Array, elf: Elf): string | undefined {
  const segment = elf.segments.find((s) => s.type === PT_INTERP);
  return segment === undefined ? undefined : stringAt(bytes, segment.offset);
}

/** Version names asked of libraries (.gnu.version_r), e.g. "GLIBC_2.17"; empty without that section. */
export function requiredVersions(bytes: Uint8Array, elf: Elf): readonly string[] {
  const section = elf.sections.find((s) => s.name === ".gnu.version_r");
  if (section === undefined) return [];
  const strings = sectionNamed(elf, ".dynstr");
  const view = viewOf(bytes);
  const names = new Set<string>();
  for (let at = section.offset; ; ) {
    const count = view.getUint16(at + 2, true);
    for (let index = 0, aux = at + view.getUint32(at + 8, true); index < count; index++) {
      names.add(stringAt(bytes, strings.offset + view.getUint32(aux + 8, true)));
      aux += view.getUint32(aux + 12, true);
    }
    const next = view.getUint32(at + 12, true);
    if (next === 0) return [...names];
    at += next;
  }
}
