/**
 * Trees become images, byte for byte as the C tool (v0, v1) and composefs-rs (v2) write them: their digests are what people seal.
 * Everything is laid out first, in a few numbers for each inode; then the image streams out from its beginning to its end.
 */

import { type Inode, isDevice, isDirectory, isRegular, isSymlink, ROOT, type Tree } from "../tree/index.ts";
import type { VerityAlgorithm } from "../fsverity/index.ts";
import { Attributes } from "./attributes.ts";
import {
  BLOCK, chunkBits, chunkCount, COMPACT_INODE, COMPOSEFS_MAGIC, DIRENT, EROFS_AT, EROFS_MAGIC, EXTENDED_INODE, FEATURES_COMPATIBLE, FILE_TYPE, FLAG_HAS_ACL, HEADER_VERSION,
  HOLE, type ImageFormat, LAYOUT, LOG2_BLOCK, SLOT, STUB_MODE, V2_CHUNK_FORMAT, XATTR_HEADER,
} from "./format.ts";
import { contentTail, type Layout, layOut, markExternal } from "./layout.ts";
import type { Listing } from "./listing.ts";
import { MARK, type Order, orderOf } from "./order.ts";
import { Output } from "./output.ts";

export interface ImageOptions {
  readonly format: ImageFormat;
  /** Of the objects' digests; default: what the tree's digests are. */
  readonly algorithm?: VerityAlgorithm;
}

const VERSIONS = { v0: 0, v1: 1, v2: 2 } as const;
const DIGEST_SIZES = { sha256: 32, sha512: 64 } as const;
/** Inodes from which on collecting garbage costs next to nothing beside the rest. */
const MANY = 200_000;
const HOLES = new Uint8Array(BLOCK).fill(0xff);

/**
 * @param sink gets the image in consecutive portions; a portion is used again after the call returns
 * @throws SealrootError SR-E500 for a tree that no image can hold, before the first portion; RangeError when the tree's digests are of another algorithm
 */
export function writeImage(tree: Tree, { format, algorithm }: ImageOptions, sink: (bytes: Uint8Array) => void): void {
  if (algorithm !== undefined && DIGEST_SIZES[algorithm] !== tree.inodes.digestSize) throw new RangeError(`the tree's digests are not ${algorithm}`);
  // what making the tree left behind would otherwise still be there when the most memory is needed: a sixth of it at a million inodes
  if (tree.inodes.count > MANY) Bun.gc(true);
  const { order, listing } = orderOf(tree, format);
  markExternal(tree, format, order);
  const attributes = new Attributes(tree, format, order);
  const layout = layOut(tree, format, order, listing, attributes);
  const output = new Output(sink, layout.blocks * BLOCK);
  const writer = new Writer(tree, format, order, listing, attributes, layout, output);
  writer.headers();
  writer.inodes();
  attributes.writeTable(output);
  output.padTo(layout.dataStart);
  writer.data();
  output.flush();
}

/** The whole image at once. */
export function writeImageBytes(tree: Tree, options: ImageOptions): Uint8Array {
  const portions: Uint8Array[] = [];
  writeImage(tree, options, (portion) => portions.push(portion.slice()));
  return portions.length === 1 ? (portions[0] ?? HOLES) : new Uint8Array(Buffer.concat(portions));
}

class Writer {
  readonly #tree: Tree;
  readonly #format: ImageFormat;
  readonly #order: Order;
  readonly #listing: Listing;
  readonly #attributes: Attributes;
  readonly #layout: Layout;
  readonly #output: Output;
  /** The next block of the data area that belongs to nobody yet. */
  #block: number;

  constructor(tree: Tree, format: ImageFormat, order: Order, listing: Listing, attributes: Attributes, layout: Layout, output: Output) {
    this.#tree = tree;
    this.#format = format;
    this.#order = order;
    this.#listing = listing;
    this.#attributes = attributes;
    this.#layout = layout;
    this.#output = output;
    this.#block = layout.dataStart / BLOCK;
  }

  headers(): void {
    const { nids, inodesEnd, blocks, oldest } = this.#layout;
    const inodes = this.#tree.inodes;
    const v2 = this.#format === "v2";
    const at = this.#output.take(EROFS_AT + 128);
    const view = this.#output.view;
    view.setUint32(at, COMPOSEFS_MAGIC, true);
    view.setUint32(at + 4, HEADER_VERSION, true);
    view.setUint32(at + 8, !v2 && this.#attributes.hasAcl ? FLAG_HAS_ACL : 0, true);
    view.setUint32(at + 12, VERSIONS[this.#format], true);
    const superblock = at + EROFS_AT;
    view.setUint32(superblock, EROFS_MAGIC, true);
    view.setUint32(superblock + 8, FEATURES_COMPATIBLE, true);
    view.setUint8(superblock + 12, LOG2_BLOCK);
    view.setUint16(superblock + 14, nids[ROOT] ?? 0, true);
    view.setUint32(superblock + 16, this.#order.inodes.length, true);
    view.setUint32(superblock + 36, blocks, true);
    if (v2) return;
    view.setUint32(superblock + 24, inodes.secondsLow(oldest), true);
    view.setInt32(superblock + 28, inodes.secondsHigh(oldest), true);
    view.setUint32(superblock + 32, inodes.nanoseconds(oldest), true);
    view.setUint32(superblock + 44, Math.floor(inodesEnd / BLOCK), true);
  }

  inodes(): void {
    const { inodes } = this.#order;
    const { nids, inodesEnd } = this.#layout;
    const v2 = this.#format === "v2";
    const tableAt = v2 ? inodesEnd : inodesEnd % BLOCK;
    for (let at = 0; at < inodes.length; at++) {
      const inode = inodes[at] ?? 0;
      this.#output.padTo((nids[inode] ?? 0) * SLOT);
      this.#inode(inode, v2 ? (nids[inode] ?? 0) : at, tableAt);
    }
    this.#output.padTo(inodesEnd);
  }

  #inode(inode: Inode, number: number, tableAt: number): void {
    const inodes = this.#tree.inodes;
    const marks = this.#order.marks[inode] ?? 0;
    const stub = inode >= inodes.count;
    const mode = stub ? STUB_MODE : inodes.mode(inode);
    const source = stub ? ROOT : inode;
    const whiteout = (marks & MARK.whiteout) !== 0;
    const external = (marks & MARK.external) !== 0;
    const moved = (marks & MARK.moved) !== 0;
    const v2 = this.#format === "v2";
    let nlink = stub ? 1 : inodes.nlink(inode);
    let size = 0;
    let tail = 0;
    let blocks = 0;
    if (whiteout || stub) size = 0;
    else if (isDirectory(mode)) {
      this.#listing.measure(inode);
      blocks = this.#listing.blocks;
      tail = this.#listing.tail;
      size = blocks * BLOCK + tail;
      nlink = 2 + this.#listing.subdirectories;
    } else if (isSymlink(mode)) {
      size = inodes.dataLength(inode);
      tail = moved ? 0 : size;
      blocks = moved ? 1 : 0;
    } else if (isRegular(mode)) {
      size = inodes.size(inode);
      blocks = (marks & MARK.blocks) !== 0 ? 1 : 0;
      if (!external) tail = v2 ? size : contentTail(size);
    }
    if (v2 && !isDirectory(mode)) nlink = this.#order.links?.[inode] ?? 0;
    const layout = external ? LAYOUT.chunked : tail > 0 ? LAYOUT.inline : LAYOUT.plain;
    let union = blocks > 0 ? this.#block : 0;
    if (external) union = v2 ? V2_CHUNK_FORMAT : ((union & 0xffff0000) >>> 0) + chunkBits(size) - LOG2_BLOCK;
    else if (isDevice(mode) && !whiteout) union = stub ? 0 : inodes.rdev(inode);
    this.#block += blocks;

    const xattrs = this.#attributes.size(inode);
    const compact = (marks & MARK.compact) !== 0;
    const view = this.#output.view;
    const at = this.#output.take(compact ? COMPACT_INODE : EXTENDED_INODE);
    view.setUint16(at, (layout << 1) | (compact ? 0 : 1), true);
    view.setUint16(at + 2, xattrs === 0 ? 0 : (xattrs - XATTR_HEADER) / 4 + 1, true);
    view.setUint16(at + 4, whiteout ? (mode & 0o7777) | 0o100000 : mode, true);
    view.setUint32(at + 8, size >>> 0, true);
    if (compact) {
      view.setUint16(at + 6, nlink, true);
      view.setUint32(at + 16, union, true);
      view.setUint32(at + 20, number, true);
      view.setUint16(at + 24, inodes.uid(source), true);
      view.setUint16(at + 26, inodes.gid(source), true);
    } else {
      view.setUint32(at + 12, Math.floor(size / 2 ** 32), true);
      view.setUint32(at + 16, union, true);
      view.setUint32(at + 20, number, true);
      view.setUint32(at + 24, inodes.uid(source), true);
      view.setUint32(at + 28, inodes.gid(source), true);
      view.setUint32(at + 32, inodes.secondsLow(source), true);
      view.setInt32(at + 36, inodes.secondsHigh(source), true);
      view.setUint32(at + 40, v2 ? 0 : inodes.nanoseconds(source), true);
      view.setUint32(at + 44, nlink, true);
    }
    this.#attributes.write(inode, this.#output, tableAt);
    if (external) this.#holes(inode, size, moved);
    else if (tail > 0) this.#tail(inode, mode, tail);
  }

  /** The index of an external file's chunks. */
  #holes(inode: Inode, size: number, moved: boolean): void {
    if (this.#format === "v2") {
      if (this.#tree.inodes.hasDigest(inode)) this.#output.u32(HOLE);
    } else if (!moved) for (let left = chunkCount(size); left > 0; left--) this.#output.u32(HOLE);
  }

  /** @param length of the tail; for a directory the listing is the one that was measured */
  #tail(inode: Inode, mode: number, length: number): void {
    const at = this.#output.take(length);
    if (isDirectory(mode)) {
      let start = 0;
      for (let left = this.#listing.blocks; left > 0; left--) start = this.#listing.blockEnd(start);
      this.#entries(start, this.#listing.count, at);
    } else this.#tree.inodes.copyData(inode, this.#tree.inodes.dataLength(inode) - length, length, this.#output.bytes, at);
  }

  data(): void {
    const { inodes, marks } = this.#order;
    const output = this.#output;
    for (let index = 0; index < inodes.length; index++) {
      const inode = inodes[index] ?? 0;
      const mark = marks[inode] ?? 0;
      if ((mark & MARK.blocks) === 0) continue;
      if ((mark & MARK.external) !== 0) {
        output.put(HOLES);
        continue;
      }
      if (!isDirectory(this.#tree.inodes.mode(inode))) {
        this.#tree.inodes.copyData(inode, 0, Math.min(this.#tree.inodes.dataLength(inode), BLOCK), output.bytes, output.take(BLOCK));
        continue;
      }
      this.#listing.measure(inode);
      for (let left = this.#listing.blocks, start = 0; left > 0; left--) {
        const end = this.#listing.blockEnd(start);
        this.#entries(start, end, output.take(BLOCK));
        start = end;
      }
    }
  }

  /** Entries of the listed directory, from `start` up to `end`, as one block or tail. */
  #entries(start: number, end: number, at: number): void {
    const { nids } = this.#layout;
    const { bytes, view } = this.#output;
    let name = (end - start) * DIRENT;
    for (let index = start, to = at; index < end; index++, to += DIRENT) {
      const target = this.#listing.target(index);
      const whiteout = ((this.#order.marks[target] ?? 0) & MARK.whiteout) !== 0;
      view.setUint32(to, nids[target] ?? 0, true);
      view.setUint16(to + 8, name, true);
      bytes[to + 10] = whiteout ? FILE_TYPE.regular : this.#listing.fileType(index);
      this.#listing.copyName(index, bytes, at + name);
      name += this.#listing.nameLength(index);
    }
  }
}
