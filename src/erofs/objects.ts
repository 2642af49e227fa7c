/**
 * The two attributes that external files have for overlayfs: `metacopy` with the digest and `redirect` with the path. Most differ
 * from file to file; those that do not are found here without making a value for each: files with the same digest are one group,
 * and so are files with the same path that is not their digest's.
 */

import { compareBytes, hashBytes, type Inode, type Inodes, type Tree } from "../tree/index.ts";
import { type ImageFormat, roundUp, XATTR_ENTRY } from "./format.ts";
import { type Group, Groups, newSecrets, NO_GROUP } from "./groups.ts";
import { decodePath } from "./object-path.ts";
import { MARK, type Order } from "./order.ts";
import { filterBit, METACOPY, REDIRECT, storedName } from "./xattr-names.ts";

const METACOPY_HEADER = 4;
const METACOPY_VERSION = 0;
const stored = [METACOPY, REDIRECT].map((name) => storedName(name, false));
const METACOPY_NAME = new TextEncoder().encode(stored[0]?.suffix);
const REDIRECT_NAME = new TextEncoder().encode(stored[1]?.suffix);
const INDEX = stored[0]?.index ?? 0;
const FILTER = stored.map(filterBit);
const SLASH = 0x2f;
const NO_PATHS = new Uint32Array();
const HEX = new TextEncoder().encode("0123456789abcdef");

/** Where the path of an external file comes from. */
const PATH = { none: 0, digest: 1, payload: 2 } as const;

/** A path that several files have, as a number: twice that of a group of digests, or of a group of payloads and one more. */
export type SharedPath = number;
const isByDigest = (path: SharedPath): boolean => path % 2 === 0;
const groupOf = (path: SharedPath): Group => Math.floor(path / 2);

export class Objects {
  readonly #inodes: Inodes;
  readonly #v2: boolean;
  readonly #marks: Uint8Array;
  readonly #secrets = newSecrets();
  /** The digests' algorithm, as fs-verity numbers them. */
  readonly #algorithm: 1 | 2;
  readonly #digests: Groups;
  /** By group of digests: how many have the digest, and how many the path that goes with it; then places in the shared table, or -1. */
  readonly #metacopies: number[] = [];
  readonly #redirects: number[] = [];
  /** Of groups of payloads that are no path of a digest in this tree: the inode that stands for each, and how many have it; then places. */
  #payloadFirsts: readonly Inode[] = [];
  readonly #payloadUses: number[] = [];
  /** By inode: the path it shares, plus one. Paths are long, and asked for several times. */
  #sharedPaths = NO_PATHS;
  #payloadCount = 0;
  #withoutDigest = 0;
  #emptyReference = -1;
  /** What the functions below are asked about. */
  #asked: Inode = 0;
  readonly #digest: Uint8Array;
  readonly #otherDigest: Uint8Array;
  readonly #path: Uint8Array;
  readonly #isSameDigest = (other: Inode): boolean => this.#inodes.compareDigests(this.#asked, other) === 0;
  readonly #isSamePayload = (other: Inode): boolean => this.#inodes.compareData(this.#asked, other) === 0;
  readonly #hasDigest = (other: Inode): boolean => {
    this.#inodes.copyDigest(other, this.#otherDigest, 0);
    return compareBytes(this.#digest, this.#otherDigest) === 0;
  };
  readonly #hasDigestPath = (inode: Inode): boolean => this.#pathOf(inode) === PATH.digest;

  constructor(tree: Tree, format: ImageFormat, order: Order) {
    const size = tree.inodes.digestSize;
    this.#inodes = tree.inodes;
    this.#v2 = format === "v2";
    this.#marks = order.marks;
    this.#algorithm = size === 32 ? 1 : 2;
    this.#digest = new Uint8Array(size);
    this.#otherDigest = new Uint8Array(size);
    this.#path = new Uint8Array(size * 2 + 1);
    this.#digests = new Groups(tree.inodes.count, (group, first) => {
      this.#metacopies[group] = 1;
      this.#redirects[group] = Number(this.#hasDigestPath(first));
      this.#mark(first);
    });
    const external = (inode: Inode): boolean => ((order.marks[inode] ?? 0) & MARK.external) !== 0;
    for (let at = 0; at < order.inodes.length; at++) if (external(order.inodes[at] ?? 0)) this.#countDigest(order.inodes[at] ?? 0);
    if (this.#payloadCount === 0) return;
    this.#sharedPaths = new Uint32Array(tree.inodes.count);
    const payloads = new Groups(this.#payloadCount, (group, first) => {
      this.#payloadUses[group] = 1;
      this.#sharedPaths[first] = group * 2 + 2;
    });
    this.#payloadFirsts = payloads.firsts;
    // only now is it known which paths are those of digests
    for (let at = 0; at < order.inodes.length; at++) if (external(order.inodes[at] ?? 0)) this.#countPayload(payloads, order.inodes[at] ?? 0);
  }

  static readonly filterBits = FILTER;

  #mark(inode: Inode): void {
    this.#marks[inode] = (this.#marks[inode] ?? 0) | MARK.sharedDigest;
  }

  #pathOf(inode: Inode): number {
    const inodes = this.#inodes;
    if (this.#v2 ? inodes.hasDigest(inode) : inodes.isNamedByDigest(inode)) return PATH.digest;
    return inodes.hasPayload(inode) && inodes.dataLength(inode) > 0 ? PATH.payload : PATH.none;
  }

  #countDigest(inode: Inode): void {
    const path = this.#pathOf(inode);
    if (path === PATH.payload) this.#payloadCount++;
    if (!this.#inodes.hasDigest(inode)) {
      this.#withoutDigest++;
      return;
    }
    this.#asked = inode;
    const group = this.#digests.add(this.#inodes.digestHash(inode, this.#secrets), this.#isSameDigest, inode);
    if (group === NO_GROUP) return;
    this.#metacopies[group] = (this.#metacopies[group] ?? 0) + 1;
    if (path === PATH.digest) this.#redirects[group] = (this.#redirects[group] ?? 0) + 1;
    this.#mark(inode);
  }

  #countPayload(payloads: Groups, inode: Inode): void {
    if (this.#pathOf(inode) !== PATH.payload) return;
    if (this.#readsAsDigest(inode)) {
      const group = this.#digests.findOrMake(hashBytes(this.#digest, 0, this.#digest.length, this.#secrets), this.#hasDigest, this.#hasDigestPath);
      if (group !== NO_GROUP && (this.#redirects[group] ?? 0) > 0) {
        this.#redirects[group] = (this.#redirects[group] ?? 0) + 1;
        this.#sharedPaths[inode] = group * 2 + 1;
        return;
      }
    }
    this.#asked = inode;
    const group = payloads.add(this.#inodes.dataHash(inode, this.#secrets), this.#isSamePayload, inode);
    if (group === NO_GROUP) return;
    this.#payloadUses[group] = (this.#payloadUses[group] ?? 0) + 1;
    this.#sharedPaths[inode] = group * 2 + 2;
  }

  /** Whether a payload is the path of some digest; leaves that in #digest. */
  #readsAsDigest(inode: Inode): boolean {
    if (this.#inodes.dataLength(inode) !== this.#path.length) return false;
    this.#inodes.copyData(inode, 0, this.#path.length, this.#path, 0);
    return decodePath(this.#path, this.#digest);
  }

  /** Whether several files have the metacopy without a digest. */
  get sharesEmptyMetacopy(): boolean {
    return this.#withoutDigest > 1;
  }

  /** What several files have, in no order, by groups. Afterwards the counts are gone: each is to be placed. */
  takeShared(): { readonly metacopies: Uint32Array; readonly redirects: Uint32Array } {
    const metacopies = sharedOf(this.#metacopies);
    const byDigest = sharedOf(this.#redirects);
    const byPayload = sharedOf(this.#payloadUses);
    const redirects = new Uint32Array(byDigest.length + byPayload.length);
    for (let at = 0; at < byDigest.length; at++) redirects[at] = (byDigest[at] ?? 0) * 2;
    for (let at = 0; at < byPayload.length; at++) redirects[byDigest.length + at] = (byPayload[at] ?? 0) * 2 + 1;
    for (const counts of [this.#metacopies, this.#redirects, this.#payloadUses]) counts.fill(-1);
    return { metacopies, redirects };
  }

  /** @param group of digests; NO_GROUP for the metacopy without one @param at in the shared table */
  placeMetacopy(group: Group, at: number): void {
    if (group === NO_GROUP) this.#emptyReference = at;
    else this.#metacopies[group] = at;
  }

  placeRedirect(path: SharedPath, at: number): void {
    (isByDigest(path) ? this.#redirects : this.#payloadUses)[groupOf(path)] = at;
  }

  /** An inode that has the digest of a group. */
  firstOf(group: Group): Inode {
    return this.#digests.firsts[group] ?? 0;
  }

  #digestGroup(inode: Inode): Group {
    if (((this.#marks[inode] ?? 0) & MARK.sharedDigest) === 0) return NO_GROUP;
    this.#asked = inode;
    return this.#digests.find(this.#inodes.digestHash(inode, this.#secrets), this.#isSameDigest);
  }

  /** Place in the shared table, -1 when it is not there. */
  metacopyReference(inode: Inode): number {
    return this.#inodes.hasDigest(inode) ? (this.#metacopies[this.#digestGroup(inode)] ?? -1) : this.#emptyReference;
  }

  redirectReference(inode: Inode): number {
    if (this.#pathOf(inode) === PATH.digest) return this.#redirects[this.#digestGroup(inode)] ?? -1;
    const path = (this.#sharedPaths[inode] ?? 0) - 1;
    return path < 0 ? -1 : ((isByDigest(path) ? this.#redirects : this.#payloadUses)[groupOf(path)] ?? -1);
  }

  hasRedirect(inode: Inode): boolean {
    return this.#pathOf(inode) !== PATH.none;
  }

  /** Order of the values of two shared redirects as bytes. */
  compareRedirects(a: SharedPath, b: SharedPath): number {
    const left = this.#firstOf(a);
    const right = this.#firstOf(b);
    if (isByDigest(a) !== isByDigest(b)) return compareBytes(this.#redirectValue(left, isByDigest(a)), this.#redirectValue(right, isByDigest(b)));
    return isByDigest(a) ? this.#inodes.compareDigests(left, right) : this.#inodes.compareData(left, right);
  }

  #firstOf(path: SharedPath): Inode {
    return (isByDigest(path) ? this.#digests.firsts : this.#payloadFirsts)[groupOf(path)] ?? 0;
  }

  #redirectValue(inode: Inode, byDigest: boolean): Uint8Array {
    const entry = new Uint8Array(this.#redirectSize(inode, byDigest));
    this.#writeRedirect(inode, byDigest, entry, 0);
    return entry.subarray(XATTR_ENTRY + REDIRECT_NAME.length, XATTR_ENTRY + REDIRECT_NAME.length + this.#redirectLength(inode, byDigest));
  }

  #redirectLength(inode: Inode, byDigest: boolean): number {
    return byDigest ? 2 + this.#inodes.digestSize * 2 : 1 + this.#inodes.dataLength(inode);
  }

  sharedRedirectLength(path: SharedPath): number {
    return this.#redirectLength(this.#firstOf(path), isByDigest(path));
  }

  /** Bytes of the entry. @param inode -1 for none with a digest */
  metacopySize(inode: Inode): number {
    return XATTR_ENTRY + METACOPY_NAME.length + (inode >= 0 && this.#inodes.hasDigest(inode) ? METACOPY_HEADER + this.#inodes.digestSize : 0);
  }

  #redirectSize(inode: Inode, byDigest: boolean): number {
    return roundUp(XATTR_ENTRY + REDIRECT_NAME.length + this.#redirectLength(inode, byDigest), 4);
  }

  redirectSize(inode: Inode): number {
    return this.#redirectSize(inode, this.#hasDigestPath(inode));
  }

  sharedRedirectSize(path: SharedPath): number {
    return this.#redirectSize(this.#firstOf(path), isByDigest(path));
  }

  /** Writes the entry to where there are zeros. */
  writeMetacopy(inode: Inode, target: Uint8Array, at: number): void {
    const size = this.#inodes.digestSize;
    const known = inode >= 0 && this.#inodes.hasDigest(inode);
    const value = writeName(METACOPY_NAME, known ? METACOPY_HEADER + size : 0, target, at);
    if (!known) return;
    target[value] = METACOPY_VERSION;
    target[value + 1] = METACOPY_HEADER + size;
    target[value + 3] = this.#algorithm;
    this.#inodes.copyDigest(inode, target, value + METACOPY_HEADER);
  }

  writeRedirect(inode: Inode, target: Uint8Array, at: number): void {
    this.#writeRedirect(inode, this.#hasDigestPath(inode), target, at);
  }

  writeSharedRedirect(path: SharedPath, target: Uint8Array, at: number): void {
    this.#writeRedirect(this.#firstOf(path), isByDigest(path), target, at);
  }

  #writeRedirect(inode: Inode, byDigest: boolean, target: Uint8Array, at: number): void {
    const value = writeName(REDIRECT_NAME, this.#redirectLength(inode, byDigest), target, at);
    target[value] = SLASH;
    if (!byDigest) {
      this.#inodes.copyData(inode, 0, this.#inodes.dataLength(inode), target, value + 1);
      return;
    }
    // the digest's bytes at the end of the value, then digits from the front, which never overtake them
    const size = this.#inodes.digestSize;
    const from = value + 2 + size;
    this.#inodes.copyDigest(inode, target, from);
    for (let index = 0, to = value + 1; index < size; index++) {
      const byte = target[from + index] ?? 0;
      target[to++] = HEX[byte >> 4] ?? 0;
      target[to++] = HEX[byte & 15] ?? 0;
      if (index === 0) target[to++] = SLASH;
    }
  }
}

function writeName(name: Uint8Array, valueLength: number, target: Uint8Array, at: number): number {
  target[at] = name.length;
  target[at + 1] = INDEX;
  target[at + 2] = valueLength & 255;
  target[at + 3] = valueLength >> 8;
  for (let index = 0; index < name.length; index++) target[at + XATTR_ENTRY + index] = name[index] ?? 0;
  return at + XATTR_ENTRY + name.length;
}

/** The groups that count at least two. */
function sharedOf(counts: readonly number[]): Uint32Array {
  let many = 0;
  for (let group = 0; group < counts.length; group++) if ((counts[group] ?? 0) > 1) many++;
  const groups = new Uint32Array(many);
  for (let group = 0, at = 0; group < counts.length; group++) if ((counts[group] ?? 0) > 1) groups[at++] = group;
  return groups;
}
