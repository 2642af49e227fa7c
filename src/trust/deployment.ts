/**
 * May this OSTree deployment's image be booted? No argument names its digest: `ostree=` names a deployment, whose
 * directory names a commit, whose metadata names the digest. So here a commit is needed even where nothing is signed.
 */

import { type ErrorCode, SealrootError } from "../errors/index.ts";
import { baseCommit, MAX_COMMIT_BYTES, objectId, parseCommit } from "../ostree/index.ts";
import { diagnosticEffort, explainMismatch } from "./diagnose.ts";
import type { Evidence, FoundCommit } from "./evidence.ts";
import { describePolicy, type Measurement, type Refused, type Verdict } from "./judge.ts";
import { demandsVerity, type TrustPolicy } from "./policy.ts";
import { type Image, judgeEvidence, namesOther } from "./signed.ts";

export interface DeploymentInput {
  readonly policy: TrustPolicy | undefined;
  /** Of the deployment's `.ostree.cfs`. */
  readonly measured: Measurement;
  /** Commits: as deploymentCommits() has them. */
  readonly evidence: Evidence;
}

export const OSTREE_DIGEST = "ostree.composefs.digest.v0";

/**
 * The commits that may speak for a deployment: its own, and, when bootc made that one and there is no detached metadata beside
 * it, the base commit that it names. As ostree does it: metadata beside the deployment's commit, even empty, rules the base commit out.
 * @param commitId from the name of the deployment's directory
 * @param readCommit the commit object of an id and the detached metadata beside it, if it is in the repository
 */
export function deploymentCommits(commitId: string, readCommit: (id: string) => FoundCommit | undefined): FoundCommit[] {
  const own = readCommit(commitId);
  if (own === undefined) return [];
  if (own.commitmeta !== undefined || own.bytes.length > MAX_COMMIT_BYTES || objectId(own.bytes) !== commitId) return [own];
  const base = baseOf(own);
  const found = base === undefined ? undefined : readCommit(base);
  return found === undefined ? [own] : [own, found];
}

function baseOf({ bytes }: FoundCommit): string | undefined {
  try {
    return baseCommit(bytes);
  } catch (error) {
    if (error instanceof SealrootError) return undefined;
    throw error;
  }
}

/**
 * 1. Below level "verity" nothing is asked.
 * 2. The image must have a fs-verity digest, by SHA-256: OSTree knows no other.
 * 3. At level "signed" a commit must vouch for it, as judge() has it. A signature of the bare digest does not: it is for images that
 *    have no commit, and a deployment always has one. It would say neither which deployment the image is of nor when it was made, so
 *    that whoever holds the disk could put any image that was ever signed so under the name of any other deployment.
 * 4. At level "verity" a commit whose bytes have the id of its name must name it. OSTree would mount any image here and have the
 *    kernel check the files that the image itself names.
 */
export function judgeDeployment({ policy, measured, evidence }: DeploymentInput): Verdict {
  const reasons = [describePolicy(policy)];
  if (!demandsVerity(policy)) {
    return { allowed: true, level: "none", enforce: false, enforceOptional: false, reasons: [...reasons, "nothing is verified"] };
  }
  if (measured.kind === "no-verity") return { allowed: false, code: "SR-E211", reasons: [...reasons, "the deployment's image has no fs-verity"] };
  if (measured.kind === "unsupported") return { allowed: false, code: "SR-E212", reasons: [...reasons, `fs-verity cannot be read: ${measured.errno}`] };
  if (measured.algorithm !== "sha256") return { allowed: false, code: "SR-E212", reasons: [...reasons, "the deployment's image has its fs-verity digest by SHA-512, and OSTree knows SHA-256 only"] };
  const image: Image = { algorithm: measured.algorithm, digest: measured.digest, metadataKeys: [OSTREE_DIGEST], mismatch: "SR-E210" };
  if (policy.level === "signed") return judgeEvidence(policy, image, { ...evidence, signatures: [] }, reasons);
  return judgeUnsigned(image, evidence, reasons);
}

function judgeUnsigned(image: Image, { commits }: Evidence, before: readonly string[]): Verdict {
  const refusals: Refused[] = [];
  for (const commit of commits) {
    const reasons = [...before, ...refusals.flatMap((refusal) => refusal.reasons.slice(before.length))];
    const outcome = judgeUnsignedCommit(image, commit, reasons);
    if (outcome.allowed) return outcome;
    refusals.push(outcome);
  }
  // The base commit, where there is one, is the one that should have named the image.
  return refusals.at(-1) ?? { allowed: false, code: "SR-E227", reasons: [...before, "the deployment's commit is not in the repository"] };
}

function judgeUnsignedCommit(image: Image, found: FoundCommit, reasons: readonly string[]): Verdict {
  const { id, bytes, origin } = found;
  const refuse = (code: ErrorCode, reason: string): Refused => ({ allowed: false, code, reasons: [...reasons, `${origin}: ${reason}`] });
  if (bytes.length > MAX_COMMIT_BYTES) return refuse("SR-E229", `a commit of ${bytes.length} bytes, of at most ${MAX_COMMIT_BYTES}`);
  const actual = objectId(bytes);
  if (actual !== id) {
    const closer = explainMismatch(found, [], diagnosticEffort());
    return refuse(closer?.code ?? "SR-E226", [`the bytes have the id ${actual}, the name says ${id}`, ...(closer === undefined ? [] : [closer.reason])].join("; "));
  }
  try {
    const other = namesOther(parseCommit(bytes), image);
    if (other === undefined) {
      return { allowed: true, level: "verity", enforce: true, enforceOptional: false, reasons: [...reasons, `commit ${id} names the image's digest; nothing says who made the commit`] };
    }
    const refused = refuse(other.code, other.reason);
    return other.names === undefined ? refused : { ...refused, expected: `${image.algorithm}:${other.names}`, found: `${image.algorithm}:${image.digest}` };
  } catch (error) {
    if (!(error instanceof SealrootError)) throw error;
    return refuse(error.code, error.details.map(([, text]) => text).join("; "));
  }
}
