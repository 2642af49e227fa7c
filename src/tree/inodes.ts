/**
 * The attributes of all inodes, a column each. Numbers, not objects: a million inodes take about 60 MB this way, names and digests
 * included, and nothing for the garbage collector to walk through.
 */

import { Arena } from "./arena.ts";
import { bytesOf } from "./bytes.ts";
import { BigColumn, ByteColumn, DoubleColumn, ShortColumn, WordColumn } from "./column.ts";
import { type Xattr, type XattrSetId, XattrTable } from "./xattrs.ts";

/** The number of an inode in its tree; the root is 0. */
export type Inode = number;
export const ROOT: Inode = 0;

export interface Attributes {
  /** Full st_mode, 16 bits. */
  readonly mode: number;
  /** As the source has it; not counted. */
  readonly nlink: number;
  readonly uid: number;
  readonly gid: number;
  /** Linux encoding, 32 bits. */
  readonly rdev: number;
  /** Bytes, as the source has it: for regular files the size of their content, elsewhere without a meaning. Exact up to 2^53. */
  readonly size: number;
  /** Signed seconds, 64 bits. */
  readonly seconds: bigint;
  /** 32 bits. */
  readonly nanoseconds: number;
}

/** Where the bytes of a regular file, or the target of a symbolic link, are. */
export type Data =
  /** An empty file, a hole, or nothing that has data. */
  | { readonly kind: "none" }
  | { readonly kind: "content"; readonly bytes: Uint8Array }
  | { readonly kind: "target"; readonly bytes: Uint8Array }
  /** In the object store. payload: path below the store; digest: fs-verity. At least one of them is there. */
  | { readonly kind: "external"; readonly payload: Uint8Array | undefined; readonly digest: Uint8Array | undefined };

const KIND = { none: 0, content: 1, target: 2, payload: 3, objectPath: 4, digestOnly: 5 } as const;

/** Name of an object below the store: two hexadecimal digits, a slash, the rest. */
export function objectPath(digest: Uint8Array): string {
  const hex = digest.toHex();
  return `${hex.slice(0, 2)}/${hex.slice(2)}`;
}

export class Inodes {
  readonly #mode = new ShortColumn();
  readonly #nlink = new WordColumn();
  readonly #uid = new WordColumn();
  readonly #gid = new WordColumn();
  readonly #rdev = new WordColumn();
  readonly #size = new DoubleColumn();
  readonly #seconds = new BigColumn();
  readonly #nanoseconds = new WordColumn();
  readonly #xattrs = new WordColumn();
  readonly #kind = new ByteColumn();
  readonly #dataAt = new WordColumn();
  readonly #dataLength = new WordColumn();
  /** Position in #digests plus one; 0: none. */
  readonly #digestAt = new WordColumn();
  readonly #data = new Arena();
  readonly #digests = new Arena();
  readonly digestSize: 32 | 64;
  readonly xattrTable = new XattrTable();
  count = 0;

  constructor(digestSize: 32 | 64) {
    this.digestSize = digestSize;
  }

  add(attributes: Attributes, xattrs: XattrSetId): Inode {
    const inode = this.count++;
    this.setAttributes(inode, attributes);
    this.setXattrs(inode, xattrs);
    return inode;
  }

  setAttributes(inode: Inode, { mode, nlink, uid, gid, rdev, size, seconds, nanoseconds }: Attributes): void {
    this.#mode.set(inode, mode);
    this.#nlink.set(inode, nlink);
    this.#uid.set(inode, uid);
    this.#gid.set(inode, gid);
    this.#rdev.set(inode, rdev);
    this.#size.set(inode, size);
    this.#seconds.set(inode, seconds);
    this.#nanoseconds.set(inode, nanoseconds);
  }

  setNlink(inode: Inode, nlink: number): void {
    this.#nlink.set(inode, nlink);
  }

  setXattrs(inode: Inode, xattrs: XattrSetId): void {
    this.#xattrs.set(inode, xattrs);
  }

  /** Bytes are copied. @throws RangeError for a digest that is not as long as this tree's digests */
  setData(inode: Inode, data: Data): void {
    if (data.kind !== "external") {
      const bytes = data.kind === "none" ? undefined : data.bytes;
      this.#put(inode, KIND[data.kind], bytes, undefined);
      return;
    }
    const { payload, digest } = data;
    if (payload === undefined) this.#put(inode, digest === undefined ? KIND.none : KIND.digestOnly, undefined, digest);
    // nearly every payload is the object's own name: then it is not kept a second time
    else if (digest !== undefined && isObjectPath(payload, 0, payload.length, digest, 0, digest.length)) this.#put(inode, KIND.objectPath, undefined, digest);
    else this.#put(inode, KIND.payload, payload, digest);
  }

  /** setData() for a file whose content is the object of this digest, under the object's own name. */
  setObject(inode: Inode, digest: Uint8Array): void {
    this.#put(inode, KIND.objectPath, undefined, digest);
  }

  /** setData() for a file without a digest, whose content lies at bytes[start..end) below the object store. */
  setPayload(inode: Inode, bytes: Uint8Array, start: number, end: number): void {
    this.#putPart(inode, KIND.payload, bytes, start, end);
  }

  /** setData() for content that is bytes[start..end). */
  setContent(inode: Inode, bytes: Uint8Array, start: number, end: number): void {
    this.#putPart(inode, KIND.content, bytes, start, end);
  }

  /** setData() for a target that is bytes[start..end). */
  setTarget(inode: Inode, bytes: Uint8Array, start: number, end: number): void {
    this.#putPart(inode, KIND.target, bytes, start, end);
  }

  #putPart(inode: Inode, kind: number, bytes: Uint8Array, start: number, end: number): void {
    this.#kind.set(inode, kind);
    this.#dataAt.set(inode, this.#data.add(bytes, start, end));
    this.#dataLength.set(inode, end - start);
    this.#digestAt.set(inode, 0);
  }

  /**
   * setData() for a file in the object store whose path is bytes[start..end), empty where it has none, and whose digest begins at
   * `digestAt`, -1 where it has none: an image's reader has both at hand, and a million views are a hundred megabytes.
   */
  setExternal(inode: Inode, bytes: Uint8Array, start: number, end: number, digestAt: number): void {
    const named = digestAt >= 0 && isObjectPath(bytes, start, end, bytes, digestAt, this.digestSize);
    this.#kind.set(inode, named ? KIND.objectPath : end > start ? KIND.payload : digestAt >= 0 ? KIND.digestOnly : KIND.none);
    const kept = named ? start : end;
    this.#dataAt.set(inode, kept > start ? this.#data.add(bytes, start, kept) : 0);
    this.#dataLength.set(inode, kept - start);
    this.#digestAt.set(inode, digestAt < 0 ? 0 : this.#digests.add(bytes, digestAt, digestAt + this.digestSize) + 1);
  }

  #put(inode: Inode, kind: number, bytes: Uint8Array | undefined, digest: Uint8Array | undefined): void {
    if (digest !== undefined && digest.length !== this.digestSize) throw new RangeError(`a digest of ${digest.length} bytes in a tree with ${this.digestSize}`);
    this.#kind.set(inode, kind);
    this.#dataAt.set(inode, bytes === undefined ? 0 : this.#data.add(bytes));
    this.#dataLength.set(inode, bytes?.length ?? 0);
    this.#digestAt.set(inode, digest === undefined ? 0 : this.#digests.add(digest) + 1);
  }

  mode(inode: Inode): number { return this.#mode.get(inode); }
  nlink(inode: Inode): number { return this.#nlink.get(inode); }
  uid(inode: Inode): number { return this.#uid.get(inode); }
  gid(inode: Inode): number { return this.#gid.get(inode); }
  rdev(inode: Inode): number { return this.#rdev.get(inode); }
  size(inode: Inode): number { return this.#size.get(inode); }
  seconds(inode: Inode): bigint { return this.#seconds.get(inode); }
  /** Upper half of the seconds, signed; secondsLow() is the lower one, unsigned. */
  secondsHigh(inode: Inode): number { return this.#seconds.high(inode); }
  secondsLow(inode: Inode): number { return this.#seconds.low(inode); }
  nanoseconds(inode: Inode): number { return this.#nanoseconds.get(inode); }
  xattrSet(inode: Inode): XattrSetId { return this.#xattrs.get(inode); }
  xattrs(inode: Inode): readonly Xattr[] { return this.xattrTable.get(this.xattrSet(inode)); }

  attributes(inode: Inode): Attributes {
    return {
      mode: this.mode(inode), nlink: this.nlink(inode), uid: this.uid(inode), gid: this.gid(inode), rdev: this.rdev(inode),
      size: this.size(inode), seconds: this.seconds(inode), nanoseconds: this.nanoseconds(inode),
    };
  }

  /** Inline content; undefined where there is none. A view. */
  content(inode: Inode): Uint8Array | undefined { return this.#bytes(inode, KIND.content); }
  /** Target of a symbolic link; undefined where there is none. A view. */
  target(inode: Inode): Uint8Array | undefined { return this.#bytes(inode, KIND.target); }

  /** fs-verity digest of an external file's content; undefined where none is known. A view. */
  digest(inode: Inode): Uint8Array | undefined {
    const at = this.#digestAt.get(inode);
    return at === 0 ? undefined : this.#digests.at(at - 1, this.digestSize);
  }

  /** Path of an external file's content below the object store; undefined for a hole. */
  payload(inode: Inode): Uint8Array | undefined {
    const digest = this.#kind.get(inode) === KIND.objectPath ? this.digest(inode) : undefined;
    return digest === undefined ? this.#bytes(inode, KIND.payload) : bytesOf(objectPath(digest));
  }

  /** Whether payload() is the object's own name: a writer can make it from the digest then. */
  isNamedByDigest(inode: Inode): boolean { return this.#kind.get(inode) === KIND.objectPath; }

  // What follows says the same as content(), target(), payload() and digest() without making views.

  hasContent(inode: Inode): boolean { return this.#kind.get(inode) === KIND.content; }
  hasTarget(inode: Inode): boolean { return this.#kind.get(inode) === KIND.target; }
  hasPayload(inode: Inode): boolean { return this.#kind.get(inode) === KIND.payload || this.#kind.get(inode) === KIND.objectPath; }
  hasDigest(inode: Inode): boolean { return this.#digestAt.get(inode) !== 0; }

  /** Length of content, target, or of a payload that is not the object's own name. */
  dataLength(inode: Inode): number { return this.#dataLength.get(inode); }

  /** Copies `length` bytes of them, from `from` on. */
  copyData(inode: Inode, from: number, length: number, target: Uint8Array, at: number): void {
    this.#data.copy(this.#dataAt.get(inode) + from, length, target, at);
  }

  copyDigest(inode: Inode, target: Uint8Array, at: number): void {
    this.#digests.copy(this.#digestAt.get(inode) - 1, this.digestSize, target, at);
  }

  /** Order of the digests' bytes; both inodes have one. */
  compareDigests(a: Inode, b: Inode): number {
    return this.#digests.compare(this.#digestAt.get(a) - 1, this.digestSize, this.#digestAt.get(b) - 1, this.digestSize);
  }

  /** Order of what dataLength() and copyData() are about. */
  compareData(a: Inode, b: Inode): number {
    return this.#data.compare(this.#dataAt.get(a), this.#dataLength.get(a), this.#dataAt.get(b), this.#dataLength.get(b));
  }

  digestHash(inode: Inode, secrets: Uint32Array): number { return this.#digests.hash(this.#digestAt.get(inode) - 1, this.digestSize, secrets); }
  dataHash(inode: Inode, secrets: Uint32Array): number { return this.#data.hash(this.#dataAt.get(inode), this.#dataLength.get(inode), secrets); }

  #bytes(inode: Inode, kind: number): Uint8Array | undefined {
    return this.#kind.get(inode) === kind ? this.#data.at(this.#dataAt.get(inode), this.#dataLength.get(inode)) : undefined;
  }
}

const HEX = "0123456789abcdef";
const SLASH_AT = 2;

/** Whether bytes[start..end) is the objectPath() of `size` bytes of `digests` from `digestAt` on, without a string: asked once for every file. */
function isObjectPath(bytes: Uint8Array, start: number, end: number, digests: Uint8Array, digestAt: number, size: number): boolean {
  if (end - start !== size * 2 + 1 || bytes[start + SLASH_AT] !== 0x2f) return false;
  for (let at = 0; at < size; at++) {
    const byte = digests[digestAt + at] ?? 0;
    const position = start + (at === 0 ? 0 : at * 2 + 1);
    if (bytes[position] !== HEX.charCodeAt(byte >> 4) || bytes[position + 1] !== HEX.charCodeAt(byte & 15)) return false;
  }
  return true;
}
