/** A first look at what may be an image, by its first block. */

import { SealrootError } from "../errors/index.ts";
import { BLOCK, COMPOSEFS_MAGIC, EROFS_AT, EROFS_MAGIC } from "./format.ts";
import { malformed } from "./malformed.ts";

/** Bytes of a file's start that isErofs() asks for. */
export const EROFS_START = EROFS_AT + 4;

/** Whether a file that starts so has EROFS's superblock, be it composefs's or not. */
export function isErofs(start: Uint8Array): boolean {
  return start.length >= EROFS_START && new DataView(start.buffer, start.byteOffset).getUint32(EROFS_AT, true) === EROFS_MAGIC;
}

/**
 * What no image can be is refused before it is read whole: a file with holes takes no room on a disk, and all of it in memory.
 * @param first block of the file @param size of the file @throws SealrootError SR-E501, SR-E503
 */
export function checkHeader(first: Uint8Array, size: number): void {
  // the reader has better words for what is as short
  if (first.length < BLOCK) return;
  const view = new DataView(first.buffer, first.byteOffset, first.byteLength);
  if (view.getUint32(0, true) !== COMPOSEFS_MAGIC) throw new SealrootError("SR-E501");
  if (view.getUint32(EROFS_AT, true) !== EROFS_MAGIC) throw malformed(EROFS_AT, "no EROFS superblock is behind the header");
  if (view.getUint32(EROFS_AT + 36, true) * BLOCK !== size) throw malformed(EROFS_AT + 36, "the file is not as long as its superblock says");
}
