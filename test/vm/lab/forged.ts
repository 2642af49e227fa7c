/** Commits' detached metadata as no honest program writes it, and signatures that only the holder of a key can make but would not. */

import { ed25519 } from "@noble/curves/ed25519.js";
import { write } from "../../../src/ostree/gvariant-write.ts";
import { typeOf } from "../../../src/ostree/gvariant-type.ts";

const ORDER = 2n ** 252n + 27742317777372353535851937790883648493n;
const littleEndian = (bytes: Uint8Array): bigint => BigInt(`0x${Uint8Array.from(bytes).reverse().toHex()}`);
const encoded = (number: bigint): Uint8Array => Uint8Array.fromHex(number.toString(16).padStart(64, "0")).reverse();
const hashed = (...parts: readonly Uint8Array[]): bigint => littleEndian(Bun.SHA512.hash(Buffer.concat(parts)) as Uint8Array) % ORDER;

/**
 * A second, different, valid signature of the same bytes by the same key: RFC 8032 derives the nonce from the message, and nobody
 * can see whether a signer did. @param seed the 32 secret bytes
 */
export function anotherSignature(seed: Uint8Array, message: Uint8Array): Uint8Array {
  const { scalar, pointBytes } = ed25519.utils.getExtendedPublicKey(seed);
  const nonce = hashed(seed, new TextEncoder().encode("another nonce"), message);
  const point = ed25519.Point.BASE.multiply(nonce).toBytes();
  const s = (nonce + hashed(point, pointBytes, message) * scalar) % ORDER;
  const signature = new Uint8Array(Buffer.concat([point, encoded(s)]));
  if (!ed25519.verify(signature, message, pointBytes, { zip215: false })) throw new Error("the lab's own signature is not valid");
  return signature;
}

/** The same signature, as a decoder that does not reduce would take it: S + L. */
export function notReduced(signature: Uint8Array): Uint8Array {
  return new Uint8Array(Buffer.concat([signature.subarray(0, 32), encoded(littleEndian(signature.subarray(32)) + ORDER)]));
}

export const flipped = (bytes: Uint8Array, at: number): Uint8Array => bytes.with(at, (bytes[at] ?? 0) ^ 1);

/** A `.commitmeta` with this many signatures, all of them this one. */
export const manySignatures = (signature: Uint8Array, count: number): Uint8Array =>
  write(typeOf("a{sv}"), [["ostree.sign.ed25519", { type: "aay", value: Array.from({ length: count }, () => signature) }]]);

/**
 * A `.commitmeta` that says of itself that it is a gigabyte long: more than 64 KiB, so that GVariant's offsets have four bytes, and the
 * last of them, which says where the last entry ends, is 2^30.
 */
export function claimsGigabyte(signature: Uint8Array): Uint8Array {
  const bytes = manySignatures(signature, 1100);
  new DataView(bytes.buffer, bytes.byteOffset).setUint32(bytes.length - 4, 2 ** 30, true);
  return bytes;
}
