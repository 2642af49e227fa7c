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
/** Text of an xattr that is kept, and how many are. */
const SHORT = 24;
const MOST_PAIRS = 1 << 12;
const NOTHING = new Uint8Array();

interface Known {
  readonly text: Uint8Array;
  readonly set: XattrSetId;
}

export class XattrTexts {
  readonly #table: XattrTable;
  /** The last text of each hash: bounded, whatever the file holds. */
  readonly #known: (Known | undefined)[] = new Array<Known | undefined>(SLOTS).fill(undefined);
  readonly #scratch = new Uint8Array(MAX_XATTR_TEXT);
  readonly #pairs = new Pairs();

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
    const set = this.#table.intern(parse(text, this.#scratch, this.#pairs));
    this.#known[slot] = { text: text.slice(), set };
    return set;
  }
}

const [SPACE, EQUALS] = [0x20, 0x3d];

/** The same few again and again, or ever other ones: short ones are kept once, so that what is shortest in a dumpfile is not longest in memory. */
class Pairs {
  readonly #known = new Map<string, Xattr>();

  /** The xattr of text[start..end). @param scratch for unescaped bytes @throws Problem */
  of(text: Uint8Array, start: number, end: number, scratch: Uint8Array): Xattr {
    if (end - start > SHORT) return parsePair(text, start, end, scratch);
    const key = binaryOf(text, start, end);
    let xattr = this.#known.get(key);
    if (xattr !== undefined) return xattr;
    xattr = parsePair(text, start, end, scratch);
    if (this.#known.size === MOST_PAIRS) this.#known.clear();
    this.#known.set(key, xattr);
    return xattr;
  }
}

function parsePair(text: Uint8Array, start: number, end: number, scratch: Uint8Array): Xattr {
  const equals = text.indexOf(EQUALS, start);
  if (equals < 0 || equals >= end) throw new Problem("Missing = in xattr");
  const unescaped = binaryOf(scratch, 0, unescapeInto(scratch, text, start, equals));
  const nul = unescaped.indexOf("\0");
  const name = nul < 0 ? unescaped : unescaped.slice(0, nul);
  const length = unescapeInto(scratch, text, equals + 1, end);
  if (name.length === 0 || name.length > MAX_NAME || length > MAX_VALUE) throw new Problem("Can't set xattr");
  return { name, value: length === 0 ? NOTHING : scratch.slice(0, length) };
}

function parse(text: Uint8Array, scratch: Uint8Array, pairs: Pairs): readonly Xattr[] {
  const set = new Map<string, Xattr>();
  let space = HEADER;
  for (let start = 0; start < text.length; ) {
    const next = text.indexOf(SPACE, start);
    const end = next < 0 ? text.length : next;
    const xattr = pairs.of(text, start, end, scratch);
    const before = set.get(xattr.name);
    if (before !== undefined) space -= ENTRY + before.name.length + before.value.length;
    space += ENTRY + xattr.name.length + xattr.value.length;
    if (space > MAX_SPACE) throw new Problem("Can't set xattr");
    set.delete(xattr.name);
    set.set(xattr.name, xattr);
    start = end + 1;
  }
  return [...set.values()];
}
