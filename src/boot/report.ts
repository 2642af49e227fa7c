/**
 * What was done, for people and programs after the boot: /run/sealroot/boot.json and a structured record in the journal.
 * Writing them never fails a boot.
 */

import { describeCause, type SealrootError } from "../errors/index.ts";
import { HERE, makeDirectory, replaceFile } from "../linux/index.ts";
import { RUN_DIRECTORY } from "../mount/index.ts";
import { errorRecord } from "../terminal/index.ts";
import { readInput } from "./config-file.ts";
import type { Decision } from "./decide.ts";
import { sendToJournal } from "./journal.ts";
import type { BootOptions } from "./options.ts";
import type { Outcome } from "./perform.ts";
import { VERSION } from "./version.ts";

export const REPORT_PATH = `${RUN_DIRECTORY}/boot.json`;
const REPORT_FORMAT = 1;

/** 128-bit message ids (sd-journal's MESSAGE_ID), so that `journalctl MESSAGE_ID=` finds these records. */
const MOUNTED_ID = "212d4e26b42f4494ab01d1a55054b330";
const REFUSED_ID = "e783fcc868a447818361c9ee63064f2b";

const PRIORITY = { error: 3, warning: 4, notice: 5 } as const;

function kernelRelease(): string {
  try {
    return new TextDecoder().decode(readInput("/proc/sys/kernel/osrelease")).trim();
  } catch {
    return "unknown";
  }
}

function common(options: BootOptions): Record<string, unknown> {
  return { format: REPORT_FORMAT, sealroot: VERSION, kernel: kernelRelease(), layout: options.layout };
}

/** The image by the argument that named it, or, for a deployment, by what the kernel says that it is. */
function imageRecord({ plan, measurement }: Decision): Record<string, unknown> {
  const { argument, deployment } = plan;
  if (argument !== undefined) return { image: { argument: argument.text, digest: argument.digest, algorithm: argument.algorithm } };
  if (deployment === undefined) return {};
  const { key: _, ...facts } = deployment;
  const measured = measurement?.kind === "digest" ? { digest: measurement.digest, algorithm: measurement.algorithm } : {};
  return { image: { argument: deployment.argument, ...measured }, deployment: facts };
}

export function successRecord(options: BootOptions, decision: Decision, outcome: Outcome): Record<string, unknown> {
  const { plan, inputs, measurement } = decision;
  return {
    ...common(options),
    ok: true,
    level: plan.level,
    enforced: plan.enforce,
    ...imageRecord(decision),
    ...(measurement === undefined ? {} : { measured: measurement }),
    ...(plan.signed === undefined ? {} : { signed: plan.signed }),
    ...(decision.evidence === undefined ? {} : { lookedAt: decision.evidence.places }),
    reasons: decision.reasons,
    skipped: inputs.skipped,
    passedOver: decision.passedOver.map(({ argument, reason }) => ({ argument: argument.text, reason })),
    config: { path: options.config, found: inputs.configFound, warnings: inputs.warnings },
    policy: inputs.policy,
    state: plan.state ?? null,
    mounts: plan.mounts,
    rungs: outcome.rungs,
    placement: outcome.placement,
    proof: outcome.proof,
    volatileRoot: outcome.volatileRoot ?? null,
    notes: outcome.notes,
    milliseconds: Math.round(performance.now() * 100) / 100,
  };
}

export function failureRecord(options: BootOptions, error: SealrootError): Record<string, unknown> {
  return { ...common(options), ok: false, error: errorRecord(error), milliseconds: Math.round(performance.now() * 100) / 100 };
}

/** @returns what went wrong, for the console; a report that cannot be written does not fail a boot */
export function writeReport(record: Record<string, unknown>): string | undefined {
  try {
    makeDirectory(HERE, RUN_DIRECTORY, 0o755);
    replaceFile(REPORT_PATH, new TextEncoder().encode(`${JSON.stringify(record, null, 2)}\n`), 0o644);
    return undefined;
  } catch (error) {
    return `no ${REPORT_PATH}: ${describeCause(error)}`;
  }
}

export function journalSuccess(summary: string, decision: Decision): void {
  const { plan } = decision;
  sendToJournal({
    MESSAGE: summary,
    MESSAGE_ID: MOUNTED_ID,
    PRIORITY: String(plan.enforce ? PRIORITY.notice : PRIORITY.warning),
    SEALROOT_LEVEL: plan.level,
    SEALROOT_ARGUMENT: plan.argument?.text ?? plan.deployment?.argument ?? "",
    SEALROOT_DIGEST: plan.argument?.digest ?? (decision.measurement?.kind === "digest" ? decision.measurement.digest : ""),
    SEALROOT_STATE: plan.state ?? "",
    ...(plan.signed === undefined ? {} : { SEALROOT_COMMIT: plan.signed.commit ?? "", SEALROOT_KEYS: plan.signed.keys.join(" ") }),
  });
}

/** The block itself reaches the journal through standard error; this record is for `journalctl -o json` and filters. */
export function journalFailure(error: SealrootError): void {
  sendToJournal({
    MESSAGE: `cannot mount the root: ${error.message} [${error.code}]`,
    MESSAGE_ID: REFUSED_ID,
    PRIORITY: String(PRIORITY.error),
    SEALROOT_CODE: error.code,
    SEALROOT_EXIT: String(error.exit),
    SEALROOT_NEXT: error.next,
    SEALROOT_DETAILS: error.details.map(([label, text]) => `${label}: ${text}`).join("\n"),
  });
}
