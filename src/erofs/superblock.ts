/** The two headers of an image. Only what composefs writes is read: an EROFS filesystem of another kind is refused, not misread. */

import { SealrootError } from "../errors/index.ts";
import { BLOCK, COMPOSEFS_MAGIC, EROFS_AT, EROFS_MAGIC, FEATURES_COMPATIBLE, FORMATS, HEADER_VERSION, type ImageFormat, LOG2_BLOCK } from "./format.ts";
import { malformed } from "./malformed.ts";

export interface Superblock {
  readonly format: ImageFormat;
  readonly rootNid: number;
  /** How many inodes there are, stubs included. */
  readonly inodes: number;
  /** Time of all compact inodes. */
  readonly seconds: bigint;
  readonly nanoseconds: number;
  /** What references to shared xattrs are relative to, in bytes. */
  readonly xattrsAt: number;
}

/** Fields of the superblock that composefs leaves zero. */
const ZERO: readonly (readonly [from: number, to: number])[] = [[4, 8], [13, 14], [40, 44], [80, 128]];

/** @throws SealrootError SR-E501 for another kind of file, SR-E502 for another version, SR-E503 for fields that no composefs tool writes */
export function readSuperblock(view: DataView): Superblock {
  const size = view.byteLength;
  if (size < 4 || view.getUint32(0, true) !== COMPOSEFS_MAGIC) throw new SealrootError("SR-E501");
  if (size < BLOCK || size % BLOCK !== 0) throw malformed(size, "the file does not end with a whole block: it is cut short");
  const header = view.getUint32(4, true);
  const version = view.getUint32(12, true);
  if (header !== HEADER_VERSION) throw new SealrootError("SR-E502", { details: [["header", String(header)]] });
  const format = FORMATS[version];
  if (format === undefined) throw new SealrootError("SR-E502", { details: [["version", String(version)]] });
  if (view.getUint32(EROFS_AT, true) !== EROFS_MAGIC) throw malformed(EROFS_AT, "no EROFS superblock is behind the header");
  if (view.getUint8(EROFS_AT + 12) !== LOG2_BLOCK) throw malformed(EROFS_AT + 12, "its blocks are not of 4096 bytes");
  if ((view.getUint32(EROFS_AT + 8, true) & ~FEATURES_COMPATIBLE) !== 0) throw malformed(EROFS_AT + 8, "it has features that composefs does not use");
  for (const [from, to] of ZERO) {
    for (let at = from; at < to; at++) if (view.getUint8(EROFS_AT + at) !== 0) throw malformed(EROFS_AT + at, "it has features that composefs does not use");
  }
  if (view.getUint32(EROFS_AT + 36, true) !== size / BLOCK) throw malformed(EROFS_AT + 36, "the file is not as long as its superblock says");
  const inodes = view.getBigUint64(EROFS_AT + 16, true);
  return {
    format,
    rootNid: view.getUint16(EROFS_AT + 14, true),
    inodes: Number(inodes),
    seconds: view.getBigInt64(EROFS_AT + 24, true),
    nanoseconds: view.getUint32(EROFS_AT + 32, true),
    xattrsAt: view.getUint32(EROFS_AT + 44, true) * BLOCK,
  };
}
