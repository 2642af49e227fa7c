/**
 * Strict Ed25519 (RFC 8032, section 5.1.7): two engines of different origin have to agree that a signature is valid.
 *
 * The runtime's engine (BoringSSL) checks the equation without cofactor, so that the point R has exactly one encoding; it
 * is asked first because it answers in microseconds. @noble/curves with `zip215: false` refuses points and scalars that
 * are not canonical and public keys of small order. An error, or any answer that is not `true`, is "not valid".
 * What each engine accepts on its own: Chalkias, Garillot, Nikolaenko, "Taming the many EdDSAs", 2020, table 5.
 *
 * Decoding, the arithmetic and the equation are each engine's own. SHA-512 they share: both have the runtime's, so a fault in it
 * would reach both. Nothing else is lost by that, since a commit's id and the image's digest rest on the runtime's SHA-256 alone;
 * in TypeScript the hash of a commit of 1 MiB took longer than the rest of the boot.
 */

import { type EdDSA, eddsa } from "@noble/curves/abstract/edwards.js";
import { ed25519 } from "@noble/curves/ed25519.js";
import { isSmallOrder, PUBLIC_KEY_BYTES, toSpki } from "./public-keys.ts";

export const SIGNATURE_BYTES = 64;

/** Lengths have been checked before. The result is not trusted to be a boolean. */
export type Engine = (publicKey: Uint8Array, message: Uint8Array, signature: Uint8Array) => unknown;

const runtimeEngine: Engine = (publicKey, message, signature) => {
  // Loaded here: most boots have no signature to check. (process.getBuiltinModule() takes three times as long.)
  const { createPublicKey, verify } = require("node:crypto") as typeof import("node:crypto");
  const key = createPublicKey({ key: Buffer.from(toSpki(publicKey)), format: "der", type: "spki" });
  return verify(null, message, key, signature);
};

const HASH_BYTES = 64;
function sha512(message: Uint8Array): Uint8Array<ArrayBuffer> {
  const hash = Uint8Array.fromHex(Bun.SHA512.hash(message, "hex"));
  // a shorter one, read as a number, would be a small or no multiple of the public key
  if (hash.length !== HASH_BYTES) throw new Error(`SHA-512 gave ${hash.length} bytes`);
  return hash;
}

let noble: EdDSA | undefined;
/** As the library makes its own `ed25519`, except for the hash. For verifying only: it could not sign (no clamping of scalars). */
function prepareNoble(): EdDSA {
  // One verification, or a few, do not pay for the table of multiples of the base point, which takes 15 ms to make.
  ed25519.Point.BASE.precompute(1);
  return eddsa(ed25519.Point, sha512, { zip215: false });
}
const nobleEngine: Engine = (publicKey, message, signature) => (noble ??= prepareNoble()).verify(signature, message, publicKey, { zip215: false });

export const ENGINES: readonly Engine[] = [runtimeEngine, nobleEngine];

/** Whether the key has signed the message. Never throws. */
export const verifySignature = (publicKey: Uint8Array, message: Uint8Array, signature: Uint8Array): boolean => verifyWith(ENGINES, publicKey, message, signature);

/** As verifySignature(), by these engines; no engine at all accepts nothing. */
export function verifyWith(engines: readonly Engine[], publicKey: Uint8Array, message: Uint8Array, signature: Uint8Array): boolean {
  if (publicKey.length !== PUBLIC_KEY_BYTES || signature.length !== SIGNATURE_BYTES || engines.length === 0) return false;
  for (const engine of engines) {
    try {
      if (engine(publicKey, message, signature) !== true) return false;
    } catch {
      return false;
    }
  }
  return true;
}

/**
 * Whether these bytes can be a signature that somebody made: 64 bytes, R the encoding of a point and not one of the eight
 * that nobody hits upon by chance, S below the order of the group. For telling a damaged signature from one by another key; never for a verdict.
 */
export function isPossibleSignature(signature: Uint8Array): boolean {
  if (signature.length !== SIGNATURE_BYTES || isSmallOrder(signature.subarray(0, 32))) return false;
  try {
    ed25519.Point.fromBytes(signature.subarray(0, 32), false);
    ed25519.Point.Fn.fromBytes(signature.subarray(32));
    return true;
  } catch {
    return false;
  }
}
