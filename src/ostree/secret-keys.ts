/**
 * Ed25519 secret keys, for the host commands: PEM with PKCS#8 (RFC 8410) and OSTree's format, standard base64 of seed and
 * public key, 64 bytes. Never loaded in a boot. Messages say what is wrong, never what was read.
 */

import { createPrivateKey, createPublicKey, generateKeyPairSync, sign as signWithRuntime } from "node:crypto";
import { SealrootError } from "../errors/index.ts";
import { verifySignature } from "./ed25519.ts";
import { base64, pemBlocks, TextProblem, textLines } from "./key-text.ts";
import { keyId, MAX_KEY_FILE_BYTES, PUBLIC_KEY_BYTES } from "./public-keys.ts";

const SEED_BYTES = 32;
/** PrivateKeyInfo of Ed25519 up to the seed, version 1, and up to the seed with the public key after it, version 2 (RFC 8410, section 7; RFC 5958). */
const PKCS8 = Uint8Array.fromHex("302e020100300506032b657004220420");
const PKCS8_WITH_PUBLIC = [
  { start: Uint8Array.fromHex("3051020101300506032b657004220420"), middle: Uint8Array.fromHex("812100") },
  // As some libraries wrote it: [1] around a BIT STRING, where it should take its place.
  { start: Uint8Array.fromHex("3053020101300506032b657004220420"), middle: Uint8Array.fromHex("a123032100") },
] as const;

export interface SecretKey {
  readonly id: string;
  readonly publicKey: Uint8Array;
  /** 32 bytes. */
  readonly seed: Uint8Array;
}

/** @throws SealrootError SR-E233 */
export function parseSecretKey(bytes: Uint8Array, origin: string): SecretKey {
  try {
    if (bytes.length > MAX_KEY_FILE_BYTES) throw new TextProblem(1, "a file that is too large");
    const lines = textLines(bytes).filter(({ text }) => text.trim() !== "");
    const [first, second] = lines;
    if (first === undefined) throw new TextProblem(1, "nothing");
    if (lines.some(({ text }) => text.startsWith("-----"))) return fromPem(lines);
    if (second !== undefined) throw new TextProblem(second.line, "a second key");
    return fromOstree(base64(first.text.trim(), first.line), first.line);
  } catch (error) {
    if (!(error instanceof TextProblem)) throw error;
    throw new SealrootError("SR-E233", { details: [["file", origin], ["line", String(error.line)], ["found", error.message]] });
  }
}

function fromOstree(bytes: Uint8Array, line: number): SecretKey {
  if (bytes.length !== SEED_BYTES + PUBLIC_KEY_BYTES) {
    throw new TextProblem(line, `${bytes.length} bytes, where a secret key has ${SEED_BYTES + PUBLIC_KEY_BYTES}${bytes.length === PUBLIC_KEY_BYTES ? "; this may be a public key, or a seed alone" : ""}`);
  }
  return fromSeed(bytes.slice(0, SEED_BYTES), bytes.subarray(SEED_BYTES), line);
}

function fromPem(lines: Parameters<typeof pemBlocks>[0]): SecretKey {
  const [block, another] = pemBlocks(lines);
  if (block === undefined || another !== undefined) throw new TextProblem(another?.line ?? 1, "more or less than one PEM block");
  const { label, der, line } = block;
  if (label === "ENCRYPTED PRIVATE KEY") throw new TextProblem(line, "an encrypted key; decrypt it first: openssl pkey -in FILE -out FILE");
  if (label !== "PRIVATE KEY") throw new TextProblem(line, "PEM of something else than a PRIVATE KEY");
  if (matches(der, PKCS8, 0) && der.length === PKCS8.length + SEED_BYTES) return fromSeed(der.slice(PKCS8.length), undefined, line);
  for (const { start, middle } of PKCS8_WITH_PUBLIC) {
    const publicAt = start.length + SEED_BYTES + middle.length;
    if (!matches(der, start, 0) || !matches(der, middle, start.length + SEED_BYTES) || der.length !== publicAt + PUBLIC_KEY_BYTES) continue;
    return fromSeed(der.slice(start.length, start.length + SEED_BYTES), der.subarray(publicAt), line);
  }
  throw new TextProblem(line, "a private key that is not Ed25519, or carries attributes");
}

const matches = (bytes: Uint8Array, prefix: Uint8Array, at: number): boolean => prefix.every((byte, index) => bytes[at + index] === byte);

/** A public key that does not belong to the seed is refused: signing with one that an attacker chose would give the seed away. */
function fromSeed(seed: Uint8Array, stated: Uint8Array | undefined, line: number): SecretKey {
  const publicKey = publicKeyOf(seed);
  if (stated !== undefined && stated.toHex() !== publicKey.toHex()) throw new TextProblem(line, "a public key that does not belong to the secret key");
  return { id: keyId(publicKey), publicKey, seed };
}

const toDer = (seed: Uint8Array): Buffer => Buffer.concat([PKCS8, seed]);
const privateKey = (seed: Uint8Array) => createPrivateKey({ key: toDer(seed), format: "der", type: "pkcs8" });
const publicKeyOf = (seed: Uint8Array): Uint8Array => Uint8Array.from(createPublicKey(privateKey(seed)).export({ format: "der", type: "spki" }).subarray(-PUBLIC_KEY_BYTES));

export function generateSecretKey(): SecretKey {
  const der = generateKeyPairSync("ed25519").privateKey.export({ format: "der", type: "pkcs8" });
  return fromSeed(Uint8Array.from(der.subarray(-SEED_BYTES)), undefined, 1);
}

/** PEM with PKCS#8, as OpenSSL writes it. */
export const formatSecretKeyPem = ({ seed }: SecretKey): string => `-----BEGIN PRIVATE KEY-----\n${toDer(seed).toString("base64")}\n-----END PRIVATE KEY-----\n`;

/** OSTree's format: one line. */
export const formatSecretKeyOstree = ({ seed, publicKey }: SecretKey): string => `${Buffer.concat([seed, publicKey]).toString("base64")}\n`;

/** The 64 bytes of a signature, verified by both engines before they are handed out. @throws Error when they are not valid: the machine computes wrongly */
export function sign(secret: SecretKey, message: Uint8Array): Uint8Array {
  const signature = Uint8Array.from(signWithRuntime(null, message, privateKey(secret.seed)));
  if (!verifySignature(secret.publicKey, message, signature)) throw new Error("a signature that was just made does not verify");
  return signature;
}
