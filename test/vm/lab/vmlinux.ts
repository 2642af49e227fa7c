/**
 * Takes the ELF kernel out of an x86 boot image, so that QEMU can start it through its PVH entry.
 * Source: Linux Documentation/arch/x86/boot.rst (setup_sects at 0x1f1, payload_offset and payload_length at 0x248).
 */

import { readFileSync, writeFileSync } from "node:fs";

const DECOMPRESSORS: readonly (readonly [magic: string, command: readonly string[]])[] = [
  ["28b52ffd", ["zstd", "-dc"]],
  ["fd377a58", ["xz", "-dc", "--single-stream"]],
  ["02214c18", ["lz4", "-dc"]],
  ["1f8b", ["gzip", "-dc"]],
];

/** Writes the uncompressed kernel of `image` to `target`. @throws Error when the compression is not known */
export async function vmlinux(image: string, target: string): Promise<void> {
  const bytes = readFileSync(image);
  const setupSectors = bytes.readUInt8(0x1f1) || 4;
  const start = (setupSectors + 1) * 512 + bytes.readUInt32LE(0x248);
  const payload = bytes.subarray(start, start + bytes.readUInt32LE(0x24c));
  const [, command] = DECOMPRESSORS.find(([magic]) => payload.toString("hex", 0, 4).startsWith(magic)) ?? [];
  if (command === undefined) throw new Error(`${image}: compressed in a way that is not known here (${payload.toString("hex", 0, 4)})`);
  const child = Bun.spawn([...command], { stdin: new Blob([payload]), stdout: "pipe", stderr: "ignore" });
  // The last four bytes of the payload are its length, which the decompressors take for garbage: their status says nothing.
  const kernel = Buffer.from(await child.stdout.bytes());
  if (kernel.toString("latin1", 0, 4) !== "\x7fELF") throw new Error(`${image}: its payload is no ELF kernel`);
  writeFileSync(target, kernel);
}
