/** Makes a tree: inodes and names in any order, parents first. seal() sorts the names and ends it. */

import { Arena } from "./arena.ts";
import { ByteColumn, WordColumn } from "./column.ts";
import { type Attributes, type Data, type Inode, Inodes, ROOT } from "./inodes.ts";
import { isDirectory } from "./mode.ts";
import { Sorter } from "./sort.ts";
import { type Entries, Tree } from "./tree.ts";
import type { Xattr, XattrSetId } from "./xattrs.ts";

/** The number of a name in its tree. */
export type Entry = number;

export const MAX_NAME = 255;

/** Two entries of one directory with the same name; seal() throws it. */
export class DuplicateName extends Error {
  readonly parent: Inode;
  readonly entryName: Uint8Array;

  constructor(parent: Inode, entryName: Uint8Array) {
    super("two entries of one directory have the same name");
    this.parent = parent;
    this.entryName = entryName;
  }
}

export class TreeBuilder {
  readonly inodes: Inodes;
  readonly #names = new Arena();
  readonly #nameAt = new WordColumn();
  readonly #nameLength = new ByteColumn();
  readonly #target = new WordColumn();
  readonly #parent = new WordColumn();
  /** How many entries each directory has. */
  readonly #counts = new WordColumn();
  /** The entry under which an inode was added, plus one. */
  readonly #primary = new WordColumn();
  #entries = 0;

  /** @param root attributes of the root directory @throws RangeError when it is no directory */
  constructor(root: Attributes, xattrs: readonly Xattr[] = [], digestSize: 32 | 64 = 32) {
    if (!isDirectory(root.mode)) throw new RangeError("a root that is no directory");
    this.inodes = new Inodes(digestSize);
    this.inodes.add(root, this.inodes.xattrTable.intern(xattrs));
  }

  /** A new inode with its first name, name[start..end), which decides where it stands in an image. @throws RangeError: see link() */
  add(parent: Inode, name: Uint8Array, attributes: Attributes, xattrs: readonly Xattr[] | XattrSetId = [], data: Data = NO_DATA, start = 0, end = name.length): Inode {
    const inode = this.inodes.add(attributes, typeof xattrs === "number" ? xattrs : this.inodes.xattrTable.intern(xattrs));
    if (data.kind !== "none") this.inodes.setData(inode, data);
    this.#primary.set(inode, this.link(parent, name, inode, start, end) + 1);
    return inode;
  }

  /**
   * A further name of an inode: a hard link.
   * @throws RangeError for a parent that is no directory, and for a name that is empty, `.`, `..`, too long, or has a slash or a NUL
   */
  link(parent: Inode, name: Uint8Array, target: Inode, start = 0, end = name.length): Entry {
    if (!isDirectory(this.inodes.mode(parent))) throw new RangeError("a parent that is no directory");
    if (!isName(name, start, end)) throw new RangeError("not a file name");
    const entry = this.#entries++;
    this.#nameAt.set(entry, this.#names.add(name, start, end));
    this.#nameLength.set(entry, end - start);
    this.#target.set(entry, target);
    this.#parent.set(entry, parent);
    this.#counts.set(parent, this.#counts.get(parent) + 1);
    return entry;
  }

  /** Where the target of a link was not known yet: link to ROOT first, and name the target before the tree is used. */
  retarget(entry: Entry, target: Inode): void {
    this.#target.set(entry, target);
  }

  /** How many names there are; every entry is smaller, and the next one is this. */
  get entryCount(): number {
    return this.#entries;
  }

  /** The inode that an entry stands for by now. */
  targetOf(entry: Entry): Inode {
    return this.#target.get(entry);
  }

  /** Whether an entry stands in this directory under the name bytes[start..end): for whoever keeps an index of names while building. */
  isEntry(entry: Entry, parent: Inode, bytes: Uint8Array, start: number, end: number): boolean {
    return this.#parent.get(entry) === parent && this.#nameLength.get(entry) === end - start && this.#names.equals(this.#nameAt.get(entry), bytes, start, end);
  }

  /** Order (compareBytes) of an entry's name and bytes[start..end). */
  compareName(entry: Entry, bytes: Uint8Array, start: number, end: number): number {
    return this.#names.compareTo(this.#nameAt.get(entry), this.#nameLength.get(entry), bytes, start, end);
  }

  /** The directory that an entry stands in. */
  parentOf(entry: Entry): Inode {
    return this.#parent.get(entry);
  }

  /** A view, not a copy. */
  nameOf(entry: Entry): Uint8Array {
    return this.#names.at(this.#nameAt.get(entry), this.#nameLength.get(entry));
  }

  /** Ends the building: neither names nor inodes are to be added afterwards; retarget() still may be called. @throws DuplicateName */
  seal(): Tree {
    const inodes = this.inodes;
    // counting sort by parent, then each directory's own by name
    const starts = new Uint32Array(inodes.count + 1);
    for (let inode = 0; inode < inodes.count; inode++) starts[inode + 1] = (starts[inode] ?? 0) + this.#counts.get(inode);
    const order = new Uint32Array(this.#entries);
    const next = starts.slice(0, inodes.count);
    for (let entry = 0; entry < this.#entries; entry++) {
      const parent = this.#parent.get(entry);
      const at = next[parent] ?? 0;
      order[at] = entry;
      next[parent] = at + 1;
    }
    const compare = (a: Entry, b: Entry): number => this.#names.compare(this.#nameAt.get(a), this.#nameLength.get(a), this.#nameAt.get(b), this.#nameLength.get(b));
    const sorter = new Sorter();
    for (let inode = ROOT; inode < inodes.count; inode++) {
      const start = starts[inode] ?? 0;
      const end = starts[inode + 1] ?? 0;
      if (end - start < 2) continue;
      const own = order.subarray(start, end);
      // as nearly all sources have them: one comparison a name says that they are in order, and that no two are the same
      let ascending = 1;
      while (ascending < own.length && compare(own[ascending - 1] ?? 0, own[ascending] ?? 0) < 0) ascending++;
      if (ascending === own.length) continue;
      sorter.sort(own, compare);
      for (let at = 1; at < own.length; at++) {
        const entry = own[at] ?? 0;
        if (compare(own[at - 1] ?? 0, entry) === 0) throw new DuplicateName(inode, this.nameOf(entry).slice());
      }
    }
    const entries: Entries = {
      starts,
      order,
      name: (entry) => this.nameOf(entry),
      nameLength: (entry) => this.#nameLength.get(entry),
      nameByte: (entry, index) => this.#names.byte(this.#nameAt.get(entry) + index),
      compareName: (entry, bytes, start, end) => this.compareName(entry, bytes, start, end),
      copyName: (entry, target, at) => this.#names.copy(this.#nameAt.get(entry), this.#nameLength.get(entry), target, at),
      target: (entry) => this.#target.get(entry),
      parent: (entry) => this.#parent.get(entry),
      primary: (inode) => this.#primary.get(inode) - 1,
    };
    return new Tree(inodes, entries);
  }
}

const [DOT, SLASH] = [0x2e, 0x2f];
const NO_DATA: Data = { kind: "none" };

function isName(name: Uint8Array, start: number, end: number): boolean {
  const length = end - start;
  if (length === 0 || length > MAX_NAME) return false;
  if (name[start] === DOT && (length === 1 || (length === 2 && name[start + 1] === DOT))) return false;
  for (let at = start; at < end; at++) if (name[at] === SLASH || name[at] === 0) return false;
  return true;
}
