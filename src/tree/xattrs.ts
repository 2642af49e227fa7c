/** Sets of extended attributes, each kept once: in a labelled system a million files share some hundred of them. */

import { binaryOf } from "./bytes.ts";

export interface Xattr {
  /** Full name, `security.selinux`, one character a byte (binaryOf). */
  readonly name: string;
  readonly value: Uint8Array;
}

/** The number of a set in its table. */
export type XattrSetId = number;
export const NO_XATTRS: XattrSetId = 0;

export class XattrTable {
  readonly #sets: (readonly Xattr[])[] = [[]];
  readonly #known = new Map<string, XattrSetId>();

  /** The order of the set is kept, and is part of what makes two sets the same. Values are kept as they are, not copied. */
  intern(set: readonly Xattr[]): XattrSetId {
    if (set.length === 0) return NO_XATTRS;
    const key = set.map(({ name, value }) => `${name.length}:${name}${value.length}:${binaryOf(value)}`).join("");
    const known = this.#known.get(key);
    if (known !== undefined) return known;
    const id = this.#sets.push(set) - 1;
    this.#known.set(key, id);
    return id;
  }

  /** A set that whoever adds it knows to be new, or keeps a better index of: nothing is compared. */
  add(set: readonly Xattr[]): XattrSetId {
    return set.length === 0 ? NO_XATTRS : this.#sets.push(set) - 1;
  }

  get(id: XattrSetId): readonly Xattr[] {
    return this.#sets[id] ?? [];
  }

  /** How many sets there are; every id is smaller. */
  get size(): number {
    return this.#sets.length;
  }
}
