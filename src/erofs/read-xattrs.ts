/**
 * Extended attributes read back: what overlayfs was told is taken out, the user's own names are unescaped. Sets are kept by where
 * their parts stand in the image, so that an image cannot make a set larger than the bytes it has for it: entries of the shared
 * table must not overlap, and an inode's attributes keep the limit that they were written with.
 */

import { binaryOf, bytesOf, NO_XATTRS, type Xattr, type XattrSetId, type XattrTable } from "../tree/index.ts";
import { MAX_XATTRS, roundUp, XATTR_ENTRY, XATTR_HEADER, xattrCost } from "./format.ts";
import type { InodeRecord } from "./inode-record.ts";
import { malformed } from "./malformed.ts";
import { ESCAPED, METACOPY, OPAQUE, OPAQUE_MARKS, OVERLAY, prefixOf, REDIRECT, storedName, WHITEOUT_MARKS, WHITEOUTS_MARKS } from "./xattr-names.ts";

const KIND = { plain: 0, metacopy: 1, redirect: 2, rootOpaque: 3, whiteout: 4, dropped: 5, forbidden: 6 } as const;

interface Entry {
  readonly kind: number;
  /** As the tree has it. */
  readonly name: string;
  readonly valueAt: number;
  readonly valueLength: number;
  readonly cost: number;
  /** Behind the entry. */
  readonly end: number;
  /** Of an entry in the shared table. */
  readonly xattr?: Xattr;
}

interface SharedEntry extends Entry {
  readonly xattr: Xattr;
}

const NOTHING = new Uint8Array();
const [MARK_WHITEOUT] = WHITEOUT_MARKS;
const DROPPED = [...WHITEOUT_MARKS, ...WHITEOUTS_MARKS];
/** Names for which room beyond the limit was left when they were written. */
const UNCOUNTED = OPAQUE_MARKS.map((name) => name.replace(ESCAPED, OVERLAY));

export class XattrReader {
  readonly #bytes: Uint8Array;
  readonly #view: DataView;
  readonly #v2: boolean;
  readonly #sharedAt: number;
  readonly #table: XattrTable;
  readonly #shared = new Map<number, SharedEntry>();
  /** A bit for each four bytes of the image that an entry of the shared table has. */
  #taken = NOTHING;
  readonly #sets = new Map<number | string, XattrSetId>();
  /** Of the inode at hand: places of metacopy and redirect, -1 where it has none. */
  metacopyAt = -1;
  metacopyLength = 0;
  redirectAt = -1;
  redirectLength = 0;
  isWhiteout = false;
  set: XattrSetId = NO_XATTRS;

  constructor(bytes: Uint8Array, view: DataView, v2: boolean, sharedAt: number, table: XattrTable) {
    this.#bytes = bytes;
    this.#view = view;
    this.#v2 = v2;
    this.#sharedAt = sharedAt;
    this.#table = table;
  }

  /** Reads those of an inode into the fields. @throws SealrootError SR-E503 */
  read({ xattrsAt, end }: InodeRecord, isRegular: boolean, isRoot: boolean): void {
    this.metacopyAt = -1;
    this.redirectAt = -1;
    this.isWhiteout = false;
    this.set = NO_XATTRS;
    if (end === xattrsAt) return;
    const references = this.#view.getUint8(xattrsAt + 4);
    const inlineAt = xattrsAt + XATTR_HEADER + references * 4;
    if (inlineAt > end) throw malformed(xattrsAt, "an inode has more references to shared attributes than room for them");
    let inline: Entry[] | undefined;
    let shared: SharedEntry[] | undefined;
    let key = "";
    let last = 0;
    for (let at = inlineAt; at < end;) {
      const behind = isRegular ? this.#takeObject(at, end) : 0;
      if (behind > 0) {
        at = behind;
        continue;
      }
      const entry = this.#entry(at, end);
      if (this.#isKept(entry, at, isRegular, isRoot)) {
        (inline ??= []).push(entry);
        key += binaryOf(this.#bytes.subarray(at, entry.end));
      }
      at = entry.end;
    }
    for (let index = 0; index < references; index++) {
      const at = this.#sharedAt + this.#view.getUint32(xattrsAt + XATTR_HEADER + index * 4, true) * 4;
      const entry = this.#shared.get(at) ?? this.#readShared(at);
      if (!this.#isKept(entry, at, isRegular, isRoot)) continue;
      (shared ??= []).push(entry);
      last = at;
    }
    if (inline === undefined && shared === undefined) return;
    // nearly always one label, which the whole image shares
    const whole = inline === undefined && shared?.length === 1 ? last : `${key.length}:${key}${(shared ?? []).map(({ valueAt }) => valueAt).join()}`;
    this.set = this.#sets.get(whole) ?? this.#add(xattrsAt, whole, inline ?? [], shared ?? []);
  }

  #add(at: number, key: number | string, inline: readonly Entry[], shared: readonly Entry[]): XattrSetId {
    // composefs-rs adds its marks to those of the user, and the kernel finds the first
    const marks = new Set<string>();
    const entries = [...inline, ...shared].filter(({ name }) => !UNCOUNTED.includes(name) || (!marks.has(name) && marks.add(name)));
    if (new Set(entries.map(({ name }) => name)).size !== entries.length) throw malformed(at, "an inode has an extended attribute twice");
    const cost = entries.reduce((sum, entry) => sum + (UNCOUNTED.includes(entry.name) ? 0 : entry.cost), XATTR_HEADER);
    if (cost > MAX_XATTRS) throw malformed(at, "an inode's extended attributes take more than 32 KiB");
    const id = this.#table.add(entries.map((entry) => entry.xattr ?? this.#xattr(entry)));
    this.#sets.set(key, id);
    return id;
  }

  /** Whether an entry is the user's; takes note of what overlayfs was told. */
  #isKept({ kind, valueAt, valueLength }: Entry, at: number, isRegular: boolean, isRoot: boolean): boolean {
    if (kind === KIND.plain) return true;
    if (kind === KIND.dropped) return false;
    if (kind === KIND.whiteout) {
      // on anything else it is the user's own, escaped
      if (isRegular) this.isWhiteout = true;
      return !isRegular;
    }
    if (kind === KIND.rootOpaque && isRoot && !this.#v2) return false;
    if (kind === KIND.metacopy && isRegular && this.metacopyAt === -1) {
      this.metacopyAt = valueAt;
      this.metacopyLength = valueLength;
      return false;
    }
    if (kind === KIND.redirect && isRegular && this.redirectAt === -1) {
      this.redirectAt = valueAt;
      this.redirectLength = valueLength;
      return false;
    }
    throw malformed(at, "an extended attribute speaks to overlayfs in a way that composefs does not");
  }

  #readShared(at: number): SharedEntry {
    if (at + XATTR_ENTRY > this.#bytes.length) throw malformed(at, "a reference leads to no shared attribute");
    const entry = this.#entry(at, this.#bytes.length);
    if (this.#taken.length === 0) this.#taken = new Uint8Array(Math.ceil(this.#bytes.length / 32));
    for (let word = at / 4; word < entry.end / 4; word++) {
      const bit = 1 << (word & 7);
      if (((this.#taken[word >>> 3] ?? 0) & bit) !== 0) throw malformed(at, "two shared attributes overlap");
      this.#taken[word >>> 3] = (this.#taken[word >>> 3] ?? 0) | bit;
    }
    const shared = { ...entry, xattr: this.#xattr(entry) };
    this.#shared.set(at, shared);
    return shared;
  }

  /** Values are copied: an image can be a mapped file. */
  #xattr({ name, valueAt, valueLength }: Entry): Xattr {
    return { name, value: valueLength === 0 ? NOTHING : this.#bytes.slice(valueAt, valueAt + valueLength) };
  }

  /** Takes note of a metacopy or redirect, which nearly every file has, without an object. @returns where it ends; 0 for anything else, and for a second one */
  #takeObject(at: number, limit: number): number {
    if (at + XATTR_ENTRY + METACOPY_SUFFIX.length > limit || this.#bytes[at] !== METACOPY_SUFFIX.length || this.#bytes[at + 1] !== METACOPY_STORED.index) return 0;
    const valueAt = at + XATTR_ENTRY + METACOPY_SUFFIX.length;
    const length = this.#view.getUint16(at + 2, true);
    const end = roundUp(valueAt + length, 4);
    if (end > limit) return 0;
    if (this.metacopyAt === -1 && this.#isAt(at + XATTR_ENTRY, METACOPY_SUFFIX)) {
      this.metacopyAt = valueAt;
      this.metacopyLength = length;
      return end;
    }
    if (this.redirectAt === -1 && this.#isAt(at + XATTR_ENTRY, REDIRECT_SUFFIX)) {
      this.redirectAt = valueAt;
      this.redirectLength = length;
      return end;
    }
    return 0;
  }

  #entry(at: number, limit: number): Entry {
    if (at + XATTR_ENTRY > limit) throw malformed(at, "an extended attribute does not end where its inode or the image does");
    const nameLength = this.#view.getUint8(at);
    const index = this.#view.getUint8(at + 1);
    const valueLength = this.#view.getUint16(at + 2, true);
    const valueAt = at + XATTR_ENTRY + nameLength;
    const end = roundUp(valueAt + valueLength, 4);
    if (end > limit) throw malformed(at, "an extended attribute does not end where its inode or the image does");
    // the two that most files have cost no string
    if (index === METACOPY_STORED.index && nameLength === METACOPY_SUFFIX.length) {
      if (this.#isAt(at + XATTR_ENTRY, METACOPY_SUFFIX)) return { kind: KIND.metacopy, name: METACOPY, valueAt, valueLength, cost: 0, end };
      if (this.#isAt(at + XATTR_ENTRY, REDIRECT_SUFFIX)) return { kind: KIND.redirect, name: REDIRECT, valueAt, valueLength, cost: 0, end };
    }
    const prefix = prefixOf(index);
    const name = prefix === undefined ? "" : prefix + binaryOf(this.#bytes.subarray(at + XATTR_ENTRY, valueAt));
    if (name === "" || name.includes("\0")) throw malformed(at, "an extended attribute has no valid name");
    const kind = this.#kindOf(name);
    const own = kind === KIND.plain || kind === KIND.whiteout ? name.replace(ESCAPED_AT_START, OVERLAY) : name;
    return { kind, name: own, valueAt, valueLength, cost: xattrCost(own.length, valueLength), end };
  }

  #isAt(at: number, suffix: Uint8Array): boolean {
    for (let index = 0; index < suffix.length; index++) if (this.#bytes[at + index] !== suffix[index]) return false;
    return true;
  }

  #kindOf(name: string): number {
    // stored under other numbers than composefs gives them
    if (name === METACOPY || name === REDIRECT) return KIND.forbidden;
    if (!this.#v2 && name === MARK_WHITEOUT) return KIND.whiteout;
    if (!this.#v2 && DROPPED.includes(name)) return KIND.dropped;
    if (!name.startsWith(OVERLAY) || name.startsWith(ESCAPED)) return KIND.plain;
    return name === OPAQUE ? KIND.rootOpaque : KIND.forbidden;
  }
}

const METACOPY_STORED = storedName(METACOPY, false);
const METACOPY_SUFFIX = bytesOf(METACOPY_STORED.suffix);
const REDIRECT_SUFFIX = bytesOf(storedName(REDIRECT, false).suffix);
const ESCAPED_AT_START = /^trusted\.overlay\.overlay\./;
