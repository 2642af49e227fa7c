/**
 * May this OSTree deployment's image be booted? No argument names its digest: `ostree=` names a deployment, whose
 * directory names a commit, whose metadata names the digest. So here a commit is needed even where nothing is signed.
 */

import type { TrustPolicy } from "../config/index.ts";
import { parseCommit, objectId } from "../ostree/index.ts";
import { SealrootError } from "../errors/index.ts";
import type { Evidence } from "./evidence.ts";
import { describePolicy, type Measurement, type Verdict } from "./judge.ts";
import { type Image, judgeEvidence, namesOther } from "./signed.ts";

export interface DeploymentInput {
  readonly policy: TrustPolicy | undefined;
  /** Of the deployment's `.ostree.cfs`. */
  readonly measured: Measurement;
  /** The deployment's commit, or, for a commit that bootc made and that has no detached metadata of its own, its base commit. */
  readonly evidence: Evidence;
}

export const OSTREE_DIGEST = "ostree.composefs.digest.v0";

/**
 * 1. Below level "verity" nothing is asked.
 * 2. The image must have a fs-verity digest, by SHA-256: OSTree knows no other.
 * 3. At level "signed" the evidence must vouch for it, as judge() has it.
 * 4. At level "verity" a commit whose bytes have the id of its name must name it. OSTree would mount any image here and have the
 *    kernel check the files that the image itself names.
 */
export function judgeDeployment({ policy, measured, evidence }: DeploymentInput): Verdict {
  const reasons = [describePolicy(policy)];
  if (policy === undefined || policy.level === "none") {
    return { allowed: true, level: "none", enforce: false, enforceOptional: false, reasons: [...reasons, "nothing is verified"] };
  }
  if (measured.kind === "no-verity") return { allowed: false, code: "SR-E211", reasons: [...reasons, "the deployment's image has no fs-verity"] };
  if (measured.kind === "unsupported") return { allowed: false, code: "SR-E212", reasons: [...reasons, `fs-verity cannot be read: ${measured.errno}`] };
  const image: Image = { algorithm: measured.algorithm, digest: measured.digest, metadataKeys: [OSTREE_DIGEST], mismatch: "SR-E210" };
  if (policy.level === "signed") return judgeEvidence(policy, image, evidence, reasons);
  return judgeUnsigned(image, evidence, reasons);
}

function judgeUnsigned(image: Image, { commits: [commit] }: Evidence, reasons: readonly string[]): Verdict {
  if (commit === undefined) return { allowed: false, code: "SR-E227", reasons: [...reasons, "the deployment's commit is not in the repository"] };
  try {
    const id = objectId(commit.bytes);
    if (id !== commit.id) return { allowed: false, code: "SR-E226", reasons: [...reasons, `${commit.origin}: the bytes are those of commit ${id}`] };
    const other = namesOther(parseCommit(commit.bytes), image);
    if (other === undefined) {
      return { allowed: true, level: "verity", enforce: true, enforceOptional: false, reasons: [...reasons, `commit ${id} names the image's digest; nothing says who made the commit`] };
    }
    const refused = { allowed: false, code: other.code, reasons: [...reasons, `${commit.origin}: ${other.reason}`] } as const;
    return other.names === undefined ? refused : { ...refused, expected: `${image.algorithm}:${other.names}`, found: `${image.algorithm}:${image.digest}` };
  } catch (error) {
    const code = error instanceof SealrootError ? error.code : "SR-E225";
    return { allowed: false, code, reasons: [...reasons, `${commit.origin}: the commit cannot be read`] };
  }
}
