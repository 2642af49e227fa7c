/** A filesystem that is full, in bytes or in inodes, or that fails: the error names it, nothing is half done, and with room the same command works. */

import { describe, expect, test } from "bun:test";
import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { faultyProgram, program } from "../support/program.ts";
import { expectOneBlock } from "../support/refusal.ts";
import { TestRepository } from "../support/repositories.ts";
import { TemporaryDirectory } from "../support/temporary.ts";

/** Runs a script in a mount namespace of its own. `$p` there is the program, `$top` a directory to mount on, `$tree` one of files. */
function script(files: TemporaryDirectory, text: string): { readonly exit: number; readonly stdout: string; readonly stderr: string } {
  const top = join(files.path, "top");
  const tree = join(files.path, "tree");
  mkdirSync(top, { recursive: true });
  const run = program().map((word) => `'${word}'`).join(" ");
  const { exitCode, stdout, stderr } = Bun.spawnSync(["unshare", "-m", "bash", "-c", `p() { ${run} "$@"; }; top='${top}'; tree='${tree}'; ${text}`], { stdin: "ignore", env: { PATH: "/usr/sbin:/usr/bin:/sbin:/bin", LC_ALL: "C" } });
  return { exit: exitCode, stdout: stdout.toString(), stderr: stderr.toString() };
}

/** Three megabytes in two hundred files, no two alike. */
function writeTree(files: TemporaryDirectory): void {
  mkdirSync(join(files.path, "tree"));
  for (let index = 0; index < 200; index++) writeFileSync(join(files.path, "tree", `f${index}`), Buffer.alloc(16_000, `${index} `));
}

const MOUNTS: Readonly<Record<string, { readonly small: string; readonly large: string }>> = {
  bytes: { small: "size=1m", large: "size=20m" },
  inodes: { small: "size=20m,nr_inodes=100", large: "size=20m,nr_inodes=2000" },
};
const LEFT = 'cd "$top/r"; find images -mindepth 1; ls sealroot | grep staging; find objects -type f';

describe("no room for", () => {
  for (const [what, { small, large }] of Object.entries(MOUNTS)) {
    for (const threads of ["1", "3"]) {
      test(`${what}, ${threads} threads`, () => {
        using files = new TemporaryDirectory();
        writeTree(files);
        const create = `p image create --recipe mkcomposefs --threads ${threads} --repo "$top/r" "$tree"`;
        const { exit, stdout, stderr } = script(files, `mount -t tmpfs -o ${small} none "$top" && p repo init --insecure "$top/r" >&2 && { ${create}; code=$?; ${LEFT}; mount -o remount,${large} "$top" && ${create} >&2 && p fsck --repo "$top/r" >&2; exit $code; }`);
        expect(exit).toBe(88);
        expect(stdout).toBe("");
        expect(stderr).toContain("the repository is whole");
        const block = /^sealroot: [^]*?next .*\n/m.exec(stderr)?.[0] ?? "";
        expectOneBlock(block, "SR-E525");
        expect(block).toStartWith("sealroot: the filesystem of the repository is full");
        for (const part of [`filesystem  ${join(files.path, "top")}`, "free", "ENOSPC", "sealroot gc"]) expect(block).toContain(part);
        expect(block).not.toContain("run as root");
      }, 60_000);
    }
  }

  test("an object, where a directory has its name", () => {
    using files = new TemporaryDirectory();
    writeTree(files);
    const create = 'p image create --recipe mkcomposefs --repo "$top/r" "$tree"';
    const { exit, stdout, stderr } = script(files, `p repo init --insecure "$top/r" >&2 && ${create} >&2; object=$(find "$top"/r/objects -type f -size 16000c | head -1); rm -r "$object" "$top"/r/images/*; mkdir "$object"; ${create}; code=$?; cd "$top/r"; find images -mindepth 1; rmdir "$object"; ${create} >&2 && p fsck --repo "$top/r" >&2; exit $code`);
    expect(exit).toBe(88);
    expect(stdout).toBe("");
    expect(stderr).toContain("the repository is whole");
    const block = /^sealroot: [^]*?next .*\n/m.exec(stderr)?.[0] ?? "";
    expectOneBlock(block, "SR-E525");
    for (const part of ["a directory has the name of an object", "EISDIR", "objects"]) expect(block).toContain(part);
  }, 60_000);

  for (const [what, put] of [["file", "touch"], ["symbolic link", 'ln -s "$top/elsewhere"']] as const) {
    test(`an object, where a ${what} has the name of its directory`, () => {
      using files = new TemporaryDirectory();
      writeTree(files);
      const create = 'p image create --recipe mkcomposefs --repo "$top/r" "$tree"';
      const { exit, stdout, stderr } = script(files, `mkdir "$top/elsewhere"; p repo init --insecure "$top/r" >&2 && ${create} >&2; prefix=$(find "$top"/r/objects -type f -size 16000c | head -1); prefix=\${prefix%/*}; rm -r "$prefix" "$top"/r/images/*; ${put} "$prefix"; ${create}; code=$?; find "$top/elsewhere" -mindepth 1; cd "$top/r"; find images -mindepth 1; p fsck --repo "$top/r" >&2; rm "$prefix"; ${create} >&2 && p fsck --repo "$top/r" >&2; exit $code`);
      expect(exit).toBe(88);
      expect(stdout).toBe("");
      expect(stderr).toContain("no directory of objects");
      expect(stderr).toContain("the repository is whole");
      const block = /^sealroot: [^]*?next .*\n/m.exec(stderr)?.[0] ?? "";
      expectOneBlock(block, "SR-E525");
      for (const part of ["something that is no directory has the name of one", "ENOTDIR", "objects/", "sealroot fsck"]) expect(block).toContain(part);
      expect(block).not.toContain("free");
    });
  }

  test("an image that is imported, and a repository", () => {
    using files = new TemporaryDirectory();
    using repository = new TestRepository("sha256-v1");
    writeTree(files);
    const { kept } = repository;
    const imported = script(files, `mount -t tmpfs -o size=20m none "$top" && p repo init --insecure --algorithm sha256 "$top/r" >/dev/null && head -c 30m /dev/zero > "$top/filler"; p image import --repo "$top/r" --objects '${repository.path}' '${repository.objectPath(kept)}'; code=$?; ${LEFT}; exit $code`);
    expectOneBlock(imported.stderr.replace(/^head: .*\n/, ""), "SR-E548");
    expect(imported.stderr).toContain(`filesystem  ${join(files.path, "top")}`);
    expect(imported.stdout).toBe("");
    const made = script(files, 'mount -t tmpfs -o nr_inodes=4 none "$top"; p repo init --insecure "$top/r"; find "$top" -mindepth 1');
    expectOneBlock(made.stderr, "SR-E525");
    expect(made.stdout).toBe("");
  }, 60_000);

  test("objects of mkcomposefs, in its own words", () => {
    using files = new TemporaryDirectory();
    writeTree(files);
    const { exit, stdout, stderr } = script(files, 'mount -t tmpfs -o size=1m none "$top"; p mkcomposefs --digest-store="$top/store" "$tree" /dev/null; code=$?; find "$top/store" -type f; exit $code');
    expect([exit, stdout]).toEqual([1, ""]);
    expect(stderr).toEndWith("cannot fill store: No space left on device\n");
  });
});

describe("the limit of open files", () => {
  /** Small files below as many directories. */
  function writeDeep(files: TemporaryDirectory, depth: number): void {
    const deepest = join(files.path, "tree", "d/".repeat(depth));
    mkdirSync(deepest, { recursive: true });
    for (let index = 0; index < 1500; index++) writeFileSync(join(deepest, `f${index}`), `content ${index} `.repeat(20));
  }
  const FULL = 'p repo init --insecure "$top/r" >&2; for a in {0..9} {a..f}; do for b in {0..9} {a..f}; do mkdir "$top/r/objects/$a$b"; done; done';
  const CREATE = 'p image create --recipe mkcomposefs --repo "$top/r" "$tree"';

  test("of 1024 is enough for a source of 300 levels and a repository that has all its directories", () => {
    using files = new TemporaryDirectory();
    writeDeep(files, 300);
    const { exit, stderr } = script(files, `${FULL}; (ulimit -n 1024; ${CREATE}) && p fsck --repo "$top/r"`);
    expect(exit, stderr).toBe(0);
  }, 60_000);

  test("is what the error is about, not the disk", () => {
    using files = new TemporaryDirectory();
    writeDeep(files, 1);
    const { exit, stdout, stderr } = script(files, `${FULL}; (ulimit -n 200; ${CREATE}); code=$?; ${LEFT}; exit $code`);
    expect([exit, stdout]).toEqual([88, ""]);
    const block = /^sealroot: [^]*/m.exec(stderr)?.[0] ?? "";
    expectOneBlock(block, "SR-E525");
    for (const part of ["too many open files", "EMFILE", "ulimit -n"]) expect(block).toContain(part);
    expect(block).not.toContain("free");
  }, 60_000);
});

describe("a call that fails", () => {
  const faulty = (call: string, errno: number, args: readonly string[]): string =>
    Bun.spawnSync([...faultyProgram(), ...args], { stdin: "ignore", env: { PATH: "/usr/bin:/bin", FAULTS: JSON.stringify({ failAll: { call }, errno }) } }).stderr.toString();

  test("of the store is about the store", () => {
    using files = new TemporaryDirectory();
    writeTree(files);
    for (const [call, errno, says] of [["linkat", 122, "the quota on the filesystem of the repository is used up"], ["syncfs", 5, "the filesystem of the repository fails"], ["linkat", 30, "read-only"]] as const) {
      using repository = new TestRepository("sha256-v1");
      const before = repository.listing();
      const stderr = faulty(call, errno, ["image", "create", "--recipe", "mkcomposefs", "--threads", "1", "--repo", repository.path, join(files.path, "tree")]);
      expectOneBlock(stderr, "SR-E525");
      expect(stderr).toContain(says);
      expect(repository.listing()).toEqual(before);
    }
  });
});
