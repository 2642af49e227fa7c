/** The xattrs of a line. Lines with the same text get the same set, found by the text: most trees have far fewer sets than files. */

import { binaryOf, equalBytes, NO_XATTRS, type Xattr, type XattrSetId, type XattrTable } from "../tree/index.ts";
import { unescapeInto } from "./escape.ts";
import type { Line } from "./line.ts";
import { Problem } from "./problem.ts";

export const MAX_XATTR_TEXT = 65535;
const MAX_NAME = 255;
const MAX_VALUE = 65535;
/** What all of an inode may come to by this reckoning, which is the C tools'. */
const MAX_SPACE = 32767;
const HEADER = 12;
const ENTRY = 7;
const SLOTS = 1 << 10;

interface Known {
  readonly text: Uint8Array;
  readonly set: XattrSetId;
}

export class XattrTexts {
  readonly #table: XattrTable;
  /** The last text of each hash: bounded, whatever the file holds. */
  readonly #known: (Known | undefined)[] = new Array<Known | undefined>(SLOTS).fill(undefined);
  readonly #scratch = new Uint8Array(MAX_XATTR_TEXT);

  constructor(table: XattrTable) {
    this.#table = table;
  }

  /** @throws Problem */
  setOf(line: Line): XattrSetId {
    const { bytes, xattrs: start, end } = line;
    if (start >= end) return NO_XATTRS;
    if (end - start > MAX_XATTR_TEXT) throw new Problem("Too many xattrs");
    const slot = (line.xattrsHash ^ (line.xattrsHash >>> 16)) & (SLOTS - 1);
    const known = this.#known[slot];
    const text = bytes.subarray(start, end);
    if (known !== undefined && equalBytes(known.text, text)) return known.set;
    const set = this.#table.intern(parse(text, this.#scratch));
    this.#known[slot] = { text: text.slice(), set };
    return set;
  }
}

const [SPACE, EQUALS] = [0x20, 0x3d];

function parse(text: Uint8Array, scratch: Uint8Array): readonly Xattr[] {
  const set = new Map<string, Uint8Array>();
  let space = HEADER;
  for (let start = 0; start < text.length; ) {
    const next = text.indexOf(SPACE, start);
    const end = next < 0 ? text.length : next;
    const equals = text.indexOf(EQUALS, start);
    if (equals < 0 || equals >= end) throw new Problem("Missing = in xattr");
    let length = unescapeInto(scratch, text, start, equals);
    const nul = scratch.subarray(0, length).indexOf(0);
    if (nul >= 0) length = nul;
    const name = binaryOf(scratch.subarray(0, length));
    length = unescapeInto(scratch, text, equals + 1, end);
    if (name.length === 0 || name.length > MAX_NAME || length > MAX_VALUE) throw new Problem("Can't set xattr");
    const before = set.get(name);
    if (before !== undefined) space -= ENTRY + name.length + before.length;
    space += ENTRY + name.length + length;
    if (space > MAX_SPACE) throw new Problem("Can't set xattr");
    set.delete(name);
    set.set(name, scratch.slice(0, length));
    start = end + 1;
  }
  return Array.from(set, ([name, value]) => ({ name, value }));
}
