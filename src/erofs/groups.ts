/**
 * Finds inodes that have the same bytes somewhere: digests, paths. Open addressing, four bytes for an inode that is alone, and more
 * only for those that are not. Nobody can choose bytes that collide: the hash's secrets are new each time.
 */

import type { Inode } from "../tree/index.ts";

/** Number of a group of at least two inodes. */
export type Group = number;
export const NO_GROUP: Group = -1;

/** In the table: what follows is a group, not an inode plus one. */
const IS_GROUP = 0x80000000;
/** Enough for the longest path, and one for its length. */
export const newSecrets = (): Uint32Array => crypto.getRandomValues(new Uint32Array(1026)).map((secret) => secret | 1);

export class Groups {
  #table: Uint32Array;
  readonly #shift: number;
  /** The inode that stands for each group. */
  readonly firsts: Inode[] = [];
  /** Called when a group is made of an inode that was alone. */
  readonly #made: (group: Group, first: Inode) => void;

  /** @param most inodes that will be added */
  constructor(most: number, made: (group: Group, first: Inode) => void) {
    const bits = Math.max(4, 33 - Math.clz32(Math.ceil(most * 0.75)));
    this.#table = new Uint32Array(2 ** bits);
    this.#shift = 32 - bits;
    this.#made = made;
  }

  /** @param isSame whether another inode has the same bytes @returns the group that `inode` came into; NO_GROUP while it is alone */
  add(hash: number, isSame: (other: Inode) => boolean, inode: Inode): Group {
    const at = this.#find(hash, isSame);
    if (this.#table[at] !== 0) return this.#groupAt(at);
    this.#table[at] = inode + 1;
    return NO_GROUP;
  }

  /** The group of bytes; NO_GROUP when nothing or one inode alone has them. */
  find(hash: number, isSame: (other: Inode) => boolean): Group {
    const found = this.#table[this.#find(hash, isSame)] ?? 0;
    return found >= IS_GROUP ? found - IS_GROUP : NO_GROUP;
  }

  /** find(), and an inode that is alone becomes a group when `accepts` says so. */
  findOrMake(hash: number, isSame: (other: Inode) => boolean, accepts: (alone: Inode) => boolean): Group {
    const at = this.#find(hash, isSame);
    const found = this.#table[at] ?? 0;
    return found === 0 || (found < IS_GROUP && !accepts(found - 1)) ? NO_GROUP : this.#groupAt(at);
  }

  #groupAt(at: number): Group {
    const found = this.#table[at] ?? 0;
    if (found >= IS_GROUP) return found - IS_GROUP;
    const group = this.firsts.push(found - 1) - 1;
    this.#table[at] = IS_GROUP + group;
    this.#made(group, found - 1);
    return group;
  }

  /** Where the bytes are in the table, or would be. */
  #find(hash: number, isSame: (other: Inode) => boolean): number {
    const table = this.#table;
    let at = hash >>> this.#shift;
    for (let found = table[at] ?? 0; found !== 0; found = table[at] ?? 0) {
      if (isSame(found >= IS_GROUP ? (this.firsts[found - IS_GROUP] ?? 0) : found - 1)) break;
      at = (at + 1) & (table.length - 1);
    }
    return at;
  }
}
