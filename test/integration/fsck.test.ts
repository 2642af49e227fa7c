/** fsck on repositories that composefs-rs has written: each fault is found, with what it hurts; repairs are checked before they are made. */

import { describe, expect, test } from "bun:test";
import { cpSync, mkdirSync, readFileSync, renameSync, rmSync, symlinkSync, truncateSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { CATALOGUE } from "../../src/errors/index.ts";
import type { Faults } from "../support/faults/rules.ts";
import { faultyProgram } from "../support/program.ts";
import { expectOneBlock } from "../support/refusal.ts";
import { KINDS, runProgram, TestRepository } from "../support/repositories.ts";
import { splitstream } from "../support/splitstream.ts";
import { TemporaryDirectory } from "../support/temporary.ts";

interface Problem {
  readonly kind: string;
  readonly path: string;
  readonly fault?: string;
  readonly found: string;
  readonly hurts?: readonly { readonly path: string; readonly whole: boolean; readonly files: readonly string[]; readonly count: number; readonly neededBy: readonly string[] }[];
}

const DAMAGED = CATALOGUE["SR-E540"].exit;

function problemsOf(repository: TestRepository, ...args: readonly string[]): readonly Problem[] {
  const { exit, value } = repository.json("fsck", ...args);
  const problems = value["problems"] as readonly Problem[];
  expect(exit).toBe(problems.length === 0 ? 0 : DAMAGED);
  expect(value["ok"]).toBe(problems.length === 0);
  return problems;
}

/** An object that is the content of f1 and d/copy in both images. */
function sharedObject(repository: TestRepository): string {
  const path = repository.objects().find((candidate) => readFileSync(repository.at(candidate), "latin1").startsWith("line 1 of a file"));
  if (path === undefined) throw new Error("the repository has no object of f1");
  return path;
}

describe("whole", () => {
  for (const kind of KINDS) {
    test(kind, () => {
      using repository = new TestRepository(kind);
      const { exit, value } = repository.json("fsck");
      expect(exit).toBe(0);
      expect(value).toMatchObject({ ok: true, problems: [], checked: { objects: 6, present: 6, images: 2, streams: 0, references: 1 } });
      expect(repository.json("fsck", "--quick").value).toMatchObject({ ok: true, checked: { objects: 2, images: 2 } });
      expect(repository.json("fsck", "--image", repository.kept.slice(0, 8)).value).toMatchObject({ ok: true, checked: { objects: 4, images: 1 } });
      expect(repository.run("fsck").stdout).toStartWith("the repository is whole\n");
    });
  }

  test("with streams", () => {
    using repository = new TestRepository("sha512-v2");
    const stream = repository.put(splitstream({ named: [["composefs.image", repository.kept]], chunks: new Uint8Array(0), algorithm: 2 }));
    repository.link("streams/ostree-commit-1", stream);
    expect(repository.json("fsck").value).toMatchObject({ ok: true, checked: { streams: 1 } });
  });
});

/** @returns the path of the problem that is to be found */
type Damage = (repository: TestRepository) => { readonly path: string; readonly kind: string; readonly fault?: string };

const DAMAGES: Readonly<Record<string, Damage>> = {
  "an object with other content": (repository) => {
    const path = sharedObject(repository);
    const bytes = readFileSync(repository.at(path));
    bytes[0] = (bytes[0] ?? 0) ^ 1;
    writeFileSync(repository.at(path), bytes);
    return { path, kind: "object", fault: "digest" };
  },
  "an object that is missing": (repository) => {
    const path = sharedObject(repository);
    rmSync(repository.at(path));
    return { path, kind: "object", fault: "missing" };
  },
  "an object that is a directory": (repository) => {
    const path = sharedObject(repository);
    rmSync(repository.at(path));
    mkdirSync(repository.at(path));
    return { path, kind: "object", fault: "type" };
  },
  "an object that is a link out of the repository": (repository) => {
    const path = sharedObject(repository);
    rmSync(repository.at(path));
    symlinkSync("/etc/passwd", repository.at(path));
    return { path, kind: "object", fault: "type" };
  },
  "an image with other content": (repository) => {
    const path = `objects/${repository.kept.slice(0, 2)}/${repository.kept.slice(2)}`;
    truncateSync(repository.at(path), 5000);
    return { path, kind: "object", fault: "digest" };
  },
  "an object that is no image": (repository) => {
    const digest = repository.put(new TextEncoder().encode("no image"));
    repository.link(`images/${digest}`, digest);
    return { path: `images/${digest}`, kind: "image" };
  },
  "a link that leads to another image": (repository) => {
    rmSync(repository.at(`images/${repository.kept}`));
    repository.link(`images/${repository.kept}`, sharedObject(repository).slice(8).replace("/", ""));
    return { path: `images/${repository.kept}`, kind: "link" };
  },
  "a link out of the repository": (repository) => {
    rmSync(repository.at(`images/${repository.kept}`));
    symlinkSync("/etc/passwd", repository.at(`images/${repository.kept}`));
    return { path: `images/${repository.kept}`, kind: "link" };
  },
  "a reference to nothing": (repository) => {
    symlinkSync("../nothing", repository.at("images/refs/other"));
    return { path: "images/refs/other", kind: "reference" };
  },
  "a stream that is none": (repository) => {
    repository.link("streams/a", repository.put(new TextEncoder().encode("no stream")));
    return { path: "streams/a", kind: "stream" };
  },
  "a stream of another hash": (repository) => {
    repository.link("streams/a", repository.put(splitstream({ chunks: new Uint8Array(0), algorithm: repository.algorithm === "sha256" ? 2 : 1 })));
    return { path: "streams/a", kind: "stream" };
  },
  "a stream whose image is missing": (repository) => {
    const digest = "e".repeat(repository.kept.length);
    repository.link("streams/a", repository.put(splitstream({ named: [["composefs.image", digest]], chunks: new Uint8Array(0), algorithm: repository.algorithm === "sha256" ? 1 : 2 })));
    return { path: `objects/${digest.slice(0, 2)}/${digest.slice(2)}`, kind: "object", fault: "missing" };
  },
};

describe("found", () => {
  for (const [name, damage] of Object.entries(DAMAGES)) {
    for (const kind of ["sha256-v1", "sha512-v2"] as const) {
      test(`${name}, ${kind}`, () => {
        using repository = new TestRepository(kind);
        const { path, kind: expected, fault } = damage(repository);
        const found = problemsOf(repository).filter((problem) => problem.path === path);
        expect(found.map((problem) => [problem.kind, problem.fault])).toEqual([[expected, fault]]);
        const { stderr } = repository.run("fsck");
        expectOneBlock(stderr, "SR-E540");
      });
    }
  }
});

test("what a bad object hurts: images, files, deployments, boot entries, references", () => {
  using repository = new TestRepository("sha256-v1");
  const { kept, unnamed } = repository;
  mkdirSync(join(repository.top, "state/deploy", unnamed), { recursive: true });
  repository.write("boot/loader/entries/a.conf", `linux /v\noptions composefs.digest=v1-sha256-12:${kept}\n`);
  const path = sharedObject(repository);
  rmSync(repository.at(path));
  const [problem] = problemsOf(repository);
  const hurts = (problem?.hurts ?? []).map(({ path: image, whole, files, count, neededBy }) => ({ image, whole, files, count, neededBy: neededBy.map((by) => by.replace(repository.top, "")) }));
  expect(hurts.sort((a, b) => (a.neededBy.length < b.neededBy.length ? 1 : -1))).toEqual([
    { image: `images/${kept}`, whole: false, files: ["/d/copy", "/f1"], count: 2, neededBy: ["boot entry /boot/loader/entries/a.conf", "images/refs/kept"] },
    { image: `images/${unnamed}`, whole: false, files: ["/d/copy", "/f1"], count: 2, neededBy: [`/state/deploy/${unnamed}`] },
  ]);
  // of the one image alone as well, and for people
  expect(problemsOf(repository, "--image", "kept").length).toBe(1);
  const { stdout } = repository.run("fsck", "--quick");
  for (const words of [path, `images/${kept}`, "/d/copy, /f1", "boot/loader/entries/a.conf", `state/deploy/${unnamed}`]) expect(stdout).toContain(words);
});

test("several processes find what one finds", () => {
  using repository = new TestRepository("sha256-v1");
  for (let number = 0; number < 40; number++) repository.put(new Uint8Array(1 << 20).fill(number));
  const path = sharedObject(repository);
  writeFileSync(repository.at(path), "x");
  const alone = repository.json("fsck", "--jobs", "1").value;
  const together = repository.json("fsck", "--jobs", "3").value;
  expect(together).toEqual(alone);
  expect(together["checked"]).toMatchObject({ objects: 46 });
  expect((together["problems"] as Problem[]).map((problem) => problem.path)).toEqual([path]);
});

describe("repaired", () => {
  /** What the source of a repair may be, and what is left over after a repair from it. */
  const sources: Readonly<Record<string, (repository: TestRepository, at: string) => void>> = {
    "another repository": (repository, at) => cpSync(repository.path, at, { recursive: true, verbatimSymlinks: true }),
    "a physical root": (repository, at) => cpSync(repository.path, join(at, "composefs"), { recursive: true, verbatimSymlinks: true }),
    "an object store": (repository, at) => cpSync(repository.at("objects"), at, { recursive: true }),
    "files named by their digest": (repository, at) => {
      mkdirSync(at);
      for (const path of repository.objects()) cpSync(repository.at(path), join(at, path.slice(8).replace("/", "")));
    },
    "any files of that content": (repository, at) => {
      mkdirSync(join(at, "a/b"), { recursive: true });
      // others of the same size must not be taken
      for (const [index, path] of repository.objects().entries()) {
        const bytes = readFileSync(repository.at(path));
        writeFileSync(join(at, `a/b/${index}`), bytes);
        writeFileSync(join(at, `a/${index}`), bytes.toReversed());
      }
    },
  };
  for (const [name, make] of Object.entries(sources)) {
    for (const kind of ["sha256-v1", "sha512-v2"] as const) {
      test(`from ${name}, ${kind}`, () => {
        using files = new TemporaryDirectory();
        using repository = new TestRepository(kind);
        const source = join(files.path, "source");
        make(repository, source);
        const before = repository.listing();
        const shared = sharedObject(repository);
        const bytes = readFileSync(repository.at(shared));
        const image = readFileSync(repository.objectPath(repository.kept));
        // the size stays, which is what a plain directory is searched by
        writeFileSync(repository.at(shared), bytes.map((byte) => byte ^ 1));
        writeFileSync(repository.objectPath(repository.kept), image.map((byte) => byte ^ 1));
        const { exit, value } = repository.json("fsck", "--repair", source);
        expect({ exit, repaired: (value["repaired"] as string[]).length, left: value["notRepaired"] }).toEqual({ exit: 0, repaired: 2, left: [] });
        expect(readFileSync(repository.at(shared)).equals(bytes)).toBe(true);
        expect(repository.listing().filter((path) => !path.startsWith("sealroot"))).toEqual(before);
        expect(problemsOf(repository)).toEqual([]);
      });
    }
  }

  test("a bad object stays until there is a good one", () => {
    using files = new TemporaryDirectory();
    using repository = new TestRepository("sha256-v1");
    const shared = sharedObject(repository);
    cpSync(repository.path, join(files.path, "source"), { recursive: true, verbatimSymlinks: true });
    writeFileSync(join(files.path, "source", shared), "bad there as well");
    writeFileSync(repository.at(shared), "bad here");
    const { exit, value } = repository.json("fsck", "--repair", join(files.path, "source"));
    expect(exit).toBe(CATALOGUE["SR-E541"].exit);
    expect(value["notRepaired"]).toEqual([{ path: shared, reason: "what the source has there has other content" }]);
    expect(readFileSync(repository.at(shared), "latin1")).toBe("bad here");
    expect(repository.listing().some((path) => path.includes("staging"))).toBe(false);
  });

  test("an image that was missing, with the objects that only it needs", () => {
    using files = new TemporaryDirectory();
    using repository = new TestRepository("sha512-v1");
    cpSync(repository.path, join(files.path, "source"), { recursive: true, verbatimSymlinks: true });
    for (const path of repository.objects()) rmSync(repository.at(path));
    expect(problemsOf(repository).length).toBe(2);
    const before = repository.listing().length;
    expect(repository.json("fsck", "--repair", join(files.path, "source"))).toMatchObject({ exit: 0, value: { ok: true } });
    expect(repository.listing().length).toBe(before + 6);
  });

  test("an image stays away as long as its objects are missing", () => {
    using files = new TemporaryDirectory();
    using repository = new TestRepository("sha256-v2");
    const { kept } = repository;
    mkdirSync(join(files.path, "source"));
    cpSync(repository.objectPath(kept), join(files.path, "source", kept));
    for (const path of repository.objects()) rmSync(repository.at(path));
    const { exit, value } = repository.json("fsck", "--repair", join(files.path, "source"));
    expect(exit).toBe(CATALOGUE["SR-E541"].exit);
    expect(value["repaired"]).toEqual([]);
    expect(repository.objects()).toEqual([]);
  });

  test("a link that leads elsewhere", () => {
    using repository = new TestRepository("sha256-v1");
    const link = `images/${repository.kept}`;
    const before = repository.listing();
    renameSync(repository.at(link), repository.at("kept"));
    repository.link(link, "0".repeat(64));
    rmSync(repository.at("kept"));
    using empty = new TemporaryDirectory();
    expect(repository.json("fsck", "--repair", empty.path)).toMatchObject({ exit: 0, value: { ok: true, repaired: [link] } });
    expect(repository.listing().filter((path) => !path.startsWith("sealroot"))).toEqual(before);
  });
});

test("a reference by an absolute path is not said to be one to nowhere", () => {
  using repository = new TestRepository("sha256-v1");
  for (const [name, text] of [["absolute", repository.at(`images/${repository.kept}`)], ["around", `../../../composefs/images/${repository.kept}`], ["nowhere", repository.kept]] as const) symlinkSync(text, repository.at(`images/refs/${name}`));
  const found = problemsOf(repository).map((problem) => [problem.path, /by a path from outside|which is nowhere/.exec(problem.found)?.[0]]);
  expect(found.toSorted()).toEqual([["images/refs/absolute", "by a path from outside"], ["images/refs/around", "by a path from outside"], ["images/refs/nowhere", "which is nowhere"]]);
});

test("an object that was not there and then cannot be looked at is an unreadable one", () => {
  using files = new TemporaryDirectory();
  using repository = new TestRepository("sha256-v1");
  const path = sharedObject(repository);
  rmSync(repository.at(path));
  const check = (faults: Faults): Record<string, unknown> => {
    const done = Bun.spawnSync([...faultyProgram(), "fsck", "--json", "--jobs", "1", "--sysroot", "none", "--repo", repository.path], { stdin: "ignore", env: { PATH: "/usr/bin:/bin", FAULTS: JSON.stringify(faults) } });
    expect(done.exitCode).not.toBe(CATALOGUE["SR-E900"].exit);
    return done.stdout.length === 0 ? {} : JSON.parse(done.stdout.toString()) as Record<string, unknown>;
  };
  const log = join(files.path, "log");
  check({ log });
  const absent = readFileSync(log, "utf8").split("\n").filter((line) => line.endsWith(" openat2 -2")).map((line) => Number.parseInt(line, 10));
  const faults = absent.map((failCall) => (check({ failCall, errno: 5 })["problems"] as readonly Problem[] | undefined)?.find((problem) => problem.path === path)?.fault);
  expect(faults).toContain("unreadable");
});

describe("refused", () => {
  test("no repository, no image, no source", () => {
    using repository = new TestRepository("sha256-v1");
    expectOneBlock(runProgram(["fsck", "--repo", "/nowhere"]).stderr, "SR-E201");
    expectOneBlock(repository.run("fsck", "--image", "0123456789").stderr, "SR-E544");
    expectOneBlock(repository.run("fsck", "--repair", "/nowhere").stderr, "SR-E520");
    expectOneBlock(repository.run("fsck", "--jobs", "many").stderr, "SR-E100");
  });
});
