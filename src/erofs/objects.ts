/**
 * The two attributes that external files have for overlayfs: `metacopy` with the digest and `redirect` with the path. Most differ
 * from file to file; those that do not are found here without making a value for each: files with the same digest are one group,
 * and so are files with the same path that is not their digest's.
 */

import { compareBytes, hashBytes, type Inode, type Inodes, type Tree } from "../tree/index.ts";
import { type ImageFormat, roundUp, XATTR_ENTRY } from "./format.ts";
import { filterBit, METACOPY, REDIRECT, storedName } from "./xattr-names.ts";

const METACOPY_HEADER = 4;
const METACOPY_VERSION = 0;
const stored = [METACOPY, REDIRECT].map((name) => storedName(name, false));
const METACOPY_NAME = new TextEncoder().encode(stored[0]?.suffix);
const REDIRECT_NAME = new TextEncoder().encode(stored[1]?.suffix);
const INDEX = stored[0]?.index ?? 0;
const FILTER = stored.map(filterBit);
const SLASH = 0x2f;
const HEX = new TextEncoder().encode("0123456789abcdef");

/** Where the path of an external file comes from. */
const PATH = { none: 0, digest: 1, payload: 2 } as const;

/** Open addressing over inodes; nobody can choose digests or paths that collide, because the secrets are new each time. */
class Groups {
  readonly #table: Uint32Array;
  readonly #shift: number;

  constructor(most: number) {
    const bits = Math.max(4, 33 - Math.clz32(Math.ceil(most * 0.75)));
    this.#table = new Uint32Array(2 ** bits);
    this.#shift = 32 - bits;
  }

  /** The inode of the same group that was added first; `inode` itself when it is that, -1 for none when it is not to be added. */
  find(hash: number, isSame: (other: Inode) => boolean, inode: Inode): Inode {
    const table = this.#table;
    for (let at = hash >>> this.#shift; ; at = (at + 1) & (table.length - 1)) {
      const other = (table[at] ?? 0) - 1;
      if (other === -1) {
        if (inode >= 0) table[at] = inode + 1;
        return inode;
      }
      if (isSame(other)) return other;
    }
  }
}

export class Objects {
  readonly #inodes: Inodes;
  readonly #v2: boolean;
  readonly #secrets = crypto.getRandomValues(new Uint32Array(1026)).map((secret) => secret | 1);
  readonly #digests: Groups;
  /** First inode with the same digest, by inode. */
  readonly #digestGroup: Uint32Array;
  /** By such a first inode: how many, then place in the shared table plus one. Places are multiples of four. */
  readonly #metacopies: Uint32Array;
  readonly #redirects: Uint32Array;
  /** The same for payloads that are not the digest's path, which few trees have. */
  #payloads: { readonly groups: Groups; readonly group: Uint32Array; readonly uses: Uint32Array; readonly alias: Map<Inode, Inode> } | undefined;
  #withoutDigest = 0;
  #emptyReference = -1;
  /** The digests' algorithm, as fs-verity numbers them. */
  readonly #algorithm: 1 | 2;
  /** Of the inode that #isSameDigest() and #isSamePayload() are asked about. */
  #asked: Inode = 0;
  readonly #isSameDigest = (other: Inode): boolean => this.#inodes.compareDigests(this.#asked, other) === 0;
  readonly #isSamePayload = (other: Inode): boolean => this.#inodes.compareData(this.#asked, other) === 0;

  constructor(tree: Tree, format: ImageFormat) {
    this.#inodes = tree.inodes;
    this.#v2 = format === "v2";
    this.#algorithm = tree.inodes.digestSize === 32 ? 1 : 2;
    this.#digests = new Groups(tree.inodes.count);
    this.#digestGroup = new Uint32Array(tree.inodes.count);
    this.#metacopies = new Uint32Array(tree.inodes.count);
    this.#redirects = new Uint32Array(tree.inodes.count);
  }

  static readonly filterBits = FILTER;

  #pathOf(inode: Inode): number {
    const inodes = this.#inodes;
    if (this.#v2 ? inodes.hasDigest(inode) : inodes.isNamedByDigest(inode)) return PATH.digest;
    return inodes.hasPayload(inode) && inodes.dataLength(inode) > 0 ? PATH.payload : PATH.none;
  }

  /** Counts an external file. */
  add(inode: Inode): void {
    const inodes = this.#inodes;
    this.#asked = inode;
    if (!inodes.hasDigest(inode)) this.#withoutDigest++;
    else {
      const first = this.#digests.find(inodes.digestHash(inode, this.#secrets), this.#isSameDigest, inode);
      this.#digestGroup[inode] = first;
      this.#metacopies[first] = (this.#metacopies[first] ?? 0) + 1;
      if (this.#pathOf(inode) === PATH.digest) this.#redirects[first] = (this.#redirects[first] ?? 0) + 1;
    }
    if (this.#pathOf(inode) !== PATH.payload) return;
    const payloads = (this.#payloads ??= { groups: new Groups(inodes.count), group: new Uint32Array(inodes.count), uses: new Uint32Array(inodes.count), alias: new Map() });
    const first = payloads.groups.find(inodes.dataHash(inode, this.#secrets), this.#isSamePayload, inode);
    payloads.group[inode] = first;
    payloads.uses[first] = (payloads.uses[first] ?? 0) + 1;
  }

  /** Ends the counting: a file without or with another digest can have the path that another file has by its digest. */
  settle(): void {
    const payloads = this.#payloads;
    if (payloads === undefined) return;
    const size = this.#inodes.digestSize;
    const [path, digest, other] = [new Uint8Array(size * 2 + 1), new Uint8Array(size), new Uint8Array(size)];
    for (let inode = 0; inode < payloads.uses.length; inode++) {
      if ((payloads.uses[inode] ?? 0) === 0 || this.#inodes.dataLength(inode) !== path.length) continue;
      this.#inodes.copyData(inode, 0, path.length, path, 0);
      if (!decodePath(path, digest)) continue;
      const first = this.#digests.find(hashBytes(digest, 0, size, this.#secrets), (candidate) => {
        this.#inodes.copyDigest(candidate, other, 0);
        return compareBytes(digest, other) === 0;
      }, -1);
      if (first < 0 || (this.#redirects[first] ?? 0) === 0) continue;
      this.#redirects[first] = (this.#redirects[first] ?? 0) + (payloads.uses[inode] ?? 0);
      payloads.alias.set(inode, first);
      payloads.uses[inode] = 0;
    }
  }

  /** The first inode of every group of at least two, in no order. After it, the counts are gone: place() is to be called for each. */
  shared(): { readonly metacopies: Uint32Array; readonly hasEmptyMetacopy: boolean; readonly redirects: Uint32Array } {
    const redirects = takeShared(this.#redirects);
    const payloads = this.#payloads === undefined ? new Uint32Array() : takeShared(this.#payloads.uses);
    const both = new Uint32Array(redirects.length + payloads.length);
    both.set(redirects);
    both.set(payloads, redirects.length);
    return { metacopies: takeShared(this.#metacopies), hasEmptyMetacopy: this.#withoutDigest > 1, redirects: both };
  }

  /** @param first of the group; -1 for the metacopy without a digest @param at in the shared table */
  placeMetacopy(first: Inode, at: number): void {
    if (first === -1) this.#emptyReference = at;
    else this.#metacopies[first] = at + 1;
  }

  placeRedirect(first: Inode, at: number): void {
    if (this.#pathOf(first) === PATH.digest) this.#redirects[this.#digestGroup[first] ?? 0] = at + 1;
    else if (this.#payloads !== undefined) this.#payloads.uses[first] = at + 1;
  }

  /** Place in the shared table, -1 when it is not there. */
  metacopyReference(inode: Inode): number {
    return this.#inodes.hasDigest(inode) ? (this.#metacopies[this.#digestGroup[inode] ?? 0] ?? 0) - 1 : this.#emptyReference;
  }

  redirectReference(inode: Inode): number {
    if (this.#pathOf(inode) === PATH.digest) return (this.#redirects[this.#digestGroup[inode] ?? 0] ?? 0) - 1;
    const payloads = this.#payloads;
    if (payloads === undefined) return -1;
    const first = payloads.group[inode] ?? 0;
    const alias = payloads.alias.get(first);
    return (alias === undefined ? (payloads.uses[first] ?? 0) : (this.#redirects[alias] ?? 0)) - 1;
  }

  hasRedirect(inode: Inode): boolean {
    return this.#pathOf(inode) !== PATH.none;
  }

  /** Order of the values of two redirects as bytes. */
  compareRedirects(a: Inode, b: Inode): number {
    const left = this.#pathOf(a);
    const right = this.#pathOf(b);
    if (left === PATH.digest && right === PATH.digest) return this.#inodes.compareDigests(a, b);
    if (left === PATH.payload && right === PATH.payload) return this.#inodes.compareData(a, b);
    const bytes = [a, b].map((inode) => {
      const entry = new Uint8Array(this.redirectSize(inode));
      this.writeRedirect(inode, entry, 0);
      return entry.subarray(XATTR_ENTRY, XATTR_ENTRY + REDIRECT_NAME.length + this.redirectLength(inode));
    });
    return compareBytes(bytes[0] ?? entryless, bytes[1] ?? entryless);
  }

  redirectLength(inode: Inode): number {
    return this.#pathOf(inode) === PATH.digest ? 2 + this.#inodes.digestSize * 2 : 1 + this.#inodes.dataLength(inode);
  }

  /** Bytes of the entry. @param inode -1 for none with a digest */
  metacopySize(inode: Inode): number {
    return XATTR_ENTRY + METACOPY_NAME.length + (inode >= 0 && this.#inodes.hasDigest(inode) ? METACOPY_HEADER + this.#inodes.digestSize : 0);
  }

  redirectSize(inode: Inode): number {
    return roundUp(XATTR_ENTRY + REDIRECT_NAME.length + this.redirectLength(inode), 4);
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
    const value = writeName(REDIRECT_NAME, this.redirectLength(inode), target, at);
    target[value] = SLASH;
    if (this.#pathOf(inode) === PATH.payload) {
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

const entryless = new Uint8Array();

function writeName(name: Uint8Array, valueLength: number, target: Uint8Array, at: number): number {
  target[at] = name.length;
  target[at + 1] = INDEX;
  target[at + 2] = valueLength & 255;
  target[at + 3] = valueLength >> 8;
  for (let index = 0; index < name.length; index++) target[at + XATTR_ENTRY + index] = name[index] ?? 0;
  return at + XATTR_ENTRY + name.length;
}

/** Where a count is at least two; all counts become 0. */
function takeShared(counts: Uint32Array): Uint32Array {
  let many = 0;
  for (let inode = 0; inode < counts.length; inode++) if ((counts[inode] ?? 0) > 1) many++;
  const found = new Uint32Array(many);
  for (let inode = 0, at = 0; inode < counts.length; inode++) {
    if ((counts[inode] ?? 0) > 1) found[at++] = inode;
    counts[inode] = 0;
  }
  return found;
}

const digit = (character: number): number => (character >= 0x30 && character <= 0x39 ? character - 0x30 : character >= 0x61 && character <= 0x66 ? character - 0x57 : -1);

/** The digest whose objectPath() this is; false when it is none's. */
function decodePath(path: Uint8Array, digest: Uint8Array): boolean {
  if (path[2] !== SLASH) return false;
  for (let index = 0; index < digest.length; index++) {
    const at = index === 0 ? 0 : index * 2 + 1;
    const [high, low] = [digit(path[at] ?? 0), digit(path[at + 1] ?? 0)];
    if (high < 0 || low < 0) return false;
    digest[index] = (high << 4) | low;
  }
  return true;
}
