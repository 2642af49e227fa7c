/** Both sets of tools by their known names, ours and Debian's, run in equal directories; what they print, how they end and what they leave. */

import { createHash } from "node:crypto";
import { lstatSync, mkdirSync, readdirSync, readFileSync, readlinkSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { cTools, ourTools, type ToolName } from "./peer-tools.ts";
import { TemporaryDirectory } from "./temporary.ts";

export const golden = join(import.meta.dir, "../data/golden");
export const scratch = new TemporaryDirectory();
process.on("exit", () => scratch[Symbol.dispose]());

export const ours = ourTools(join(scratch.path, "ours"));
export const theirs = await cTools(join(scratch.path, "theirs"));

export const DIGEST = "ab".repeat(32);
export const SMALL = [
  "/ 4096 40755 3 0 0 0 1.5 - - -",
  "/a\\x20b 4096 40755 2 0 0 0 2.0 - - - user.x=y",
  `/a\\x20b/file 100 100644 2 10 20 0 3.7 ab/cd - ${DIGEST} security.selinux=l`,
  "/inline 3 100600 1 0 0 0 4.0 - a\\x20b -",
  "/link 0 @100644 - - - - - /a\\x20b/file",
  "/sym 3 120777 1 0 0 0 0.0 x\\x20y - -",
  "/whiteout 0 20644 1 0 0 0 0.0 - - -",
  "/z\\xff 0 100644 1 0 0 0 0.0 - - -",
  "",
].join("\n");

export interface Case {
  readonly stdin?: string;
  readonly env?: Readonly<Record<string, string>>;
  readonly before?: (directory: string) => void;
}

export interface Outcome {
  readonly exit: number | null;
  readonly stdout: string;
  readonly stderr: string;
  readonly left: readonly string[];
}

let count = 0;

/** Runs a tool in a new directory with the same files as every other. */
export function outcome(tools: string, tool: ToolName, args: readonly string[], { stdin, env = {}, before }: Case): Outcome {
  const directory = join(scratch.path, `run${count++}`);
  mkdirSync(directory);
  writeFileSync(join(directory, "small.dump"), SMALL);
  writeFileSync(join(directory, "bad.dump"), "/ x\n");
  writeFileSync(join(directory, "empty"), "");
  for (const name of ["v0.cfs", "v1.cfs", "hard.cfs"]) writeFileSync(join(directory, name), images.get(name) ?? "");
  before?.(directory);
  const done = Bun.spawnSync([join(tools, tool), ...args], {
    cwd: directory, stdin: stdin === undefined ? "ignore" : new Blob([stdin]), stdout: "pipe", stderr: "pipe", timeout: 30_000, env: { PATH: process.env["PATH"] ?? "", ...env },
  });
  const text = (bytes: Buffer): string => bytes.toString("latin1").replaceAll(`${tools}/`, "BIN/").replaceAll(directory, "DIR");
  return { exit: done.exitCode, stdout: text(done.stdout), stderr: text(done.stderr), left: listing(directory) };
}

function listing(directory: string, path = ""): string[] {
  return readdirSync(join(directory, path)).toSorted().flatMap((name) => {
    const here = path === "" ? name : `${path}/${name}`;
    const status = lstatSync(join(directory, here));
    const facts = `${here} ${status.mode.toString(8)} ${status.nlink}`;
    if (status.isDirectory()) return [facts, ...listing(directory, here)];
    if (status.isSymbolicLink()) return [`${facts} ${readlinkSync(join(directory, here))}`];
    return [`${facts} ${status.isFile() ? createHash("sha256").update(readFileSync(join(directory, here))).digest("hex") : ""}`];
  });
}

export const images = new Map<string, Buffer>();
for (const [name, dump, ...options] of [["v0.cfs", "-", "--max-version=0"], ["v1.cfs", "-", "--min-version=1"], ["hard.cfs", join(golden, "07-hardlinks.dump")]] as const) {
  const path = join(scratch.path, name);
  const made = Bun.spawnSync([join(theirs, "mkcomposefs"), ...options, "--from-file", dump, path], { stdin: new Blob([SMALL]), stderr: "pipe", env: {} });
  if (made.exitCode !== 0) throw new Error(made.stderr.toString());
  images.set(name, readFileSync(path));
}

/** A new directory for a test's own commands, with the dumpfile of the images in it. */
export function prepared(): string {
  const directory = join(scratch.path, `run${count++}`);
  mkdirSync(directory);
  writeFileSync(join(directory, "small.dump"), SMALL);
  return directory;
}
