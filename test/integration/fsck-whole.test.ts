/** fsck beside others that write, and what it says of faults that are no object's: whom they hurt, and what is to be done. */

import { describe, expect, test } from "bun:test";
import { mkdirSync, readFileSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { CATALOGUE } from "../../src/errors/index.ts";
import { O, openPath } from "../../src/linux/index.ts";
import { RepositoryContents } from "../../src/repository/contents.ts";
import { Fsck } from "../../src/repository/fsck.ts";
import { program } from "../support/program.ts";
import { expectOneBlock } from "../support/refusal.ts";
import { type Ran, TestRepository } from "../support/repositories.ts";
import { splitstream } from "../support/splitstream.ts";

const silent = { begin: () => undefined, advance: () => undefined };
const chunks = new Uint8Array(0);

interface Problem {
  readonly kind: string;
  readonly path: string;
  readonly fault?: string;
  readonly found: string;
  readonly neededBy?: readonly string[];
  readonly hurts?: readonly { readonly path: string; readonly neededBy: readonly string[] }[];
}
const problemsOf = (repository: TestRepository, ...args: readonly string[]): readonly Problem[] => repository.json("fsck", ...args).value["problems"] as readonly Problem[];

describe("an image that is published while the check goes on", () => {
  const between = (act: (repository: TestRepository) => void, quick: boolean): readonly unknown[] => {
    using repository = new TestRepository("sha256-v1");
    using directory = openPath(repository.path, O.RDONLY | O.DIRECTORY);
    using contents = new RepositoryContents(directory.take());
    const fsck = new Fsck(contents, { quick, image: undefined }, silent);
    fsck.checkObjects();
    act(repository);
    const { problems } = fsck.checkLinks();
    return [...problems, ...[...fsck.objects.bad.values()].map(({ fault }) => fault)];
  };
  const publish = (repository: TestRepository): void => {
    repository.write("tree/a", "x".repeat(9000));
    expect(repository.run("image create", "--recipe", "mkcomposefs", join(repository.top, "tree")).exit).toBe(0);
  };
  for (const quick of [false, true]) test(`is no fault, ${quick ? "quick" : "whole"}`, () => expect(between(publish, quick)).toEqual([]));
  test("is checked like the others", () => {
    expect(between((repository) => {
      publish(repository);
      const added = repository.objects().find((path) => readFileSync(repository.at(path), "latin1").startsWith("xxxx")) ?? "";
      writeFileSync(repository.at(added), "y".repeat(9000));
    }, false)).toEqual(["digest"]);
  });
});

test("of one image alone nothing else is a fault", () => {
  using repository = new TestRepository("sha256-v1");
  mkdirSync(repository.at(`objects/aa/${"b".repeat(62)}`), { recursive: true });
  expect(repository.run("fsck").exit).toBe(CATALOGUE["SR-E540"].exit);
  expect(repository.json("fsck", "--image", "kept")).toMatchObject({ exit: 0, value: { ok: true, problems: [] } });
});

test("a name that stands for as many zeros as a file can have is found to be wrong at once", () => {
  using repository = new TestRepository("sha256-v1");
  const path = `objects/aa/${"b".repeat(62)}`;
  repository.write(`composefs/${path}`, "x");
  expect(Bun.spawnSync(["truncate", "-s", "8T", repository.at(path)]).exitCode).toBe(0);
  for (const jobs of ["1", "2"]) expect(problemsOf(repository, "--jobs", jobs).map((problem) => [problem.path, problem.fault])).toEqual([[path, "digest"]]);
});

test("holes are content: an object with many is right", () => {
  using repository = new TestRepository("sha256-v1");
  const bytes = new Uint8Array(40 << 20);
  bytes.fill(7, 20 << 20, (20 << 20) + 5000);
  const digest = repository.put(bytes);
  const path = repository.objectPath(digest);
  expect(Bun.spawnSync(["cp", "--sparse=always", path, `${path}.sparse`]).exitCode).toBe(0);
  expect(Bun.spawnSync(["mv", `${path}.sparse`, path]).exitCode).toBe(0);
  expect(repository.json("fsck").value["ok"]).toBe(true);
});

test("a process that is killed is not one that found nothing", async () => {
  using repository = new TestRepository("sha256-v1");
  // allocated, so that it has to be read: long enough for both to be at work
  const path = repository.at(`objects/ab/${"c".repeat(62)}`);
  repository.write(`composefs/objects/ab/${"c".repeat(62)}`, "x");
  expect(Bun.spawnSync(["fallocate", "-l", "2G", path]).exitCode).toBe(0);
  const fsck = Bun.spawn([...program(), "fsck", "--repo", repository.path, "--jobs", "2"], { stdin: "ignore", stdout: "pipe", stderr: "pipe", env: { PATH: "/usr/bin:/bin" } });
  let killed: number | undefined;
  while (killed === undefined && fsck.exitCode === null) {
    await Bun.sleep(5);
    const children = Bun.spawnSync(["ps", "-o", "pid=,args=", "--ppid", String(fsck.pid)]).stdout.toString().split("\n");
    const busy = children.find((line) => line.includes("--shard 1/2"));
    if (busy === undefined) continue;
    killed = Number(busy.trim().split(" ")[0]);
    process.kill(killed, "SIGKILL");
  }
  expect(await fsck.exited).toBe(CATALOGUE["SR-E900"].exit);
  expectOneBlock(await fsck.stderr.text(), "SR-E900");
});

describe("whom a fault hurts", () => {
  test("through the streams that name a stream, to the reference", () => {
    using repository = new TestRepository("sha256-v1");
    const object = repository.put(new TextEncoder().encode("of a layer"));
    const layer = repository.put(splitstream({ objects: [object], chunks }));
    repository.link("streams/layer", layer);
    const config = repository.put(splitstream({ named: [["layer", layer], ["composefs.image", repository.unnamed]], chunks }));
    repository.link("streams/config", config);
    repository.link("streams/manifest", repository.put(splitstream({ named: [["config:sha256:1", config], ["layer", layer]], chunks })));
    mkdirSync(repository.at("streams/refs/oci"), { recursive: true });
    symlinkSync("../../manifest", repository.at("streams/refs/oci/os"));
    writeFileSync(repository.objectPath(object), "of another");
    const [problem, ...more] = problemsOf(repository);
    expect(more).toEqual([]);
    expect(problem?.hurts?.map(({ path }) => path)).toEqual(["streams/layer"]);
    expect([...(problem?.hurts?.[0]?.neededBy ?? [])].sort()).toEqual(["streams/config", "streams/manifest", "streams/refs/oci/os"]);
    // an image that only a stream needs
    const { unnamed } = repository;
    writeFileSync(repository.objectPath(object), "of a layer");
    writeFileSync(repository.objectPath(unnamed), "x");
    const hurts = problemsOf(repository)[0]?.hurts ?? [];
    expect(hurts.find(({ path }) => path === `images/${unnamed}`)?.neededBy).toContain("streams/refs/oci/os");
  });

  test("image ls knows them too", () => {
    using repository = new TestRepository("sha256-v1");
    const config = repository.put(splitstream({ named: [["composefs.image", repository.unnamed]], chunks }));
    repository.link("streams/config", config);
    const needs = (): unknown => (repository.json("image ls").value["images"] as { name: string; neededBy: unknown }[]).find(({ name }) => name === repository.unnamed)?.neededBy;
    expect(needs()).toEqual([]);
    mkdirSync(repository.at("streams/refs"));
    symlinkSync("../config", repository.at("streams/refs/os"));
    expect(needs()).toEqual(["streams/refs/os"]);
  });

  test("an image whose link is missing, and an object of it too", () => {
    using repository = new TestRepository("sha256-v1");
    const { unnamed, kept, top } = repository;
    mkdirSync(`${top}/state/deploy/${unnamed}`, { recursive: true });
    const shared = repository.objects().find((path) => readFileSync(repository.at(path), "latin1").startsWith("line 1 of a file")) ?? "";
    for (const path of [`images/${unnamed}`, shared, "images/refs/kept", `images/${kept}`]) rmSync(repository.at(path));
    const problems = problemsOf(repository);
    expect(problems.map(({ kind, path }) => [kind, path])).toEqual([["object", shared], ["link", `images/${unnamed}`]]);
    expect(problems[0]?.hurts).toMatchObject([{ path: `images/${unnamed}`, neededBy: [`${top}/state/deploy/${unnamed}`] }]);
  });

  test("a deployment whose image is not here at all is told", () => {
    using repository = new TestRepository("sha256-v1");
    const gone = "c".repeat(64);
    mkdirSync(`${repository.top}/state/deploy/${gone}`, { recursive: true });
    const { exit, stdout } = repository.run("fsck");
    expect(exit).toBe(0);
    expect(stdout).toContain(`state/deploy/${gone} names ${gone}, which is not in this repository`);
  });
});

/** What stops gc, here or of composefs-rs 0.9.0. */
const STOPPERS: Readonly<Record<string, (repository: TestRepository) => string>> = {
  "a directory among the images": (repository) => (mkdirSync(repository.at("images/note")), "images/note"),
  "a file among the images": (repository) => (repository.write("composefs/images/note", "x"), "images/note"),
  "a file among the streams": (repository) => (repository.write("composefs/streams/note", "x"), "streams/note"),
  "a file among the references": (repository) => (repository.write("composefs/images/refs/note", "x"), "images/refs/note"),
  "a name that is none of an object": (repository) => (repository.write("composefs/objects/ab/note", "x"), "objects/ab/note"),
  "a file instead of a directory of objects": (repository) => {
    const free = Array.from({ length: 256 }, (_, byte) => byte.toString(16).padStart(2, "0")).find((name) => !repository.exists(`objects/${name}`)) ?? "";
    repository.write(`composefs/objects/${free}`, "x");
    return `objects/${free}`;
  },
};

describe("what keeps others from cleaning up is a fault, and nothing to be repaired from a copy", () => {
  for (const [name, make] of Object.entries(STOPPERS)) {
    test(name, () => {
      using repository = new TestRepository("sha256-v1");
      const path = make(repository);
      expect(problemsOf(repository).map((problem) => [problem.kind, problem.path])).toEqual([["foreign", path]]);
      const { stderr, exit } = repository.run("fsck");
      expect(exit).toBe(CATALOGUE["SR-E540"].exit);
      expectOneBlock(stderr, "SR-E540");
      expect(stderr).toContain("move it elsewhere");
      expect(stderr).not.toContain("--repair");
    });
  }

  test("what lies where nobody looks is none", () => {
    using repository = new TestRepository("sha256-v1");
    repository.write("composefs/objects/README", "x");
    repository.write("composefs/bootc/storage/x", "x");
    expect(repository.json("fsck").value).toMatchObject({ ok: true, foreign: [{ path: "objects/README" }] });
  });

  const references = (repository: TestRepository): Readonly<Record<string, string>> => ({ dangling: "../nothing", deep: `../../../${repository.kept}`, absolute: `/${repository.kept}` });
  for (const name of ["dangling", "deep", "absolute"]) {
    test(`a reference that is ${name}`, () => {
      using repository = new TestRepository("sha256-v1");
      symlinkSync(references(repository)[name] ?? "", repository.at(`images/refs/${name}`));
      expect(problemsOf(repository).map((problem) => [problem.kind, problem.path])).toEqual([["reference", `images/refs/${name}`]]);
      for (const args of [[], ["--repair", repository.path]]) {
        const { stderr } = repository.run("fsck", ...args);
        expectOneBlock(stderr, args.length === 0 ? "SR-E540" : "SR-E541");
        expect(stderr).toContain("remove the references above");
      }
    });
  }
});

describe("what this version may not change, or not read", () => {
  test("a feature that is not known is left to whoever knows it", () => {
    using repository = new TestRepository("sha256-v1");
    writeFileSync(repository.at("meta.json"), readFileSync(repository.at("meta.json"), "utf8").replace('"v1_erofs"', '"v1_erofs", "later"'));
    const before = repository.listing();
    const commands: readonly (readonly [string, ...string[]])[] = [["gc", "--sysroot", "none"], ["fsck", "--repair", repository.path], ["image import", repository.objectPath(repository.kept)]];
    for (const [command, ...args] of commands) {
      const { stderr } = repository.run(command, ...args);
      expectOneBlock(stderr, "SR-E202");
      expect(stderr).toContain("later");
    }
    expect(repository.listing()).toEqual(before);
    expect(repository.run("fsck").exit).toBe(0);
    expect(repository.run("gc", "--sysroot", "none", "--dry-run").exit).toBe(0);
  });

  test("a repository of somebody else is not one that is missing", () => {
    using repository = new TestRepository("sha256-v1");
    const asNobody = (...argv: readonly string[]): Ran => {
      const done = Bun.spawnSync(["setpriv", "--reuid=65534", "--clear-groups", "--", ...program(), ...argv], { env: { PATH: "/usr/bin:/bin" } });
      return { exit: done.exitCode, stdout: done.stdout.toString(), stderr: done.stderr.toString() };
    };
    expect(Bun.spawnSync(["chmod", "700", repository.path]).exitCode).toBe(0);
    for (const command of ["fsck", "gc", "image ls", "image create /"]) {
      const { stderr } = asNobody(...command.split(" "), "--repo", repository.path);
      expectOneBlock(stderr, "SR-E105");
      expect(stderr).toContain("the repository may not be read");
    }
  });
});
