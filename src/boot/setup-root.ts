/** The main flow: decide, perform, report. */

import { asSealrootError } from "../terminal/index.ts";
import { judgeAbsence } from "../trust/index.ts";
import { decide, isLeftToOstree, namesDeployment } from "./decide.ts";
import type { BootOptions } from "./options.ts";
import { perform } from "./perform.ts";
import { type Inputs, readInputs } from "./read.ts";
import { failureRecord, journalFailure, journalSuccess, successRecord, writeReport } from "./report.ts";
import { remarks, summarise } from "./summary.ts";

export interface SetupRootResult {
  readonly record: Record<string, unknown>;
  /** What was done, in one line. */
  readonly summary: string;
  /** What a person should know besides, a line each. */
  readonly remarks: readonly string[];
  readonly verified: boolean;
}

/**
 * Whether this boot is ours: an argument names an image (readable or not) or a deployment with composefs, or the policy insists.
 * The unit asks, so that an initramfs with sealroot in it still boots an ordinary root.
 */
function concernsUs(options: BootOptions, inputs: Inputs): boolean {
  const { candidates, skipped, policy } = inputs;
  if (namesDeployment(options, inputs)) return !isLeftToOstree(options, inputs);
  return candidates.length > 0 || skipped.length > 0 || !judgeAbsence(policy.trust).allowed;
}

/**
 * @param onlyIfNamed do nothing, and return undefined, where neither an argument nor the policy asks for an image
 * @throws SealrootError after having reported it; nothing stays mounted then
 */
export function setupRoot(options: BootOptions, onlyIfNamed = false): SetupRootResult | undefined {
  // a trial run beside a running system must not overwrite the report of the boot
  const isBoot = options.target === undefined;
  try {
    const inputs = readInputs(options);
    if (onlyIfNamed && !concernsUs(options, inputs)) return undefined;
    using decision = decide(options, inputs);
    const outcome = perform(decision);
    const record = successRecord(options, decision, outcome);
    const summary = summarise(decision);
    const said = [...remarks(decision), ...outcome.notes];
    if (isBoot) {
      const complaint = writeReport(record);
      if (complaint !== undefined) said.push(complaint);
      journalSuccess(summary, decision);
    }
    return { record, summary, remarks: said, verified: decision.plan.enforce };
  } catch (thrown) {
    const error = asSealrootError(thrown);
    if (isBoot) {
      writeReport(failureRecord(options, error));
      journalFailure(error);
    }
    throw error;
  }
}
