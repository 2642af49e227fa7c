/**
 * What the tests of this folder run: the shipped executable, and one small program in three builds.
 *
 * The small program (probe.ts) prints what it sees and can be told to stay a while. `finished` is built
 * as dist/sealroot is; `compiled` with the same compiler options but without the changes to the file;
 * `plain` with none of them. An attack that works on neither of the last two proves nothing.
 */

import { spawnSync } from "node:child_process";
import { existsSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import { compile, finish } from "../../src/build/make.ts";
import { runtimeFile } from "../../src/build/runtime-files.ts";
import { TARGETS } from "../../src/build/targets.ts";

export const ROOT = resolve(import.meta.dir, "../..");

export type Build = "plain" | "compiled" | "finished";

/** @throws Error with the way out when the executable was not built */
export function shipped(): string {
  const path = join(ROOT, "dist/sealroot");
  if (!existsSync(path)) throw new Error("dist/sealroot is not built: npm run build");
  return path;
}

export function scratchDirectory(): string {
  return mkdtempSync(join(tmpdir(), "sealroot-runtime-"));
}

/** Builds the probe three times below `directory`. */
export function buildProbes(directory: string): Readonly<Record<Build, string>> {
  const target = TARGETS.x64;
  const runtime = runtimeFile(target.runtime, join(ROOT, ".cache"));
  const workspace = join(directory, "workspace");
  mkdirSync(workspace);
  const compilation = { target, runtime, root: import.meta.dir, entryPoints: ["probe.ts"], workspace };
  const paths = { plain: join(directory, "plain"), compiled: join(directory, "compiled"), finished: join(directory, "finished") };
  const bytes = compile(compilation);
  writeFileSync(paths.compiled, bytes, { mode: 0o755 });
  finish(bytes, compilation);
  writeFileSync(paths.finished, bytes, { mode: 0o755 });
  const plain = spawnSync(process.execPath, ["build", "probe.ts", "--compile", `--compile-executable-path=${runtime}`, `--outfile=${paths.plain}`], { cwd: import.meta.dir, encoding: "utf8" });
  if (plain.status !== 0) throw new Error(`cannot build the control: ${plain.stderr}`);
  rmSync(workspace, { recursive: true });
  return paths;
}

export interface Outcome {
  /** Exit status, or the signal's name. */
  readonly status: number | string;
  readonly stdout: string;
  readonly stderr: string;
}

export interface Surroundings {
  readonly environment?: Readonly<Record<string, string>>;
  readonly cwd?: string;
  readonly argv0?: string;
}

/** Runs a program with exactly this environment, bounded in time. */
export function run(program: string, args: readonly string[], { environment = {}, cwd = "/", argv0 }: Surroundings = {}): Outcome {
  const child = spawnSync(program, [...args], { cwd, env: { ...environment }, encoding: "utf8", timeout: 20_000, ...(argv0 === undefined ? {} : { argv0 }) });
  if (child.error !== undefined) throw child.error;
  return { status: child.status ?? child.signal ?? "?", stdout: child.stdout, stderr: child.stderr };
}
