/**
 * Whether the policy in the initramfs can be read, and the keys that it names are there. It is read by the boot's own reader, which
 * the caller brings along: a second one would judge otherwise some day.
 */

import { parseSetupRootConfig, type ConfigWarning, type Policy, type TrustPolicy } from "../config/index.ts";
import { SealrootError } from "../errors/index.ts";
import type { Findings } from "./findings.ts";
import type { Tree } from "./tree.ts";

export const CONFIG_PATH = "/usr/lib/composefs/setup-root-conf.toml";

/** What a boot from this initramfs would go by. */
export interface BootPolicy {
  /** With what OSTree's configuration and the command line add to its trust. */
  readonly policy: Policy;
  readonly configFound: boolean;
  readonly warnings: readonly ConfigWarning[];
  /** OSTree's `enabled`, as raised by the command line. */
  readonly wish: string;
  /** The files of OSTree's configuration that are there. */
  readonly ostreeFiles: readonly string[];
}

export interface CheckedPolicy extends BootPolicy {
  /** The [trust] table as it stands there, which only sealroot reads. */
  readonly table: TrustPolicy | undefined;
}

export interface PolicyReader {
  /** @throws SealrootError as in the boot */
  read(tree: Tree, commandLine: string): BootPolicy;
  /** Ids of the keys that the policy trusts, without revoked ones. @throws SealrootError as in the boot */
  trustedKeys(tree: Tree, trust: TrustPolicy): readonly string[];
}

const CORRECT = "correct it, and rebuild the initramfs";

export const demandsVerity = (boot: BootPolicy | undefined): boolean => boot?.policy.trust !== undefined && boot.policy.trust.level !== "none";

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
export function checkPolicy(tree: Tree, reader: PolicyReader, commandLine: string, findings: Findings): CheckedPolicy | undefined {
  const boot = guarded("policy", CORRECT, findings, () => reader.read(tree, commandLine));
  if (boot === undefined) return undefined;
  for (const { path, line, key, message } of boot.warnings) findings.warning("policy", `${path === CONFIG_PATH ? "" : `${path}: `}${key}${line === undefined ? "" : ` (line ${line})`}: ${message}`);
  const { policy: { trust }, configFound, wish, ostreeFiles } = boot;
  const table = configFound ? parseSetupRootConfig(tree.file(CONFIG_PATH)?.inode.data ?? new Uint8Array(0), CONFIG_PATH).policy.trust : undefined;

  if (configFound) findings.ok("policy", table === undefined ? `${CONFIG_PATH}, no [trust] table` : `${CONFIG_PATH}, level ${table.level}`);
  if (ostreeFiles.length > 0) findings.ok("policy", `${ostreeFiles.join(", ")}, enabled is ${wish}`);
  if (trust === undefined) findings.note("policy", `${configFound ? "nothing in it asks for trust" : `there is no ${CONFIG_PATH}`}: trust is as the argument says, \`?\` included`);
  else if (trust.level !== table?.level) findings.note("policy", `level ${trust.level}, by OSTree's configuration${commandLine === "" ? "" : " or the command line"}`);
  reportIdle(table, trust, findings);
  if (trust?.level === "signed") checkKeys(tree, reader, trust, findings);
  return { ...boot, table };
}

/** What stands in [trust] and has no effect at the level that holds. */
function reportIdle(table: TrustPolicy | undefined, trust: TrustPolicy | undefined, findings: Findings): void {
  if (table === undefined || trust === undefined || table.level === "signed") return;
  const { keys, threshold, revoked, notBefore } = table;
  const signed = trust.level === "signed";
  const idle = [
    ...(keys.length > 0 ? ["keys"] : []),
    ...(threshold > 1 && !signed ? ["threshold"] : []),
    ...(revoked.length > 0 && !signed ? ["revoked"] : []),
    ...(notBefore !== undefined && !signed ? ["not-before"] : []),
  ];
  if (idle.length === 0) return;
  const why = signed ? "the keys are those that OSTree's configuration names" : `at level "${table.level}" nobody asks for a signature`;
  findings.warning("policy", `${idle.join(", ")} in [trust]: no effect, since ${why}`, 'set level = "signed", or leave them out');
}

function checkKeys(tree: Tree, reader: PolicyReader, trust: TrustPolicy, findings: Findings): void {
  const ids = guarded("keys", "correct keys or what they name, and rebuild the initramfs", findings, () => reader.trustedKeys(tree, trust));
  if (ids === undefined) return;
  if (ids.length < trust.threshold) {
    const revoked = trust.revoked.length > 0 ? " that are not revoked" : "";
    findings.error("keys", `there are ${ids.length} keys${revoked}, and ${trust.threshold} have to sign: nothing could be signed well enough`, "install more keys, or lower the threshold; and rebuild the initramfs");
  } else findings.ok("keys", `${trust.keys.join(", ")}: ${ids.map((id) => `${id.slice(0, 12)}…`).join(", ")}`);
}
