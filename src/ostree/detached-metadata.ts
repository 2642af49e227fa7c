/**
 * Detached metadata (`.commitmeta`): an `a{sv}` beside a commit, with its signatures in `ostree.sign.ed25519`, an `aay`.
 *
 * Nothing covers these bytes, so they are read as GLib reads them, broken or not; what they claim counts only after a
 * signature in them was verified. No file, an empty file and a file without the key are all "no signature".
 */

import { SealrootError } from "../errors/index.ts";
import { bytesOf, elementCount, forEachElement, forEachEntry, isNormal, lookUp, read, type Steps, type Value } from "./gvariant-read.ts";
import { typeOf } from "./gvariant-type.ts";
import { type Plain, write } from "./gvariant-write.ts";

export const MAX_COMMITMETA_BYTES = 2 ** 20;
/** Signatures looked at for one commit; each may have to be tried with every trusted key. */
export const MAX_SIGNATURES = 64;
/** Real detached metadata has a handful of entries. */
const MAX_ENTRIES = 1024;
/** Values in it that are looked at to say whether it is damaged: a boot takes five milliseconds for them, and there may be 64 candidates. */
const MAX_VALUES = 4096;

const DICTIONARY = typeOf("a{sv}");
const SIGNATURES = "ostree.sign.ed25519";
/** sealroot's own: an `aay` with the 32-byte ids of the keys, in the order of the signatures. For messages only, never for the verdict. */
const KEY_IDS = "sealroot.sign.key-ids";

export interface DetachedSignature {
  /** As found: any length. */
  readonly bytes: Uint8Array;
  /** The key that is said to have made it, 64 hex digits. Not verified. */
  readonly claimedKeyId: string | undefined;
}

export interface DetachedSignatures {
  readonly signatures: readonly DetachedSignature[];
  /** Why there is none, when the bytes look as if there should be. */
  readonly problem: string | undefined;
}

/** @throws SealrootError SR-E229 for more than 1 MiB, 1024 entries, 64 signatures or 4096 values; nothing else */
export function parseSignatures(commitmeta: Uint8Array): DetachedSignatures {
  if (commitmeta.length > MAX_COMMITMETA_BYTES) throw tooMuch(`${commitmeta.length} bytes of detached metadata, of at most ${MAX_COMMITMETA_BYTES}`);
  const dictionary = read(DICTIONARY, commitmeta);
  const entries = elementCount(dictionary);
  if (entries > MAX_ENTRIES) throw tooMuch(`${entries} entries of detached metadata, of at most ${MAX_ENTRIES}`);
  const list = lookUp(dictionary, SIGNATURES);
  if (list === undefined) return none(isWhole(dictionary) ? undefined : "the detached metadata is damaged");
  if (list.type.text !== "aay") return none(`${SIGNATURES} is of type ${list.type.text}, not aay`);
  const count = elementCount(list);
  if (count > MAX_SIGNATURES) throw tooMuch(`${count} signatures of one commit, of at most ${MAX_SIGNATURES}`);
  const claims: (string | undefined)[] = [];
  const ids = lookUp(dictionary, KEY_IDS);
  if (ids?.type.text === "aay") forEachElement(ids, (id) => claims.push(bytesOf(id).length === 32 ? bytesOf(id).toHex() : undefined) < count);
  const signatures: DetachedSignature[] = [];
  forEachElement(list, (signature) => signatures.push({ bytes: bytesOf(signature), claimedKeyId: claims[signatures.length] }) > 0);
  return { signatures, problem: count === 0 && !isWhole(list) ? "the list of signatures is damaged" : undefined };
}

/** @throws SealrootError SR-E229 */
function isWhole(value: Value): boolean {
  const steps: Steps = { left: MAX_VALUES };
  const whole = isNormal(value, steps);
  if (steps.left < 0) throw tooMuch(`more than ${MAX_VALUES} values in detached metadata`);
  return whole;
}

const none = (problem: string | undefined): DetachedSignatures => ({ signatures: [], problem });
const tooMuch = (found: string): SealrootError => new SealrootError("SR-E229", { details: [["found", found]] });

/** Detached metadata that holds these signatures and nothing else: what libostree writes for them. */
export function writeCommitMeta(signatures: readonly Uint8Array[]): Uint8Array {
  return write(DICTIONARY, [[SIGNATURES, { type: "aay", value: [...signatures] }]]);
}

/**
 * Detached metadata with one more signature, in normal form. Everything else that is in it stays, in its order.
 * @param keyId who signs, 64 hex digits; written beside the signatures, for messages
 * @throws SealrootError SR-E234 when `commitmeta` is not in normal form: what is not understood is not rewritten; SR-E229 as parseSignatures()
 */
export function appendSignature(commitmeta: Uint8Array | undefined, signature: Uint8Array, keyId?: string): Uint8Array {
  const present = commitmeta ?? new Uint8Array();
  const { signatures, problem } = parseSignatures(present);
  const dictionary = read(DICTIONARY, present);
  if (problem !== undefined || !isWhole(dictionary)) throw new SealrootError("SR-E234", { details: [["found", problem ?? "bytes that are no a{sv} in normal form"]] });
  if (signatures.length === MAX_SIGNATURES) throw tooMuch(`${MAX_SIGNATURES} signatures already`);
  const claims = signatures.map(({ claimedKeyId }) => claimedKeyId);
  const entries: Plain[] = [];
  forEachEntry(dictionary, ({ key, value }) => {
    if (value !== undefined && key !== SIGNATURES && key !== KEY_IDS) entries.push([key, { type: value.type.text, serialised: bytesOf(value) }]);
    return true;
  });
  entries.push([SIGNATURES, { type: "aay", value: [...signatures.map(({ bytes }) => bytes), signature] }]);
  // Ids stand in the order of the signatures, so there is none after a gap.
  const known = claims.includes(undefined) ? claims.slice(0, claims.indexOf(undefined)) : [...claims, keyId];
  const ids = known.flatMap((id) => (id === undefined ? [] : [Uint8Array.fromHex(id)]));
  if (ids.length > 0) entries.push([KEY_IDS, { type: "aay", value: ids }]);
  return write(DICTIONARY, entries);
}
