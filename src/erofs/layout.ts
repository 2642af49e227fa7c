/**
 * Where everything in an image goes: the place of each inode, how long its tail is, and how many blocks it has in the data area.
 * Source: composefs lcfs-writer-erofs.c (v0, v1) and composefs-rs erofs/writer.rs (v2), described by what they write.
 */

import { type Inode, isDirectory, isRegular, isSymlink, type Tree } from "../tree/index.ts";
import type { Attributes } from "./attributes.ts";
import { BLOCK, chunkCount, COMPACT_INODE, EXTENDED_INODE, type ImageFormat, INODES_AT, MAX_CONTENT, MAX_FILE_SIZE, MAX_TAIL, MAX_TARGET, roundUp, SLOT } from "./format.ts";
import type { Listing } from "./listing.ts";
import { MARK, type Order } from "./order.ts";
import { unwritable } from "./problem.ts";

const MAX_32 = 2 ** 32 - 1;
const MAX_16 = 65535;

export interface Layout {
  /** Number of each inode, by inode. */
  readonly nids: Uint32Array;
  readonly inodesEnd: number;
  /** Where the data area begins; a multiple of the block size. */
  readonly dataStart: number;
  /** Of the whole file. */
  readonly blocks: number;
  /** The inode whose time is the image's: compact inodes have it. */
  readonly oldest: Inode;
}

/** Marks the files whose content is not in the image. @throws SealrootError SR-E500 for what no image can hold */
export function markExternal(tree: Tree, format: ImageFormat, order: Order): void {
  const inodes = tree.inodes;
  for (let inode = 0; inode < inodes.count; inode++) {
    const mode = inodes.mode(inode);
    if (isSymlink(mode) && (!inodes.hasTarget(inode) || inodes.dataLength(inode) === 0 || inodes.dataLength(inode) > MAX_TARGET)) {
      throw unwritable(tree, inode, `the target of a symbolic link has 1 to ${MAX_TARGET} bytes`);
    }
    if (!isRegular(mode)) continue;
    if (inodes.hasContent(inode)) {
      if (inodes.dataLength(inode) > MAX_CONTENT) throw unwritable(tree, inode, `content in the image has at most ${MAX_CONTENT} bytes`);
      if (inodes.dataLength(inode) !== inodes.size(inode)) throw unwritable(tree, inode, "its size is not that of its content");
      continue;
    }
    if (inodes.size(inode) > MAX_FILE_SIZE) throw unwritable(tree, inode, "a file in an image has at most 2^53 bytes");
    if (inodes.hasPayload(inode) && !inodes.isNamedByDigest(inode) && inodes.dataLength(inode) > MAX_TARGET) {
      throw unwritable(tree, inode, `a path in the object store has at most ${MAX_TARGET} bytes`);
    }
    // v2 has empty objects; in the others an empty file has nothing outside
    const emptyObject = format === "v2" && (inodes.hasDigest(inode) || inodes.hasPayload(inode));
    if (inodes.size(inode) > 0 || emptyObject) order.marks[inode] = (order.marks[inode] ?? 0) | MARK.external;
  }
}

/** @throws SealrootError SR-E500 for an image that is too large */
export function layOut(tree: Tree, format: ImageFormat, order: Order, listing: Listing, attributes: Attributes): Layout {
  const placing = new Placing(tree, order, listing, attributes);
  if (format === "v2") placing.placeAllV2();
  else placing.placeAll();
  const inodesEnd = roundUp(placing.end, SLOT);
  const dataStart = roundUp(inodesEnd + attributes.tableSize, BLOCK);
  const blocks = dataStart / BLOCK + placing.blocks;
  if (inodesEnd / SLOT > MAX_32 || blocks > MAX_32 || (inodesEnd + attributes.tableSize) / 4 > MAX_32) throw unwritable(tree, 0, "the image would be larger than images can be");
  return { nids: placing.nids, inodesEnd, dataStart, blocks, oldest: placing.oldest };
}

class Placing {
  readonly #tree: Tree;
  readonly #order: Order;
  readonly #listing: Listing;
  readonly #attributes: Attributes;
  readonly nids: Uint32Array;
  end = INODES_AT;
  blocks = 0;
  oldest: Inode = 0;
  // of the inode at hand
  #tail = 0;
  #own = 0;

  constructor(tree: Tree, order: Order, listing: Listing, attributes: Attributes) {
    this.#tree = tree;
    this.#order = order;
    this.#listing = listing;
    this.#attributes = attributes;
    this.nids = new Uint32Array(tree.inodes.count + order.stubCount);
  }

  placeAll(): void {
    const { inodes: order, marks } = this.#order;
    const inodes = this.#tree.inodes;
    for (let at = 1; at < order.length; at++) {
      const inode = order[at] ?? 0;
      // stubs are as old as the root
      if (inode < inodes.count && compareTimes(this.#tree, inode, this.oldest) < 0) this.oldest = inode;
    }
    for (let at = 0; at < order.length; at++) {
      const inode = order[at] ?? 0;
      const compact = this.#measure(inode);
      if (compact) marks[inode] = (marks[inode] ?? 0) | MARK.compact;
      const head = (compact ? COMPACT_INODE : EXTENDED_INODE) + this.#attributes.size(inode);
      this.#put(inode, this.#place(inode, head), head);
    }
  }

  #put(inode: Inode, start: number, head: number): void {
    this.nids[inode] = start / SLOT;
    if (this.#own > 0) this.#order.marks[inode] = (this.#order.marks[inode] ?? 0) | MARK.blocks;
    this.blocks += this.#own;
    this.end = start + head + this.#tail;
  }

  /** Sets tail and blocks of an inode. @returns whether its inode can be the short one */
  #measure(inode: Inode): boolean {
    const inodes = this.#tree.inodes;
    const marks = this.#order.marks[inode] ?? 0;
    this.#tail = 0;
    this.#own = 0;
    // a stub
    if (inode >= inodes.count) return this.#canBeCompact(0, 1, 0);
    const mode = inodes.mode(inode);
    let size = inodes.size(inode);
    let nlink = inodes.nlink(inode);
    if ((marks & MARK.whiteout) !== 0) size = 0;
    else if (isDirectory(mode)) {
      this.#listing.measure(inode);
      this.#own = this.#listing.blocks;
      this.#tail = this.#listing.tail;
      size = this.#own * BLOCK + this.#tail;
      nlink = 2 + this.#listing.subdirectories;
    } else if (isSymlink(mode)) this.#tail = size = inodes.dataLength(inode);
    else if ((marks & MARK.external) !== 0) this.#tail = chunkCount(size) * 4;
    else if (isRegular(mode)) {
      this.#own = contentBlocks(size);
      this.#tail = contentTail(size);
    }
    return this.#canBeCompact(inode, nlink, size);
  }

  #canBeCompact(inode: Inode, nlink: number, size: number): boolean {
    const inodes = this.#tree.inodes;
    if (nlink > MAX_16 || size > MAX_32 || inodes.uid(inode) > MAX_16 || inodes.gid(inode) > MAX_16) return false;
    return inode === this.oldest || compareTimes(this.#tree, inode, this.oldest) === 0;
  }

  /** Where an inode begins: so that its tail lies in one block, and for a symbolic link the whole of it. */
  #place(inode: Inode, head: number): number {
    const start = roundUp(this.end, SLOT);
    if (inode < this.#tree.inodes.count && isSymlink(this.#tree.inodes.mode(inode))) {
      const total = head + this.#tail;
      if (total >= BLOCK) this.#move(inode);
      return Math.floor(start / BLOCK) === Math.floor((start + total - 1) / BLOCK) ? start : roundUp(start, BLOCK);
    }
    const room = BLOCK - ((start + head) % BLOCK);
    if (room >= this.#tail) return start;
    const next = start + roundUp(room, SLOT);
    if (this.#tail <= BLOCK - ((next + head) % BLOCK)) return next;
    this.#move(inode);
    return roundUp(start, BLOCK);
  }

  /** The tail goes to a block of its own. */
  #move(inode: Inode): void {
    this.#order.marks[inode] = (this.#order.marks[inode] ?? 0) | MARK.moved;
    this.#own++;
    this.#tail = 0;
  }

  placeAllV2(): void {
    const inodes = this.#tree.inodes;
    const order = this.#order.inodes;
    for (let at = 0; at < order.length; at++) {
      const inode = order[at] ?? 0;
      const mode = inodes.mode(inode);
      const marks = this.#order.marks[inode] ?? 0;
      const head = EXTENDED_INODE + this.#attributes.size(inode);
      this.#tail = 0;
      this.#own = 0;
      let start = roundUp(this.end, SLOT);
      if (isDirectory(mode)) {
        this.#listing.measure(inode);
        this.#own = this.#listing.blocks;
        this.#tail = this.#listing.tail;
      } else if (isSymlink(mode) || inodes.hasContent(inode)) this.#tail = inodes.dataLength(inode);
      else if ((marks & MARK.external) !== 0) this.#tail = inodes.hasDigest(inode) ? 4 : 0;
      if (this.#tail > 0 && (marks & MARK.external) === 0) {
        const last = start + head - 1;
        // by the last byte of the head, not by the first of the tail: a tail that would just fill a block moves as well
        if (Math.floor(last / BLOCK) !== Math.floor((last + 1 + (this.#tail % BLOCK)) / BLOCK)) start = roundUp(start + BLOCK - (last % BLOCK), SLOT);
        if (((start + head) % BLOCK) + this.#tail > BLOCK) throw unwritable(this.#tree, inode, "v2 keeps the whole content or target behind the inode, in one block");
      }
      this.#put(inode, start, head);
      this.end = roundUp(this.end, SLOT);
    }
  }
}

/** Blocks of content that is kept in the image, in v0 and v1. */
export const contentBlocks = (size: number): number => Math.floor(size / BLOCK) + (size % BLOCK > MAX_TAIL ? 1 : 0);
/** What is kept behind the inode. */
export const contentTail = (size: number): number => (size % BLOCK > MAX_TAIL ? 0 : size % BLOCK);

/** Order of times, to the nanosecond. */
function compareTimes(tree: Tree, a: Inode, b: Inode): number {
  const inodes = tree.inodes;
  return inodes.secondsHigh(a) - inodes.secondsHigh(b) || inodes.secondsLow(a) - inodes.secondsLow(b) || inodes.nanoseconds(a) - inodes.nanoseconds(b);
}
