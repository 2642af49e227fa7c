/** Whose fault a fault is, links that something boots, and names that clash. */

import { describe, expect, test } from "bun:test";
import { mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { CATALOGUE } from "../../src/errors/index.ts";
import { fsverityDigest } from "../../src/fsverity/index.ts";
import { expectOneBlock } from "../support/refusal.ts";
import { runProgram, TestRepository } from "../support/repositories.ts";
import { TemporaryDirectory } from "../support/temporary.ts";

interface Problem {
  readonly kind: string;
  readonly path: string;
  readonly found: string;
  readonly neededBy: readonly string[];
}
const problemsOf = (repository: TestRepository, ...args: readonly string[]): readonly Problem[] => repository.json("fsck", ...args).value["problems"] as readonly Problem[];

test("an image that lies about a good object is the only one at fault", () => {
  using files = new TemporaryDirectory();
  using repository = new TestRepository("sha256-v1");
  const object = repository.objects().find((path) => readFileSync(repository.at(path), "latin1").startsWith("line 1 of a file")) ?? "";
  const [name, digest] = [object.slice(8), object.slice(8).replace("/", "")];
  writeFileSync(join(files.path, "dump"), `/ 4096 40755 2 0 0 0 0.0 - - -\n/lie 77 100644 1 0 0 0 0.0 ${name} - ${digest}\n`);
  expect(runProgram(["mkcomposefs", "--from-file", join(files.path, "dump"), join(files.path, "image")]).exit).toBe(0);
  const image = repository.put(readFileSync(join(files.path, "image")));
  repository.link(`images/${image}`, image);
  for (const args of [[], ["--quick"]]) expect(problemsOf(repository, ...args).map(({ kind, path }) => [kind, path])).toEqual([["image", `images/${image}`]]);
  expect(problemsOf(repository)[0]?.found).toStartWith("it says that /lie has 77 bytes");
  expect(repository.run("fsck", "--image", "kept").exit).toBe(0);
});

describe("something boots an image whose link is missing", () => {
  for (const root of ["deployment", "boot entry"] as const) {
    test(root, () => {
      using repository = new TestRepository("sha256-v1");
      const { kept, top } = repository;
      if (root === "deployment") mkdirSync(join(top, "state/deploy", kept), { recursive: true });
      else repository.write("boot/loader/entries/a.conf", `linux /v\noptions composefs.digest=v1-sha256-12:${kept}\n`);
      rmSync(repository.at(`images/${kept}`));
      rmSync(repository.at("images/refs"), { recursive: true });
      const [problem, ...more] = problemsOf(repository);
      expect([problem?.kind, problem?.path, problem?.neededBy.length, more.length]).toEqual(["link", `images/${kept}`, 1, 0]);
      expect(repository.json("fsck", "--repair", repository.path).value["repaired"]).toEqual([`images/${kept}`]);
      expect(repository.listing()).toContain(`images/${kept} -> ../objects/${kept.slice(0, 2)}/${kept.slice(2)}`);
      expect(repository.json("fsck").value["ok"]).toBe(true);
    });
  }

  test("and its object is damaged: no link to that", () => {
    using repository = new TestRepository("sha256-v1");
    const { kept, top } = repository;
    mkdirSync(join(top, "state/deploy", kept), { recursive: true });
    rmSync(repository.at(`images/${kept}`));
    rmSync(repository.at("images/refs"), { recursive: true });
    writeFileSync(repository.objectPath(kept), readFileSync(repository.objectPath(kept)).map((byte) => byte ^ 1));
    for (const args of [[], ["--quick"]]) {
      expect(repository.run("fsck", ...args, "--repair", repository.path).exit).toBe(CATALOGUE["SR-E541"].exit);
      expect(repository.exists(`images/${kept}`)).toBe(false);
    }
  });
});

describe("names", () => {
  test("that clash are refused before anything is written", () => {
    using files = new TemporaryDirectory();
    using repository = new TestRepository("sha256-v1");
    const image = repository.objectPath(repository.kept);
    expect(repository.run("image import", "--name", "a/b", image).exit).toBe(0);
    const before = repository.listing();
    for (const name of ["a", "kept/x", "a/b/c"]) {
      for (const args of [["image import", "--name", name, image], ["image create", "--name", name, files.path]] as const) {
        const [command, ...rest] = args;
        const { stderr } = repository.run(command, ...rest);
        expectOneBlock(stderr, "SR-E100");
        expect(stderr).toContain("no image can have the name");
      }
    }
    expect(repository.listing()).toEqual(before);
    expect(repository.run("image import", "--name", "a/b", repository.objectPath(repository.unnamed)).exit).toBe(0);
  });

  test("a file where a link belongs is not replaced", () => {
    using repository = new TestRepository("sha256-v1");
    const { kept } = repository;
    const copy = readFileSync(repository.objectPath(kept));
    rmSync(repository.at(`images/${kept}`));
    writeFileSync(repository.at(`images/${kept}`), "somebody's");
    expectOneBlock(repository.run("image import", repository.objectPath(kept)).stderr, "SR-E548");
    expect(readFileSync(repository.at(`images/${kept}`), "utf8")).toBe("somebody's");
    expect(fsverityDigest(copy, "sha256").toHex()).toBe(kept);
    expect(readdirSync(repository.at("sealroot"))).toEqual([]);
  });
});
