/** What a repository says of itself, and what is made of one that says nothing: hash, format, fs-verity. */

import { describe, expect, test } from "bun:test";
import { mkdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { program } from "../support/program.ts";
import { expectOneBlock } from "../support/refusal.ts";
import { runProgram, TestRepository } from "../support/repositories.ts";
import { TemporaryDirectory } from "../support/temporary.ts";

describe("repo init over a repository that is older than meta.json", () => {
  for (const kind of ["sha256-v1", "sha512-v1"] as const) {
    test(kind, () => {
      using repository = new TestRepository(kind);
      rmSync(repository.at("meta.json"));
      const { algorithm, path } = repository;
      const other = algorithm === "sha256" ? "sha512" : "sha256";
      const refused = runProgram(["repo", "init", "--insecure", "--algorithm", other, path]);
      expectOneBlock(refused.stderr, "SR-E523");
      expect(refused.stderr).toContain(`named by ${algorithm}`);
      expect(repository.exists("meta.json")).toBe(false);
      // these objects have no fs-verity: requiring it would lose them all
      const secure = runProgram(["repo", "init", path]);
      expectOneBlock(secure.stderr, "SR-E523");
      expect(secure.stderr).toContain("--insecure");
      expect(repository.exists("meta.json")).toBe(false);
      const made = runProgram(["repo", "init", "--insecure", "--json", path]);
      expect(JSON.parse(made.stdout)).toMatchObject({ created: true, algorithm, secure: false });
      expect(repository.json("fsck").value["ok"]).toBe(true);
    });
  }

  test("whoever writes to it is told so", () => {
    using repository = new TestRepository("sha256-v1");
    rmSync(repository.at("meta.json"));
    const { stderr } = repository.run("image create", repository.top);
    expectOneBlock(stderr, "SR-E202");
    expect(stderr).toContain("the hash that the objects there are named by");
  });
});

test("images have the format that meta.json says", () => {
  using files = new TemporaryDirectory();
  for (const [formats, expected] of [[{ default: 1 }, "v1"], [{ default: 0 }, "v0"], [{ default: 2, extra: [1] }, "v2"]] as const) {
    using repository = new TestRepository("sha256-v2");
    const meta = JSON.parse(readFileSync(repository.at("meta.json"), "utf8")) as Record<string, unknown>;
    writeFileSync(repository.at("meta.json"), JSON.stringify({ ...meta, erofs_formats: formats }));
    for (const only of [[], ["--digest-only"]]) expect(repository.json("image create", "--recipe", "mkcomposefs", ...only, files.path).value["format"]).toBe(expected);
  }
  using repository = new TestRepository("sha256-v2");
  writeFileSync(repository.at("meta.json"), '{"version":1,"algorithm":"fsverity-sha256-12","erofs_formats":{"default":9}}');
  expectOneBlock(repository.run("image create", "--recipe", "mkcomposefs", files.path).stderr, "SR-E202");
  expect(repository.run("image ls").exit).toBe(0);
});

test("--digest-only leaves no trace in the repository, and waits for nobody", () => {
  using files = new TemporaryDirectory();
  const path = join(files.path, "repository");
  const tree = join(files.path, "tree");
  mkdirSync(tree);
  expect(runProgram(["repo", "init", "--insecure", path]).exit).toBe(0);
  rmSync(join(path, "objects"), { recursive: true });
  const listing = (): string => Bun.spawnSync(["find", path, "-printf", "%p %T@\\n"]).stdout.toString();
  const before = listing();
  const done = Bun.spawnSync(["flock", "--exclusive", path, ...program(), "image", "create", "--digest-only", "--recipe", "mkcomposefs", "--repo", path, tree], { env: { PATH: "/usr/bin:/bin" }, timeout: 20_000 });
  expect({ exit: done.exitCode, stderr: done.stderr.toString() }).toEqual({ exit: 0, stderr: "" });
  expect(listing()).toBe(before);
});
