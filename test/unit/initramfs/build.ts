/** Makes archives, unified kernel images and programs for the tests, byte by byte. */

import { gzipSync, zstdCompressSync } from "node:zlib";

export interface Entry {
  readonly path: string;
  /** File by default. */
  readonly kind?: "file" | "directory" | "symlink" | "device";
  readonly mode?: number;
  readonly data?: string | Uint8Array;
  /** Entries with the same number are hard links. */
  readonly ino?: number;
  readonly links?: number;
}

const TYPE = { file: 0o100000, directory: 0o040000, symlink: 0o120000, device: 0o020000 } as const;
export const bytes = (text: string): Uint8Array => Uint8Array.from(Buffer.from(text, "latin1"));

export function join(...parts: readonly Uint8Array[]): Uint8Array {
  return Uint8Array.from(Buffer.concat(parts));
}

const pad = (length: number): Uint8Array => new Uint8Array((4 - (length % 4)) % 4);
const hex = (value: number): string => value.toString(16).padStart(8, "0");

function entry(entry: Entry, ino: number, crc: boolean): Uint8Array {
  const { path, kind = "file" } = entry;
  const data = typeof entry.data === "string" ? bytes(entry.data) : (entry.data ?? new Uint8Array(0));
  const mode = TYPE[kind] | (entry.mode ?? (kind === "file" ? 0o644 : 0o755));
  const name = bytes(`${path}\0`);
  const sum = crc && kind === "file" ? data.reduce((total, byte) => (total + byte) >>> 0, 0) : 0;
  const fields = [entry.ino ?? ino, mode, 0, 0, entry.links ?? 1, 0, data.length, 0, 0, 0, 0, name.length, sum];
  const header = bytes(`${crc ? "070702" : "070701"}${fields.map(hex).join("")}`);
  return join(header, name, pad(header.length + name.length), data, pad(data.length));
}

/** A whole archive, trailer included; `crc` for the form with checksums. */
export function cpio(entries: readonly Entry[], crc = false): Uint8Array {
  return join(...entries.map((one, i) => entry(one, i + 1, crc)), entry({ path: "TRAILER!!!" }, 0, crc));
}

/** Entries for the paths of `files`, with the directories that they need. */
export function withDirectories(files: readonly Entry[]): readonly Entry[] {
  const directories = new Set<string>();
  for (const { path } of files) {
    const parts = path.split("/");
    for (let i = 1; i < parts.length; i++) directories.add(parts.slice(0, i).join("/"));
  }
  for (const { path } of files) directories.delete(path);
  return [...[...directories].sort().map((path): Entry => ({ path, kind: "directory" })), ...files];
}

export const gzip = (data: Uint8Array): Uint8Array => Uint8Array.from(gzipSync(data, { level: 1 }));
export const zstd = (data: Uint8Array): Uint8Array => Uint8Array.from(zstdCompressSync(data));

/** An ELF program of 64 bits with an interpreter, libraries, and `payload` behind its headers. */
export function elf(options: { machine?: number; interpreter?: string; needed?: readonly string[]; payload?: string } = {}): Uint8Array {
  const { machine = 62, interpreter = "/lib64/ld-linux-x86-64.so.2", needed = ["libc.so.6"], payload = "" } = options;
  const names = `\0${needed.join("\0")}\0`;
  const interpreterAt = 64 + 3 * 56;
  const dynamicAt = (interpreterAt + interpreter.length + 1 + 7) & ~7;
  const namesAt = dynamicAt + (needed.length + 2) * 16;
  const file = new Uint8Array(namesAt + names.length + payload.length);
  const view = new DataView(file.buffer);
  file.set([0x7f, 0x45, 0x4c, 0x46, 2, 1, 1]);
  view.setUint16(16, 2, true);
  view.setUint16(18, machine, true);
  view.setBigUint64(32, 64n, true);
  view.setUint16(54, 56, true);
  view.setUint16(56, 3, true);
  const segment = (index: number, type: number, offset: number, size: number): void => {
    const at = 64 + index * 56;
    view.setUint32(at, type, true);
    [offset, 0x400000 + offset, 0x400000 + offset, size, size].forEach((value, i) => view.setBigUint64(at + 8 + i * 8, BigInt(value), true));
  };
  segment(0, 3, interpreterAt, interpreter.length + 1);
  segment(1, 1, 0, file.length);
  segment(2, 2, dynamicAt, (needed.length + 2) * 16);
  file.set(bytes(interpreter), interpreterAt);
  let name = 1;
  const tag = (index: number, key: number, value: number): void => {
    view.setBigUint64(dynamicAt + index * 16, BigInt(key), true);
    view.setBigUint64(dynamicAt + index * 16 + 8, BigInt(value), true);
  };
  needed.forEach((library, i) => {
    tag(i, 1, name);
    name += library.length + 1;
  });
  tag(needed.length, 5, 0x400000 + namesAt);
  file.set(bytes(names), namesAt);
  file.set(bytes(payload), namesAt + names.length);
  return file;
}

/** A PE file with these sections, in order. */
export function uki(sections: readonly (readonly [name: string, content: string | Uint8Array])[], machine = 0x8664): Uint8Array {
  const contents = sections.map(([, content]) => (typeof content === "string" ? bytes(content) : content));
  const table = 0x80 + 4 + 20 + 112;
  let at = (table + sections.length * 40 + 511) & ~511;
  const total = contents.reduce((sum, { length }) => sum + ((length + 511) & ~511), at);
  const file = new Uint8Array(total);
  const view = new DataView(file.buffer);
  file.set(bytes("MZ"));
  view.setUint32(0x3c, 0x80, true);
  file.set(bytes("PE\0\0"), 0x80);
  view.setUint16(0x84, machine, true);
  view.setUint16(0x86, sections.length, true);
  view.setUint16(0x84 + 16, 112, true);
  sections.forEach(([name], i) => {
    const content = contents[i] ?? new Uint8Array(0);
    const header = table + i * 40;
    file.set(bytes(name), header);
    view.setUint32(header + 8, content.length, true);
    view.setUint32(header + 16, (content.length + 511) & ~511, true);
    view.setUint32(header + 20, at, true);
    file.set(content, at);
    at += (content.length + 511) & ~511;
  });
  return file;
}
