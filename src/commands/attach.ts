/** Keeping a signature with what it signs. */

import { statSync } from "node:fs";
import { SealrootError } from "../errors/index.ts";
import { O, openPath, SyscallError, tryLock } from "../linux/index.ts";
import { appendSignature, MAX_COMMITMETA_BYTES, parseSignatures } from "../ostree/index.ts";
import { aboutFile, openInputFile } from "./input-file.ts";
import { makeDirectoryOf, replaceFile, writeSameFile } from "./output-file.ts";

export interface Attached {
  readonly path: string;
  /** false: this very signature was there. */
  readonly added: boolean;
  /** How many there are now. */
  readonly signatures: number;
}

const exists = (path: string): boolean => statSync(path, { throwIfNoEntry: false }) !== undefined;

/** Milliseconds that another signer may take. */
const LONGEST_WAIT = 10_000;

/** Several may sign at once, each by adding to what it found: without a lock all but the last would be lost. */
function lockCommit(path: string): Disposable | undefined {
  using file = openPath(path, O.RDONLY | O.NONBLOCK);
  try {
    for (let waited = 0; !tryLock(file); waited += 20) {
      if (waited >= LONGEST_WAIT) throw new SealrootError("SR-E236", { details: [["file", path], ["found", "another process holds a lock on it"]], meaning: "signatures are added by one process at a time", next: "wait for the other one, then sign again; lsof FILE shows it" });
      Bun.sleepSync(20);
    }
    return file.take();
  } catch (error) {
    // a file system without locks
    if (error instanceof SyscallError) return undefined;
    throw error;
  }
}

/**
 * Adds the signature to the detached metadata beside a commit, in one step; everything else in it stays.
 * @throws SealrootError SR-E234 when it is damaged, SR-E229, SR-E236
 */
export function attachToCommit(commitPath: string, signature: Uint8Array, keyId: string): Attached {
  using _lock = lockCommit(commitPath);
  const path = commitPath.endsWith(".commit") ? `${commitPath}meta` : `${commitPath}.commitmeta`;
  const present = exists(path) ? openInputFile(path, MAX_COMMITMETA_BYTES) : undefined;
  return aboutFile(path, () => {
    const before = present === undefined ? [] : parseSignatures(present.bytes).signatures;
    const hex = signature.toHex();
    if (before.some(({ bytes }) => bytes.toHex() === hex)) return { path, added: false, signatures: before.length };
    replaceFile(path, appendSignature(present?.bytes, signature, keyId), present?.permissions ?? 0o644);
    return { path, added: true, signatures: before.length + 1 };
  });
}

/** Writes the signature of a bare digest to a file of its own. @throws SealrootError SR-E235 for one with other content, SR-E236 */
export function attachToDigest(path: string, signature: Uint8Array): Attached {
  makeDirectoryOf(path);
  return { path, added: writeSameFile(path, signature, 0o644), signatures: 1 };
}
