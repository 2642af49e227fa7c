/**
 * The build: the same bytes from anywhere, every target, and no file that is not judged.
 * Other processors' programs are run by QEMU's user mode where this machine has it (package qemu-user-static).
 */

import { afterAll, describe, expect, test } from "bun:test";
import { spawnSync } from "node:child_process";
import { cpSync, existsSync, mkdirSync, readdirSync, readFileSync, rmSync, symlinkSync } from "node:fs";
import { join } from "node:path";
import { EM_AARCH64, EM_X86_64, readElf } from "../../src/build/elf.ts";
import { TARGETS } from "../../src/build/targets.ts";
import { ROOT, scratchDirectory, shipped } from "./programs.ts";

const directory = scratchDirectory();
afterAll(() => rmSync(directory, { recursive: true }));

function sha256(path: string): string {
  return new Bun.CryptoHasher("sha256").update(readFileSync(path)).digest("hex");
}

function build(root: string, args: readonly string[], environment: Readonly<Record<string, string>> = {}): { status: number | null; output: string } {
  const run = spawnSync(process.execPath, [join(root, "build.ts"), ...args], { cwd: directory, encoding: "utf8", env: { PATH: process.env["PATH"] ?? "", HOME: process.env["HOME"] ?? "", ...environment } });
  return { status: run.status, output: run.stdout + run.stderr };
}

/** A second checkout, without what was built or installed in the first. */
function checkout(from: string, path: string): string {
  mkdirSync(path, { recursive: true });
  for (const name of ["build.ts", "src", "package.json", "tsconfig.json"]) cpSync(join(from, name), join(path, name), { recursive: true });
  symlinkSync(join(ROOT, "node_modules"), join(path, "node_modules"));
  return path;
}

test("the same bytes again, and in another directory with another environment", () => {
  const first = checkout(ROOT, join(directory, "first"));
  const second = checkout(first, join(directory, "deep", "elsewhere"));
  const hostile = { LANG: "tr_TR.UTF-8", TZ: "Asia/Tokyo", NODE_ENV: "development", BUN_OPTIONS_X: "1", SOURCE_DATE_EPOCH: "1", CI: "1" };
  const hashes = [{}, {}, hostile].map((environment, index) => {
    const root = index === 1 ? second : first;
    expect(build(root, [], environment)).toMatchObject({ status: 0 });
    expect(readdirSync(join(root, "dist"))).toEqual(["sealroot"]);
    return sha256(join(root, "dist/sealroot"));
  });
  expect(new Set(hashes).size).toBe(1);
});

test("dist/sealroot is built from these sources", () => {
  const here = join(directory, "current");
  build(ROOT, ["--outdir", here]);
  expect(sha256(shipped())).toBe(sha256(join(here, "sealroot")));
});

test("an unknown target is refused, and named", () => {
  const { status, output } = build(ROOT, ["--target", "riscv64", "--outdir", join(directory, "no")]);
  expect(status).toBe(1);
  expect(output).toContain('no target "riscv64"');
  expect(existsSync(join(directory, "no"))).toBe(false);
});

describe("every target", () => {
  const out = join(directory, "all");
  const MACHINES: Readonly<Record<string, number>> = { x64: EM_X86_64, "x64-baseline": EM_X86_64, "x64-musl": EM_X86_64, arm64: EM_AARCH64, "arm64-musl": EM_AARCH64 };

  for (const [name, target] of Object.entries(TARGETS)) {
    test(`${name}: built and judged`, () => {
      const { status, output } = build(ROOT, ["--target", name, "--outdir", out]);
      expect({ status, output: status === 0 ? "" : output }).toEqual({ status: 0, output: "" });
      expect(readElf(readFileSync(join(out, target.file))).machine).toBe(MACHINES[name] ?? 0);
    });
  }

  test("the pre-AVX2 variant is the default: one x86-64 program, AVX2 chosen at run time", () => {
    expect(sha256(join(out, TARGETS["x64-baseline"].file))).toBe(sha256(join(out, TARGETS.x64.file)));
  });
});
