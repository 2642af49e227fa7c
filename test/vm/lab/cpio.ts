/**
 * A writer of cpio archives in the "newc" form, for files that are put into an initramfs after dracut made it.
 * The kernel unpacks all archives of an initramfs in order; a later file replaces an earlier one.
 * Source: Linux Documentation/driver-api/early-userspace/buffer-format.rst.
 */

export interface ArchiveFile {
  readonly content: string | Uint8Array;
  /** Permission bits; default 0644. */
  readonly mode?: number;
}

const FILE = 0o100000;
const DIRECTORY = 0o040000;

/** Encodes files by path (without leading slash); directories above them are made on the way. */
export function cpioArchive(files: Readonly<Record<string, ArchiveFile>>): Buffer {
  const parts: Uint8Array[] = [];
  const made = new Set<string>();
  let inode = 1;
  const add = (name: string, mode: number, content: Uint8Array): void => {
    const path = Buffer.from(`${name}\0`);
    const fields = [inode++, mode, 0, 0, 1, 0, content.length, 0, 0, 0, 0, path.length, 0];
    parts.push(padded(Buffer.concat([Buffer.from(`070701${fields.map((field) => field.toString(16).padStart(8, "0")).join("")}`), path])), padded(content));
  };
  for (const [name, { content, mode = 0o644 }] of Object.entries(files)) {
    const folders = name.split("/").slice(0, -1);
    folders.forEach((_, index) => {
      const folder = folders.slice(0, index + 1).join("/");
      if (made.has(folder)) return;
      made.add(folder);
      add(folder, DIRECTORY | 0o755, new Uint8Array());
    });
    add(name, FILE | mode, typeof content === "string" ? Buffer.from(content) : content);
  }
  add("TRAILER!!!", 0, new Uint8Array());
  return Buffer.concat(parts);
}

function padded(bytes: Uint8Array): Buffer {
  return Buffer.concat([bytes, new Uint8Array((4 - (bytes.length % 4)) % 4)]);
}
