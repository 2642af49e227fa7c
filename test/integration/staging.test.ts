/** Staging directories: those of killed runs go, those of others stay, and one that cannot be taken away is nobody's error. */

import { describe, expect, test } from "bun:test";
import { existsSync, mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import type { Faults } from "../support/faults/rules.ts";
import { faultyProgram } from "../support/program.ts";
import { expectOneBlock } from "../support/refusal.ts";
import { TestRepository } from "../support/repositories.ts";
import { TemporaryDirectory } from "../support/temporary.ts";

function run(faults: Faults, ...args: readonly string[]): { readonly exit: number | null; readonly killed: boolean; readonly stdout: string; readonly stderr: string } {
  const { exitCode, signalCode, stdout, stderr } = Bun.spawnSync([...faultyProgram(), ...args], { stdin: "ignore", env: { PATH: "/usr/bin:/bin", LC_ALL: "C", FAULTS: JSON.stringify(faults) } });
  return { exit: exitCode, killed: signalCode === "SIGKILL", stdout: stdout.toString(), stderr: stderr.toString() };
}

function writeTree(path: string): void {
  mkdirSync(path);
  for (const name of ["a", "b", "c"]) writeFileSync(join(path, name), Buffer.alloc(5000, name));
}

const listing = (path: string): string[] => readdirSync(path, { recursive: true }).map(String).sort();

describe("mkcomposefs --digest-store", () => {
  test("takes nothing away that is somebody else's", () => {
    using files = new TemporaryDirectory();
    const [tree, store] = [join(files.path, "tree"), join(files.path, "store")];
    writeTree(tree);
    // temporary files of others, the C tool's among them; and some that have our name
    const others = [".tmp.driveupload/doc", ".tmp/letter", ".tmp/ab/thing", ".tmpbackup/ab/x", ".tmpAb3dEf", ".tmp123456/ab/x", ".tmp-sealroot-mine/ab/z", ".tmp-sealroot-abcdef/ab/z", ".tmp-sealroot-/f"];
    for (const path of others) {
      mkdirSync(join(store, path, ".."), { recursive: true, mode: 0o700 });
      writeFileSync(join(store, path), "somebody's");
    }
    const before = listing(store);
    expect(run({}, "mkcomposefs", `--digest-store=${store}`, tree, join(files.path, "image"))).toMatchObject({ exit: 0, stderr: "" });
    const after = listing(store);
    expect(before.filter((path) => !after.includes(path))).toEqual([]);
    expect(after.filter((path) => !before.includes(path) && !/^[0-9a-f]{2}(\/[0-9a-f]{62})?$/.test(path))).toEqual([]);
  }, 60_000);

  test("killed before every change to the disk, leaves what the next run takes away", () => {
    using files = new TemporaryDirectory();
    const [tree, store, log] = [join(files.path, "tree"), join(files.path, "store"), join(files.path, "changes")];
    writeTree(tree);
    const args = ["mkcomposefs", "--threads=1", `--digest-store=${store}`, "--print-digest-only", tree];
    const done = run({ changes: log }, ...args);
    expect(done.exit, done.stderr).toBe(0);
    const finished = listing(store);
    const calls = readFileSync(log, "utf8").trimEnd().split("\n");
    let left = 0;
    for (let killAt = 0; killAt < calls.length; killAt++) {
      rmSync(store, { recursive: true, force: true });
      expect(run({ killAt }, ...args).killed, calls[killAt]).toBe(true);
      if (existsSync(store) && listing(store).some((path) => path.startsWith(".tmp-sealroot-"))) left += 1;
      expect(run({}, ...args)).toMatchObject({ exit: 0, stdout: done.stdout });
      expect(listing(store), calls[killAt]).toEqual(finished);
    }
    expect(left).toBeGreaterThan(5);
  }, 60_000);
});

describe("a staging directory that cannot be taken away", () => {
  for (const [errno, says] of [[5, "the filesystem of the repository fails"], [30, "the filesystem of the repository is read-only"]] as const) {
    test(`with everything else, errno ${errno}: the error is the first one`, () => {
      using files = new TemporaryDirectory();
      const tree = join(files.path, "tree");
      writeTree(tree);
      using repository = new TestRepository("sha256-v1");
      const { exit, stdout, stderr } = run({ failAll: { call: ["syncfs", "unlinkat"] }, errno }, "image", "create", "--recipe", "mkcomposefs", "--threads", "1", "--repo", repository.path, tree);
      expect([exit, stdout]).toEqual([88, ""]);
      expectOneBlock(stderr, "SR-E525");
      for (const part of [says, "filesystem  ", "syncfs"]) expect(stderr).toContain(part);
      const store = run({ failAll: { call: ["syncfs", "unlinkat"] }, errno }, "mkcomposefs", `--digest-store=${join(files.path, "store")}`, tree, join(files.path, "image"));
      expect(store.exit).toBe(1);
      expect(store.stderr).toContain("cannot fill store: ");
    }, 60_000);
  }

  test("alone: what was asked for is done", () => {
    using files = new TemporaryDirectory();
    const tree = join(files.path, "tree");
    writeTree(tree);
    using repository = new TestRepository("sha256-v1");
    const args = ["image", "create", "--recipe", "mkcomposefs", "--repo", repository.path, "--name", "a", tree];
    const staging = (): string[] => repository.listing().filter((path) => path.includes("staging-"));
    const { exit, stdout, stderr } = run({ failAll: { call: "unlinkat" }, errno: 5 }, ...args);
    expect(exit, stderr).toBe(0);
    const digest = /[0-9a-f]{64}/.exec(stdout)?.[0] ?? "";
    expect(repository.exists(`images/${digest}`)).toBe(true);
    expect(repository.run("fsck").exit).toBe(0);
    expect(run({}, ...args).stdout).toContain(digest);
    expect(staging()).toEqual([]);
    const store = ["mkcomposefs", `--digest-store=${join(files.path, "store")}`, "--print-digest-only", tree];
    const made = run({ failAll: { call: "unlinkat" }, errno: 5 }, ...store);
    expect(made).toMatchObject({ exit: 0, stderr: "" });
    expect(run({}, ...store)).toMatchObject({ exit: 0, stdout: made.stdout });
    expect(readdirSync(join(files.path, "store")).filter((name) => name.startsWith("."))).toEqual([]);
  }, 60_000);
});
