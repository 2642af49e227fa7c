/** The first step: the kernel command line and the policy, read once. */

import { existsSync, readFileSync } from "node:fs";
import { type ImageArgument, parseImageArguments, type SkippedArgument } from "../cmdline-parser/index.ts";
import { type ConfigWarning, DEFAULT_POLICY, parseSetupRootConfig, type Policy } from "../config/index.ts";
import { SealrootError } from "../errors/index.ts";
import type { BootOptions } from "./options.ts";

export interface Inputs {
  readonly commandLine: string;
  readonly candidates: readonly ImageArgument[];
  readonly skipped: readonly SkippedArgument[];
  readonly policy: Policy;
  readonly configFound: boolean;
  readonly warnings: readonly ConfigWarning[];
}

const isMissing = (error: unknown): boolean => error instanceof Error && "code" in error && (error.code === "ENOENT" || error.code === "ENOTDIR");

/** Bytes as text one to one, so that no byte of the command line is lost or merged. */
const latin1 = (path: string): string => readFileSync(path, "latin1");

export function readCommandLine(given: string | undefined): string {
  if (given !== undefined) return given;
  try {
    return latin1("/proc/cmdline");
  } catch (error) {
    if (isMissing(error) || !existsSync("/proc/self")) throw new SealrootError("SR-E104", { cause: error });
    throw error;
  }
}

/** @throws SealrootError SR-E101; a missing file is the default policy, as for the peers */
export function readPolicy(path: string): Pick<Inputs, "policy" | "configFound" | "warnings"> {
  let text: Uint8Array;
  try {
    text = readFileSync(path);
  } catch (error) {
    if (isMissing(error)) return { policy: DEFAULT_POLICY, configFound: false, warnings: [] };
    throw new SealrootError("SR-E101", { details: [["file", path]], cause: error });
  }
  return { ...parseSetupRootConfig(text, path), configFound: true };
}

export function readInputs(options: BootOptions): Inputs {
  const commandLine = readCommandLine(options.cmdline);
  const { candidates, skipped } = parseImageArguments(commandLine);
  // bootc looks at composefs.digest= before composefs=; composefs-setup-root goes by the order on the command line
  const ordered = options.layout === "bootc" ? candidates.toSorted((a, b) => Number(a.key === "composefs") - Number(b.key === "composefs")) : candidates;
  return { commandLine, candidates: ordered, skipped, ...readPolicy(options.config) };
}
