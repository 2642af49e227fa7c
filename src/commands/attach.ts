/** Keeping a signature with what it signs. */

import { statSync } from "node:fs";
import { SealrootError } from "../errors/index.ts";
import { appendSignature, MAX_COMMITMETA_BYTES, parseSignatures } from "../ostree/index.ts";
import { openInputFile } from "./input-file.ts";
import { makeDirectoryOf, replaceFile, writeSameFile } from "./output-file.ts";

export interface Attached {
  readonly path: string;
  /** false: this very signature was there. */
  readonly added: boolean;
  /** How many there are now. */
  readonly signatures: number;
}

const exists = (path: string): boolean => statSync(path, { throwIfNoEntry: false }) !== undefined;

/**
 * Adds the signature to the detached metadata beside a commit, in one step; everything else in it stays.
 * @throws SealrootError SR-E234 when it is damaged, SR-E229, SR-E236
 */
export function attachToCommit(commitPath: string, signature: Uint8Array, keyId: string): Attached {
  const path = commitPath.endsWith(".commit") ? `${commitPath}meta` : `${commitPath}.commitmeta`;
  const present = exists(path) ? openInputFile(path, MAX_COMMITMETA_BYTES) : undefined;
  try {
    const before = present === undefined ? [] : parseSignatures(present.bytes).signatures;
    const hex = signature.toHex();
    if (before.some(({ bytes }) => bytes.toHex() === hex)) return { path, added: false, signatures: before.length };
    replaceFile(path, appendSignature(present?.bytes, signature, keyId), present?.permissions ?? 0o644);
    return { path, added: true, signatures: before.length + 1 };
  } catch (error) {
    if (!(error instanceof SealrootError) || error.details.some(([label]) => label === "file")) throw error;
    throw new SealrootError(error.code, { details: [["file", path], ...error.details] });
  }
}

/** Writes the signature of a bare digest to a file of its own. @throws SealrootError SR-E235 for one with other content, SR-E236 */
export function attachToDigest(path: string, signature: Uint8Array): Attached {
  makeDirectoryOf(path);
  return { path, added: writeSameFile(path, signature, 0o644), signatures: 1 };
}
