/** Images as people use them: recipes that go round, repositories that somebody else holds, names in every spelling, errors that name what they mean. */

import { describe, expect, test } from "bun:test";
import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { CATALOGUE } from "../../src/errors/index.ts";
import { program } from "../support/program.ts";
import { expectOneBlock } from "../support/refusal.ts";
import { type Ran, TestRepository } from "../support/repositories.ts";
import { TemporaryDirectory } from "../support/temporary.ts";

test("what inspect prints of a recipe makes the same image", () => {
  using files = new TemporaryDirectory();
  using repository = new TestRepository("sha256-v1");
  const tree = join(files.path, "tree");
  mkdirSync(join(tree, "usr"), { recursive: true });
  writeFileSync(join(tree, "usr/file"), "content\n".repeat(50));
  const { value: made } = repository.json("image create", "--recipe", "composefs-rs", "--name", "made", tree);
  const { value } = repository.json("image inspect", "made");
  expect(value["recipe"]).toEqual(made["recipe"]);
  expect(value["preset"]).toBe("composefs-rs");
  const recipe = join(files.path, "recipe.json");
  writeFileSync(recipe, JSON.stringify(value["recipe"], undefined, 2));
  expect(repository.json("image create", "--recipe", recipe, tree).value["digest"]).toBe(made["digest"]);
  // one that nobody has a name for, by the same way
  writeFileSync(recipe, JSON.stringify({ ...(value["recipe"] as object), times: "epoch" }));
  const { value: own } = repository.json("image create", "--recipe", recipe, "--name", "own", tree);
  expect(own["digest"]).not.toBe(made["digest"]);
  const inspected = repository.json("image inspect", "own").value;
  expect([inspected["recipe"], inspected["preset"]]).toEqual([own["recipe"], null]);
  for (const rule of ['xattrs = ["security.capability"]', 'times = "source"', 'root = "usr"']) expect(repository.run("image inspect", "made").stdout).toContain(rule);
});

describe("a repository that somebody else holds alone", () => {
  const COMMANDS = [["image", "ls"], ["image", "inspect", "kept"], ["karg", "kept"], ["image", "diff", "kept", "kept"]] as const;
  /** With the lock that gc takes, held by flock(1) while the program runs. */
  const whileHeld = (repository: TestRepository, command: readonly string[], ...options: readonly string[]): Ran => {
    const done = Bun.spawnSync(["flock", "--exclusive", repository.path, ...program(), ...command, "--repo", repository.path, ...options], { stdin: "ignore", stdout: "pipe", stderr: "pipe", timeout: 30_000 });
    return { exit: done.exitCode, stdout: done.stdout.toString(), stderr: done.stderr.toString() };
  };
  for (const command of COMMANDS) {
    test(`${command.slice(0, 2).join(" ")} says so at once`, () => {
      using repository = new TestRepository("sha256-v1");
      const { exit, stderr } = whileHeld(repository, command);
      expectOneBlock(stderr, "SR-E543");
      expect(exit).toBe(CATALOGUE["SR-E543"].exit);
    });
  }

  test("with --wait they wait", async () => {
    for (const command of COMMANDS) {
      using repository = new TestRepository("sha256-v1");
      // the lock is held until flock's own program ends, by when the other one has long begun
      const holder = Bun.spawn(["flock", "--exclusive", repository.path, "sh", "-c", "echo held; sleep 1"], { stdin: "ignore", stdout: "pipe" });
      await holder.stdout.getReader().read();
      const began = performance.now();
      expect(repository.run(command.join(" "), "--wait").exit, command.join(" ")).toBe(0);
      expect(performance.now() - began).toBeGreaterThan(500);
      await holder.exited;
    }
  }, 30_000);

  test("a file is none of its business", () => {
    using repository = new TestRepository("sha256-v1");
    expect(whileHeld(repository, ["karg", repository.objectPath(repository.kept)]).exit).toBe(0);
  });
});

test("karg says why its argument has a ?, unless it was asked for", () => {
  using repository = new TestRepository("sha256-v1");
  expect(repository.run("karg", "kept").stderr).toMatch(/^sealroot: the \? lets the image boot without fs-verity.*\n$/);
  for (const option of ["--insecure", "--require-verity"]) expect(repository.run("karg", option, "kept").stderr).toBe("");
});

test("a reference in every spelling, and digits that are too few", () => {
  using repository = new TestRepository("sha256-v1");
  const { stdout } = repository.run("karg", "kept");
  for (const name of ["refs/kept", "images/refs/kept", "ref/kept"]) expect(repository.run("karg", name).stdout).toBe(stdout);
  const { stderr } = repository.run("karg", repository.kept.slice(0, 3));
  expectOneBlock(stderr, "SR-E544");
  expect(stderr).toContain("3, too few to stand for a digest: give 4 or more");
  expect(repository.run("fsck", "--image", repository.kept.slice(0, 3)).stderr).toContain("too few");
});

test("errors name the image, the operand, and the bounds of a number", () => {
  using files = new TemporaryDirectory();
  using repository = new TestRepository("sha256-v1");
  const broken = join(files.path, "broken.erofs");
  writeFileSync(broken, "no image");
  for (const command of ["image inspect", "karg", "image import"]) {
    const { stderr } = repository.run(command, broken);
    expectOneBlock(stderr, "SR-E501");
    expect(stderr).toContain(broken);
  }
  repository.link("images/broken", repository.put(new TextEncoder().encode("no image either")));
  expect(repository.run("image inspect", "broken").stderr).toContain("images/broken");
  expect(repository.run("image diff", "kept").stderr).toContain("sealroot: B is missing");
  expect(repository.run("image mount").stderr).toContain("sealroot: IMAGE is missing");
  for (const [command, option] of [["fsck", "--jobs"], ["image create", "--threads"]] as const) {
    const { stderr } = repository.run(command, option, "0", ...(command === "fsck" ? [] : [files.path]));
    expectOneBlock(stderr, "SR-E100");
    expect(stderr).toContain(`${option} is a number from 1 to 999, not "0"`);
  }
});
