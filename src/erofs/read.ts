/**
 * Images become trees again, from bytes that anybody may have written. What composefs cannot have written is refused, so that a tree
 * says all that a mounted image would do.
 *
 * Bounds: no part of an image belongs to two inodes, so time and memory grow with the file's length: at most MEMORY_FACTOR bytes for
 * each of its bytes. Zeros are no inodes and no entries, so of a file with holes that is read into memory that nothing was written to
 * yet, only the bytes that are not hole count, and once more what files have as content in its holes. Directories are at most MAX_DEPTH
 * deep, and nothing here calls itself.
 */

import type { VerityAlgorithm } from "../fsverity/index.ts";
import { type Attributes, type Inode, type Inodes, isDirectory, isRegular, isSymlink, ROOT, type Tree, TreeBuilder, TYPE, typeOf } from "../tree/index.ts";
import {
  BLOCK, chunkBits, chunkCount, FILE_TYPE, fileTypeOf, HOLE, type ImageFormat, INODES_AT, LAYOUT, LOG2_BLOCK, MAX_CONTENT, MAX_DEPTH, MAX_FILE_SIZE, MAX_TARGET, SLOT, TOO_DEEP, V2_CHUNK_FORMAT,
} from "./format.ts";
import { InodeRecord } from "./inode-record.ts";
import { malformed } from "./malformed.ts";
import { DirectoryReader } from "./read-directory.ts";
import { XattrReader } from "./read-xattrs.ts";
import { readSuperblock, type Superblock } from "./superblock.ts";

/** Bytes of memory that reading takes at most for each byte of an image, beside 32 MiB of the runtime's. */
export const MEMORY_FACTOR = 64;

export interface ReadImage {
  readonly tree: Tree;
  readonly format: ImageFormat;
  /** Of the objects' digests; sha256 when there is none. */
  readonly algorithm: VerityAlgorithm;
}

/**
 * @param bytes the whole file, in memory or mapped; nothing of it is kept
 * @throws SealrootError SR-E501 for another kind of file, SR-E502 for another version, SR-E503 for anything else that is wrong
 */
export function readImage(bytes: Uint8Array): ReadImage {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const superblock = readSuperblock(view);
  // which algorithm the digests are of is known from the first of them
  const tree = new Reader(bytes, view, superblock, 32).read() ?? new Reader(bytes, view, superblock, 64).read();
  if (tree === undefined) throw malformed(0, "its digests are of two algorithms");
  return { tree, format: superblock.format, algorithm: tree.inodes.digestSize === 32 ? "sha256" : "sha512" };
}

/** A slot that belongs to something, and is not where an inode of the tree begins. */
const TAKEN = 0xffffffff;
/** Stands for a stub, which is no inode of the tree. */
const NO_INODE = -1;
const METACOPY_HEADER = 4;
/** For content that is in two places, on its way into a tree. */
const SCRATCH = new Uint8Array(MAX_CONTENT);
const DOT = 0x2e;
const SLASH = 0x2f;

class Reader {
  readonly #bytes: Uint8Array;
  readonly #view: DataView;
  readonly #superblock: Superblock;
  readonly #digestSize: 32 | 64;
  readonly #v2: boolean;
  readonly #record: InodeRecord;
  /** By slot: 0 when it is free, TAKEN, or the inode that begins there plus one. */
  readonly #slots: Uint32Array;
  #stubs = 0;
  #sawDigest = false;
  #otherDigest = false;

  constructor(bytes: Uint8Array, view: DataView, superblock: Superblock, digestSize: 32 | 64) {
    this.#bytes = bytes;
    this.#view = view;
    this.#superblock = superblock;
    this.#digestSize = digestSize;
    this.#v2 = superblock.format === "v2";
    this.#record = new InodeRecord(view, superblock);
    this.#slots = new Uint32Array(Math.floor(bytes.length / SLOT));
  }

  /** @returns undefined when the first digest has another length */
  read(): Tree | undefined {
    const record = this.#record;
    const { rootNid } = this.#superblock;
    this.#take(0, INODES_AT);
    record.read(rootNid);
    if (!isDirectory(record.mode)) throw malformed(record.at, "the root is no directory");
    const builder = new TreeBuilder(record, [], this.#digestSize);
    const xattrs = new XattrReader(this.#bytes, this.#view, this.#v2, this.#superblock.xattrsAt, builder.inodes.xattrTable);
    xattrs.read(record, false, true);
    builder.inodes.setXattrs(ROOT, xattrs.set);
    const stack = [this.#openDirectory(ROOT, rootNid)];
    while (stack.length > 0) {
      const directory = stack.at(-1);
      if (directory === undefined || !directory.next()) {
        if (directory?.dots !== 3) throw malformed((directory?.nid ?? 0) * SLOT, "a directory lacks its entries for itself and its parent");
        stack.pop();
        continue;
      }
      if (this.#isDots(directory, stack.at(-2) ?? directory)) continue;
      const nid = directory.target;
      const known = this.#slots[nid] ?? 0;
      if (known === TAKEN) throw malformed(directory.nameAt, "a directory entry leads to what is no inode");
      record.read(nid);
      if (fileTypeOf(record.mode) !== directory.fileType || directory.fileType === 0) throw malformed(directory.nameAt, "a directory entry has another type than its inode");
      if (known > 0) {
        if (isDirectory(record.mode)) throw malformed(directory.nameAt, "a directory has two names");
        builder.link(directory.inode, this.#bytes, known - 1, directory.nameAt, directory.nameAt + directory.nameLength);
        continue;
      }
      const inode = this.#add(builder, directory, xattrs);
      if (this.#otherDigest) return undefined;
      if (inode === NO_INODE || !isDirectory(record.mode)) continue;
      if (stack.length === MAX_DEPTH) throw malformed(record.at, TOO_DEEP);
      stack.push(this.#openDirectory(inode, nid));
    }
    if (builder.inodes.count + this.#stubs !== this.#superblock.inodes) throw malformed(0, "it has not as many inodes as its superblock says");
    return builder.seal();
  }

  /** Takes the bytes from `start` up to `end` for one owner. */
  #take(start: number, end: number): void {
    if (end > this.#bytes.length) throw malformed(start, "data does not end within the image");
    for (let slot = Math.floor(start / SLOT); slot < end / SLOT; slot++) {
      if (this.#slots[slot] !== 0) throw malformed(slot * SLOT, "two parts of the image overlap");
      this.#slots[slot] = TAKEN;
    }
  }

  readonly #claim = (start: number, end: number): void => this.#take(start, end);

  /** Takes the inode at hand, its tail and its blocks. @param tail bytes behind it */
  #takeAll(tail: number, blocks: number): void {
    const { at, end, union } = this.#record;
    if (tail > 0 && Math.floor(end / BLOCK) !== Math.floor((end + tail - 1) / BLOCK)) throw malformed(at, "what is behind an inode lies in two blocks");
    this.#take(at, end + tail);
    if (blocks > 0) this.#take(union * BLOCK, (union + blocks) * BLOCK);
  }

  #openDirectory(inode: Inode, nid: number): DirectoryReader {
    const record = this.#record;
    if (record.layout === LAYOUT.chunked || record.size > this.#bytes.length) throw malformed(record.at, "a directory is not stored as composefs does");
    this.#takeAll(record.tail, 0);
    this.#slots[nid] = inode + 1;
    return new DirectoryReader(this.#bytes, this.#view, inode, nid, record, this.#claim);
  }

  /** Whether the entry at hand is `.` or `..`. */
  #isDots(directory: DirectoryReader, parent: DirectoryReader): boolean {
    const { nameAt, nameLength } = directory;
    if (nameLength > 2 || this.#bytes[nameAt] !== DOT || (nameLength === 2 && this.#bytes[nameAt + 1] !== DOT)) return false;
    if (directory.target !== (nameLength === 1 ? directory : parent).nid || directory.fileType !== FILE_TYPE.directory) throw malformed(nameAt, "a directory's entry for itself or its parent leads elsewhere");
    directory.dots |= nameLength;
    return true;
  }

  /** Adds the inode at hand under the name at hand. A directory is not taken yet. @returns NO_INODE for a stub */
  #add(builder: TreeBuilder, directory: DirectoryReader, xattrs: XattrReader): Inode {
    const record = this.#record;
    const { mode, at } = record;
    const nid = directory.target;
    if (!isRegular(mode) && !isDirectory(mode) && !isSymlink(mode) && (record.layout !== LAYOUT.plain || record.size !== 0)) throw malformed(at, "a special file has content");
    if (!this.#v2 && typeOf(mode) === TYPE.characterDevice && record.union === 0) {
      if (directory.inode !== ROOT || record.nlink > 1 || !this.#isStub(directory)) throw malformed(at, "a whiteout stands where composefs writes none");
      this.#takeAll(0, 0);
      this.#stubs++;
      return NO_INODE;
    }
    xattrs.read(record, isRegular(mode), false);
    const whiteout = xattrs.isWhiteout;
    const attributes = whiteout ? whiteoutOf(record) : record;
    const inode = builder.add(directory.inode, this.#bytes, attributes, xattrs.set, undefined, directory.nameAt, directory.nameAt + directory.nameLength);
    const inodes = builder.inodes;
    if (isRegular(mode)) this.#content(inodes, inode, xattrs);
    else if (isSymlink(mode)) this.#target(inodes, inode);
    else if (!isDirectory(mode)) this.#takeAll(0, 0);
    if (whiteout && (record.size > 0 || inodes.hasPayload(inode) || inodes.hasDigest(inode))) throw malformed(at, "a whiteout has content");
    if (!isDirectory(mode)) this.#slots[nid] = inode + 1;
    return inode;
  }

  /** Whether the name at hand is that of a stub. */
  #isStub({ nameAt, nameLength }: DirectoryReader): boolean {
    return nameLength === 2 && isDigit(this.#bytes[nameAt]) && isDigit(this.#bytes[nameAt + 1]);
  }

  #content(inodes: Inodes, inode: Inode, xattrs: XattrReader): void {
    const record = this.#record;
    const { at, size, end, union } = record;
    if (record.layout === LAYOUT.chunked) {
      this.#external(inodes, inode, xattrs);
      return;
    }
    if (xattrs.metacopyAt >= 0 || xattrs.redirectAt >= 0) throw malformed(at, "a file with content in the image leads to an object as well");
    if (size > MAX_CONTENT) throw malformed(at, "a file has more content in the image than composefs puts there");
    this.#takeAll(record.tail, record.blocks);
    if (size === 0) return;
    const inBlocks = size - record.tail;
    const start = inBlocks === 0 ? end : union * BLOCK;
    if (inBlocks === 0 || inBlocks === size) {
      inodes.setContent(inode, this.#bytes, start, start + size);
      return;
    }
    SCRATCH.set(this.#bytes.subarray(start, start + inBlocks));
    SCRATCH.set(this.#bytes.subarray(end, end + record.tail), inBlocks);
    inodes.setContent(inode, SCRATCH, 0, size);
  }

  #external(inodes: Inodes, inode: Inode, { metacopyAt, metacopyLength, redirectAt, redirectLength }: XattrReader): void {
    const { at, size } = this.#record;
    if (size > MAX_FILE_SIZE) throw malformed(at, "the size of a file is none that composefs writes");
    if (metacopyAt < 0) throw malformed(at, "a file without content in the image does not say where it is");
    const hasDigest = metacopyLength > 0;
    if (hasDigest) this.#checkDigest(metacopyAt, metacopyLength);
    this.#takeAll(this.#checkChunks(hasDigest) * 4, 0);
    const start = redirectAt + 1;
    const end = redirectAt + redirectLength;
    if (redirectAt >= 0 && (end - start < 1 || end - start > MAX_TARGET || this.#bytes[redirectAt] !== SLASH || this.#hasNul(start, end))) {
      throw malformed(redirectAt, "the path of an object is none that composefs writes");
    }
    // read again with the other length
    if (this.#otherDigest) return;
    inodes.setExternal(inode, this.#bytes, start, redirectAt < 0 ? start : end, hasDigest ? metacopyAt + METACOPY_HEADER : -1);
  }

  #hasNul(start: number, end: number): boolean {
    for (let at = start; at < end; at++) if (this.#bytes[at] === 0) return true;
    return false;
  }

  /** @returns how many indexes of chunks are behind the inode */
  #checkChunks(hasDigest: boolean): number {
    const { at, size, end, union } = this.#record;
    // an empty file has no chunks; composefs-rs gives it the form of an external one, in v0 and v1 too
    const format = this.#v2 ? V2_CHUNK_FORMAT : size === 0 ? 0 : chunkBits(size) - LOG2_BLOCK;
    if ((this.#v2 ? union : union & 0xffff) !== format) throw malformed(at, "the chunks of a file are not as composefs writes them");
    let count = this.#v2 ? Number(hasDigest) : size === 0 ? 0 : chunkCount(size);
    // an index that did not fit into one block was written to another place, and nothing is here
    if (!this.#v2 && (end % BLOCK) + count * 4 > BLOCK) count = 0;
    else if (!this.#v2 && union >>> 16 !== 0) throw malformed(at, "the chunks of a file are not as composefs writes them");
    for (let index = 0; index < count; index++) {
      const chunk = end + index * 4;
      if (chunk + 4 > this.#bytes.length || this.#view.getUint32(chunk, true) !== HOLE) throw malformed(chunk, "a file whose content is outside has blocks in the image");
    }
    return count;
  }

  #checkDigest(at: number, length: number): void {
    const bytes = this.#bytes;
    const size = length - METACOPY_HEADER;
    if (bytes[at] !== 0 || bytes[at + 1] !== length || bytes[at + 2] !== 0 || bytes[at + 3] !== (size === 32 ? 1 : 2) || (size !== 32 && size !== 64)) {
      throw malformed(at, "the digest of a file is not as composefs writes it");
    }
    if (size === this.#digestSize) this.#sawDigest = true;
    else if (this.#sawDigest || this.#digestSize === 64) throw malformed(at, "its digests are of two algorithms");
    else this.#otherDigest = true;
  }

  #target(inodes: Inodes, inode: Inode): void {
    const record = this.#record;
    const { at, size, end, union } = record;
    if (record.layout === LAYOUT.chunked || size === 0 || size > MAX_TARGET) throw malformed(at, "the target of a symbolic link is none that composefs writes");
    this.#takeAll(record.tail, record.blocks);
    const start = record.tail > 0 ? end : union * BLOCK;
    if (this.#hasNul(start, start + size)) throw malformed(start, "the target of a symbolic link is none that composefs writes");
    inodes.setTarget(inode, this.#bytes, start, start + size);
  }
}

/** What an escaped whiteout was. */
const whiteoutOf = ({ mode, nlink, uid, gid, seconds, nanoseconds }: InodeRecord): Attributes => ({ mode: TYPE.characterDevice | (mode & 0o7777), nlink, uid, gid, rdev: 0, size: 0, seconds, nanoseconds });

const isDigit = (byte = 0): boolean => (byte >= 0x30 && byte <= 0x39) || (byte >= 0x61 && byte <= 0x66);
