/**
 * Makes dist/sealroot: bundle, byte code and runtime in one file, changed where the runtime could be
 * steered from outside, and judged against what the file may be. See src/build/ for each part.
 *
 *   bun build.ts [--target x64|x64-baseline|x64-musl|arm64|arm64-musl|all] [--outdir DIR]
 *
 * The same sources give the same bytes, wherever and whenever they are built.
 */

import { mkdirSync, mkdtempSync, renameSync, rmSync, writeFileSync } from "node:fs";
import { join, resolve } from "node:path";
import { parseArgs } from "node:util";
import { compile, finish } from "./src/build/make.ts";
import { runtimeFile } from "./src/build/runtime-files.ts";
import { isTargetName, RUNTIME_VERSION, TARGETS, type Target } from "./src/build/targets.ts";

const ROOT = import.meta.dir;
const ENTRY_POINTS = ["src/main.ts", "src/directory/content-worker.ts"];

function build(target: Target, outdir: string): void {
  const started = performance.now();
  mkdirSync(outdir, { recursive: true });
  const workspace = mkdtempSync(join(outdir, ".build-"));
  try {
    const compilation = { target, runtime: runtimeFile(target.runtime, join(ROOT, ".cache")), root: ROOT, entryPoints: ENTRY_POINTS, workspace };
    const bytes = compile(compilation);
    finish(bytes, compilation);
    const temporary = join(workspace, target.file);
    writeFileSync(temporary, bytes, { mode: 0o755 });
    renameSync(temporary, join(outdir, target.file));
    const hash = new Bun.CryptoHasher("sha256").update(bytes).digest("hex");
    const seconds = ((performance.now() - started) / 1000).toFixed(1);
    console.log(`${target.file}  ${(bytes.length / 1e6).toFixed(1)} MB  sha256:${hash}  (${seconds} s)`);
  } finally {
    rmSync(workspace, { recursive: true, force: true });
  }
}

function main(): void {
  const { values } = parseArgs({ options: { target: { type: "string", default: "x64" }, outdir: { type: "string", default: join(ROOT, "dist") } } });
  if (Bun.version !== RUNTIME_VERSION) throw new Error(`this needs Bun ${RUNTIME_VERSION}, and runs on ${Bun.version}: npm ci, then npm run build`);
  const name = values.target.replace(/^bun-linux-|^linux-/, "");
  const targets = name === "all" ? Object.values(TARGETS) : isTargetName(name) ? [TARGETS[name]] : [];
  if (targets.length === 0) throw new Error(`no target "${values.target}"; there are: ${Object.keys(TARGETS).join(", ")}, all`);
  for (const target of targets) build(target, resolve(values.outdir));
}

try {
  main();
} catch (error) {
  console.error(`build: ${error instanceof Error ? error.message : String(error)}`);
  process.exitCode = 1;
}
