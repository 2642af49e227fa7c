/**
 * Makes dist/sealroot: bundle, byte code and runtime in one file, changed where the runtime could be
 * steered from outside, and judged against what the file may be. See src/build/ for each part.
 *
 *   bun build.ts [--target x64|x64-baseline|x64-musl|arm64|arm64-musl|all] [--outdir DIR]
 *
 * The same sources give the same bytes, wherever and whenever they are built.
 */

import { spawnSync } from "node:child_process";
import { mkdirSync, mkdtempSync, readFileSync, renameSync, rmSync, writeFileSync } from "node:fs";
import { join, resolve } from "node:path";
import { parseArgs } from "node:util";
import { ALLOWED_ENVIRONMENT } from "./src/build/environment.ts";
import { judge } from "./src/build/expectations.ts";
import { installEntryCode } from "./src/build/harden.ts";
import { removeLanguages } from "./src/build/icu-data.ts";
import { runtimeFile } from "./src/build/runtime-files.ts";
import { EXEC_ARGUMENTS, isTargetName, RUNTIME_VERSION, TARGETS, type Target } from "./src/build/targets.ts";
import { CATALOGUE } from "./src/errors/index.ts";

const ROOT = import.meta.dir;
/** The program, and later every file that runs in a Worker. */
const ENTRY_POINTS = ["src/main.ts"];

const OPTIONS = [
  "--compile",
  "--minify",
  "--bytecode",
  "--format=esm",
  "--splitting",
  "--sourcemap=none",
  "--reject-unresolved",
  "--no-compile-autoload-dotenv",
  "--no-compile-autoload-bunfig",
  "--no-compile-autoload-tsconfig",
  "--no-compile-autoload-package-json",
  `--compile-exec-argv=${EXEC_ARGUMENTS}`,
];

/** What the entry code prints without /proc, one line: in the catalogue's words. */
function withoutProc(): { message: string; exit: number } {
  const { title, next, exit } = CATALOGUE["SR-E104"];
  return { message: `sealroot: ${title}: ${next}  [SR-E104]\n`, exit };
}

/** Compiles for `target` into `directory`, where the file is called as the program, whatever the target: its name is part of it. */
function compile(target: Target, runtime: string, directory: string): Buffer {
  const path = join(directory, "sealroot");
  const args = ["build", ...ENTRY_POINTS, ...OPTIONS, `--target=${target.compilerName}`, `--compile-executable-path=${runtime}`, `--outfile=${path}`];
  // An environment of our own, so that the builder's cannot get into the file.
  const run = spawnSync(process.execPath, args, { cwd: ROOT, encoding: "utf8", env: { PATH: "/usr/bin:/bin", HOME: directory, TMPDIR: directory } });
  if (run.status !== 0) throw new Error(`the compiler failed:\n${run.stdout}${run.stderr}`);
  return readFileSync(path);
}

function build(target: Target, outdir: string): void {
  const started = performance.now();
  mkdirSync(outdir, { recursive: true });
  const directory = mkdtempSync(join(outdir, ".build-"));
  try {
    const bytes = compile(target, runtimeFile(target.runtime, join(ROOT, ".cache")), directory);
    const entry = installEntryCode(bytes, { allowed: ALLOWED_ENVIRONMENT, withoutProc: withoutProc() });
    removeLanguages(bytes);
    const complaints = judge(bytes, { expectation: target.expectation, entryCode: entry.code, forbidden: [ROOT, directory] });
    if (complaints.length > 0) throw new Error(`the file is not what it must be:\n${complaints.map((text) => `  ${text}`).join("\n")}`);
    const temporary = join(directory, target.file);
    writeFileSync(temporary, bytes, { mode: 0o755 });
    renameSync(temporary, join(outdir, target.file));
    const hash = new Bun.CryptoHasher("sha256").update(bytes).digest("hex");
    const seconds = ((performance.now() - started) / 1000).toFixed(1);
    console.log(`${target.file}  ${(bytes.length / 1e6).toFixed(1)} MB  sha256:${hash}  (${seconds} s)`);
  } finally {
    rmSync(directory, { recursive: true, force: true });
  }
}

function main(): number {
  const { values } = parseArgs({ options: { target: { type: "string", default: "x64" }, outdir: { type: "string", default: join(ROOT, "dist") } } });
  if (Bun.version !== RUNTIME_VERSION) throw new Error(`this needs Bun ${RUNTIME_VERSION}, and runs on ${Bun.version}: npm ci, then npm run build`);
  const name = values.target.replace(/^bun-linux-|^linux-/, "");
  const targets = name === "all" ? Object.values(TARGETS) : isTargetName(name) ? [TARGETS[name]] : [];
  if (targets.length === 0) throw new Error(`no target "${values.target}"; there are: ${Object.keys(TARGETS).join(", ")}, all`);
  for (const target of targets) build(target, resolve(values.outdir));
  return 0;
}

try {
  process.exitCode = main();
} catch (error) {
  console.error(`build: ${error instanceof Error ? error.message : String(error)}`);
  process.exitCode = 1;
}
