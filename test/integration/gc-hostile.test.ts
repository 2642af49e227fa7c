/** gc among changes and lies: what is needed is kept though it looks needless, and nothing outside the repository is touched. */

import { describe, expect, test } from "bun:test";
import { chmodSync, mkdirSync, readFileSync, renameSync, symlinkSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { O, openPath } from "../../src/linux/index.ts";
import { RepositoryContents } from "../../src/repository/contents.ts";
import { planGc } from "../../src/repository/gc.ts";
import { performGc } from "../../src/repository/gc-sweep.ts";
import { faultyProgram } from "../support/program.ts";
import { expectOneBlock } from "../support/refusal.ts";
import { runProgram, TestRepository } from "../support/repositories.ts";
import { splitstream } from "../support/splitstream.ts";
import { TemporaryDirectory } from "../support/temporary.ts";

const silent = { begin: () => undefined, advance: () => undefined };
const bytesOf = (text: string): Uint8Array => new TextEncoder().encode(text);

/** A stream with a reference, which keeps it. */
function keepStream(repository: TestRepository, name: string, parts: Partial<Parameters<typeof splitstream>[0]>): void {
  repository.link(`streams/${name}`, repository.put(splitstream({ chunks: new Uint8Array(0), ...parts })));
  mkdirSync(repository.at("streams/refs"), { recursive: true });
  symlinkSync(`../${name}`, repository.at(`streams/refs/${name}`));
}

describe("directories that give way to links between looking and removing lead nowhere", () => {
  const cases: Readonly<Record<string, (repository: TestRepository) => string>> = {
    images: ({ unnamed }) => unnamed,
    "sealroot/recipes": ({ unnamed }) => `${unnamed}.json`,
    "objects/ab": () => ".tmp-object-aaaaaaaaaaaa",
    commits: ({ unnamed }) => `${unnamed}/${"1".repeat(64)}.commit`,
  };
  for (const [directory, nameOf] of Object.entries(cases)) {
    test(directory, () => {
      using repository = new TestRepository("sha256-v1");
      const name = nameOf(repository);
      if (directory !== "images") repository.write(`composefs/${directory}/${name}`, "x");
      const victim = join(repository.top, "victim", name);
      repository.write(`victim/${name}`, "somebody's");
      using opened = openPath(repository.path, O.RDONLY | O.DIRECTORY);
      using contents = new RepositoryContents(opened.take());
      const plan = planGc(contents, [], new Set(), silent);
      renameSync(repository.at(directory), join(repository.top, "moved"));
      symlinkSync(join(repository.top, "victim"), repository.at(directory));
      expect(() => performGc(contents, plan, silent)).toThrow();
      expect(readFileSync(victim, "utf8")).toBe("somebody's");
    });
  }
});

test("a reference that is gone when it is looked at is not passed over", () => {
  using repository = new TestRepository("sha256-v1");
  const before = repository.listing();
  const { stderr } = Bun.spawnSync([...faultyProgram(), "gc", "--no-boot-entries", "--repo", repository.path], { env: { PATH: "/usr/bin:/bin", FAULTS: JSON.stringify({ failAll: { call: "readlinkat" }, errno: 2 }) } });
  expectOneBlock(stderr.toString(), "SR-E542");
  expect(repository.listing()).toEqual(before);
});

describe("an image or a stream that is also content of something", () => {
  test("goes as such, and stays as content", () => {
    using repository = new TestRepository("sha256-v1");
    const { unnamed } = repository;
    const needless = repository.put(splitstream({ objects: [repository.put(bytesOf("of the needless stream"))], chunks: new Uint8Array(0) }));
    repository.link("streams/needless", needless);
    keepStream(repository, "layer", { objects: [unnamed, needless] });
    expect(repository.json("gc --no-boot-entries").value["removed"]).toMatchObject({ images: [unnamed], streams: ["needless"], objects: 2 });
    for (const digest of [unnamed, needless]) expect(repository.exists(`objects/${digest.slice(0, 2)}/${digest.slice(2)}`)).toBe(true);
    expect(repository.json("fsck").value["ok"]).toBe(true);
  });

  test("a second name of what is kept stays", () => {
    using repository = new TestRepository("sha256-v1");
    repository.link("images/again", repository.kept);
    repository.json("gc --no-boot-entries");
    expect(repository.exists("images/again")).toBe(true);
  });
});

describe("what a stream names and is not here", () => {
  const gone = "a".repeat(64);
  test("is not passed over, unless it is given up by name", () => {
    using repository = new TestRepository("sha256-v1");
    keepStream(repository, "manifest", { named: [["config:sha256:1", gone]] });
    const before = repository.listing();
    const { stderr } = repository.run("gc --no-boot-entries");
    expectOneBlock(stderr, "SR-E542");
    for (const words of ["streams/manifest", "config:sha256:1", `--ignore-missing ${gone}`]) expect(stderr).toContain(words);
    expect(repository.listing()).toEqual(before);
    const { unnamed } = repository;
    const { value } = repository.json("gc --no-boot-entries", "--ignore-missing", gone);
    expect(value["removed"]).toMatchObject({ images: [unnamed] });
    expect(JSON.stringify(value["notes"])).toContain(gone);
  });
});

describe("the stream that holds a signed commit", () => {
  const id = "5".repeat(64);
  const make = (repository: TestRepository): void => {
    const { kept } = repository;
    repository.link(`streams/ostree-commit-${id}`, repository.put(splitstream({ named: [["composefs.image", kept]], objects: [repository.put(bytesOf("of the commit alone"))], chunks: new Uint8Array(0) })));
  };
  test("is kept while the image is that its signature lies beside", () => {
    using repository = new TestRepository("sha256-v1");
    make(repository);
    repository.write(`composefs/commits/${repository.kept}/${id}.commitmeta`, "x");
    const { value } = repository.json("gc --no-boot-entries");
    expect(value["removed"]).toMatchObject({ objects: 2, streams: [] });
    expect(JSON.stringify(value["kept"])).toContain(`commits/${repository.kept}/${id}.commitmeta`);
  });
  test("goes where there is no signature", () => {
    using repository = new TestRepository("sha256-v1");
    make(repository);
    expect(repository.json("gc --no-boot-entries").value["removed"]).toMatchObject({ objects: 4, streams: [`ostree-commit-${id}`] });
  });
});

test("an object whose file has only its digest, and no path to it, is kept", () => {
  using files = new TemporaryDirectory();
  using repository = new TestRepository("sha256-v1");
  const object = repository.put(new Uint8Array(5000).fill(0x61));
  writeFileSync(join(files.path, "dump"), `/ 4096 40755 2 0 0 0 0.0 - - -\n/f 5000 100644 1 0 0 0 0.0 - - ${object}\n`);
  const made = runProgram(["mkcomposefs", "--from-file", join(files.path, "dump"), join(files.path, "image")]);
  expect(made).toMatchObject({ exit: 0 });
  const image = repository.put(readFileSync(join(files.path, "image")));
  repository.link(`images/${image}`, image);
  symlinkSync(`../${image}`, repository.at("images/refs/other"));
  expect(repository.json("gc --no-boot-entries").value["removed"]).toMatchObject({ objects: 2 });
  expect(repository.exists(`objects/${object.slice(0, 2)}/${object.slice(2)}`)).toBe(true);
});

test("--dry-run, --list and the run speak of the same things, and of all of them", () => {
  using repository = new TestRepository("sha256-v1");
  const { unnamed } = repository;
  const others = [`commits/${unnamed}/${"1".repeat(64)}.commit`, `sealroot/recipes/${unnamed}.json`, "objects/.tmp-object-aaaaaaaaaaaa", `sealroot/staging-abcdef/ab/${"1".repeat(62)}`];
  for (const path of others) repository.write(`composefs/${path}`, "0123456789");
  chmodSync(repository.at("sealroot/staging-abcdef"), 0o700);
  const before = repository.listing();
  const dry = repository.json("gc --no-boot-entries", "--dry-run").value["removed"] as Record<string, unknown>;
  expect(dry).toMatchObject({ otherBytes: 40, recipes: [unnamed], interrupted: ["sealroot/staging-abcdef"], commits: [unnamed] });
  expect(repository.run("gc --no-boot-entries", "--dry-run").stdout).toStartWith("would remove 1 image, 0 streams, 2 objects (16.1 KiB), 4 other things (40 B)\n");
  const listed = repository.run("gc --no-boot-entries", "--list").stdout.trimEnd().split("\n");
  expect(repository.listing()).toEqual(before);
  expect(repository.json("gc --no-boot-entries").value["removed"]).toEqual(dry);
  const after = repository.listing();
  const gone = before.filter((path) => !after.includes(path)).map((path) => path.replace(/ -> .*/, ""));
  // of directories the list has the directory
  expect(gone.filter((path) => !listed.some((entry) => path === entry || path.startsWith(`${entry}/`)))).toEqual([]);
  expect(listed.filter((entry) => !gone.some((path) => path === entry || path.startsWith(`${entry}/`)))).toEqual([]);
});
