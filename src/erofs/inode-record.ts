/** One inode as it stands in an image. The same object is filled again for each: a reader has one of them. */

import { type Attributes, isDevice } from "../tree/index.ts";
import { BLOCK, COMPACT_INODE, EXTENDED_INODE, INODES_AT, LAYOUT, SLOT, XATTR_HEADER } from "./format.ts";
import { malformed } from "./malformed.ts";
import type { Superblock } from "./superblock.ts";

export class InodeRecord implements Attributes {
  readonly #view: DataView;
  readonly #superblock: Superblock;
  /** Where it begins. */
  at = 0;
  layout = 0;
  mode = 0;
  nlink = 0;
  size = 0;
  /** i_u: a device number, the first block, or the format of chunks. */
  union = 0;
  /** 0 for what is no device. */
  rdev = 0;
  uid = 0;
  gid = 0;
  seconds = 0n;
  nanoseconds = 0;
  xattrsAt = 0;
  /** Where its xattrs end and its tail begins. */
  end = 0;

  constructor(view: DataView, superblock: Superblock) {
    this.#view = view;
    this.#superblock = superblock;
  }

  /** @throws SealrootError SR-E503 */
  read(nid: number): void {
    const view = this.#view;
    const at = nid * SLOT;
    if (at < INODES_AT || at + COMPACT_INODE > view.byteLength) throw malformed(at, "an inode lies outside the image's inodes");
    const format = view.getUint16(at, true);
    const compact = (format & 1) === 0;
    const xattrs = view.getUint16(at + 2, true);
    this.at = at;
    this.layout = format >>> 1;
    this.xattrsAt = at + (compact ? COMPACT_INODE : EXTENDED_INODE);
    this.end = this.xattrsAt + (xattrs === 0 ? 0 : XATTR_HEADER + (xattrs - 1) * 4);
    if (this.layout !== LAYOUT.plain && this.layout !== LAYOUT.inline && this.layout !== LAYOUT.chunked) throw malformed(at, "an inode's data layout is none that composefs uses");
    if (this.end > view.byteLength) throw malformed(at, "an inode does not end within the image");
    this.mode = view.getUint16(at + 4, true);
    this.union = view.getUint32(at + 16, true);
    this.rdev = isDevice(this.mode) ? this.union : 0;
    this.size = view.getUint32(at + 8, true);
    if (compact) {
      this.nlink = view.getUint16(at + 6, true);
      this.uid = view.getUint16(at + 24, true);
      this.gid = view.getUint16(at + 26, true);
      this.seconds = this.#superblock.seconds;
      this.nanoseconds = this.#superblock.nanoseconds;
    } else {
      // beyond 2^53 it is not exact, and refused wherever it matters
      this.size += view.getUint32(at + 12, true) * 2 ** 32;
      this.uid = view.getUint32(at + 24, true);
      this.gid = view.getUint32(at + 28, true);
      this.seconds = view.getBigInt64(at + 32, true);
      this.nanoseconds = view.getUint32(at + 40, true);
      this.nlink = view.getUint32(at + 44, true);
    }
  }

  /** Bytes of data behind the inode; only for the layouts plain and inline. */
  get tail(): number {
    return this.layout === LAYOUT.inline ? this.size % BLOCK : 0;
  }

  /** Blocks of data elsewhere, from `union` on; only for the layouts plain and inline. */
  get blocks(): number {
    return this.layout === LAYOUT.inline ? Math.floor(this.size / BLOCK) : Math.ceil(this.size / BLOCK);
  }
}
