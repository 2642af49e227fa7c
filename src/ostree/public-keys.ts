/**
 * Files of Ed25519 public keys: OSTree's text format (one key a line, as standard base64 of its 32 bytes) and PEM with
 * SubjectPublicKeyInfo (RFC 8410). A file is one or the other, and is refused whole when anything in it is not understood:
 * a key that is silently missing could be the one that the threshold counts on.
 *
 * libostree at boot decodes each line leniently and looks at its length only when it comes to use it.
 */

import { SealrootError } from "../errors/index.ts";
import { base64, pemBlocks, TextProblem, textLines } from "./key-text.ts";

export const PUBLIC_KEY_BYTES = 32;
/** Bytes of a key file, and keys in it. */
export const MAX_KEY_FILE_BYTES = 65536;
const MAX_KEYS = 256;

/** SubjectPublicKeyInfo of Ed25519, up to the key itself (RFC 8410, section 4). */
const SPKI_PREFIX = Uint8Array.fromHex("302a300506032b6570032100");

export interface TrustedKey {
  /** SHA-256 of the key as DER SubjectPublicKeyInfo, 64 lower-case hex digits: `openssl pkey -pubin -outform DER | sha256sum`. */
  readonly id: string;
  /** 32 bytes. */
  readonly publicKey: Uint8Array;
  /** Where it came from, for people. */
  readonly origin: string;
}

export function toSpki(publicKey: Uint8Array): Uint8Array {
  const spki = new Uint8Array(SPKI_PREFIX.length + PUBLIC_KEY_BYTES);
  spki.set(SPKI_PREFIX);
  spki.set(publicKey, SPKI_PREFIX.length);
  return spki;
}

export const keyId = (publicKey: Uint8Array): string => Bun.SHA256.hash(toSpki(publicKey), "hex");

/** y of the points of order 1, 2, 4 and 8, without the sign of x. */
const SMALL_ORDER: ReadonlySet<string> = new Set([
  "0000000000000000000000000000000000000000000000000000000000000000",
  "0100000000000000000000000000000000000000000000000000000000000000",
  "ecffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
  "26e8958fc2b227b045c3f489f2ef98f0d5dfac05d3c63339b13802886d53fc05",
  "c7176a703d4dd84fba3c0b760d10670f2a2053fa2c39ccc64ec7fd7792ac037a",
]);

/** Why 32 bytes are no key to trust; undefined when they may be one. Whether they are a point on the curve shows when a signature is verified. */
export function keyProblem(publicKey: Uint8Array): string | undefined {
  if (publicKey.length !== PUBLIC_KEY_BYTES) {
    const hint = publicKey.length === 2 * PUBLIC_KEY_BYTES ? "; 64 are a secret key, or two keys" : "";
    return `${publicKey.length} bytes, where a public key has ${PUBLIC_KEY_BYTES}${hint}`;
  }
  const y = publicKey.slice();
  y[31] = (y[31] ?? 0) & 0x7f;
  if (y[31] === 0x7f && y.subarray(1, 31).every((byte) => byte === 0xff) && (y[0] ?? 0) >= 0xed) return "no canonical encoding of a point";
  if (isSmallOrder(publicKey)) return "a point of small order, for which anyone can sign";
  return undefined;
}

/** Whether 32 bytes are the canonical encoding, up to the sign, of a point of order 1, 2, 4 or 8. */
export const isSmallOrder = (point: Uint8Array): boolean => SMALL_ORDER.has(point.with(31, (point[31] ?? 0) & 0x7f).toHex());

/**
 * The keys of a file, each once.
 * @param origin its path, for messages. The content is never quoted: it may be a private key, put there by mistake.
 * @throws SealrootError SR-E231 when there is no key in it, SR-E232 when it is malformed, SR-E229 when it is too large
 */
export function parsePublicKeys(bytes: Uint8Array, origin: string): TrustedKey[] {
  if (bytes.length > MAX_KEY_FILE_BYTES) throw new SealrootError("SR-E229", { details: [["file", origin], ["found", `${bytes.length} bytes, of at most ${MAX_KEY_FILE_BYTES}`]] });
  const keys = new Map<string, TrustedKey>();
  try {
    const lines = textLines(bytes);
    const found = lines.some(({ text }) => text.startsWith("-----")) ? fromPem(lines) : fromLines(lines);
    for (const { publicKey, line } of found) {
      const problem = keyProblem(publicKey);
      if (problem !== undefined) throw new TextProblem(line, problem);
      const id = keyId(publicKey);
      if (!keys.has(id)) keys.set(id, { id, publicKey, origin });
      if (keys.size > MAX_KEYS) throw new SealrootError("SR-E229", { details: [["file", origin], ["found", `more than ${MAX_KEYS} keys`]] });
    }
  } catch (error) {
    if (!(error instanceof TextProblem)) throw error;
    throw new SealrootError("SR-E232", { details: [["file", origin], ["line", String(error.line)], ["found", error.message]] });
  }
  if (keys.size === 0) throw new SealrootError("SR-E231", { details: [["file", origin]] });
  return [...keys.values()];
}

interface Found {
  readonly publicKey: Uint8Array;
  readonly line: number;
}

function fromLines(lines: ReturnType<typeof textLines>): Found[] {
  return lines.flatMap(({ text, line }) => (text === "" ? [] : [{ publicKey: base64(text.trim(), line), line }]));
}

function fromPem(lines: ReturnType<typeof textLines>): Found[] {
  return pemBlocks(lines).map(({ label, der, line }) => {
    if (label.endsWith("PRIVATE KEY")) throw new TextProblem(line, "a private key; it does not belong here");
    if (label !== "PUBLIC KEY") throw new TextProblem(line, "PEM of something else than a PUBLIC KEY");
    if (der.length !== SPKI_PREFIX.length + PUBLIC_KEY_BYTES || SPKI_PREFIX.some((byte, at) => der[at] !== byte)) throw new TextProblem(line, "a public key that is not Ed25519");
    return { publicKey: der.slice(SPKI_PREFIX.length), line };
  });
}

/** A key as `revoked` names it: its id, or the key itself in OSTree's base64. @returns the id; undefined when it is neither */
export function parseKeyId(text: string): string | undefined {
  if (/^[0-9a-fA-F]{64}$/.test(text)) return text.toLowerCase();
  try {
    const publicKey = base64(text, 1);
    return publicKey.length === PUBLIC_KEY_BYTES ? keyId(publicKey) : undefined;
  } catch {
    return undefined;
  }
}

/** One line of OSTree's format, without its end. */
export const formatPublicKey = (publicKey: Uint8Array): string => publicKey.toBase64();
