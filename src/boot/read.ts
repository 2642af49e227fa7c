/** The first step: the kernel command line and the policy, read once. */

import { type ImageArgument, MAX_COMMAND_LINE, parseImageArguments, type SkippedArgument, splitCommandLine, type Token } from "../cmdline-parser/index.ts";
import { type ConfigWarning, DEFAULT_POLICY, parseSetupRootConfig, type Policy } from "../config/index.ts";
import { SealrootError } from "../errors/index.ts";
import { ERRNO, isErrno, O, openPath, readLink, readUpTo, statAt } from "../linux/index.ts";
import type { BootOptions } from "./options.ts";

export interface Inputs {
  readonly tokens: readonly Token[];
  readonly candidates: readonly ImageArgument[];
  readonly skipped: readonly SkippedArgument[];
  readonly policy: Policy;
  readonly configFound: boolean;
  readonly warnings: readonly ConfigWarning[];
}

/** Both are far smaller; a reader of its own judges what is longer. */
const LARGEST_INPUT = 128 * 1024;

export function readInput(path: string): Uint8Array {
  using file = openPath(path, O.RDONLY | O.NONBLOCK);
  return readUpTo(file, LARGEST_INPUT);
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

/** A link that leads nowhere was meant to lead to a policy: that is not the same as no policy. */
function isLink(path: string): boolean {
  try {
    readLink(path);
    return true;
  } catch {
    return false;
  }
}

/** @throws SealrootError SR-E101; a missing file is the default policy, as for the peers */
export function readPolicy(path: string): Pick<Inputs, "policy" | "configFound" | "warnings"> {
  let text: Uint8Array;
  try {
    using file = openPath(path, O.RDONLY | O.NONBLOCK);
    const { type } = statAt(file);
    // without a writer it reads as empty, which would be no policy at all
    if (type === "FIFO") throw new SealrootError("SR-E101", { details: [["file", path], ["found", "a FIFO, not a regular file"]] });
    text = readUpTo(file, LARGEST_INPUT);
  } catch (error) {
    if (isErrno(error, ERRNO.ENOENT) && !isLink(path)) return { policy: DEFAULT_POLICY, configFound: false, warnings: [] };
    if (error instanceof SealrootError) throw error;
    throw new SealrootError("SR-E101", { details: [["file", path]], cause: error });
  }
  return { ...parseSetupRootConfig(text, path), configFound: true };
}

export function readInputs(options: BootOptions): Inputs {
  const commandLine = readCommandLine(options.cmdline);
  // one that is too long has no tokens for us: parseImageArguments says so, and names no candidate
  const tokens = commandLine.byteLength > MAX_COMMAND_LINE ? [] : splitCommandLine(commandLine);
  const { candidates, skipped } = parseImageArguments(commandLine);
  // bootc looks at composefs.digest= before composefs=; composefs-setup-root goes by the order on the command line
  const ordered = options.layout === "bootc" ? candidates.toSorted((a, b) => Number(a.key === "composefs") - Number(b.key === "composefs")) : candidates;
  return { tokens, candidates: ordered, skipped, ...readPolicy(options.config) };
}
