/** The first step: the kernel command line and the policy, read once. */

import { type ImageArgument, MAX_COMMAND_LINE, parseImageArguments, type SkippedArgument, splitCommandLine, type Token } from "../cmdline-parser/index.ts";
import { buildTimePath, type ConfigWarning, DEFAULT_POLICY, parseBuildTime, parseSetupRootConfig, type Policy, type TrustTable } from "../config/index.ts";
import { SealrootError } from "../errors/index.ts";
import { ERRNO, isErrno } from "../linux/index.ts";
import { asksForSignatures, demandsVerity, policyOf, type TrustPolicy } from "../trust/index.ts";
import { readConfigFile, readInput } from "./config-file.ts";
import type { BootOptions } from "./options.ts";
import { deploymentTarget, type OstreeInputs, readOstreeSettings } from "./ostree-inputs.ts";
import type { PolicyFiles } from "./trusted-keys.ts";

/** The configuration, with everything that has a say in what is trusted. */
export interface BootPolicy extends Omit<Policy, "trust"> {
  /** undefined: trust is as composefs-setup-root has it. */
  readonly trust: TrustPolicy | undefined;
}

export interface Inputs {
  readonly tokens: readonly Token[];
  readonly candidates: readonly ImageArgument[];
  readonly skipped: readonly SkippedArgument[];
  readonly policy: BootPolicy;
  /** [trust] as it is written, which is only part of what is trusted. */
  readonly table: TrustTable | undefined;
  readonly configFound: boolean;
  readonly warnings: readonly ConfigWarning[];
  readonly ostree: OstreeInputs;
}

const isMissing = (error: unknown): boolean => isErrno(error, ERRNO.ENOENT, ERRNO.ENOTDIR);

/** Bytes, because nothing says that they are UTF-8 and none may be lost or merged. */
function readCommandLine(given: string | undefined): Uint8Array {
  if (given !== undefined) return new TextEncoder().encode(given);
  try {
    return readInput("/proc/cmdline");
  } catch (error) {
    if (isMissing(error)) throw new SealrootError("SR-E104", { cause: error });
    throw error;
  }
}

/** @throws SealrootError SR-E101; a missing file is the default policy, as for the peers */
function readPolicy(path: string, files: PolicyFiles | undefined): Pick<Inputs, "configFound" | "warnings"> & { readonly policy: Policy } {
  const text = readConfigFile(path, files);
  if (text === undefined) return { policy: DEFAULT_POLICY, configFound: false, warnings: [] };
  return { ...parseSetupRootConfig(text, path), configFound: true };
}

/** When the initramfs was built: the dracut module's word for it, beside the configuration. @throws SealrootError SR-E246, SR-E101 */
function readBuildTime(config: string, files: PolicyFiles | undefined): number | undefined {
  const path = buildTimePath(config);
  const bytes = readConfigFile(path, files);
  return bytes === undefined ? undefined : parseBuildTime(bytes, path);
}

export function readInputs(options: BootOptions): Inputs {
  const commandLine = readCommandLine(options.cmdline);
  // one that is too long has no tokens for us: parseImageArguments says so, and names no candidate
  const tokens = commandLine.byteLength > MAX_COMMAND_LINE ? [] : splitCommandLine(commandLine);
  const { candidates, skipped } = parseImageArguments(commandLine);
  // bootc looks at composefs.digest= before composefs=; composefs-setup-root goes by the order on the command line
  const ordered = options.layout === "bootc" ? candidates.toSorted((a, b) => Number(a.key === "composefs") - Number(b.key === "composefs")) : candidates;
  const settings = readOstreeSettings(tokens, options.policyFiles);
  const { policy, configFound, warnings } = readPolicy(options.config, options.policyFiles);
  const said = { table: policy.trust, wish: settings.wish, wishSource: settings.wishSource, keyPath: settings.config.keyPath };
  const trust = policyOf({ ...said, builtAt: asksForSignatures(said) ? readBuildTime(options.config, options.policyFiles) : undefined });
  const ostree = { ...settings, ...deploymentTarget(tokens, settings.files.length > 0 || settings.wish !== "no" || demandsVerity(trust)) };
  return { tokens, candidates: ordered, skipped, policy: { ...policy, trust }, table: policy.trust, configFound, warnings, ostree };
}
