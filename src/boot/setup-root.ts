/** The main flow: decide, perform, report. */

import { asSealrootError } from "../terminal/index.ts";
import { decide } from "./decide.ts";
import { leftTo } from "./left-to.ts";
import type { BootOptions } from "./options.ts";
import { perform } from "./perform.ts";
import { readInputs } from "./read.ts";
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
 * @param onlyIfNamed do nothing, and return undefined, where neither an argument nor the policy asks for an image
 * @throws SealrootError after having reported it; nothing stays mounted then
 */
export function setupRoot(options: BootOptions, onlyIfNamed = false): SetupRootResult | undefined {
  // a trial run beside a running system must not overwrite the report of the boot
  const isBoot = options.target === undefined;
  try {
    const inputs = readInputs(options);
    if (onlyIfNamed && leftTo(options, inputs) !== undefined) return undefined;
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
