/** The main flow: decide, perform, report. */

import { asSealrootError } from "../terminal/index.ts";
import { judgeAbsence } from "../trust/index.ts";
import { decide } from "./decide.ts";
import type { BootOptions } from "./options.ts";
import { perform } from "./perform.ts";
import { readInputs } from "./read.ts";
import { failureRecord, journalFailure, journalSuccess, successRecord, writeReport } from "./report.ts";
import { summarise } from "./summary.ts";

export interface SetupRootResult {
  readonly record: Record<string, unknown>;
  readonly summary: string;
  readonly verified: boolean;
}

/**
 * Whether this boot is ours: an argument names an image (readable or not), or the policy insists on one.
 * The unit asks, so that an initramfs with sealroot in it still boots an ordinary root.
 */
export function concernsUs(options: BootOptions): boolean {
  const { candidates, skipped, policy } = readInputs(options);
  return candidates.length > 0 || skipped.length > 0 || !judgeAbsence(policy.trust).allowed;
}

/** @throws SealrootError after having reported it; nothing stays mounted then */
export function setupRoot(options: BootOptions): SetupRootResult {
  // a trial run beside a running system must not overwrite the report of the boot
  const isBoot = options.target === undefined;
  try {
    using decision = decide(options);
    const outcome = perform(decision);
    const record = successRecord(options, decision, outcome);
    const summary = summarise(decision);
    if (isBoot) {
      const complaint = writeReport(record);
      journalSuccess(summary, decision);
      if (complaint !== undefined) return { record, summary: `${summary}\nsealroot: ${complaint}`, verified: decision.plan.enforce };
    }
    return { record, summary, verified: decision.plan.enforce };
  } catch (thrown) {
    const error = asSealrootError(thrown);
    if (isBoot) {
      writeReport(failureRecord(options, error));
      journalFailure(error);
    }
    throw error;
  }
}
