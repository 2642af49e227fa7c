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
export const MAX_WORK = 2 ** 30;
const WORK_PER_ATTEMPT = 32768;

export class Effort {
  #left: number;

  constructor(work = MAX_WORK) {
    this.#left = work;
  }

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

/** Bytes, and signatures that may be of them. What was found out once, for one requirement of the policy, holds for the next. */
export class SignedBytes {
  readonly message: Uint8Array;
  readonly signatures: readonly DetachedSignature[];
  readonly #effort: Effort;
  readonly #byClaim: boolean;
  readonly #known = new Map<DetachedSignature, Map<string, boolean>>();

  /** @param byClaim a signature is only tried with the key that it is said to be by */
  constructor(message: Uint8Array, signatures: readonly DetachedSignature[], effort: Effort, byClaim = false) {
    this.message = message;
    this.signatures = signatures;
    this.#effort = effort;
    this.#byClaim = byClaim;
  }

  /** Looks for signatures by distinct keys, each with the id that it really has, until there are `enough`. @throws SealrootError SR-E229 */
  signersAmong(keys: readonly TrustedKey[], enough: number, signatures: readonly DetachedSignature[] = this.signatures): Signers {
    const signers: TrustedKey[] = [];
    const rest = new Set(signatures);
    for (const key of keys) {
      for (const signature of rest) {
        if (signers.length >= enough) break;
        if (!this.#isBy(key, signature)) continue;
        signers.push(key);
        rest.delete(signature);
        break;
      }
    }
    return { signers, rest: [...rest] };
  }

  #isBy(key: TrustedKey, signature: DetachedSignature): boolean {
    if (signature.bytes.length !== 64 || (this.#byClaim && signature.claimedKeyId !== key.id)) return false;
    const known = this.#known.get(signature) ?? new Map<string, boolean>();
    this.#known.set(signature, known);
    const before = known.get(key.id);
    if (before !== undefined) return before;
    this.#effort.spend(this.message.length);
    const valid = verifySignature(key.publicKey, this.message, signature.bytes);
    known.set(key.id, valid);
    return valid;
  }
}

/**
 * Why a signature that no trusted key has made is not valid. The key that it is said to be by is hearsay and good enough
 * for a message: it tells a damaged signature from one by somebody else.
 */
export function isDamaged({ bytes, claimedKeyId }: DetachedSignature, keys: readonly TrustedKey[]): boolean {
  return !isPossibleSignature(bytes) || keys.some(({ id }) => id === claimedKeyId);
}
