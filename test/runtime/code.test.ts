/** A program that was compiled takes in no further code, whoever asks for it. */

import { afterAll, expect, test } from "bun:test";
import { mkdirSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { compile } from "../../src/build/make.ts";
import { runtimeFile } from "../../src/build/runtime-files.ts";
import { TARGETS } from "../../src/build/targets.ts";
import { type Build, buildProbes, ROOT, run, scratchDirectory } from "./programs.ts";

const directory = scratchDirectory();
const probes = buildProbes(directory);
afterAll(() => rmSync(directory, { recursive: true }));

function ways(build: Build): unknown {
  return JSON.parse(run(probes[build], ["code"]).stdout.trimEnd().split("\n").at(-1) ?? "");
}

test("a control: strings become code, addons and C are tried", () => {
  expect(ways("plain")).toMatchObject({ eval: "done", function: "done", vm: "done", worker: "done", addon: "Error ERR_DLOPEN_FAILED" });
});

test("ours: refused", () => {
  expect(ways("finished")).toEqual({
    eval: "EvalError",
    function: "EvalError",
    vm: "EvalError",
    worker: "EvalError",
    addon: "Error ERR_DLOPEN_DISABLED",
    compiler: "Error ERR_FFI_CC_DISABLED",
  });
});

test("an import that is computed at run time does not pass the build", () => {
  const root = join(directory, "computed");
  const workspace = join(directory, "computed-workspace");
  for (const path of [root, workspace]) mkdirSync(path);
  writeFileSync(join(root, "computed.ts"), "await import(process.argv[2] as string);\n");
  const target = TARGETS.x64;
  const compilation = { target, runtime: runtimeFile(target.runtime, join(ROOT, ".cache")), root, entryPoints: ["computed.ts"], workspace };
  expect(() => compile(compilation)).toThrow("the compiler failed");
});
