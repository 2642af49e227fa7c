/**
 * The program under test. What is shipped, dist/sealroot, unless SEALROOT_TEST_PROGRAM=source asks for the sources (no build
 * needed between two changes), or names another file. Missing is an error, not a skip; so is one that is older than its sources.
 */

import { existsSync } from "node:fs";
import { dirname, join } from "node:path";
import { projectTop } from "../vm/lab/cache.ts";
import { newerSource } from "./built.ts";
import type { Faults } from "./faults/rules.ts";
import type { Finished, Initramfs, RunOptions } from "./initramfs.ts";

const FAULTS = join(import.meta.dir, "faults/preload.ts");

/** Bun, as npm installed it. */
export const BUN = process.execPath;

const wanted = process.env["SEALROOT_TEST_PROGRAM"] ?? join(projectTop, "dist/sealroot");
const fromSource = wanted === "source";

/** Looked at once, when a test first wants the program. */
let checked = false;
function expectBuilt(): void {
  if (checked || fromSource) return;
  if (!existsSync(wanted)) throw new Error(`${wanted} is missing: npm run build, or set SEALROOT_TEST_PROGRAM=source`);
  const newer = process.env["SEALROOT_TEST_PROGRAM"] === undefined ? newerSource(wanted, projectTop) : undefined;
  if (newer !== undefined) throw new Error(`${wanted} is older than ${newer}: npm run build, or set SEALROOT_TEST_PROGRAM=source`);
  checked = true;
}

/** What has to be shown in a namespace for the program to run there; the project's own directory always is. */
export const programDirectory = fromSource ? projectTop : dirname(wanted);

/** @param calledAs its argv[0]; default "sealroot" */
export function program(calledAs = "sealroot"): string[] {
  expectBuilt();
  const command = fromSource ? [BUN, join(projectTop, "src/main.ts")] : [wanted];
  return calledAs === "sealroot" ? command : ["bash", "-c", `exec -a "$0" "$@"`, calledAs, ...command];
}

/** The sources, with system calls that fail as the rules say: see faults/rules.ts. */
export function faultyProgram(): string[] {
  return [BUN, "--preload", FAULTS, join(projectTop, "src/main.ts")];
}

export function sealroot(initramfs: Initramfs, args: readonly string[], options: RunOptions & { readonly calledAs?: string } = {}): Finished {
  return initramfs.run([...program(options.calledAs), ...args], options);
}

export const setupRoot = (initramfs: Initramfs, cmdline: string, ...more: readonly string[]): Finished =>
  sealroot(initramfs, ["setup-root", "--cmdline", cmdline, ...more]);

/** The usual argument on this machine, whose kernel has no fs-verity: unverified. */
export const unverified = (digest: string): string => `composefs.digest=?v1-sha256-12:${digest}`;
export const verified = (digest: string): string => `composefs.digest=v1-sha256-12:${digest}`;

/** The command line and environment of setup-root with system calls that fail. @param faults see faults/rules.ts */
export const faultyCommand = (faults: Faults, cmdline: string, ...more: readonly string[]): readonly [readonly string[], RunOptions] =>
  [[...faultyProgram(), "setup-root", "--cmdline", cmdline, ...more], { env: { FAULTS: JSON.stringify(faults) } }];

export const faultySetupRoot = (initramfs: Initramfs, faults: Faults, cmdline: string, ...more: readonly string[]): Finished =>
  initramfs.run(...faultyCommand(faults, cmdline, ...more));
