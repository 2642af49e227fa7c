/**
 * Whether the policy in the initramfs can be read, and the keys that it names are there. It is read by the boot's own reader, which
 * the caller brings along: a second one would judge otherwise some day.
 */

import { type ConfigWarning, formatTime, type TrustLevel, type TrustTable } from "../config/index.ts";
import { SealrootError } from "../errors/index.ts";
import type { Findings } from "./findings.ts";
import type { Tree } from "./tree.ts";

export const CONFIG_PATH = "/usr/lib/composefs/setup-root-conf.toml";

/** What a boot from this initramfs would go by. */
export interface BootPolicy {
  /** With what OSTree's configuration and the command line add; undefined where nothing asks for trust. */
  readonly trust: {
    readonly level: TrustLevel;
    /** Who asks for that level. */
    readonly source?: string;
    readonly insecureArgument: boolean;
    readonly notBefore: number | undefined;
    /** Where that comes from. */
    readonly notBeforeSource?: string | undefined;
  } | undefined;
  /** Whether anything less than verity is refused. */
  readonly demandsVerity: boolean;
  /** The [trust] table as it stands there, which only sealroot reads. */
  readonly table: TrustTable | undefined;
  /** What on the command line names an OSTree deployment. */
  readonly deployment: string | undefined;
  readonly configFound: boolean;
  readonly warnings: readonly ConfigWarning[];
  /** OSTree's `enabled`, as raised by the command line. */
  readonly wish: string;
  /** The files of OSTree's configuration that are there. */
  readonly ostreeFiles: readonly string[];
  /** At level "signed": who has to have signed. @throws SealrootError as in the boot */
  signers(): readonly Signers[];
}

export interface Signers {
  /** Files and directories of keys, as the policy names them. */
  readonly paths: readonly string[];
  /** Ids of their keys, without revoked ones. */
  readonly ids: readonly string[];
  readonly threshold: number;
}

/** The boot's reader. @param commandLine of a unified kernel image; empty where nobody knows it @throws SealrootError as in the boot */
export type PolicyReader = (tree: Tree, commandLine: string) => BootPolicy;

const CORRECT = "correct it, and rebuild the initramfs";

/** A refusal of the boot on one line. */
function describe(error: SealrootError): string {
  const file = error.details.find(([label]) => label === "file" || label === "directory" || label === "in")?.[1];
  const rest = error.details.filter(([, text]) => text !== file).map(([label, text]) => (label === "policy" ? text : `${label} ${text}`));
  return `${file === undefined ? "" : `${file}: `}${[error.message, ...rest].join(", ")} (${error.code})`;
}

/** Runs `act`; a refusal becomes a finding. */
function guarded<T>(check: string, next: string, findings: Findings, act: () => T): T | undefined {
  try {
    return act();
  } catch (error) {
    if (!(error instanceof SealrootError)) throw error;
    findings.error(check, describe(error), next);
    return undefined;
  }
}

/** @param commandLine of a unified kernel image; empty where nobody knows it @returns undefined when the policy cannot be read */
export function checkPolicy(tree: Tree, reader: PolicyReader, commandLine: string, findings: Findings): BootPolicy | undefined {
  const boot = guarded("policy", CORRECT, findings, () => reader(tree, commandLine));
  if (boot === undefined) return undefined;
  for (const { path, line, key, message } of boot.warnings) findings.warning("policy", `${path === CONFIG_PATH ? "" : `${path}: `}${key}${line === undefined ? "" : ` (line ${line})`}: ${message}`);
  const { trust, table, configFound, wish, ostreeFiles } = boot;

  if (configFound) findings.ok("policy", table === undefined ? `${CONFIG_PATH}, no [trust] table` : `${CONFIG_PATH}, level ${table.level}`);
  if (ostreeFiles.length > 0) findings.ok("policy", `${ostreeFiles.join(", ")}, enabled is ${wish}`);
  if (trust === undefined) findings.note("policy", `${configFound ? "nothing in it asks for trust" : `there is no ${CONFIG_PATH}`}: trust is as the argument says, \`?\` included`);
  else if (trust.level !== table?.level) findings.note("policy", `level ${trust.level}, by ${trust.source ?? "another file"}`);
  if (table !== undefined && trust !== undefined) reportIdle(table, trust.level, findings);
  if (trust?.level === "signed") {
    checkKeys(boot, findings);
    if (trust.notBefore === undefined) findings.note("floor", "none: a commit of any age is accepted");
    else findings.ok("floor", `commits older than ${formatTime(trust.notBefore)} are refused: ${trust.notBeforeSource ?? "not-before"}`);
  }
  return boot;
}

/** What stands in [trust] and has no effect at the level that holds. */
function reportIdle(table: TrustTable, level: TrustLevel, findings: Findings): void {
  if (table.level === "signed") return;
  const signed = level === "signed";
  const idle = [
    ...(table.keys.length > 0 ? ["keys"] : []),
    ...(table.threshold > 1 && !signed ? ["threshold"] : []),
    ...(table.revoked.length > 0 && !signed ? ["revoked"] : []),
    ...(table.notBefore !== undefined && !signed ? ["not-before"] : []),
  ];
  if (idle.length === 0) return;
  const why = signed ? "the keys are those that OSTree's configuration names" : `at level "${level}" nobody asks for a signature`;
  findings.warning("policy", `${idle.join(", ")} in [trust]: no effect, since ${why}`, 'set level = "signed", or leave them out');
}

function checkKeys(boot: BootPolicy, findings: Findings): void {
  const signers = guarded("keys", "correct keys or what they name, and rebuild the initramfs", findings, () => boot.signers());
  for (const { paths, ids, threshold } of signers ?? []) {
    const keys = `${paths.join(", ")}: ${ids.length === 0 ? "none that is not revoked" : ids.map((id) => `${id.slice(0, 12)}…`).join(", ")}`;
    if (ids.length >= threshold) findings.ok("keys", keys);
    else findings.error("keys", `${keys}; ${threshold} have to sign: nothing could be signed well enough`, "install more keys, or lower the threshold; and rebuild the initramfs");
  }
}
