/**
 * Extended attributes of a whole image: the table of those that several inodes share, and each inode's own part with references to
 * the table. Sizes are known before anything is written.
 */

import { compareBytes, type Inode, Sorter, type Tree } from "../tree/index.ts";
import { type AttributeList, AttributeLists, type Pair } from "./attribute-lists.ts";
import { type ImageFormat, MAX_REFERENCES, XATTR_HEADER } from "./format.ts";
import { NO_GROUP } from "./groups.ts";
import { Objects } from "./objects.ts";
import { MARK, type Order } from "./order.ts";
import type { Output } from "./output.ts";
import { unwritable } from "./problem.ts";
import { METACOPY, REDIRECT, storedName } from "./xattr-names.ts";

/** v2 counts its references in one byte, and has no other limit. */
const MAX_REFERENCES_V2 = 255;
const METACOPY_ITEM = -1;
const REDIRECT_ITEM = -2;

/** A stretch of the table whose entries have one name. */
type Stretch =
  | { readonly sortKey: string; readonly value: Uint8Array; readonly pair: Pair }
  | { readonly sortKey: string; readonly value: Uint8Array; readonly objects: typeof METACOPY | typeof REDIRECT };

export class Attributes {
  readonly #tree: Tree;
  readonly #v2: boolean;
  readonly #marks: Uint8Array;
  readonly #lists: AttributeLists;
  readonly #objects: Objects;
  readonly #table: Stretch[] = [];
  /** Groups of digests, and paths, that several files have. */
  readonly #metacopies: Uint32Array;
  /** Whether the metacopy without a digest is in the table. */
  readonly #emptyMetacopy: boolean;
  readonly #redirects: Uint32Array;
  readonly #mostReferences: number;
  /** Bytes that the pairs of a list take in an inode, by index of the list: the same for all inodes that have it. */
  readonly #listSizes: number[] = [];
  /** The attributes of one inode in order: indexes of its list, or one of the two of an external file. */
  #items = new Int32Array(256);
  /** Place in the table of each of them; -1 for what is not shared. */
  #references = new Int32Array(256);
  #itemCount = 0;
  /** Bytes of the table, a multiple of four. */
  readonly tableSize: number;

  constructor(tree: Tree, format: ImageFormat, order: Order) {
    this.#tree = tree;
    this.#v2 = format === "v2";
    this.#marks = order.marks;
    this.#mostReferences = this.#v2 ? MAX_REFERENCES_V2 : MAX_REFERENCES;
    this.#lists = new AttributeLists(tree, format, order);
    this.#objects = new Objects(tree, format, order);
    this.#emptyMetacopy = this.#objects.sharesEmptyMetacopy;
    const { metacopies, redirects } = this.#objects.takeShared();
    const direction = this.#v2 ? 1 : -1;
    const objects = this.#objects;
    const sorter = new Sorter();
    sorter.sort(metacopies, (a, b) => direction * tree.inodes.compareDigests(objects.firstOf(a), objects.firstOf(b)));
    // v0 and v1: longer values first; v2: as bytes
    sorter.sort(redirects, (a, b) => (this.#v2 ? 0 : objects.sharedRedirectLength(b) - objects.sharedRedirectLength(a)) || direction * objects.compareRedirects(a, b));
    this.#metacopies = metacopies;
    this.#redirects = redirects;
    this.tableSize = this.#place();
    for (const list of this.#lists.lists) this.#listSizes.push(list.pairs.reduce((sum, { reference, entry }) => sum + (reference >= 0 ? 4 : entry.length), 0));
  }

  get hasAcl(): boolean {
    return this.#lists.hasAcl;
  }

  /** Decides what the table holds, in its order. @returns its size */
  #place(): number {
    for (const pair of this.#lists.pairs) if (pair.count > 1) this.#table.push({ sortKey: pair.sortKey, value: pair.value, pair });
    for (const name of [METACOPY, REDIRECT] as const) {
      const { index, suffix } = storedName(name, this.#v2);
      this.#table.push({ sortKey: this.#v2 ? String.fromCharCode(index) + suffix : name, value: new Uint8Array(), objects: name });
    }
    const direction = this.#v2 ? 1 : -1;
    this.#table.sort((a, b) => {
      if (a.sortKey !== b.sortKey) return a.sortKey < b.sortKey ? -direction : direction;
      return direction * ((this.#v2 ? 0 : a.value.length - b.value.length) || compareBytes(a.value, b.value));
    });
    let at = 0;
    const objects = this.#objects;
    const placeEmpty = (): void => {
      if (!this.#emptyMetacopy) return;
      objects.placeMetacopy(NO_GROUP, at);
      at += objects.metacopySize(-1);
    };
    for (const stretch of this.#table) {
      if ("pair" in stretch) {
        stretch.pair.reference = at;
        at += stretch.pair.entry.length;
      } else if (stretch.objects === METACOPY) {
        if (this.#v2) placeEmpty();
        for (const group of this.#metacopies) {
          objects.placeMetacopy(group, at);
          at += objects.metacopySize(objects.firstOf(group));
        }
        if (!this.#v2) placeEmpty();
      } else {
        for (const path of this.#redirects) {
          objects.placeRedirect(path, at);
          at += objects.sharedRedirectSize(path);
        }
      }
    }
    return at;
  }

  writeTable(output: Output): void {
    const objects = this.#objects;
    const writeEmpty = (): void => {
      if (this.#emptyMetacopy) objects.writeMetacopy(-1, output.bytes, output.take(objects.metacopySize(-1)));
    };
    for (const stretch of this.#table) {
      if ("pair" in stretch) output.put(stretch.pair.entry);
      else if (stretch.objects === METACOPY) {
        if (this.#v2) writeEmpty();
        for (const group of this.#metacopies) objects.writeMetacopy(objects.firstOf(group), output.bytes, output.take(objects.metacopySize(objects.firstOf(group))));
        if (!this.#v2) writeEmpty();
      } else for (const path of this.#redirects) objects.writeSharedRedirect(path, output.bytes, output.take(objects.sharedRedirectSize(path)));
    }
  }

  /** Bytes of an inode's part, a multiple of four; 0 when it has no attributes. @throws SealrootError SR-E500 */
  size(inode: Inode): number {
    const list = this.#lists.of(inode);
    const external = this.#isExternal(inode);
    if (list.pairs.length + 2 > this.#mostReferences) return this.#sizeOfMany(inode);
    let size = this.#listSizes[this.#lists.indexOf(inode)] ?? 0;
    if (external) {
      size += this.#objects.metacopyReference(inode) >= 0 ? 4 : this.#objects.metacopySize(inode);
      if (this.#objects.hasRedirect(inode)) size += this.#objects.redirectReference(inode) >= 0 ? 4 : this.#objects.redirectSize(inode);
    }
    return size === 0 ? 0 : XATTR_HEADER + size;
  }

  /** Only so many references fit into an inode: the attributes behind them are written out. */
  #sizeOfMany(inode: Inode): number {
    const list = this.#collect(inode);
    let size = XATTR_HEADER;
    let references = 0;
    for (let at = 0; at < this.#itemCount; at++) {
      const item = this.#items[at] ?? 0;
      if ((this.#references[at] ?? -1) < 0) size += this.#entrySize(inode, list, item);
      else if (references++ < this.#mostReferences) size += 4;
      else if (this.#v2) throw unwritable(this.#tree, inode, "more than 255 of its extended attributes are shared with other files");
      else size += this.#entrySize(inode, list, item);
    }
    return size;
  }

  /** Writes an inode's part. @param tableAt what is added to places in the table to make references */
  write(inode: Inode, output: Output, tableAt: number): void {
    const list = this.#collect(inode);
    if (this.#itemCount === 0) return;
    const external = this.#isExternal(inode);
    let filter = list.filterBits;
    if (external) filter |= Objects.filterBits[0] ?? 0;
    if (external && this.#objects.hasRedirect(inode)) filter |= Objects.filterBits[1] ?? 0;
    let references = 0;
    for (let at = 0; at < this.#itemCount; at++) if ((this.#references[at] ?? -1) >= 0 && references < this.#mostReferences) references++;
    const header = output.take(XATTR_HEADER + 4 * references);
    output.view.setUint32(header, ~filter >>> 0, true);
    output.bytes[header + 4] = references;
    for (let at = 0, to = header + XATTR_HEADER, left = references; left > 0; at++) {
      const reference = this.#references[at] ?? -1;
      if (reference < 0) continue;
      output.view.setUint32(to, (tableAt + reference) / 4, true);
      to += 4;
      left--;
    }
    for (let at = 0, left = references; at < this.#itemCount; at++) {
      const item = this.#items[at] ?? 0;
      if ((this.#references[at] ?? -1) >= 0 && left-- > 0) continue;
      if (item === METACOPY_ITEM) this.#objects.writeMetacopy(inode, output.bytes, output.take(this.#objects.metacopySize(inode)));
      else if (item === REDIRECT_ITEM) this.#objects.writeRedirect(inode, output.bytes, output.take(this.#objects.redirectSize(inode)));
      else output.put(list.pairs[item]?.entry ?? NO_ENTRY);
    }
  }

  #isExternal(inode: Inode): boolean {
    return ((this.#marks[inode] ?? 0) & MARK.external) !== 0;
  }

  /** Fills in the items of an inode, and their references. @returns its list */
  #collect(inode: Inode): AttributeList {
    const list = this.#lists.of(inode);
    const external = this.#isExternal(inode);
    if (this.#items.length < list.pairs.length + 2) {
      this.#items = new Int32Array(list.pairs.length * 2 + 2);
      this.#references = new Int32Array(this.#items.length);
    }
    let count = 0;
    for (let index = 0; index <= list.pairs.length; index++) {
      if (external && index === list.metacopyAt) this.#items[count++] = METACOPY_ITEM;
      if (external && index === list.redirectAt && this.#objects.hasRedirect(inode)) this.#items[count++] = REDIRECT_ITEM;
      if (index < list.pairs.length) this.#items[count++] = index;
    }
    this.#itemCount = count;
    for (let at = 0; at < count; at++) this.#references[at] = this.#reference(inode, list, this.#items[at] ?? 0);
    return list;
  }

  /** Place in the table; -1 for an attribute that is not shared. */
  #reference(inode: Inode, list: AttributeList, item: number): number {
    if (item === METACOPY_ITEM) return this.#objects.metacopyReference(inode);
    return item === REDIRECT_ITEM ? this.#objects.redirectReference(inode) : (list.pairs[item]?.reference ?? -1);
  }

  #entrySize(inode: Inode, list: AttributeList, item: number): number {
    if (item === METACOPY_ITEM) return this.#objects.metacopySize(inode);
    return item === REDIRECT_ITEM ? this.#objects.redirectSize(inode) : (list.pairs[item]?.entry.length ?? 0);
  }
}

const NO_ENTRY = new Uint8Array();
