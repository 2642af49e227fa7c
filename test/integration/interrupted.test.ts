/**
 * kill -9 before every single call that changes the filesystem, of each command that changes a repository. Whenever it comes: no object
 * has another content than its name says, no image is named whose objects are not there, and the next run ends as an uninterrupted one
 * would have, with nothing left lying about. Systematic, not random: the calls are counted first (test/support/faults).
 */

import { describe, expect, test } from "bun:test";
import { chmodSync, cpSync, mkdirSync, readdirSync, readFileSync, rmSync, utimesSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { O, openPath } from "../../src/linux/index.ts";
import { RepositoryContents } from "../../src/repository/contents.ts";
import { Fsck } from "../../src/repository/fsck.ts";
import type { Faults } from "../support/faults/rules.ts";
import { faultyProgram } from "../support/program.ts";
import { TestRepository } from "../support/repositories.ts";
import { TemporaryDirectory } from "../support/temporary.ts";

interface Findings {
  /** Objects with another content than their name says. */
  readonly wrong: readonly string[];
  /** What is missing, or cannot be read, of images, streams and references. */
  readonly broken: readonly string[];
}

function check(path: string): Findings {
  using directory = openPath(path, O.RDONLY | O.DIRECTORY);
  using contents = new RepositoryContents(directory.take());
  const fsck = new Fsck(contents, { quick: false, image: undefined }, { begin: () => undefined, advance: () => undefined });
  fsck.checkObjects();
  const { problems } = fsck.checkLinks();
  const bad = [...fsck.objects.bad];
  return {
    wrong: bad.filter(([, { fault }]) => fault !== "missing").map(([hex]) => hex).sort(),
    broken: [...bad.filter(([, { fault }]) => fault === "missing").map(([hex]) => hex), ...problems.map(({ path: where }) => where)].sort(),
  };
}

interface Scenario {
  /** Makes what the command starts from. */
  readonly prepare: (repository: TestRepository, files: string) => void;
  readonly command: (repository: TestRepository, files: string) => readonly string[];
  /** What was wrong before the command came: nothing may be added to it. */
  readonly before?: (repository: TestRepository) => Findings;
  readonly least: number;
  /** What else is different. */
  readonly faults?: (repository: TestRepository) => Faults;
  /** The program works with several threads, so that their calls come in ever another order. */
  readonly threads?: boolean;
}

/** The tree that image create reads: files of several sizes, two of them alike, and some that the repository has. */
function writeTree(files: string): void {
  mkdirSync(join(files, "tree/d"), { recursive: true });
  for (const [name, lines] of [["f1", 4], ["new", 40], ["again", 40], ["d/large", 400]] as const) writeFileSync(join(files, "tree", name), `line ${name === "f1" ? "1" : "of"} of a file that is long enough for the object store\n`.repeat(lines));
}

/** Small files in many prefixes, and the same image of them each time, so that some of those come after the image's own. */
function writeManyFiles(files: string): void {
  const tree = join(files, "tree");
  mkdirSync(tree, { recursive: true });
  for (let index = 0; index < 24; index++) {
    writeFileSync(join(tree, `f${index}`), `content ${index} of a file that is long enough for the object store\n`.repeat(4));
    utimesSync(join(tree, `f${index}`), 1, 1);
  }
  utimesSync(tree, 1, 1);
}

/** What an image needs is lost, and its object too: nobody can see that it is broken. */
function loseObjects(repository: TestRepository, files: string): void {
  writeManyFiles(files);
  const there = new Set(repository.objects());
  expect(repository.run("image create", "--recipe", "mkcomposefs", "--name", "system/a", join(files, "tree")).exit).toBe(0);
  for (const path of repository.objects()) if (!there.has(path)) rmSync(repository.at(path));
  for (const prefix of readdirSync(repository.at("objects"))) if (readdirSync(repository.at(`objects/${prefix}`)).length === 0) rmSync(repository.at(`objects/${prefix}`), { recursive: true });
}

/** As much as several threads are started for, and some of it twice, so that two of them make the same object. */
function writeLargeTree(files: string): void {
  mkdirSync(join(files, "tree"), { recursive: true });
  for (let index = 0; index < 14; index++) writeFileSync(join(files, "tree", `f${index}`), Buffer.alloc(400_000, `content ${index >> 1} `));
}

const createdByThreads = (repository: TestRepository, files: string): readonly string[] => ["image", "create", "--recipe", "mkcomposefs", "--threads", "3", "--name", "system/a", "--repo", repository.path, join(files, "tree")];

/** Objects of the large tree that are there and damaged. */
function writeDamagedTree(repository: TestRepository, files: string): void {
  writeLargeTree(files);
  for (const name of ["f0", "f2", "f4"]) {
    const digest = repository.put(readFileSync(join(files, "tree", name)));
    writeFileSync(repository.objectPath(digest), Buffer.alloc(400_000));
  }
}

function damage(repository: TestRepository): void {
  const [first = "", second = ""] = repository.objects().filter((path) => !path.endsWith(repository.kept.slice(2)) && !path.endsWith(repository.unnamed.slice(2)));
  writeFileSync(repository.at(first), "damaged");
  rmSync(repository.at(second));
  rmSync(repository.objectPath(repository.unnamed));
}

const SCENARIOS: Readonly<Record<string, Scenario>> = {
  "image create": {
    prepare: (_repository, files) => writeTree(files),
    command: (repository, files) => ["image", "create", "--recipe", "mkcomposefs", "--threads", "1", "--name", "system/a", "--repo", repository.path, join(files, "tree")],
    least: 20,
  },
  "image create, where its name leads to another image": {
    prepare: (repository, files) => {
      writeTree(files);
      expect(repository.run("image create", "--recipe", "mkcomposefs", "--name", "system/a", files).exit).toBe(0);
      writeFileSync(join(files, "tree/more"), "more content of a file, which is long enough to become an object of its own\n");
    },
    command: (repository, files) => ["image", "create", "--recipe", "mkcomposefs", "--threads", "1", "--name", "system/a", "--repo", repository.path, join(files, "tree")],
    least: 10,
  },
  "image create, where the link is there and the objects are gone": {
    prepare: loseObjects,
    command: (repository, files) => ["image", "create", "--recipe", "mkcomposefs", "--threads", "1", "--name", "system/a", "--repo", repository.path, join(files, "tree")],
    before: (repository) => check(repository.path),
    least: 60,
  },
  "image create by several threads": {
    prepare: (_repository, files) => writeLargeTree(files),
    command: createdByThreads,
    least: 50,
    faults: () => ({ pause: 10 }),
    threads: true,
  },
  "image create by several threads, which replace the same damaged objects": {
    prepare: writeDamagedTree,
    command: createdByThreads,
    before: (repository) => check(repository.path),
    least: 50,
    faults: () => ({ pause: 10 }),
    threads: true,
  },
  "image create by several threads, which replace the same damaged objects, with fs-verity": {
    prepare: writeDamagedTree,
    command: createdByThreads,
    before: (repository) => check(repository.path),
    least: 50,
    faults: ({ algorithm }) => ({ pause: 10, verity: algorithm }),
    threads: true,
  },
  "image import": {
    prepare: (repository, files) => {
      const { kept } = repository;
      mkdirSync(files, { recursive: true });
      cpSync(repository.path, join(files, "store"), { recursive: true, verbatimSymlinks: true });
      for (const path of ["images/refs/kept", `images/${kept}`, ...repository.objects().slice(0, 3)]) rmSync(repository.at(path));
      // the other image must not need what is gone
      rmSync(repository.at(`images/${repository.listing().find((line) => line.startsWith("images/"))?.slice(7).replace(/ .*/, "") ?? ""}`), { force: true });
      writeFileSync(join(files, "digest"), kept);
    },
    command: (repository, files) => {
      const kept = readFileSync(join(files, "digest"), "utf8");
      return ["image", "import", "--objects", join(files, "store"), "--name", "a/b", "--repo", repository.path, join(files, `store/objects/${kept.slice(0, 2)}/${kept.slice(2)}`)];
    },
    least: 15,
  },
  gc: {
    prepare: (repository) => {
      const { unnamed } = repository;
      for (const name of ["commit", "commitmeta", "ed25519"]) repository.write(`composefs/commits/${unnamed}/${"1".repeat(64)}.${name}`, "x");
      for (const text of ["one", "two", "three"]) repository.put(new TextEncoder().encode(text));
      repository.write("composefs/objects/.tmp-object-aaaaaaaaaaaa", "x");
      repository.write(`composefs/sealroot/recipes/${unnamed}.json`, "{}");
      repository.write(`composefs/sealroot/staging-abcdef/ab/${"1".repeat(62)}`, "x");
      chmodSync(repository.at("sealroot/staging-abcdef"), 0o700);
    },
    command: (repository) => ["gc", "--no-boot-entries", "--repo", repository.path],
    least: 12,
  },
  "fsck --repair": {
    prepare: (repository, files) => {
      cpSync(repository.path, join(files, "good"), { recursive: true, verbatimSymlinks: true });
      damage(repository);
      rmSync(repository.at(`images/${repository.kept}`));
      repository.link(`images/${repository.kept}`, "0".repeat(repository.kept.length));
    },
    command: (repository, files) => ["fsck", "--repair", join(files, "good"), "--repo", repository.path],
    before: (repository) => check(repository.path),
    least: 20,
  },
};

/** The program under rules, on the sources. @returns how it ended */
async function run(argv: readonly string[], faults: Faults): Promise<{ readonly exit: number; readonly killed: boolean; readonly text: string }> {
  const child = Bun.spawn([...faultyProgram(), ...argv], { stdin: "ignore", stdout: "pipe", stderr: "pipe", env: { PATH: "/usr/sbin:/usr/bin:/sbin:/bin", LC_ALL: "C", FAULTS: JSON.stringify(faults) } });
  const [stdout, stderr] = await Promise.all([child.stdout.text(), child.stderr.text()]);
  await child.exited;
  return { exit: child.exitCode ?? -1, killed: child.signalCode === "SIGKILL", text: `${stdout}${stderr}` };
}

const SLACK = 8;

/** As many at once as CI machines have cores. */
const LANES = 2;

async function killEverywhere(scenario: Scenario, kind: "sha256-v1" | "sha512-v2"): Promise<void> {
  using files = new TemporaryDirectory();
  using whole = new TestRepository(kind);
  // one directory for what the command reads: what it makes of it is to be the same each time
  const input = join(files.path, "input");
  scenario.prepare(whole, input);
  using start = new TemporaryDirectory();
  cpSync(whole.path, join(start.path, "composefs"), { recursive: true, verbatimSymlinks: true });
  const allowed = scenario.before?.(whole) ?? { wrong: [], broken: [] };
  const log = join(files.path, "changes");
  const rules = scenario.faults?.(whole) ?? {};
  /** Each run counts anew. */
  let runs = 0;
  const numbers = (): Faults => {
    if (scenario.threads !== true) return {};
    const directory = join(files.path, `numbers${runs++}`);
    mkdirSync(directory);
    return { numbers: directory };
  };
  const done = await run(scenario.command(whole, input), { ...rules, ...numbers(), changes: log });
  expect(done.exit, done.text).toBe(0);
  expect(check(whole.path)).toEqual({ wrong: [], broken: [] });
  const calls = readFileSync(log, "utf8").trimEnd().split("\n");
  expect(calls.length).toBeGreaterThanOrEqual(scenario.least);
  if (scenario.threads === true) expect(calls.filter((call) => call.endsWith(" in another thread")).length).toBeGreaterThan(5);
  const finished = whole.listing();

  const killOnce = async (number: number): Promise<void> => {
    using repository = new TestRepository(kind);
    rmSync(repository.path, { recursive: true });
    cpSync(join(start.path, "composefs"), repository.path, { recursive: true, verbatimSymlinks: true });
    const where = `killed before ${calls[number]}`;
    const killed = await run(scenario.command(repository, input), { ...rules, ...numbers(), killAt: number });
    // threads that meet at the same object make a call more or less
    if (scenario.threads !== true || number < calls.length - SLACK || killed.exit !== 0) expect(killed.killed, `${where}: ${killed.text}`).toBe(true);
    const found = check(repository.path);
    expect(found.wrong.filter((hex) => !allowed.wrong.includes(hex)), where).toEqual([]);
    expect(found.broken.filter((what) => !allowed.broken.includes(what)), where).toEqual([]);
    const again = await run(scenario.command(repository, input), { ...rules, ...numbers(), pause: 0 });
    expect(again.exit, `${where}, then: ${again.text}`).toBe(0);
    expect(repository.listing(), where).toEqual(finished);
    expect(check(repository.path), where).toEqual({ wrong: [], broken: [] });
  };
  await Promise.all(Array.from({ length: LANES }, async (_, lane) => {
    for (let number = lane; number < calls.length; number += LANES) await killOnce(number);
  }));
}

describe("killed before every change to the disk", () => {
  for (const [name, scenario] of Object.entries(SCENARIOS)) {
    for (const kind of ["sha256-v1", "sha512-v2"] as const) test(`${name}, ${kind}`, () => killEverywhere(scenario, kind), 300_000);
  }
});
