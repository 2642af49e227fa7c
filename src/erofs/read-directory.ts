/** The entries of a directory in an image, one after another, each checked: an image's names are sorted, and the kernel relies on it. */

import type { Inode } from "../tree/index.ts";
import { BLOCK, DIRENT } from "./format.ts";
import type { InodeRecord } from "./inode-record.ts";
import { malformed } from "./malformed.ts";

const SLASH = 0x2f;

export class DirectoryReader {
  readonly inode: Inode;
  readonly nid: number;
  /** For whoever reads: which of `.` (1) and `..` (2) were there. */
  dots = 0;
  readonly #bytes: Uint8Array;
  readonly #view: DataView;
  /** Blocks that are left, where the next one is, and how much of the last one is used. */
  #blocks: number;
  #blockAt: number;
  readonly #lastSize: number;
  /** What is behind the inode, and is read last. */
  #tail: number;
  readonly #tailAt: number;
  /** The block or tail at hand: where it is, its length, how many entries it has and which is the next. */
  #at = 0;
  #size = 0;
  #count = 0;
  #next = 0;
  #hasName = false;
  readonly #claim: (start: number, end: number) => void;
  // of the entry that next() went to
  nameAt = 0;
  nameLength = 0;
  target = 0;
  fileType = 0;

  /** @param claim is told of each block before it is read, so that it belongs to no other part of the image: a directory that is all hole ends with its first */
  constructor(bytes: Uint8Array, view: DataView, inode: Inode, nid: number, record: InodeRecord, claim: (start: number, end: number) => void) {
    this.#claim = claim;
    this.inode = inode;
    this.nid = nid;
    this.#bytes = bytes;
    this.#view = view;
    this.#blocks = record.blocks;
    this.#blockAt = record.union * BLOCK;
    this.#tail = record.tail;
    this.#tailAt = record.end;
    this.#lastSize = record.tail > 0 || record.size % BLOCK === 0 ? BLOCK : record.size % BLOCK;
  }

  /** Goes to the next entry; false after the last. @throws SealrootError SR-E503 */
  next(): boolean {
    while (this.#next === this.#count) if (!this.#nextBlock()) return false;
    const view = this.#view;
    const at = this.#at + this.#next * DIRENT;
    const start = view.getUint16(at + 8, true);
    this.#next++;
    let end = this.#size;
    if (this.#next < this.#count) end = view.getUint16(at + DIRENT + 8, true);
    else for (let zero = start; zero < end; zero++) if (this.#bytes[this.#at + zero] === 0) end = zero;
    const nameAt = this.#at + start;
    const nameLength = end - start;
    if (start < this.#count * DIRENT || end > this.#size || nameLength < 1 || nameLength > 255) throw malformed(at, "a directory entry has no valid name");
    for (let index = 0; index < nameLength; index++) {
      const byte = this.#bytes[nameAt + index];
      if (byte === 0 || byte === SLASH) throw malformed(at, "a directory entry has no valid name");
    }
    if (this.#hasName && !this.#isAscending(nameAt, nameLength)) throw malformed(at, "the entries of a directory are not sorted");
    if (view.getUint32(at + 4, true) !== 0) throw malformed(at, "a directory entry leads out of the image");
    this.#hasName = true;
    this.nameAt = nameAt;
    this.nameLength = nameLength;
    this.target = view.getUint32(at, true);
    this.fileType = view.getUint8(at + 10);
    return true;
  }

  #nextBlock(): boolean {
    if (this.#blocks > 0) {
      this.#claim(this.#blockAt, this.#blockAt + BLOCK);
      this.#blocks--;
      this.#at = this.#blockAt;
      this.#size = this.#blocks === 0 ? this.#lastSize : BLOCK;
      this.#blockAt += BLOCK;
    } else if (this.#tail > 0) {
      this.#at = this.#tailAt;
      this.#size = this.#tail;
      this.#tail = 0;
    } else return false;
    const names = this.#size < DIRENT ? 0 : this.#view.getUint16(this.#at + 8, true);
    if (names === 0 || names % DIRENT !== 0 || names > this.#size) throw malformed(this.#at, "a block of a directory does not begin with its entries");
    this.#count = names / DIRENT;
    this.#next = 0;
    return true;
  }

  #isAscending(at: number, length: number): boolean {
    const shared = Math.min(length, this.nameLength);
    for (let index = 0; index < shared; index++) {
      const difference = (this.#bytes[at + index] ?? 0) - (this.#bytes[this.nameAt + index] ?? 0);
      if (difference !== 0) return difference > 0;
    }
    return length > this.nameLength;
  }
}
