/**
 * What was found on the disk that may speak for an image. None of it is trusted; it is read whole, once, before it is judged.
 */

import type { TrustedKey } from "../ostree/index.ts";

export interface FoundCommit {
  /** The commit id that the file's name states, 64 hex digits. */
  readonly id: string;
  readonly bytes: Uint8Array;
  /** The bytes of the `.commitmeta` beside it; undefined when there is no such file. */
  readonly commitmeta: Uint8Array | undefined;
  /** Where it was found, for people. */
  readonly origin: string;
}

/** A signature over the bare image digest: `<key id>.ed25519`. */
export interface FoundSignature {
  /** The key id that the file's name states. */
  readonly keyId: string;
  readonly bytes: Uint8Array;
  readonly origin: string;
}

export interface Evidence {
  /** In the order in which they were found; any of them that satisfies the policy is enough. */
  readonly commits: readonly FoundCommit[];
  readonly signatures: readonly FoundSignature[];
  /** Commits that take longer to find: asked for once, when none of the others satisfies the policy. */
  readonly further?: () => readonly FoundCommit[];
  /** From the initramfs: those of each requirement of the policy, in its order. Revoked ones among them are sorted out by the judge. */
  readonly keys: readonly (readonly TrustedKey[])[];
}

/** A key whose signature was verified, for one requirement of the policy. */
export interface Signer {
  readonly id: string;
  /** The file that the key is in. */
  readonly origin: string;
  /** Who asked for it: Requirement.source. */
  readonly requirement: string;
}

/** Who vouches for the image, in a verdict at level "signed". */
export interface Voucher {
  /** undefined: signatures over the bare digest. */
  readonly commitId: string | undefined;
  /** Of the keys whose signatures were verified, each once. */
  readonly keyIds: readonly string[];
  /** For each requirement in turn as many as its threshold; a key may stand here for more than one. */
  readonly signers: readonly Signer[];
  /** Seconds since 1970; undefined for a bare digest, which carries no date. */
  readonly timestamp: bigint | undefined;
  readonly origin: string;
}
