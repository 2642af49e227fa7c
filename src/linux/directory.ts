/** The names in a directory: getdents64(2), which loads nothing of the runtime's file system module. */

import type { Descriptor } from "./descriptor.ts";
import { check, rawSyscall } from "./syscall.ts";

const BUFFER = 32768;
/** struct linux_dirent64: inode and offset (8 bytes each), length of the record (2), type (1), name with its NUL. */
const LENGTH_AT = 16;
const NAME_AT = 19;

export interface Listing {
  /** Sorted, without "." and "..". Bytes that are not UTF-8 are replaced, so that such a name names no file. */
  readonly names: readonly string[];
  /** There are no more than were asked for. */
  readonly complete: boolean;
}

/** @param directory opened for reading, not listed before @param limit most names that are read, about */
export function listDirectory(directory: Descriptor, limit: number): Listing {
  const buffer = new Uint8Array(BUFFER);
  const view = new DataView(buffer.buffer);
  const decoder = new TextDecoder();
  const names: string[] = [];
  for (;;) {
    const filled = check(rawSyscall("getdents64", directory.fd, buffer, BUFFER), () => `getdents64(${directory.label})`);
    if (filled === 0) return { names: names.sort(), complete: true };
    for (let at = 0; at + NAME_AT < filled; ) {
      const length = view.getUint16(at + LENGTH_AT, true);
      const end = buffer.indexOf(0, at + NAME_AT);
      const name = decoder.decode(buffer.subarray(at + NAME_AT, end));
      if (name !== "." && name !== "..") names.push(name);
      at += Math.max(length, NAME_AT + 1);
    }
    if (names.length > limit) return { names: names.slice(0, limit).sort(), complete: false };
  }
}
