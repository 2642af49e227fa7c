/** Staging directories: those of killed runs go, those of others stay. */

import { describe, expect, test } from "bun:test";
import { existsSync, mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import type { Faults } from "../support/faults/rules.ts";
import { faultyProgram } from "../support/program.ts";
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
  });

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
