/**
 * Finds the names of a tree that is being built: a hash table of entry numbers. The table itself holds no names, it asks the builder.
 *
 * Nearly all dumpfiles have the names of a directory in order. As long as that is so, a name that comes after the last one of its
 * directory is new, and only directories are in the table, which is asked for nothing else.
 */

import { type Entry, type Inode, type TreeBuilder, WordColumn } from "../tree/index.ts";

/** Nobody can prepare names that all fall into one place without knowing these. */
const SECRETS = crypto.getRandomValues(new Uint32Array(256));
const MIX = 0x9e3779b1;

/** Of a name bytes[start..end) in a directory. */
function hashName(parent: Inode, bytes: Uint8Array, start: number, end: number): number {
  let hash = Math.imul(parent + 1, MIX);
  for (let at = start; at < end; at++) hash = Math.imul(((hash << 5) | (hash >>> 27)) ^ (SECRETS[bytes[at] ?? 0] ?? 0), MIX);
  return (hash ^ (hash >>> 15)) >>> 0;
}

export class NameIndex {
  readonly #builder: TreeBuilder;
  readonly #hashes = new WordColumn();
  /** Entry plus one; 0 is free. At most half of it is used. */
  #table = new Uint32Array(1 << 14);
  #count = 0;
  /** The last entry of each directory, plus one. */
  readonly #last = new WordColumn();
  /** Whether all names are in the table, and not only those of directories. */
  #complete = false;

  constructor(builder: TreeBuilder) {
    this.#builder = builder;
  }

  /** The entry of a name that is most likely a directory's; -1 where there is none of any kind. */
  find(parent: Inode, bytes: Uint8Array, start: number, end: number): Entry | -1 {
    const hash = hashName(parent, bytes, start, end);
    const entry = this.#find(parent, bytes, start, end, hash);
    if (entry >= 0 || this.#complete) return entry;
    this.#addAll();
    return this.#find(parent, bytes, start, end, hash);
  }

  /** Whether a directory has a name already. */
  has(parent: Inode, bytes: Uint8Array, start: number, end: number): boolean {
    const last = this.#last.get(parent) - 1;
    if (!this.#complete && (last < 0 || this.#builder.compareName(last, bytes, start, end) < 0)) return false;
    return this.find(parent, bytes, start, end) >= 0;
  }

  #find(parent: Inode, bytes: Uint8Array, start: number, end: number, hash: number): Entry | -1 {
    const mask = this.#table.length - 1;
    for (let at = hash & mask; ; at = (at + 1) & mask) {
      const entry = (this.#table[at] ?? 0) - 1;
      if (entry < 0) return -1;
      if (this.#hashes.get(entry) === hash && this.#builder.isEntry(entry, parent, bytes, start, end)) return entry;
    }
  }

  /** Takes note of the newest entry, name[start..end) in `parent`. */
  add(entry: Entry, parent: Inode, isDirectory: boolean, name: Uint8Array, start: number, end: number): void {
    this.#last.set(parent, entry + 1);
    if (isDirectory || this.#complete) this.#add(entry, hashName(parent, name, start, end));
  }

  #addAll(): void {
    this.#complete = true;
    this.#table.fill(0);
    this.#count = 0;
    for (let entry = 0; entry < this.#builder.entryCount; entry++) {
      const name = this.#builder.nameOf(entry);
      this.#add(entry, hashName(this.#builder.parentOf(entry), name, 0, name.length));
    }
  }

  #add(entry: Entry, hash: number): void {
    this.#hashes.set(entry, hash);
    if (++this.#count * 2 > this.#table.length) this.#grow();
    this.#place(entry, hash);
  }

  #place(entry: Entry, hash: number): void {
    const mask = this.#table.length - 1;
    let at = hash & mask;
    while (this.#table[at] !== 0) at = (at + 1) & mask;
    this.#table[at] = entry + 1;
  }

  #grow(): void {
    const old = this.#table;
    this.#table = new Uint32Array(old.length * 4);
    for (let at = 0; at < old.length; at++) {
      const place = old[at] ?? 0;
      if (place !== 0) this.#place(place - 1, this.#hashes.get(place - 1));
    }
  }
}
