/** Makes small ELF files for the tests of the build: a header, program headers, one loaded image, sections. */

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
  readonly bun?: Uint8Array;
}

export const CODE_ADDRESS = 0x400000;

/** A 64-bit little-endian file with exactly these parts. Offsets equal addresses minus the base of their segment. */
export function syntheticElf(parts: Parts): Buffer {
  const { machine = 62, type = 2, interpreter = "/ld", needed = [], versions = [], symbols = [], code = new Uint8Array(64), codeFlags = 5, stack = true, bun = new Uint8Array(0) } = parts;
  const strings: number[] = [0];
  const text = (value: string): number => {
    const at = strings.length;
    strings.push(...Buffer.from(`${value}\0`, "latin1"));
    return at;
  };
  const u = (size: number, ...fields: readonly (readonly [at: number, bytes: 1 | 2 | 4 | 8, value: number])[]): Buffer => {
    const buffer = Buffer.alloc(size);
    for (const [at, bytes, value] of fields) {
      if (bytes === 8) buffer.writeBigUInt64LE(BigInt(value), at);
      else buffer.writeUIntLE(value, at, bytes);
    }
    return buffer;
  };
  const dynsym = Buffer.concat(symbols.map((s) => u(24, [0, 4, text(s.name)], [4, 1, 0x12], [6, 2, 1], [8, 8, s.address], [16, 8, s.size])));
  const dynamic = Buffer.concat([...needed.map((name) => u(16, [0, 8, 1], [8, 8, text(name)])), Buffer.alloc(16)]);
  const auxiliaries = versions.map((name, index) => u(16, [8, 4, text(name)], [12, 4, index + 1 === versions.length ? 0 : 16]));
  const verneed = versions.length === 0 ? Buffer.alloc(0) : Buffer.concat([u(16, [0, 2, 1], [2, 2, versions.length], [8, 4, 16]), ...auxiliaries]);
  const sectionNames = ["", ".dynsym", ".dynstr", ".dynamic", ".gnu.version_r", ".bun", ".shstrtab"];
  const shstrtab = Buffer.from(sectionNames.map((name) => `${name}\0`).join(""), "latin1");
  const segmentCount = stack ? 3 : 2;
  const interp = Buffer.from(`${interpreter}\0`, "latin1");
  const head = 64 + 56 * segmentCount;
  const pieces: Buffer[] = [interp, Buffer.from(code), dynsym, Buffer.from(strings), dynamic, verneed, Buffer.from(bun), shstrtab];
  const offsets: number[] = [];
  let end = head;
  for (const piece of pieces) {
    offsets.push(end);
    end += piece.length;
  }
  const at = (index: number): number => offsets[index] ?? 0;
  const contents: readonly (readonly [number, number, number])[] = [[0, 0, 0], [at(2), dynsym.length, 11], [at(3), strings.length, 3], [at(4), dynamic.length, 6], [at(5), verneed.length, 0x6ffffffe], [at(6), bun.length, 1], [at(7), shstrtab.length, 3]];
  let nameAt = 0;
  const headers = contents.flatMap(([offset, size, kind], index) => {
    const header = u(64, [0, 4, nameAt], [4, 4, kind], [24, 8, offset], [32, 8, size]);
    nameAt += (sectionNames[index] ?? "").length + 1;
    return index === 4 && versions.length === 0 ? [u(64)] : [header];
  });
  const segment = (kind: number, flags: number, offset: number, address: number, size: number): Buffer =>
    u(56, [0, 4, kind], [4, 4, flags], [8, 8, offset], [16, 8, address], [32, 8, size], [40, 8, size]);
  const header = u(64, [16, 2, type], [18, 2, machine], [24, 8, CODE_ADDRESS], [32, 8, 64], [40, 8, end], [54, 2, 56], [56, 2, segmentCount], [58, 2, 64], [60, 2, contents.length], [62, 2, contents.length - 1]);
  header.write("\x7fELF\x02\x01\x01", 0, "latin1");
  const segments = [segment(3, 4, at(0), 0, interp.length), segment(1, codeFlags, at(1), CODE_ADDRESS, code.length)];
  if (stack) segments.push(segment(0x6474e551, 6, 0, 0, 0));
  return Buffer.concat([header, ...segments, ...pieces, ...headers]);
}
