/**
 * The other variants run: on a processor without AVX (as QEMU's user mode imitates it) and on arm64.
 * Takes QEMU and arm64's C library from the Debian archive. The musl variants are judged only (build.test.ts):
 * Debian has no C++ library for musl.
 */

import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { spawnSync } from "node:child_process";
import { rmSync } from "node:fs";
import { join } from "node:path";
import manifest from "../../package.json" with { type: "json" };
import { TARGETS, type TargetName } from "../../src/build/targets.ts";
import { unpack } from "../vm/lab/archive.ts";
import { cached } from "../vm/lab/cache.ts";
import { hostPackages } from "../vm/lab/host.ts";
import { bootstrap } from "../vm/lab/tree.ts";
import { type Outcome, ROOT, scratchDirectory } from "./programs.ts";

const directory = scratchDirectory();
afterAll(() => rmSync(directory, { recursive: true }));

interface Machine {
  readonly target: TargetName;
  readonly what: string;
  /** QEMU's program, and its options before ours. */
  readonly emulator: string;
  readonly options: (libraries: string) => readonly string[];
}

const MACHINES: readonly Machine[] = [
  { target: "x64-baseline", what: "x86-64 without AVX (Nehalem)", emulator: "qemu-x86_64-static", options: () => ["-cpu", "Nehalem"] },
  { target: "arm64", what: "arm64 (Cortex-A57)", emulator: "qemu-aarch64-static", options: (libraries) => ["-cpu", "cortex-a57", "-L", libraries] },
];

let emulators = "";
let libraries = "";

beforeAll(async () => {
  await hostPackages();
  emulators = join(await cached("qemu-user", ["bookworm", "1"], (into) => unpack("bookworm", ["qemu-user-static"], into)), "usr/bin");
  libraries = join(await cached("arm64-libc", ["bookworm", "1"], (into) => bootstrap("bookworm", ["--variant=extract", "--architectures=arm64", "--include=libc6"], join(into, "root"))), "root");
  for (const { target } of MACHINES) {
    const build = spawnSync(process.execPath, [join(ROOT, "build.ts"), "--target", target, "--outdir", directory], { encoding: "utf8" });
    if (build.status !== 0) throw new Error(build.stderr);
  }
}, 600_000);

describe.each(MACHINES.map((machine) => [machine.what, machine] as const))("%s", (_what, { target, emulator, options }) => {
  const run = (args: readonly string[], environment: Readonly<Record<string, string>> = {}): Outcome => {
    const child = spawnSync(join(emulators, emulator), [...options(libraries), join(directory, TARGETS[target].file), ...args], { encoding: "utf8", env: { ...environment }, timeout: 60_000 });
    if (child.error !== undefined) throw child.error;
    return { status: child.status ?? child.signal ?? "?", stdout: child.stdout, stderr: child.stderr };
  };
  const version: Outcome = { status: 0, stdout: `sealroot ${manifest.version}\n`, stderr: "" };

  test("tells its version", () => expect(run(["--version"])).toEqual(version));

  test("the environment does not change that", () => {
    expect(run(["--version"], { BUN_BE_BUN: "1", BUN_OPTIONS: "--revision", BUN_JSC_noSuchOption: "1", TERM: "dumb" })).toEqual(version);
  });

  test("an error comes with its code and exit status", () => {
    const { status, stderr } = run(["no-such-command"]);
    expect(status).toBe(2);
    expect(stderr).toContain("[SR-E100]");
  });
});
