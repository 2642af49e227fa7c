/** Keys and signatures that `sealroot sign` is given in files. Nothing of a private key is ever printed. */

import { existsSync } from "node:fs";
import { SealrootError } from "../errors/index.ts";
import { MAX_KEY_FILE_BYTES, parsePublicKeys, type TrustedKey } from "../ostree/index.ts";
import { parseSecretKey, type SecretKey } from "../ostree/secret-keys.ts";
import { printable } from "../terminal/index.ts";
import { openInputFile, readInputFile } from "./input-file.ts";
import { printError } from "./output.ts";

const GROUP_AND_OTHERS = 0o077;
/** PEM or its body, OSTree's base64, a seed in base64 or hex. */
const LOOKS_LIKE_A_KEY = /PRIVATE KEY|^M(?:C4CAQAw|F[EM]CAQEw)BQYDK2Vw|^[A-Za-z0-9+/]{86}==$|^[A-Za-z0-9+/]{43}=$|^(?:[0-9a-fA-F]{64}){1,2}$/;

/** @throws SealrootError SR-E233 */
export function readSecretKey(path: string): SecretKey {
  // `ostree sign` takes the key itself in this place: it must not come back in a message
  if (LOOKS_LIKE_A_KEY.test(path.trim()) && !existsSync(path)) {
    throw new SealrootError("SR-E233", {
      details: [["found", "a key where the name of a file is expected; it is now in the shell's history and was in the process list"]],
      meaning: "a private key is read from a file, since everybody on the machine can see arguments",
      next: "replace this key by another: sealroot keygen; and give the name of its file",
    });
  }
  const { bytes, permissions } = openInputFile(path, MAX_KEY_FILE_BYTES, "SR-E233");
  try {
    const secret = parseSecretKey(bytes, path);
    if ((permissions & GROUP_AND_OTHERS) !== 0) printError(`sealroot: ${printable(path)} can be read by others than its owner (mode 0${permissions.toString(8)}): chmod 600\n`);
    return secret;
  } finally {
    bytes.fill(0);
  }
}

/** @param id which of several; undefined where there is one @throws SealrootError SR-E231, SR-E232, SR-E229, SR-E603, SR-E100 */
export function readPublicKey(path: string, id: string | undefined): TrustedKey {
  const keys = parsePublicKeys(readInputFile(path, MAX_KEY_FILE_BYTES), path);
  const matching = id === undefined ? keys : keys.filter((key) => key.id === id.toLowerCase());
  const [key, another] = matching;
  if (key !== undefined && another === undefined) return key;
  const summary = key === undefined ? `${path} holds no key with the id ${id ?? ""}` : `${path} holds ${keys.length} keys; --key-id says which`;
  throw new SealrootError("SR-E100", { summary, details: keys.map((one) => ["key", one.id] as const), next: "see: sealroot sign --help" });
}

/** Longest text of a signature: 128 hex digits, or 88 of base64, and an end of line. */
const LONGEST = 1024;

/** A signature made elsewhere: 64 raw bytes, or them in hex or base64. @throws SealrootError SR-E224, SR-E603 */
export function readSignature(path: string): Uint8Array {
  const bytes = readInputFile(path, LONGEST);
  if (bytes.length === 64) return bytes;
  const text = String.fromCharCode(...bytes).trim();
  if (/^[0-9a-fA-F]{128}$/.test(text)) return Uint8Array.fromHex(text);
  if (/^[A-Za-z0-9+/]{86}==$/.test(text)) return Uint8Array.fromBase64(text);
  throw new SealrootError("SR-E224", { details: [["file", path], ["found", `${bytes.length} bytes`], ["expected", "64 bytes, or 64 bytes as hex or base64"]], meaning: "the file holds no Ed25519 signature", next: "attach what the key's keeper made of the payload" });
}
