/**
 * What exactly is wrong with evidence that was refused. Nothing here decides: it is only asked once the verdict is known, and
 * whatever it finds is one refusal in the place of another. It says only what it can prove; the rest keeps its general code.
 *
 * What cannot be told: Ed25519 signatures carry neither their key nor what they are of. One that is well-formed and that no trusted
 * key has made for these bytes may be by another key, of bytes that are not at hand, or damaged: SR-E221 for all three. (One that
 * sealroot wrote has its key's id beside it, so there damage is SR-E224.)
 */

import { type ErrorCode, SealrootError } from "../errors/index.ts";
import { type DetachedSignature, parseCommit, parseSignatures, type TrustedKey } from "../ostree/index.ts";
import type { FoundCommit } from "./evidence.ts";
import { Effort, MAX_WORK, SignedBytes } from "./signers.ts";

export interface Diagnosis {
  readonly code: ErrorCode;
  readonly reason: string;
}

/** A refused boot has time, but not without end: for all candidates together. */
export const diagnosticEffort = (): Effort => new Effort(MAX_WORK / 4);
/** Bytes that may have been appended: a block of a file system. */
const MAX_PADDING = 4096;
/** Commits larger than this are not looked into. */
const MAX_EXPLAINED = 2 ** 20;
/** What it takes to hash a few bytes, and to look whether a byte is part of a commit: in bytes hashed in the same time. */
const WORK_PER_HASH = 4096;
const WORK_PER_BYTE = 64;

/**
 * Why the bytes of a commit do not have the id of its name. undefined: a changed commit, or another one, that nobody who is trusted
 * has signed.
 * @param keys the trusted ones; none where nothing is signed
 */
export function explainMismatch({ id, bytes, commitmeta }: FoundCommit, keys: readonly TrustedKey[], effort: Effort): Diagnosis | undefined {
  if (bytes.length > MAX_EXPLAINED) return undefined;
  const padding = appended(id, bytes, effort);
  if (padding !== undefined) return { code: "SR-E248", reason: `without the last ${padding} of them it would be that commit` };
  if (!effort.afford(bytes.length * WORK_PER_BYTE)) return undefined;
  if (!isCommit(bytes)) return { code: "SR-E249", reason: "they are no whole commit" };
  const signers = quietly(() => new SignedBytes(bytes, parseSignatures(commitmeta ?? new Uint8Array()).signatures).signersAmong(keys, 1, effort).signers);
  const [key] = signers ?? [];
  return key === undefined ? undefined : { code: "SR-E250", reason: `they are another commit, which ${key.id} has signed` };
}

/** What a signature that is not of these bytes is of, if that is at hand. */
export function explainSignature(signatures: readonly DetachedSignature[], keys: readonly TrustedKey[], others: readonly { readonly name: string; readonly message: Uint8Array }[], effort: Effort): Diagnosis | undefined {
  for (const { name, message } of others) {
    const [key] = quietly(() => new SignedBytes(message, signatures).signersAmong(keys, 1, effort).signers) ?? [];
    if (key !== undefined) return { code: "SR-E247", reason: `${key.id} has made a signature here for ${name}` };
  }
  return undefined;
}

/** How many bytes stand behind a commit of this id; undefined when it does not begin so. */
function appended(id: string, bytes: Uint8Array, effort: Effort): number | undefined {
  if (!effort.afford(bytes.length + Math.min(bytes.length, MAX_PADDING) * WORK_PER_HASH)) return undefined;
  let length = Math.max(0, bytes.length - MAX_PADDING);
  const hasher = new Bun.CryptoHasher("sha256");
  hasher.update(bytes.subarray(0, length));
  for (; length < bytes.length; length++) {
    if (hasher.copy().digest("hex") === id) return bytes.length - length;
    hasher.update(bytes.subarray(length, length + 1));
  }
  return undefined;
}

const isCommit = (bytes: Uint8Array): boolean => quietly(() => parseCommit(bytes)) !== undefined;

/** An error here says nothing that the verdict does not say already. */
export function quietly<T>(act: () => T): T | undefined {
  try {
    return act();
  } catch (error) {
    if (error instanceof SealrootError) return undefined;
    throw error;
  }
}
