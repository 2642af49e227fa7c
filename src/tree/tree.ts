/** A filesystem in memory, complete: what images, dumpfiles and directories become, and what images are made from. */

import type { Entry } from "./builder.ts";
import { type Inode, type Inodes, ROOT } from "./inodes.ts";

/** The names, as a builder leaves them. */
export interface Entries {
  /** The entries of directory i are order[starts[i]] up to order[starts[i + 1]], sorted by name. */
  readonly starts: Uint32Array;
  readonly order: Uint32Array;
  name(entry: Entry): Uint8Array;
  nameLength(entry: Entry): number;
  nameByte(entry: Entry, index: number): number;
  /** Order of a name and bytes[start..end). */
  compareName(entry: Entry, bytes: Uint8Array, start: number, end: number): number;
  copyName(entry: Entry, target: Uint8Array, at: number): void;
  target(entry: Entry): Inode;
  parent(entry: Entry): Inode;
  /** The entry that an inode was added under; -1 for the root. */
  primary(inode: Inode): Entry;
}

export class Tree {
  readonly inodes: Inodes;
  readonly #entries: Entries;

  constructor(inodes: Inodes, entries: Entries) {
    this.inodes = inodes;
    this.#entries = entries;
  }

  /** How many entries a directory has, without `.` and `..`; 0 for anything else. */
  childCount(directory: Inode): number {
    return (this.#entries.starts[directory + 1] ?? 0) - (this.#entries.starts[directory] ?? 0);
  }

  /** The entry at `index` of a directory, in the order of their names (compareBytes). */
  child(directory: Inode, index: number): Entry {
    return this.#entries.order[(this.#entries.starts[directory] ?? 0) + index] ?? 0;
  }

  /** A directory's entries in the order of their names. A view: not to be written to. */
  children(directory: Inode): Uint32Array {
    return this.#entries.order.subarray(this.#entries.starts[directory] ?? 0, this.#entries.starts[directory + 1] ?? 0);
  }

  /** A view, not a copy. */
  name(entry: Entry): Uint8Array { return this.#entries.name(entry); }
  nameLength(entry: Entry): number { return this.#entries.nameLength(entry); }
  /** One byte of a name, without a view. */
  nameByte(entry: Entry, index: number): number { return this.#entries.nameByte(entry, index); }
  copyName(entry: Entry, target: Uint8Array, at: number): void { this.#entries.copyName(entry, target, at); }
  target(entry: Entry): Inode { return this.#entries.target(entry); }

  /** The directory in which an inode has its first name; the root for the root. */
  parentOf(inode: Inode): Inode {
    return inode === ROOT ? ROOT : this.#entries.parent(this.#entries.primary(inode));
  }

  /** Whether this is a further name of an inode that has its place under another one. */
  isHardLink(entry: Entry): boolean {
    return this.#entries.primary(this.target(entry)) !== entry;
  }

  /** The entry of the name bytes[start..end) in a directory. */
  find(directory: Inode, name: Uint8Array, start = 0, end = name.length): Entry | undefined {
    let low = 0;
    let high = this.childCount(directory);
    while (low < high) {
      const middle = (low + high) >>> 1;
      const entry = this.child(directory, middle);
      const difference = this.#entries.compareName(entry, name, start, end);
      if (difference === 0) return entry;
      if (difference < 0) low = middle + 1;
      else high = middle;
    }
    return undefined;
  }

  /** Names from below the root to an inode's first name, for people and for dumpfiles; empty for the root. */
  path(inode: Inode): Uint8Array[] {
    const names: Uint8Array[] = [];
    for (let at = inode; at !== ROOT;) {
      const entry = this.#entries.primary(at);
      names.push(this.name(entry));
      at = this.#entries.parent(entry);
    }
    return names.reverse();
  }
}
