/**
 * Which keys have signed these bytes? Signatures do not say whose they are, so each may have to be tried with each key.
 *
 * A signature that is malformed, or by an unknown key, changes nothing for the others. The work is limited over all
 * candidates together, since whoever writes the disk decides how much there is to try.
 */

import { SealrootError } from "../errors/index.ts";
import type { DetachedSignature, TrustedKey } from "../ostree/index.ts";
import { isPossibleSignature, verifySignature } from "../ostree/ed25519.ts";

/** Bytes hashed, and for each attempt what else it costs, expressed in bytes hashed in the same time. One second and a half, at most. */
const MAX_WORK = 2 ** 30;
const WORK_PER_ATTEMPT = 32768;

export class Effort {
  #left = MAX_WORK;

  /** @throws SealrootError SR-E229 */
  spend(bytes: number): void {
    this.#left -= bytes + WORK_PER_ATTEMPT;
    if (this.#left < 0) throw new SealrootError("SR-E229", { details: [["found", "more signatures and keys than can be tried in a second"]] });
  }
}

export interface Signers {
  /** Distinct keys, at most `enough`. */
  readonly signers: readonly TrustedKey[];
  /** Signatures that none of the keys has made. */
  readonly rest: readonly DetachedSignature[];
}

/** Looks for signatures of these bytes by distinct keys until there are `enough`. @throws SealrootError SR-E229 */
export function findSigners(message: Uint8Array, signatures: readonly DetachedSignature[], keys: readonly TrustedKey[], enough: number, effort: Effort): Signers {
  const signers: TrustedKey[] = [];
  const rest = new Set(signatures);
  for (const key of keys) {
    for (const signature of rest) {
      if (signers.length >= enough) break;
      if (signature.bytes.length !== 64) continue;
      effort.spend(message.length);
      if (!verifySignature(key.publicKey, message, signature.bytes)) continue;
      signers.push(key);
      rest.delete(signature);
      break;
    }
  }
  return { signers, rest: [...rest] };
}

/**
 * Why a signature that no trusted key has made is not valid. The key that it is said to be by is hearsay and good enough
 * for a message: it tells a damaged signature from one by somebody else.
 */
export function isDamaged({ bytes, claimedKeyId }: DetachedSignature, keys: readonly TrustedKey[]): boolean {
  return !isPossibleSignature(bytes) || keys.some(({ id }) => id === claimedKeyId);
}
