/**
 * Level "signed": does the evidence vouch for this image under this policy?
 *
 * A commit counts when, in this order: its id is the SHA-256 of its bytes; enough distinct trusted keys, none of them
 * revoked, have signed those bytes; they are a well-formed commit; it names the image's digest; it is not older than the
 * floor. So nothing in a commit is read before it is authenticated. One that counts is enough.
 *
 * Whoever writes the disk decides how much lies beside it, and a boot does not try signatures without end. So each candidate has a share
 * of its own (shareOf()): a commit that counts with the first signatures tried is found whatever lies beside it, up to MAX_CANDIDATES.
 * Those that take more come after all others, the smallest first, as long as there is anything left; then it is SR-E229.
 *
 * Enough keys: as many as each requirement of the policy asks for, of that requirement's own. Requirements are not shared out among
 * commits: one that meets the first and another one that meets the second are two that do not count.
 */

import { type ErrorCode, SealrootError } from "../errors/index.ts";
import { bytesEntry, type Commit, type DetachedSignature, keyId, MAX_COMMIT_BYTES, objectId, parseCommit, parseKeyId, parseSignatures, type TrustedKey } from "../ostree/index.ts";
import { type Diagnosis, diagnosticEffort, explainMismatch, explainSignature, quietly } from "./diagnose.ts";
import { digestMessage } from "./digest-message.ts";
import type { Evidence, FoundCommit, Signer, Voucher } from "./evidence.ts";
import type { Allowed, Refused } from "./judge.ts";
import type { TrustPolicy } from "./policy.ts";
import { Effort, isDamaged, shareOf, SignedBytes, type Signers } from "./signers.ts";

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
interface Shortfall extends Diagnosis {
  /** The digest that a commit names in the place of the image's, in hex. */
  readonly names?: string | undefined;
  /** Looks closer, and says it better; only once the image is refused. */
  readonly diagnose?: (effort: Effort) => Diagnosis | undefined;
}

/** How much a refusal tells, most first: what came nearest to being accepted, and what nobody would do by accident. */
const TELLING: readonly ErrorCode[] = [
  "SR-E228", "SR-E210", "SR-E227", "SR-E223", "SR-E222", "SR-E245", "SR-E250", "SR-E247", "SR-E248", "SR-E226", "SR-E249", "SR-E225", "SR-E229", "SR-E224", "SR-E221", "SR-E234", "SR-E220",
];

/** The keys of one requirement. */
interface Keys {
  /** Who asks for them. */
  readonly source: string;
  readonly trusted: readonly TrustedKey[];
  readonly revoked: readonly TrustedKey[];
  readonly threshold: number;
}

/** What each candidate is judged by. */
interface Demands {
  readonly image: Image;
  readonly keys: readonly Keys[];
  /** Ids of keys that are revoked, with or without the key itself at hand. */
  readonly revokedIds: ReadonlySet<string>;
  readonly notBefore: number | undefined;
  /** All that were found up to now. */
  readonly commits: FoundCommit[];
  readonly signatures: Evidence["signatures"];
  readonly effort: Effort;
}

export function judgeEvidence(policy: TrustPolicy, image: Image, evidence: Evidence, before: readonly string[]): Allowed | Refused {
  const refuse = (code: ErrorCode, ...reasons: string[]): Refused => ({ allowed: false, code, reasons: [...before, ...reasons] });
  const sorted = sortKeys(policy, evidence.keys);
  if ("code" in sorted) return refuse(sorted.code, sorted.reason);
  const effort = new Effort();
  const { signatures } = evidence;
  const commits: FoundCommit[] = [];
  const demands: Demands = { ...sorted, image, notBefore: policy.notBefore, commits, signatures, effort };
  const shortfalls: Shortfall[] = [];
  const again: Candidate[] = [];

  const firstThatCounts = (candidates: readonly Candidate[], share?: number): Allowed | undefined => {
    for (const candidate of candidates) {
      effort.allow(share ?? shareOf(candidate.bytes));
      const outcome = attempt(candidate);
      if ("keyIds" in outcome) {
        const who = outcome.commitId === undefined ? "signatures of the digest" : `commit ${outcome.commitId}`;
        const reasons = [...before, ...shortfalls.map(({ reason }) => reason), `${who} (${outcome.origin}): signed by ${outcome.keyIds.join(", ")}`];
        return { allowed: true, level: "signed", enforce: true, enforceOptional: false, reasons, voucher: outcome };
      }
      if (effort.wantsMore) again.push(candidate);
      else shortfalls.push(outcome);
    }
    return undefined;
  };

  for (const more of [evidence.commits, evidence.further]) {
    const found = typeof more === "function" ? more() : (more ?? []);
    const bare = more === evidence.commits && signatures.length > 0;
    commits.push(...found);
    if (commits.length + signatures.length > MAX_CANDIDATES) return refuse("SR-E229", `${commits.length} commits and ${signatures.length} signatures for one image, of at most ${MAX_CANDIDATES}`);
    const allowed = firstThatCounts([...found.map((commit) => commitCandidate(commit, demands)), ...(bare ? [digestCandidate(demands)] : [])]);
    if (allowed !== undefined) return allowed;
  }
  if (commits.length + signatures.length === 0) return refuse("SR-E107", "there is no commit for this image and no signature of its digest");
  const allowed = firstThatCounts(again.toSorted((a, b) => a.bytes - b.bytes), Infinity);
  if (allowed !== undefined) return allowed;

  const diagnostic = diagnosticEffort();
  const told = shortfalls.map(({ diagnose, ...shortfall }): Shortfall => ({ ...shortfall, ...quietly(() => diagnose?.(diagnostic)) }));
  const [worst] = told.toSorted((a, b) => TELLING.indexOf(a.code) - TELLING.indexOf(b.code));
  const refused = refuse(worst?.code ?? "SR-E107", ...told.map(({ reason }) => reason));
  return worst?.names === undefined ? refused : { ...refused, expected: `${image.algorithm}:${worst.names}`, found: `${image.algorithm}:${image.digest}` };
}

function sortKeys({ requirements, revoked }: TrustPolicy, found: Evidence["keys"]): Pick<Demands, "keys" | "revokedIds"> | Shortfall {
  const revokedIds = new Set<string>();
  for (const text of revoked) {
    const id = parseKeyId(text);
    if (id === undefined) return { code: "SR-E101", reason: `revoked: ${JSON.stringify(text)} is no key id (64 hex digits) and no key in base64` };
    revokedIds.add(id);
  }
  // level "signed" without anybody who has to sign would be met by nothing at all
  if (requirements.length === 0) return { code: "SR-E231", reason: "the policy does not say whose signatures it asks for" };
  const keys: Keys[] = [];
  for (const [index, { source, threshold }] of requirements.entries()) {
    // Distinct by the key itself, and called by the id that it has, whoever made the list.
    const distinct = [...new Map((found[index] ?? []).map((key) => [key.publicKey.toHex(), { ...key, id: keyId(key.publicKey) }])).values()];
    if (distinct.length === 0) return { code: "SR-E231", reason: `there is no trusted key in the initramfs for ${source}` };
    keys.push({
      source,
      trusted: distinct.filter(({ id }) => !revokedIds.has(id)),
      revoked: distinct.filter(({ id }) => revokedIds.has(id)),
      // A threshold of zero would be met by nothing at all.
      threshold: Number.isInteger(threshold) && threshold >= 1 ? threshold : Infinity,
    });
  }
  return { keys, revokedIds };
}

interface Candidate {
  readonly origin: string;
  /** What a signature is tried over. */
  readonly bytes: number;
  /** May be called again: what was found out about its signatures is kept. */
  readonly judge: () => Voucher | Shortfall;
}

function commitCandidate(commit: FoundCommit, demands: Demands): Candidate {
  let signed: SignedBytes | undefined;
  return { origin: commit.origin, bytes: commit.bytes.length, judge: () => judgeCommit(commit, demands, (signatures) => (signed ??= new SignedBytes(commit.bytes, signatures))) };
}

function digestCandidate(demands: Demands): Candidate {
  const message = digestMessage(demands.image.algorithm, demands.image.digest);
  const signatures = demands.signatures.map(({ bytes, keyId }): DetachedSignature => ({ bytes, claimedKeyId: keyId }));
  // Here the name says which key to try, so it is the only one tried.
  const signed = new SignedBytes(message, signatures, true);
  return { origin: demands.signatures[0]?.origin ?? "", bytes: message.length, judge: () => judgeBareDigest(signed, demands) };
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

const trustedOf = ({ keys }: Demands): TrustedKey[] => keys.flatMap(({ trusted }) => trusted);

function judgeCommit(found: FoundCommit, demands: Demands, signedBytes: (signatures: readonly DetachedSignature[]) => SignedBytes): Voucher | Shortfall {
  const { bytes, origin } = found;
  const { image, notBefore } = demands;
  const not = (code: ErrorCode, reason: string): Shortfall => ({ code, reason: `${origin}: ${reason}` });
  if (bytes.length > MAX_COMMIT_BYTES) return not("SR-E229", `a commit of ${bytes.length} bytes, of at most ${MAX_COMMIT_BYTES}`);
  const id = objectId(bytes);
  if (id !== found.id) {
    const mismatch = not("SR-E226", `the bytes have the id ${id}, the name says ${found.id}`);
    return { ...mismatch, diagnose: (effort) => closer(mismatch, explainMismatch(found, trustedOf(demands), effort)) };
  }

  if (found.commitmeta === undefined) return not("SR-E220", "the commit has no detached metadata (.commitmeta)");
  const { signatures, problem } = parseSignatures(found.commitmeta);
  if (signatures.length === 0) return problem === undefined ? not("SR-E220", "the detached metadata holds no Ed25519 signature") : not("SR-E234", problem);
  const signers = judgeSigners(signedBytes(signatures), demands, origin);
  if ("code" in signers) return signers;

  const commit = parseCommit(bytes);
  const other = namesOther(commit, image);
  if (other !== undefined) return { ...not(other.code, other.reason), names: other.names };
  if (notBefore !== undefined && commit.timestamp < BigInt(notBefore)) {
    return not("SR-E228", `the commit is of ${describeTime(commit.timestamp)}, the policy asks for ${describeTime(BigInt(notBefore))} or later`);
  }
  return { commitId: id, ...signers, timestamp: commit.timestamp, origin };
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

function judgeBareDigest(signed: SignedBytes, demands: Demands): Voucher | Shortfall {
  const origin = demands.signatures.map((signature) => signature.origin).join(", ");
  const signers = judgeSigners(signed, demands, origin);
  if ("code" in signers) return signers;
  if (demands.notBefore !== undefined) return { code: "SR-E228", reason: `${origin}: a signature of the bare digest carries no date, and the policy has a floor (not-before); sign a commit` };
  return { commitId: undefined, ...signers, timestamp: undefined, origin };
}

/** Whether enough keys of each requirement have signed. What is missing where they have not is for the diagnosis: it takes more work. */
function judgeSigners(signed: SignedBytes, demands: Demands, origin: string): Pick<Voucher, "keyIds" | "signers"> | Shortfall {
  const signers: Signer[] = [];
  for (const { source, trusted, threshold } of demands.keys) {
    const found = signed.signersAmong(trusted, threshold, demands.effort).signers;
    if (found.length < threshold) {
      const reason = `${origin}: ${found.length} trusted keys have signed, and ${source} asks for ${threshold}`;
      return { code: "SR-E221", reason, diagnose: (effort) => explainSigners(signed, demands, origin, effort) };
    }
    signers.push(...found.map(({ id, origin: file }) => ({ id, origin: file, requirement: source })));
  }
  return { keyIds: [...new Set(signers.map(({ id }) => id))], signers };
}

/** Every requirement is looked at, so that a refusal says which are not met. @throws SealrootError SR-E229 */
function explainSigners(signed: SignedBytes, demands: Demands, origin: string, effort: Effort): Diagnosis | undefined {
  const outcomes = demands.keys.map((keys) => judgeRequirement(signed, keys, demands.revokedIds, effort));
  const unmet = outcomes.flatMap((outcome) => ("code" in outcome ? [outcome] : []));
  const [worst] = unmet.toSorted((a, b) => TELLING.indexOf(a.code) - TELLING.indexOf(b.code));
  if (worst === undefined) return undefined;
  // signed by somebody who counts, only not for all who are asked for
  const inPart = worst.code === "SR-E221" && unmet.length < outcomes.length;
  const each = outcomes.map((outcome, index) => `${demands.keys[index]?.source ?? ""}: ${"code" in outcome ? outcome.reason : `signed by ${outcome.signers.map(({ id }) => id).join(", ")}`}`);
  const shortfall: Diagnosis = { code: inPart ? "SR-E245" : worst.code, reason: `${origin}: ${outcomes.length === 1 ? worst.reason : each.join("; ")}` };
  if (shortfall.code !== "SR-E221" && shortfall.code !== "SR-E224") return shortfall;
  return closer(shortfall, explainSignature(signed.signatures, trustedOf(demands), otherMessages(signed, demands), effort));
}

const closer = (found: Diagnosis, more: Diagnosis | undefined): Diagnosis => (more === undefined ? found : { code: more.code, reason: `${found.reason}; ${more.reason}` });

/** What a signature may be of instead. */
function otherMessages({ message }: SignedBytes, { image, commits }: Demands): { name: string; message: Uint8Array }[] {
  const all = commits.map(({ bytes, origin }) => ({ name: `the bytes of ${origin}`, message: bytes }));
  all.push({ name: "the bare digest of the image", message: digestMessage(image.algorithm, image.digest) });
  return all.filter((other) => Buffer.compare(other.message, message) !== 0);
}

function judgeRequirement(signed: SignedBytes, { trusted, revoked, threshold }: Keys, revokedIds: ReadonlySet<string>, effort: Effort): Pick<Signers, "signers"> | Diagnosis {
  const { signers, rest } = signed.signersAmong(trusted, threshold, effort);
  if (signers.length >= threshold) return { signers };
  const byRevoked = signed.signersAmong(revoked, revoked.length, effort, rest).signers.map(({ id }) => id);
  const also = byRevoked.length > 0 ? `; revoked: ${byRevoked.join(", ")}` : "";
  if (signers.length > 0) {
    return { code: "SR-E223", reason: `${signers.length} of ${threshold} keys have signed: ${signers.map(({ id }) => id).join(", ")}${also}` };
  }
  if (byRevoked.length > 0) return { code: "SR-E222", reason: `signed by revoked keys only: ${byRevoked.join(", ")}` };
  const claims = [...new Set(rest.flatMap(({ claimedKeyId }) => claimedKeyId ?? []))];
  const claimedRevoked = claims.filter((id) => revokedIds.has(id) && !revoked.some((key) => key.id === id));
  if (claimedRevoked.length > 0) return { code: "SR-E222", reason: `said to be signed by revoked keys: ${claimedRevoked.join(", ")}` };
  const damaged = rest.filter((signature) => isDamaged(signature, [...trusted, ...revoked], effort)).length;
  if (damaged === rest.length) return { code: "SR-E224", reason: `${damaged} of ${signed.signatures.length} signatures are damaged, none is valid` };
  const claimed = claims.length > 0 ? ` (they are said to be by ${claims.slice(0, 8).join(", ")})` : "";
  return { code: "SR-E221", reason: `none of ${signed.signatures.length} signatures is by one of ${trusted.length} trusted keys over these bytes${claimed}` };
}

function describeTime(seconds: bigint): string {
  return seconds <= 253_402_300_799n ? new Date(Number(seconds) * 1000).toISOString() : `${seconds} seconds after 1970`;
}
