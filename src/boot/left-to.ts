/** Whose boot it is. The unit asks, so that an initramfs with sealroot in it still boots an ordinary root; `verify` asks ahead of the boot. */

import { judgeAbsence } from "../trust/index.ts";
import { isLeftToOstree, namesDeployment } from "./decide.ts";
import type { BootOptions } from "./options.ts";
import type { Inputs } from "./read.ts";

/** Who goes on: OSTree's own program with the deployment that is named, or nobody, with the root file system as it is. */
export type LeftTo = "ostree-prepare-root" | "ordinary-root";

/**
 * undefined where the boot is ours: an argument names an image (readable or not) or a deployment with composefs, or the policy insists.
 * @throws SealrootError where it rests with the deployment, and that cannot be found
 */
export function leftTo(options: BootOptions, inputs: Inputs): LeftTo | undefined {
  const { candidates, skipped, policy, ostree } = inputs;
  if (namesDeployment(options, inputs)) return isLeftToOstree(options, inputs) ? "ostree-prepare-root" : undefined;
  if (candidates.length > 0 || skipped.length > 0 || !judgeAbsence(policy.trust).allowed) return undefined;
  return ostree.argument === undefined ? "ordinary-root" : "ostree-prepare-root";
}
