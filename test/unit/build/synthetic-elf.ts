/** Makes small ELF files for the tests of the build: headers, a code and a data segment, sections. */

export interface Parts {
  readonly machine?: number;
  readonly type?: number;
  readonly interpreter?: string;
  readonly needed?: readonly string[];
  readonly versions?: readonly string[];
  readonly symbols?: readonly { readonly name: string; readonly address: number; readonly size: number }[];
  /** Content of the executable segment, at CODE_ADDRESS. */
  readonly code?: Uint8Array;
  readonly codeFlags?: number;
  readonly stack?: boolean;
  /** Content of the .bun section, at PROGRAM_ADDRESS. */
  readonly bun?: Uint8Array;
  /** What the slot holds. */
  readonly slot?: number;
  /** Whether a section covers the slot, as after the build's changes. */
  readonly covered?: boolean;
}

export const CODE_ADDRESS = 0x400000;
export const DATA_ADDRESS = 0x600000;
/** The data segment: 16 bytes of data, the slot, 24 bytes of .bss, the program. */
export const SLOT_ADDRESS = DATA_ADDRESS + 16;
export const PROGRAM_ADDRESS = DATA_ADDRESS + 48;

type Field = readonly [at: number, bytes: 1 | 2 | 4 | 8, value: number];

function record(size: number, ...fields: readonly Field[]): Buffer {
  const buffer = Buffer.alloc(size);
  for (const [at, bytes, value] of fields) {
    if (bytes === 8) buffer.writeBigUInt64LE(BigInt(value), at);
    else buffer.writeUIntLE(value, at, bytes);
  }
  return buffer;
}

interface SectionPart {
  readonly name: string;
  readonly type: number;
  readonly address?: number;
  readonly content?: Buffer;
  /** Offset and size, for a section without content of its own. */
  readonly at?: readonly [offset: number, size: number];
}

/** A 64-bit little-endian file with exactly these parts. */
export function syntheticElf(parts: Parts): Buffer {
  const { machine = 62, type = 2, interpreter = "/ld", needed = [], versions = [], symbols = [], code = new Uint8Array(64), codeFlags = 5, stack = true, bun = new Uint8Array(8), slot = PROGRAM_ADDRESS, covered = false } = parts;
  const strings: number[] = [0];
  const text = (value: string): number => {
    const at = strings.length;
    strings.push(...Buffer.from(`${value}\0`, "latin1"));
    return at;
  };
  const symbolTable = Buffer.concat(symbols.map((s) => record(24, [0, 4, text(s.name)], [4, 1, 0x12], [6, 2, 1], [8, 8, s.address], [16, 8, s.size])));
  const dynamic = Buffer.concat([...needed.map((name) => record(16, [0, 8, 1], [8, 8, text(name)])), Buffer.alloc(16)]);
  const auxiliaries = versions.map((name, index) => record(16, [8, 4, text(name)], [12, 4, index + 1 === versions.length ? 0 : 16]));
  const verneed = Buffer.concat([record(16, [0, 2, 1], [2, 2, versions.length], [8, 4, 16]), ...auxiliaries]);

  const pieces: Buffer[] = [];
  const segmentCount = stack ? 4 : 3;
  let end = 64 + 56 * segmentCount;
  const put = (piece: Buffer): number => {
    const at = end;
    pieces.push(piece);
    end += piece.length;
    return at;
  };
  const interpreterAt = put(Buffer.from(`${interpreter}\0`, "latin1"));
  const codeAt = put(Buffer.from(code));
  const data = Buffer.concat([Buffer.alloc(16, 1), record(32, [0, 8, slot]), Buffer.from(bun)]);
  const dataAt = put(data);
  const sections: readonly SectionPart[] = [
    { name: "", type: 0, at: [0, 0] },
    { name: ".text", type: 1, address: CODE_ADDRESS, at: [codeAt, code.length] },
    { name: ".data", type: 1, address: DATA_ADDRESS, at: [dataAt, 16] },
    { name: ".tm_clone_table", type: 1, address: covered ? SLOT_ADDRESS : DATA_ADDRESS, at: covered ? [dataAt + 16, 8] : [dataAt, 0] },
    { name: ".bss", type: 8, address: SLOT_ADDRESS + 8, at: [dataAt + 20, 24] },
    { name: ".bun", type: 1, address: PROGRAM_ADDRESS, at: [dataAt + 48, bun.length] },
    { name: ".dynsym", type: 11, content: symbolTable },
    { name: ".dynamic", type: 6, content: dynamic },
    ...(versions.length === 0 ? [] : [{ name: ".gnu.version_r", type: 0x6ffffffe, content: verneed }]),
    { name: ".dynstr", type: 3, content: Buffer.from(strings) },
  ];
  const names = Buffer.from([...sections.map(({ name }) => name), ".shstrtab", ""].join("\0"), "latin1");
  let nameAt = 0;
  const headers = [...sections, { name: ".shstrtab", type: 3, content: names }].map(({ name, type: kind, address = 0, content, at = [0, 0] }: SectionPart) => {
    const [offset, size] = content === undefined ? at : [put(content), content.length];
    const header = record(64, [0, 4, nameAt], [4, 4, kind], [16, 8, address], [24, 8, offset], [32, 8, size]);
    nameAt += name.length + 1;
    return header;
  });
  const segment = (kind: number, flags: number, offset: number, address: number, size: number): Buffer =>
    record(56, [0, 4, kind], [4, 4, flags], [8, 8, offset], [16, 8, address], [32, 8, size], [40, 8, size]);
  const segments = [segment(3, 4, interpreterAt, 0, interpreter.length + 1), segment(1, codeFlags, codeAt, CODE_ADDRESS, code.length), segment(1, 6, dataAt, DATA_ADDRESS, data.length)];
  if (stack) segments.push(segment(0x6474e551, 6, 0, 0, 0));
  const header = record(64, [16, 2, type], [18, 2, machine], [24, 8, CODE_ADDRESS], [32, 8, 64], [40, 8, end], [54, 2, 56], [56, 2, segmentCount], [58, 2, 64], [60, 2, headers.length], [62, 2, headers.length - 1]);
  header.write("\x7fELF\x02\x01\x01", 0, "latin1");
  return Buffer.concat([header, ...segments, ...pieces, ...headers]);
}
