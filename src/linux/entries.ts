/** Entries of a directory with their types, and what is done with them: links read, names removed, replaced and made durable. */

import type { Descriptor } from "./descriptor.ts";
import type { DirectoryDescriptor, FileFacts } from "./files.ts";
import { check, cString, rawSyscall } from "./syscall.ts";

const BUFFER = 1 << 16;
/** struct linux_dirent64: inode and offset (8 bytes each), length of the record (2), type (1), name with its NUL. */
const LENGTH_AT = 16;
const TYPE_AT = 18;
const NAME_AT = 19;
const TYPES: Readonly<Record<number, FileFacts["type"]>> = {
  1: "FIFO", 2: "character device", 4: "directory", 6: "block device", 8: "regular file", 10: "symbolic link", 12: "socket",
};

export interface DirectoryEntry {
  readonly name: string;
  /** The name is UTF-8. Of one that is not, `name` shows something and names nothing. */
  readonly exact: boolean;
  /** Of the entry itself, a link not followed. "file of unknown type" where the filesystem does not tell. */
  readonly type: FileFacts["type"];
}

/** Every entry, sorted by name, without "." and "..". @param directory opened for reading, not listed before */
export function directoryEntries(directory: Descriptor): DirectoryEntry[] {
  const buffer = new Uint8Array(BUFFER);
  const view = new DataView(buffer.buffer);
  const strict = new TextDecoder("utf-8", { fatal: true });
  const entries: DirectoryEntry[] = [];
  for (;;) {
    const filled = check(rawSyscall("getdents64", directory.fd, buffer, BUFFER), () => `getdents64(${directory.label})`);
    if (filled === 0) return entries.sort((a, b) => (a.name < b.name ? -1 : a.name > b.name ? 1 : 0));
    for (let at = 0; at + NAME_AT < filled; ) {
      const length = view.getUint16(at + LENGTH_AT, true);
      const bytes = buffer.subarray(at + NAME_AT, buffer.indexOf(0, at + NAME_AT));
      const type = TYPES[view.getUint8(at + TYPE_AT)] ?? "file of unknown type";
      let name: string;
      let exact = true;
      try {
        name = strict.decode(bytes);
      } catch {
        name = new TextDecoder().decode(bytes);
        exact = false;
      }
      if (name !== "." && name !== "..") entries.push({ name, exact, type });
      at += Math.max(length, NAME_AT + 1);
    }
  }
}

/** readlinkat(2): the text of a symbolic link in a directory. */
export function readLinkAt(directory: DirectoryDescriptor, name: string): string {
  const buffer = new Uint8Array(4096);
  const length = check(rawSyscall("readlinkat", directory.fd, cString(name), buffer, buffer.byteLength), () => `readlinkat(${directory.label}, ${JSON.stringify(name)})`);
  return new TextDecoder().decode(buffer.subarray(0, length));
}

/** unlinkat(2) of a file or link in a directory. */
export function removeAt(directory: DirectoryDescriptor, name: string): void {
  check(rawSyscall("unlinkat", directory.fd, cString(name), 0), () => `unlinkat(${directory.label}, ${JSON.stringify(name)})`);
}

/** renameat2(2): moves a name, over another file of the new name if there is one, in one step. */
export function moveAt(from: DirectoryDescriptor, name: string, to: DirectoryDescriptor, newName: string): void {
  check(rawSyscall("renameat2", from.fd, cString(name), to.fd, cString(newName), 0), () => `renameat2(${from.label}, ${JSON.stringify(name)}, ${to.label}, ${JSON.stringify(newName)})`);
}

/** fsync(2): what was written to the file, or the names in the directory, outlast a power cut. */
export function syncFile(file: Descriptor): void {
  check(rawSyscall("fsync", file.fd), () => `fsync(${file.label})`);
}

/** syncfs(2): the same for everything on the filesystem of this file, in one go. */
export function syncFilesystem(file: Descriptor): void {
  check(rawSyscall("syncfs", file.fd), () => `syncfs(${file.label})`);
}
