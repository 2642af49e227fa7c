/**
 * The extended attributes that inodes have in common: the user's own, escaped, and the marks for overlayfs. A list is made once for
 * all inodes with the same set and marks, so that a million labelled files cost some hundred lists.
 */

import { binaryOf, bytesOf, type Inode, ROOT, type Tree, type Xattr } from "../tree/index.ts";
import { type ImageFormat, MAX_XATTR_NAME, MAX_XATTR_VALUE, MAX_XATTRS, roundUp, XATTR_ENTRY, XATTR_HEADER, xattrCost } from "./format.ts";
import { MARK, type Order } from "./order.ts";
import { unwritable } from "./problem.ts";
import { ACL_NAMES, escape, ESCAPED, filterBit, METACOPY, OPAQUE, OPAQUE_MARKS, OVERLAY, REDIRECT, SELINUX, storedName, WHITEOUT_MARKS, WHITEOUTS_MARKS } from "./xattr-names.ts";

/** A name with a value. There is one of each, however many inodes have it. */
export interface Pair {
  readonly name: string;
  readonly value: Uint8Array;
  /** As it stands in an image. */
  readonly entry: Uint8Array;
  readonly filterBit: number;
  /** By what the shared table is sorted: the value comes second. */
  readonly sortKey: string;
  /** Inodes that have it. */
  count: number;
  /** Where it is in the shared table; -1 when it is not there. */
  reference: number;
}

export interface AttributeList {
  /** In the order of the image. */
  readonly pairs: readonly Pair[];
  /** Where an external file's two own attributes stand among them: before the pairs of these indexes. */
  readonly metacopyAt: number;
  readonly redirectAt: number;
  readonly filterBits: number;
}

const X = bytesOf("x");
const Y = bytesOf("y");
const NOTHING = new Uint8Array();

export function makeEntry(index: number, suffix: string, value: Uint8Array): Uint8Array {
  const entry = new Uint8Array(roundUp(XATTR_ENTRY + suffix.length + value.length, 4));
  entry[0] = suffix.length;
  entry[1] = index;
  entry[2] = value.length & 255;
  entry[3] = value.length >> 8;
  entry.set(bytesOf(suffix), XATTR_ENTRY);
  entry.set(value, XATTR_ENTRY + suffix.length);
  return entry;
}

export class AttributeLists {
  readonly #tree: Tree;
  readonly #v2: boolean;
  readonly #opaque: boolean;
  readonly #pairs = new Map<string, Pair>();
  readonly #known = new Map<number, number>();
  readonly #lists: AttributeList[] = [];
  /** Index into the lists, by inode. */
  readonly #listOf: Uint32Array;

  /** Makes the lists of all inodes, and counts the pairs. @throws SealrootError SR-E500 for more or longer attributes than fit */
  constructor(tree: Tree, format: ImageFormat, order: Order) {
    this.#tree = tree;
    this.#v2 = format === "v2";
    this.#opaque = format === "v1";
    this.#listOf = new Uint32Array(tree.inodes.count + order.stubCount);
    const uses: number[] = [];
    const stub = order.stubCount === 0 ? 0 : this.#add(ROOT, stubPairs(tree.inodes.xattrs(ROOT)));
    for (let at = 0; at < order.inodes.length; at++) {
      const inode = order.inodes[at] ?? 0;
      const list = inode < tree.inodes.count ? this.#listFor(inode, order.marks[inode] ?? 0) : stub;
      this.#listOf[inode] = list;
      uses[list] = (uses[list] ?? 0) + 1;
    }
    for (const [list, { pairs }] of this.#lists.entries()) for (const pair of pairs) pair.count += uses[list] ?? 0;
  }

  get pairs(): Iterable<Pair> {
    return this.#pairs.values();
  }

  get lists(): readonly AttributeList[] {
    return this.#lists;
  }

  get hasAcl(): boolean {
    return [...this.#pairs.values()].some(({ name, count }) => count > 0 && ACL_NAMES.includes(name));
  }

  /** Index into lists. */
  indexOf(inode: Inode): number {
    return this.#listOf[inode] ?? 0;
  }

  of(inode: Inode): AttributeList {
    return this.#lists[this.#listOf[inode] ?? 0] ?? NO_LIST;
  }

  #listFor(inode: Inode, marks: number): number {
    const marked = this.#v2 ? 0 : (marks & (MARK.whiteout | MARK.whiteouts)) | (inode === ROOT ? 4 : 0);
    const key = this.#tree.inodes.xattrSet(inode) * 8 + marked;
    let list = this.#known.get(key);
    if (list === undefined) this.#known.set(key, (list = this.#add(inode, this.#marked(inode, marked))));
    return list;
  }

  /** The set of an inode with the marks of composefs, which take the place of the user's own. */
  #marked(inode: Inode, marked: number): Xattr[] {
    const values = new Map<string, Uint8Array>();
    let cost = XATTR_HEADER;
    for (const { name, value } of this.#tree.inodes.xattrs(inode)) {
      if (name.length === 0 || name.length > MAX_XATTR_NAME || value.length > MAX_XATTR_VALUE) {
        throw unwritable(this.#tree, inode, "an extended attribute has a name of more than 255 or a value of more than 65535 bytes");
      }
      // a tree that was read from an image can have the marks beyond the limit
      if (!OPAQUE_MARKS.includes(escape(name))) cost += xattrCost(name.length, value.length);
      values.set(escape(name), value);
    }
    if (cost > MAX_XATTRS) throw unwritable(this.#tree, inode, "its extended attributes take more than 32 KiB");
    const set = (names: readonly string[], value: Uint8Array): void => names.forEach((name) => values.set(name, value));
    if ((marked & MARK.whiteout) !== 0) set(WHITEOUT_MARKS, NOTHING);
    if ((marked & MARK.whiteouts) !== 0) set(WHITEOUTS_MARKS, NOTHING);
    if ((marked & MARK.whiteouts) !== 0 && this.#opaque) set(OPAQUE_MARKS, X);
    if ((marked & 4) !== 0) values.set(OPAQUE, Y);
    return [...values].map(([name, value]) => ({ name, value }));
  }

  #add(inode: Inode, set: readonly Xattr[]): number {
    const byName = set.toSorted((a, b) => (this.#order(a.name) < this.#order(b.name) ? -1 : 1));
    const pairs = byName.map((xattr) => this.#pair(inode, xattr));
    // v2 writes the two of an external file first, whatever the other names are
    const before = (name: string): number => (this.#v2 ? 0 : pairs.filter((pair) => pair.name < name).length);
    return this.#lists.push({ pairs, metacopyAt: before(METACOPY), redirectAt: before(REDIRECT), filterBits: pairs.reduce((bits, pair) => bits | pair.filterBit, 0) }) - 1;
  }

  /** v2 sorts by the names that the user gave. */
  #order(name: string): string {
    return this.#v2 && name.startsWith(ESCAPED) ? OVERLAY + name.slice(ESCAPED.length) : name;
  }

  #pair(inode: Inode, { name, value }: Xattr): Pair {
    const key = `${name.length}:${name}${binaryOf(value)}`;
    const known = this.#pairs.get(key);
    if (known !== undefined) return known;
    const stored = storedName(name, this.#v2);
    if (stored.suffix.length > MAX_XATTR_NAME) throw unwritable(this.#tree, inode, "an extended attribute has a name of more than 255 bytes");
    const entry = makeEntry(stored.index, stored.suffix, value);
    const sortKey = this.#v2 ? String.fromCharCode(stored.index) + stored.suffix : name;
    const pair = { name, value, entry, filterBit: filterBit(stored), sortKey, count: 0, reference: -1 };
    this.#pairs.set(key, pair);
    return pair;
  }
}

const NO_LIST: AttributeList = { pairs: [], metacopyAt: 0, redirectAt: 0, filterBits: 0 };

/** Stubs are labelled as the root is. */
const stubPairs = (root: readonly Xattr[]): Xattr[] => root.filter(({ name }) => name === SELINUX);
