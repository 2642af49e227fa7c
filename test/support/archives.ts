/** Small initramfs archives and unified kernel images, for what reads them as files. */

/** Content, or where a symbolic link points. */
export type ArchiveEntry = string | Uint8Array | { readonly link: string };

const FILE = 0o100644;
const DIRECTORY = 0o040755;
const LINK = 0o120777;

/** A cpio archive of the form "newc" (Linux Documentation/driver-api/early-userspace/buffer-format.rst); directories are made on the way. */
export function cpioArchive(files: Readonly<Record<string, ArchiveEntry>>): Uint8Array<ArrayBuffer> {
  const parts: Uint8Array[] = [];
  const made = new Set<string>();
  const pad = (bytes: Uint8Array): Uint8Array => Buffer.concat([bytes, new Uint8Array((4 - (bytes.length % 4)) % 4)]);
  const add = (name: string, mode: number, content: Uint8Array): void => {
    const path = Buffer.from(`${name}\0`);
    const fields = [parts.length + 1, mode, 0, 0, 1, 0, content.length, 0, 0, 0, 0, path.length, 0];
    parts.push(pad(Buffer.concat([Buffer.from(`070701${fields.map((field) => field.toString(16).padStart(8, "0")).join("")}`), path])), pad(content));
  };
  for (const [name, entry] of Object.entries(files)) {
    const folders = name.split("/").slice(0, -1);
    for (const [index] of folders.entries()) {
      const folder = folders.slice(0, index + 1).join("/");
      if (!made.has(folder)) add(folder, DIRECTORY, new Uint8Array());
      made.add(folder);
    }
    if (typeof entry === "object" && "link" in entry) add(name, LINK, Buffer.from(entry.link));
    else add(name, FILE, typeof entry === "string" ? Buffer.from(entry) : entry);
  }
  add("TRAILER!!!", 0, new Uint8Array());
  return new Uint8Array(Bun.concatArrayBuffers(parts));
}

/** A PE file with nothing but sections (Microsoft PE/COFF), for x86-64. */
export function unifiedKernelImage(sections: Readonly<Record<string, Uint8Array>>): Uint8Array {
  const entries = Object.entries(sections);
  const header = new Uint8Array(0x40 + 24 + entries.length * 40);
  const view = new DataView(header.buffer);
  header.set(new TextEncoder().encode("MZ"));
  view.setUint32(0x3c, 0x40, true);
  view.setUint32(0x40, 0x4550, true);
  view.setUint16(0x44, 0x8664, true);
  view.setUint16(0x46, entries.length, true);
  let at = header.length;
  for (const [index, [name, content]] of entries.entries()) {
    const row = 0x40 + 24 + index * 40;
    header.set(new TextEncoder().encode(name), row);
    for (const [offset, value] of [[8, content.length], [16, content.length], [20, at]] as const) view.setUint32(row + offset, value, true);
    at += content.length;
  }
  return new Uint8Array(Bun.concatArrayBuffers([header, ...entries.map(([, content]) => content)]));
}
