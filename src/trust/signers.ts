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
/** To decode a point in TypeScript, uncompiled. */
const WORK_PER_POINT = 2 ** 19;
/** What each candidate may take whatever the others take: this many attempts, and as many more as fit into a 64th of an eighth of it all. */
const SURE_ATTEMPTS = 6;
const SURE_WORK = MAX_WORK / 8 / 64;

/** The share of a candidate of so many bytes. As much as is read of commits for one image leaves room for the shares of all. */
export const shareOf = (bytes: number): number => SURE_ATTEMPTS * (bytes + WORK_PER_ATTEMPT) + SURE_WORK;

export class Effort {
  #left: number;
  #share = Infinity;
  #wantsMore = false;

  constructor(work = MAX_WORK) {
    this.#left = work;
  }

  /** From here on, until this is called again, no more than `share` of what is left. */
  allow(share: number): void {
    this.#share = share;
    this.#wantsMore = false;
  }

  /** Whether the share, and not the whole, was too little since allow(). */
  get wantsMore(): boolean {
    return this.#wantsMore;
  }

  /** For one attempt over so many bytes. @throws SealrootError SR-E229 */
  spend(bytes: number): void {
    if (this.afford(bytes + WORK_PER_ATTEMPT)) return;
    throw new SealrootError("SR-E229", { details: [["found", "more signatures and keys than can be tried in a second"]] });
  }

  /** As spend(), for work of another kind. @returns whether there was enough; where there was not, none is taken */
  afford(work: number): boolean {
    if (work > this.#left) return false;
    if (work > this.#share) {
      this.#wantsMore = true;
      return false;
    }
    this.#left -= work;
    this.#share -= work;
    return true;
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
  readonly #byClaim: boolean;
  readonly #known = new Map<DetachedSignature, Map<string, boolean>>();

  /** @param byClaim a signature is only tried with the key that it is said to be by */
  constructor(message: Uint8Array, signatures: readonly DetachedSignature[], byClaim = false) {
    this.message = message;
    this.signatures = signatures;
    this.#byClaim = byClaim;
  }

  /**
   * Looks for signatures by distinct keys, each with the id that it really has, until there are `enough`. Those that are said to be by
   * one of the keys are tried with that one first: nothing rests on it but the order.
   * @throws SealrootError SR-E229
   */
  signersAmong(keys: readonly TrustedKey[], enough: number, effort: Effort, signatures: readonly DetachedSignature[] = this.signatures): Signers {
    const signers = new Set<TrustedKey>();
    const rest = new Set(signatures);
    for (const claimedOnly of [true, false]) {
      for (const key of keys) {
        if (signers.has(key)) continue;
        for (const signature of rest) {
          if (signers.size >= enough) break;
          if (claimedOnly && signature.claimedKeyId !== key.id) continue;
          if (!this.#isBy(key, signature, effort)) continue;
          signers.add(key);
          rest.delete(signature);
          break;
        }
      }
    }
    return { signers: keys.filter((key) => signers.has(key)), rest: [...rest] };
  }

  #isBy(key: TrustedKey, signature: DetachedSignature, effort: Effort): boolean {
    if (signature.bytes.length !== 64 || (this.#byClaim && signature.claimedKeyId !== key.id)) return false;
    const known = this.#known.get(signature) ?? new Map<string, boolean>();
    this.#known.set(signature, known);
    const before = known.get(key.id);
    if (before !== undefined) return before;
    effort.spend(this.message.length);
    const valid = verifySignature(key.publicKey, this.message, signature.bytes);
    known.set(key.id, valid);
    return valid;
  }
}

/**
 * Why a signature that no trusted key has made is not valid. The key that it is said to be by is hearsay and good enough
 * for a message: it tells a damaged signature from one by somebody else.
 * @throws SealrootError SR-E229
 */
export function isDamaged({ bytes, claimedKeyId }: DetachedSignature, keys: readonly TrustedKey[], effort: Effort): boolean {
  if (keys.some(({ id }) => id === claimedKeyId)) return true;
  effort.spend(WORK_PER_POINT);
  return !isPossibleSignature(bytes);
}
