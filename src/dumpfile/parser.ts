/**
 * The text form of a tree, one line a file, as composefs-dump(5) describes it and mkcomposefs --from-file reads it. In portions, on
 * bytes: a line costs no string, and its directory is found at once when it is that of the line before.
 *
 * Where the C tool takes what cannot be meant, this refuses: a digest that is not one, sizes that wrap around, wrong numbers, second
 * names of directories, loops. Bounds: MAX_LINE for a line, MEMORY_FACTOR for the tree.
 */

import { SealrootError } from "../errors/index.ts";
import { type Attributes, type Inode, isDirectory, isRegular, MAX_NAME, NO_XATTRS, ROOT, type Tree, TreeBuilder, TYPE } from "../tree/index.ts";
import { unescapeInto } from "./escape.ts";
import { HardLinks } from "./hard-links.ts";
import { attributesOf, dataOf, hasDeviceNumber, MAX_EXTERNAL } from "./inode-fields.ts";
import { FIELD, Line } from "./line.ts";
import { NameIndex } from "./name-index.ts";
import { uint32 } from "./number.ts";
import { hasOnlyPayload, readObject } from "./object-fields.ts";
import { Problem, quote } from "./problem.ts";
import { XattrTexts } from "./xattr-text.ts";

/** Longest line, in bytes. Content, payload and xattrs that an image can hold come to 102,000; the rest is for the path. */
export const MAX_LINE = 1 << 20;
/** Bytes of memory that a tree takes at most for each byte of its dumpfile, beside 32 MiB of the runtime's. */
export const MEMORY_FACTOR = 64;

export interface DumpfileOptions {
  /** Refuses what the C tool refuses when CFS_PARSE_STRICT is in its environment. */
  readonly strict: boolean;
  /** Bytes of a digest: 32 for SHA-256 (the default), 64 for SHA-512. */
  readonly digestSize?: 32 | 64;
}

const [NEWLINE, SLASH, DOT, AT] = [0x0a, 0x2f, 0x2e, 0x40];

/** Bit n is set where n is the type in the highest four of a mode's bits. */
const TYPES = Object.values(TYPE).reduce((bits, type) => bits | (1 << (type >> 12)), 0);

/** Parts of a tree that are there from the root's line on. */
interface Growing {
  readonly builder: TreeBuilder;
  readonly index: NameIndex;
  readonly xattrs: XattrTexts;
}

export class DumpfileParser {
  readonly #strict: boolean;
  readonly #digestSize: 32 | 64;
  readonly #digest: Uint8Array;
  readonly #line = new Line();
  readonly #links = new HardLinks();
  readonly #scratch = new Uint8Array(MAX_LINE);
  #growing: Growing | undefined;
  #number = 0;
  /** The beginning of a line whose end is to come. */
  #rest = new Uint8Array(1 << 12);
  #restLength = 0;
  /** The directory of the last line, by its path, with the slash that ends it. */
  #parentPath = new Uint8Array(1 << 12);
  #parentLength = 0;
  #parent: Inode = ROOT;
  /** The line of the first file that is larger than any image can say. */
  #tooLarge = 0;

  constructor({ strict, digestSize = 32 }: DumpfileOptions) {
    this.#strict = strict;
    this.#digestSize = digestSize;
    this.#digest = new Uint8Array(digestSize);
  }

  /** Takes the next portion, which may end anywhere. Nothing of it is kept. @throws SealrootError SR-E510 */
  push(chunk: Uint8Array): void {
    let start = 0;
    if (this.#restLength > 0) {
      const end = chunk.indexOf(NEWLINE);
      this.#keep(chunk, 0, end < 0 ? chunk.length : end);
      if (end < 0) return;
      this.#take(this.#rest, 0, this.#restLength);
      this.#restLength = 0;
      start = end + 1;
    }
    for (;;) {
      const end = chunk.indexOf(NEWLINE, start);
      if (end < 0) break;
      this.#take(chunk, start, end);
      start = end + 1;
    }
    this.#keep(chunk, start, chunk.length);
  }

  /** @returns the tree, its names sorted @throws SealrootError SR-E510 */
  finish(): Tree {
    if (this.#restLength > 0) {
      if (this.#strict) throw new Problem("Missing trailing newline").toSealrootError(this.#number + 1);
      this.#take(this.#rest, 0, this.#restLength);
      this.#restLength = 0;
    }
    if (this.#growing === undefined) throw new Problem("No files in dump file").toSealrootError(0);
    const { builder } = this.#growing;
    this.#growing = undefined;
    const tree = builder.seal();
    this.#links.resolve(builder, tree);
    if (this.#tooLarge > 0) throw new Problem("cannot write file: File too large").toSealrootError(this.#tooLarge);
    return tree;
  }

  #keep(chunk: Uint8Array, start: number, end: number): void {
    const length = this.#restLength + end - start;
    if (length > MAX_LINE) throw this.#tooLong();
    if (length > this.#rest.length) {
      const larger = new Uint8Array(Math.min(MAX_LINE, Math.max(length, this.#rest.length * 2)));
      larger.set(this.#rest.subarray(0, this.#restLength));
      this.#rest = larger;
    }
    this.#rest.set(chunk.subarray(start, end), this.#restLength);
    this.#restLength = length;
  }

  #take(bytes: Uint8Array, start: number, end: number): void {
    if (end - start > MAX_LINE) throw this.#tooLong();
    this.#number++;
    try {
      this.#line.split(bytes, start, end);
      this.#parse(this.#line);
    } catch (error) {
      throw error instanceof Problem ? error.toSealrootError(this.#number) : error;
    }
  }

  #tooLong(): SealrootError {
    return new Problem(`A line is longer than ${MAX_LINE} bytes`).toSealrootError(this.#number + 1);
  }

  #parse(line: Line): void {
    if (line.nul >= 0) throw new Problem(`Invalid embedded NUL character at position ${line.nul}`);
    // a path's bytes are in the line, or without its escapes in #scratch
    let path = line.bytes;
    let start = line.start(FIELD.path);
    let end = line.stop(FIELD.path);
    if (line.isEscaped(FIELD.path)) {
      end = unescapeInto(this.#scratch, path, start, end);
      [path, start] = [this.#scratch, 0];
      const nul = path.subarray(0, end).indexOf(0);
      if (nul >= 0) end = nul;
    }
    if (start === end) throw new Problem("Invalid empty path");
    const modeStart = line.start(FIELD.mode);
    const isLink = line.bytes[modeStart] === AT && modeStart < line.stop(FIELD.mode);
    const wide = uint32(line.bytes, modeStart + (isLink ? 1 : 0), line.stop(FIELD.mode), 8);
    const mode = wide & 0xffff;
    if (((TYPES >> (mode >> 12)) & 1) === 0) throw new Problem(`Invalid mode ${wide.toString(8)}`);
    if (end - start === 1 && path[start] === SLASH) {
      this.#root(line, mode, isLink);
      return;
    }
    if (this.#growing === undefined) throw new Problem("Root node not present");
    const { builder, index, xattrs } = this.#growing;
    let name = end;
    while (name > start && path[name - 1] !== SLASH) name--;
    const parent = this.#parentOf(this.#growing, path, start, name, end);
    if (path[name] === DOT && (end - name === 1 || (end - name === 2 && path[name + 1] === DOT))) throw new Problem(`Invalid . or .. in path: ${quote(path, start, end)}`);
    if (end === name || end - name > MAX_NAME || index.has(parent, path, name, end)) throw new Problem("Can't add child");
    const entry = builder.entryCount;
    if (path === this.#scratch) {
      // the other fields' escapes go to the same place
      path = path.slice(name, end);
      [name, end] = [0, path.length];
    }
    if (isLink) {
      if (isDirectory(mode)) throw new Problem("Directories can't be hardlinked");
      this.#links.add(entry, this.#linkTarget(line), this.#number);
      builder.link(parent, path, ROOT, name, end);
    } else {
      const attributes = attributesOf(line, mode);
      const set = this.#isPlain(line, attributes) ? xattrs.setOf(line) : -1;
      if (set >= 0 && readObject(line, this.#digest)) {
        const inode = builder.add(parent, path, attributes, set, undefined, name, end);
        builder.inodes.setObject(inode, this.#digest);
      } else if (set >= 0 && hasOnlyPayload(line)) {
        const inode = builder.add(parent, path, attributes, set, undefined, name, end);
        builder.inodes.setPayload(inode, line.bytes, line.start(FIELD.payload), line.stop(FIELD.payload));
      } else {
        const data = dataOf(line, attributes, this.#scratch, this.#strict, this.#digestSize);
        builder.add(parent, path, data.kind === "target" ? { ...attributes, size: data.bytes.length } : attributes, xattrs.setOf(line), data, name, end);
      }
      if (attributes.size > MAX_EXTERNAL && isRegular(mode) && this.#tooLarge === 0) this.#tooLarge = this.#number;
    }
    index.add(entry, parent, !isLink && isDirectory(mode), path, name, end);
  }

  /** A file outside of the image, as far as its attributes say, in which strict parsing finds no fault. */
  #isPlain(line: Line, { mode, size }: Attributes): boolean {
    return isRegular(mode) && size > 0 && !(this.#strict && hasDeviceNumber(line));
  }

  #root(line: Line, mode: number, isLink: boolean): void {
    if (!isDirectory(mode)) throw new Problem("Root must be a directory");
    if (this.#growing !== undefined) throw new Problem("Can't have multiple roots");
    if (isLink) throw new Problem("Directories can't be hardlinked");
    const attributes = attributesOf(line, mode);
    dataOf(line, attributes, this.#scratch, this.#strict, this.#digestSize);
    const builder = new TreeBuilder(attributes, [], this.#digestSize);
    const xattrs = new XattrTexts(builder.inodes.xattrTable);
    const set = xattrs.setOf(line);
    if (set !== NO_XATTRS) builder.inodes.setXattrs(ROOT, set);
    this.#growing = { builder, index: new NameIndex(builder), xattrs };
  }

  /** The directory path[start..name), for the message with the whole path to `end`. */
  #parentOf({ builder, index }: Growing, path: Uint8Array, start: number, name: number, end: number): Inode {
    if (this.#isLastParent(path, start, name)) return this.#parent;
    let parent: Inode = ROOT;
    let isLink = false;
    for (let at = start; at < name; ) {
      if (path[at] === SLASH) {
        at++;
        continue;
      }
      let stop = at;
      while (stop < name && path[stop] !== SLASH) stop++;
      const entry = isLink ? -1 : index.find(parent, path, at, stop);
      if (entry < 0) throw new Problem(`Parent directory missing for ${quote(path, start, end)}`);
      isLink = this.#links.has(entry);
      parent = builder.targetOf(entry);
      at = stop;
    }
    if (isLink || !isDirectory(builder.inodes.mode(parent))) throw new Problem(`Parent must be a directory for ${quote(path, start, end)}`);
    if (name - start > this.#parentPath.length) this.#parentPath = new Uint8Array(Math.max(name - start, this.#parentPath.length * 2));
    this.#parentPath.set(path.subarray(start, name));
    this.#parentLength = name - start;
    this.#parent = parent;
    return parent;
  }

  #isLastParent(path: Uint8Array, start: number, end: number): boolean {
    const length = end - start;
    if (length !== this.#parentLength || length === 0) return false;
    const known = this.#parentPath;
    // from the end, where paths differ
    for (let at = length - 1; at >= 0; at--) if (known[at] !== path[start + at]) return false;
    return true;
  }

  /** A copy; cut at a NUL. */
  #linkTarget(line: Line): Uint8Array | undefined {
    if (line.isAbsent(FIELD.payload)) return undefined;
    const start = line.start(FIELD.payload);
    const end = line.stop(FIELD.payload);
    if (!line.isEscaped(FIELD.payload)) return line.bytes.slice(start, end);
    const target = this.#scratch.slice(0, unescapeInto(this.#scratch, line.bytes, start, end));
    const nul = target.indexOf(0);
    return nul < 0 ? target : target.subarray(0, nul);
  }
}
