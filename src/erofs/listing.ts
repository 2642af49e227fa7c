/**
 * A directory as an image has it: its entries, `.` and `..`, and in the root the stubs, all in the order of their names; and how
 * they fall into blocks. One directory at a time, in memory that is used again.
 */

import { type Entry, type Inode, isDirectory, ROOT, type Tree } from "../tree/index.ts";
import { BLOCK, DIRENT, FILE_TYPE, fileTypeOf, MAX_TAIL } from "./format.ts";

const DOT = -1;
const DOT_DOT = -2;
/** A stub is this minus the number that its name is. */
const STUB = -3;

const DOT_BYTE = 0x2e;
const HEX = Array.from("0123456789abcdef", (digit) => digit.charCodeAt(0));
const digits = (stub: number): readonly [number, number] => [HEX[stub >> 4] ?? 0, HEX[stub & 15] ?? 0];

export class Listing {
  readonly #tree: Tree;
  /** What the names of the stubs say, ascending. */
  readonly #stubs: readonly number[];
  /** Inode of the first stub; the others follow. */
  readonly #firstStub: Inode;
  #codes = new Int32Array(1024);
  #directory: Inode = ROOT;
  /** How many entries the directory that was loaded has. */
  count = 0;
  /** Of measure(): blocks, bytes behind the last of them, and directories among the entries that are not `.` and `..`. */
  blocks = 0;
  tail = 0;
  subdirectories = 0;

  constructor(tree: Tree, stubs: readonly number[]) {
    this.#tree = tree;
    this.#stubs = stubs;
    this.#firstStub = tree.inodes.count;
  }

  /** Makes a directory the one that the other methods speak of. */
  load(directory: Inode): void {
    const tree = this.#tree;
    const children = tree.childCount(directory);
    const stubs = directory === ROOT ? this.#stubs.length : 0;
    if (this.#codes.length < children + stubs + 2) this.#codes = new Int32Array((children + stubs + 2) * 2);
    const codes = this.#codes;
    let count = 0;
    let dots = 0;
    let stub = 0;
    for (let index = 0; index < children; index++) {
      const entry = tree.child(directory, index);
      // neither `.` nor `..` nor a stub can have the name of an entry, and the dots come before all stubs
      for (; dots < 2 && this.#isAfterDots(entry, dots + 1); dots++) codes[count++] = dots === 0 ? DOT : DOT_DOT;
      for (; stub < stubs && this.#isAfterStub(entry, this.#stubs[stub] ?? 0); stub++) codes[count++] = STUB - (this.#stubs[stub] ?? 0);
      codes[count++] = entry;
    }
    for (; dots < 2; dots++) codes[count++] = dots === 0 ? DOT : DOT_DOT;
    for (; stub < stubs; stub++) codes[count++] = STUB - (this.#stubs[stub] ?? 0);
    this.#directory = directory;
    this.count = count;
  }

  /** load(), and fills in blocks, tail and subdirectories. */
  measure(directory: Inode): void {
    this.load(directory);
    let blocks = 0;
    let filled = 0;
    let subdirectories = 0;
    for (let index = 0; index < this.count; index++) {
      const cost = DIRENT + this.nameLength(index);
      if (filled + cost > BLOCK) {
        blocks++;
        filled = 0;
      }
      filled += cost;
      const code = this.#codes[index] ?? 0;
      if (code >= 0 && isDirectory(this.#tree.inodes.mode(this.#tree.target(code)))) subdirectories++;
    }
    if (filled > MAX_TAIL) {
      blocks++;
      filled = 0;
    }
    this.blocks = blocks;
    this.tail = filled;
    this.subdirectories = subdirectories;
  }

  /** The first entry that does not fit into a block together with those from `start` on. */
  blockEnd(start: number): number {
    let end = start;
    for (let filled = 0; end < this.count; end++) {
      filled += DIRENT + this.nameLength(end);
      if (filled > BLOCK) break;
    }
    return end;
  }

  nameLength(index: number): number {
    const code = this.#codes[index] ?? 0;
    return code >= 0 ? this.#tree.nameLength(code) : code === DOT ? 1 : 2;
  }

  copyName(index: number, target: Uint8Array, at: number): void {
    const code = this.#codes[index] ?? 0;
    if (code >= 0) this.#tree.copyName(code, target, at);
    else if (code <= STUB) target.set(digits(STUB - code), at);
    else target.fill(DOT_BYTE, at, at + this.nameLength(index));
  }

  target(index: number): Inode {
    const code = this.#codes[index] ?? 0;
    if (code >= 0) return this.#tree.target(code);
    if (code <= STUB) return this.#firstStub + this.#stubs.indexOf(STUB - code);
    return code === DOT ? this.#directory : this.#tree.parentOf(this.#directory);
  }

  /** The entry in the tree; undefined for what is only in the image. */
  entry(index: number): Entry | undefined {
    const code = this.#codes[index] ?? 0;
    return code >= 0 ? code : undefined;
  }

  isStub(index: number): boolean {
    return (this.#codes[index] ?? 0) <= STUB;
  }

  /** Type of a directory entry, before whiteouts are taken into account. */
  fileType(index: number): number {
    const code = this.#codes[index] ?? 0;
    if (code >= 0) return fileTypeOf(this.#tree.inodes.mode(this.#tree.target(code)));
    return code <= STUB ? FILE_TYPE.characterDevice : FILE_TYPE.directory;
  }

  /** Whether an entry's name comes after `.` (1 dot) or `..` (2). */
  #isAfterDots(entry: Entry, dots: number): boolean {
    const first = this.#tree.nameByte(entry, 0);
    if (first !== DOT_BYTE || dots === 1) return first >= DOT_BYTE;
    return this.#tree.nameLength(entry) > 1 && this.#tree.nameByte(entry, 1) >= DOT_BYTE;
  }

  #isAfterStub(entry: Entry, stub: number): boolean {
    const first = this.#tree.nameByte(entry, 0);
    const high = HEX[stub >> 4] ?? 0;
    if (first !== high) return first > high;
    if (this.#tree.nameLength(entry) === 1) return false;
    return this.#tree.nameByte(entry, 1) >= (HEX[stub & 15] ?? 0);
  }
}

/** The numbers from 0 to 255 whose two digits are no name in the root. */
export function missingStubs(tree: Tree): number[] {
  return Array.from({ length: 256 }, (_, stub) => stub).filter((stub) => tree.find(ROOT, new Uint8Array(digits(stub))) === undefined);
}
