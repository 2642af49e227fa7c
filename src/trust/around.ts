/** The rules for what is not an image: no argument, a kernel that cannot enforce, a tree given for testing. */

import { type Allowed, describePolicy, type Refused } from "./judge.ts";
import { demandsVerity, type TrustPolicy } from "./policy.ts";

export type AbsenceVerdict = { readonly allowed: true; readonly reasons: readonly string[] } | Refused;

/**
 * No argument names an image. With a policy that asks for verity or more this is refused (SR-E102): leaving the
 * argument out must not boot the bare disk. Otherwise this boot is not ours.
 */
export function judgeAbsence(policy: TrustPolicy | undefined): AbsenceVerdict {
  const reasons = [describePolicy(policy)];
  if (demandsVerity(policy)) return { allowed: false, code: "SR-E102", reasons: [...reasons, "without an image there is nothing to verify"] };
  return { allowed: true, reasons: [...reasons, "a boot without an image is not refused"] };
}

/** `--root-fs`: a tree that nothing authenticates takes the place of the image (SR-E108 where the policy asks for more). */
export function judgeTestRoot(policy: TrustPolicy | undefined): AbsenceVerdict {
  const reasons = [describePolicy(policy)];
  if (demandsVerity(policy)) return { allowed: false, code: "SR-E108", reasons };
  return { allowed: true, reasons: [...reasons, "--root-fs: nothing is verified"] };
}

export type EnforcementVerdict = Allowed | Refused;

/**
 * What remains of a verdict once the kernel's overlayfs has been asked whether it enforces verity. If not, the level
 * was not reached: refused (SR-E302), unless a `?` that counts made it a wish; then the level is "none".
 */
export function judgeEnforcement(verdict: Allowed, kernelEnforces: boolean): EnforcementVerdict {
  if (!verdict.enforce || kernelEnforces) return verdict;
  const reasons = [...verdict.reasons, "the kernel cannot enforce verity"];
  if (!verdict.enforceOptional) return { allowed: false, code: "SR-E302", reasons };
  return { allowed: true, level: "none", enforce: false, enforceOptional: false, reasons: [...reasons, "nothing is verified"] };
}
