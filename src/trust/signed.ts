/**
 * Level "signed": does the evidence vouch for this image under this policy?
 *
 * A commit counts when, in this order: its id is the SHA-256 of its bytes; enough distinct trusted keys, none of them
 * revoked, have signed those bytes; they are a well-formed commit; it names the image's digest; it is not older than the
 * floor. So nothing in a commit is read before it is authenticated. One that counts is enough, whatever else lies beside it.
 */

import type { TrustPolicy } from "../config/index.ts";
import { type ErrorCode, SealrootError } from "../errors/index.ts";
import { bytesEntry, type Commit, type DetachedSignature, keyId, MAX_COMMIT_BYTES, objectId, parseCommit, parseKeyId, parseSignatures, type TrustedKey } from "../ostree/index.ts";
import { digestMessage } from "./digest-message.ts";
import type { Evidence, FoundCommit, Voucher } from "./evidence.ts";
import type { Allowed, Refused } from "./judge.ts";
import { Effort, findSigners, isDamaged, type Signers } from "./signers.ts";

export interface Image {
  readonly algorithm: "sha256" | "sha512";
  /** fs-verity digest in hex: measured, and where an argument names it, equal to that. */
  readonly digest: string;
  /** Metadata keys (type `ay`) under which a commit may name it; one is enough. */
  readonly metadataKeys: readonly string[];
  /** What it means when a commit that counts names another digest: the commit, or the image, is the wrong one. */
  readonly mismatch: "SR-E227" | "SR-E210";
}

/** Commits and bare signatures looked at for one image. */
const MAX_CANDIDATES = 64;

/** Why one candidate does not do. */
interface Shortfall {
  readonly code: ErrorCode;
  readonly reason: string;
  /** The digest that a commit names in the place of the image's, in hex. */
  readonly names?: string | undefined;
}

/** How much a refusal tells, most first: what came nearest to being accepted, and what nobody would do by accident. */
const TELLING: readonly ErrorCode[] = [
  "SR-E228", "SR-E210", "SR-E227", "SR-E223", "SR-E222", "SR-E226", "SR-E225", "SR-E229", "SR-E224", "SR-E221", "SR-E234", "SR-E220",
];

interface Keys {
  readonly trusted: readonly TrustedKey[];
  readonly revoked: readonly TrustedKey[];
  /** Ids of keys that are revoked, with or without the key itself at hand. */
  readonly revokedIds: ReadonlySet<string>;
  readonly threshold: number;
}

export function judgeEvidence(policy: TrustPolicy, image: Image, evidence: Evidence, before: readonly string[]): Allowed | Refused {
  const refuse = (code: ErrorCode, ...reasons: string[]): Refused => ({ allowed: false, code, reasons: [...before, ...reasons] });
  const keys = sortKeys(policy, evidence.keys);
  if ("code" in keys) return refuse(keys.code, keys.reason);
  if (evidence.commits.length + evidence.signatures.length > MAX_CANDIDATES) {
    return refuse("SR-E229", `${evidence.commits.length} commits and ${evidence.signatures.length} signatures for one image, of at most ${MAX_CANDIDATES}`);
  }
  if (evidence.commits.length + evidence.signatures.length === 0) return refuse("SR-E107", "there is no commit for this image and no signature of its digest");

  const effort = new Effort();
  const shortfalls: Shortfall[] = [];
  for (const candidate of candidates(policy, image, evidence, keys, effort)) {
    const outcome = attempt(candidate);
    if ("keyIds" in outcome) {
      const who = outcome.commitId === undefined ? "signatures of the digest" : `commit ${outcome.commitId}`;
      const reasons = [...before, ...shortfalls.map(({ reason }) => reason), `${who} (${outcome.origin}): signed by ${outcome.keyIds.join(", ")}`];
      return { allowed: true, level: "signed", enforce: true, enforceOptional: false, reasons, voucher: outcome };
    }
    shortfalls.push(outcome);
  }
  const [worst] = shortfalls.toSorted((a, b) => TELLING.indexOf(a.code) - TELLING.indexOf(b.code));
  const refused = refuse(worst?.code ?? "SR-E107", ...shortfalls.map(({ reason }) => reason));
  return worst?.names === undefined ? refused : { ...refused, expected: `${image.algorithm}:${worst.names}`, found: `${image.algorithm}:${image.digest}` };
}

function sortKeys(policy: TrustPolicy, found: readonly TrustedKey[]): Keys | Shortfall {
  const revokedIds = new Set<string>();
  for (const text of policy.revoked) {
    const id = parseKeyId(text);
    if (id === undefined) return { code: "SR-E101", reason: `revoked: ${JSON.stringify(text)} is no key id (64 hex digits) and no key in base64` };
    revokedIds.add(id);
  }
  // Distinct by the key itself, and called by the id that it has, whoever made the list.
  const distinct = [...new Map(found.map((key) => [key.publicKey.toHex(), { ...key, id: keyId(key.publicKey) }])).values()];
  const trusted = distinct.filter(({ id }) => !revokedIds.has(id));
  const revoked = distinct.filter(({ id }) => revokedIds.has(id));
  // A threshold of zero would be met by nothing at all.
  const threshold = Number.isInteger(policy.threshold) && policy.threshold >= 1 ? policy.threshold : Infinity;
  if (distinct.length === 0) return { code: "SR-E231", reason: "there is no trusted key in the initramfs" };
  return { trusted, revoked, revokedIds, threshold };
}

type Candidate = { readonly origin: string; readonly judge: () => Voucher | Shortfall };

function* candidates(policy: TrustPolicy, image: Image, { commits, signatures }: Evidence, keys: Keys, effort: Effort): Generator<Candidate> {
  for (const commit of commits) yield { origin: commit.origin, judge: () => judgeCommit(commit, policy, image, keys, effort) };
  if (signatures.length === 0) return;
  const [first] = signatures;
  yield { origin: first?.origin ?? "", judge: () => judgeBareDigest(signatures, policy, image, keys, effort) };
}

/** Whatever goes wrong with one candidate is a reason against that candidate, and against no other. */
function attempt({ origin, judge }: Candidate): Voucher | Shortfall {
  try {
    return judge();
  } catch (error) {
    const code = error instanceof SealrootError ? error.code : "SR-E225";
    const found = error instanceof SealrootError ? error.details.map(([, text]) => text).join("; ") : "it cannot be read";
    return { code, reason: `${origin}: ${found}` };
  }
}

function judgeCommit(found: FoundCommit, policy: TrustPolicy, image: Image, keys: Keys, effort: Effort): Voucher | Shortfall {
  const { bytes, origin } = found;
  const not = (code: ErrorCode, reason: string): Shortfall => ({ code, reason: `${origin}: ${reason}` });
  if (bytes.length > MAX_COMMIT_BYTES) return not("SR-E229", `a commit of ${bytes.length} bytes, of at most ${MAX_COMMIT_BYTES}`);
  const id = objectId(bytes);
  if (id !== found.id) return not("SR-E226", `the bytes are those of commit ${id}, the name says ${found.id}`);

  if (found.commitmeta === undefined) return not("SR-E220", "the commit has no detached metadata (.commitmeta)");
  const { signatures, problem } = parseSignatures(found.commitmeta);
  if (signatures.length === 0) return problem === undefined ? not("SR-E220", "the detached metadata holds no Ed25519 signature") : not("SR-E234", problem);
  const result = findSigners(bytes, signatures, keys.trusted, keys.threshold, effort);
  const shortfall = judgeSigners(bytes, result, signatures, keys, effort);
  if (shortfall !== undefined) return not(shortfall.code, shortfall.reason);

  const commit = parseCommit(bytes);
  const other = namesOther(commit, image);
  if (other !== undefined) return { ...not(other.code, other.reason), names: other.names };
  if (policy.notBefore !== undefined && commit.timestamp < BigInt(policy.notBefore)) {
    return not("SR-E228", `the commit is of ${describeTime(commit.timestamp)}, the policy asks for ${describeTime(BigInt(policy.notBefore))} or later`);
  }
  return { commitId: id, keyIds: result.signers.map((key) => key.id), timestamp: commit.timestamp, origin };
}

/** undefined when the commit names the image; else what it says instead. */
export function namesOther(commit: Commit, { digest, metadataKeys, mismatch }: Image): Shortfall | undefined {
  const said: [key: string, value: Uint8Array][] = [];
  for (const key of metadataKeys) {
    const value = bytesEntry(commit, key);
    if (value?.toHex() === digest) return undefined;
    if (value !== undefined) said.push([key, value]);
  }
  const [first] = said;
  if (first === undefined) return { code: "SR-E227", reason: `the commit names no image under ${metadataKeys.join(" or ")}` };
  const same = first[1].length * 2 === digest.length;
  const what = said.map(([key, value]) => `${key} is ${value.length === 0 || value.length > 64 ? `${value.length} bytes` : value.toHex()}`).join(", ");
  return { code: same ? mismatch : "SR-E227", reason: `the commit is for another image: ${what}`, ...(same ? { names: first[1].toHex() } : {}) };
}

function judgeBareDigest(found: Evidence["signatures"], policy: TrustPolicy, image: Image, keys: Keys, effort: Effort): Voucher | Shortfall {
  const origin = found.map((signature) => signature.origin).join(", ");
  const message = digestMessage(image.algorithm, image.digest);
  const signatures = found.map(({ bytes, keyId }): DetachedSignature => ({ bytes, claimedKeyId: keyId }));
  // Here the name says which key to try, so it is the only one tried.
  const signers = keys.trusted.filter((key) => signatures.some((signature) => signature.claimedKeyId === key.id && findSigners(message, [signature], [key], 1, effort).signers.length === 1));
  const rest = signatures.filter(({ claimedKeyId }) => !signers.some(({ id }) => id === claimedKeyId));
  const shortfall = judgeSigners(message, { signers, rest }, signatures, keys, effort);
  if (shortfall !== undefined) return { code: shortfall.code, reason: `${origin}: ${shortfall.reason}` };
  if (policy.notBefore !== undefined) return { code: "SR-E228", reason: `${origin}: a signature of the bare digest carries no date, and the policy has a floor (not-before); sign a commit` };
  return { commitId: undefined, keyIds: signers.map(({ id }) => id), timestamp: undefined, origin };
}

/** undefined when enough keys have signed. */
function judgeSigners(message: Uint8Array, { signers, rest }: Signers, signatures: readonly DetachedSignature[], keys: Keys, effort: Effort): Shortfall | undefined {
  if (signers.length >= keys.threshold) return undefined;
  const revoked = findSigners(message, rest, keys.revoked, keys.revoked.length, effort).signers.map(({ id }) => id);
  const also = revoked.length > 0 ? `; revoked: ${revoked.join(", ")}` : "";
  if (signers.length > 0) {
    return { code: "SR-E223", reason: `${signers.length} of ${keys.threshold} keys have signed: ${signers.map(({ id }) => id).join(", ")}${also}` };
  }
  if (revoked.length > 0) return { code: "SR-E222", reason: `signed by revoked keys only: ${revoked.join(", ")}` };
  const claims = [...new Set(rest.flatMap(({ claimedKeyId }) => claimedKeyId ?? []))];
  const claimedRevoked = claims.filter((id) => keys.revokedIds.has(id) && !keys.revoked.some((key) => key.id === id));
  if (claimedRevoked.length > 0) return { code: "SR-E222", reason: `said to be signed by revoked keys: ${claimedRevoked.join(", ")}` };
  const damaged = rest.filter((signature) => isDamaged(signature, [...keys.trusted, ...keys.revoked])).length;
  if (damaged === rest.length) return { code: "SR-E224", reason: `${damaged} of ${signatures.length} signatures are damaged, none is valid` };
  const claimed = claims.length > 0 ? ` (they are said to be by ${claims.slice(0, 8).join(", ")})` : "";
  return { code: "SR-E221", reason: `none of ${signatures.length} signatures is by one of ${keys.trusted.length} trusted keys over these bytes${claimed}` };
}

function describeTime(seconds: bigint): string {
  return seconds <= 253_402_300_799n ? new Date(Number(seconds) * 1000).toISOString() : `${seconds} seconds after 1970`;
}
