/** Copies inside the kernel, of files on a disk that fails and of files that change: whose fault it is, and what becomes of the others. */

import { describe, expect, test } from "bun:test";
import { mkdirSync, readFileSync, rmSync, truncateSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { CATALOGUE } from "../../src/errors/index.ts";
import { fsverityDigest } from "../../src/fsverity/index.ts";
import type { Faults } from "../support/faults/rules.ts";
import { faultyProgram } from "../support/program.ts";
import { expectOneBlock } from "../support/refusal.ts";
import { type Ran, runProgram, TestRepository } from "../support/repositories.ts";
import { TemporaryDirectory } from "../support/temporary.ts";

const EIO = 5;
const FICLONE = 0x40049409;

function faulty(faults: Faults, ...args: readonly string[]): Ran {
  const done = Bun.spawnSync([...faultyProgram(), ...args], { stdin: "ignore", stdout: "pipe", stderr: "pipe", timeout: 60_000, env: { PATH: "/usr/bin:/bin", FAULTS: JSON.stringify(faults) } });
  return { exit: done.exitCode, stdout: done.stdout.toString(), stderr: done.stderr.toString() };
}

const unfinished = (repository: TestRepository): string[] => repository.listing().filter((path) => path.includes("staging-") || path.includes(".tmp-"));

/** Two contents, in the order in which their objects are looked for; the second has holes. */
function twoObjects(): readonly { readonly digest: string; readonly bytes: Uint8Array<ArrayBuffer> }[] {
  const contents = [new Uint8Array(200_000).fill(1), new Uint8Array(300_000).fill(2, 0, 10)];
  return contents.map((bytes) => ({ digest: fsverityDigest(bytes, "sha256").toHex(), bytes }));
}

/** A repository whose two objects have other content, and an object store with good ones. */
function damaged(files: TemporaryDirectory): { readonly repository: TestRepository; readonly source: string } {
  const repository = new TestRepository("sha256-v1");
  const source = join(files.path, "source");
  for (const { digest, bytes } of twoObjects()) {
    repository.put(bytes);
    writeFileSync(repository.objectPath(digest), bytes.map((byte) => byte ^ 1));
    mkdirSync(join(source, digest.slice(0, 2)), { recursive: true });
    writeFileSync(join(source, digest.slice(0, 2), digest.slice(2)), bytes.subarray(0, 10));
    truncateSync(join(source, digest.slice(0, 2), digest.slice(2)), bytes.length);
    if (bytes.at(-1) !== 0) writeFileSync(join(source, digest.slice(0, 2), digest.slice(2)), bytes);
  }
  return { repository, source };
}

describe("an object of the source that cannot be read keeps a repair from no other one", () => {
  const ways: Readonly<Record<string, Faults>> = {
    "with fs-verity": { verity: "sha256" }, "without": {},
    "where blocks are shared": { verity: "sha256", grown: 0 }, "where blocks are shared, without fs-verity": { grown: 0 },
    "where sharing blocks fails": { verity: "sha256", failAll: { call: "ioctl", what: FICLONE }, errno: EIO },
  };
  for (const [way, faults] of Object.entries(ways)) {
    for (const bad of [0, 1]) {
      test(`${way}, object ${bad}`, () => {
        using files = new TemporaryDirectory();
        const { repository, source } = damaged(files);
        using _ = repository;
        const [broken, whole] = bad === 0 ? twoObjects() : twoObjects().toReversed();
        if (broken === undefined || whole === undefined) throw new Error("there are two");
        const path = `objects/${broken.digest.slice(0, 2)}/${broken.digest.slice(2)}`;
        const before = readFileSync(repository.at(path));
        const done = faulty({ ...faults, unreadable: [`source/${path.slice(8)}`, `object-${broken.digest}`] }, "fsck", "--jobs", "1", "--json", "--repo", repository.path, "--repair", source);
        const value = JSON.parse(done.stdout) as Record<string, unknown>;
        expect(done.exit).toBe(CATALOGUE["SR-E541"].exit);
        expect(value["notRepaired"]).toEqual([{ path, reason: "what the source has there cannot be read" }]);
        expect(value["repaired"]).toEqual([`objects/${whole.digest.slice(0, 2)}/${whole.digest.slice(2)}`]);
        expect(readFileSync(repository.at(path)).equals(before)).toBe(true);
        expect(new Uint8Array(readFileSync(repository.objectPath(whole.digest)))).toEqual(whole.bytes);
        expect(unfinished(repository)).toEqual([]);
        // and the next run has the rest
        expect(repository.json("fsck", "--repair", source)).toMatchObject({ exit: 0, value: { ok: true } });
      });
    }
  }

  test("nor an import", () => {
    using files = new TemporaryDirectory();
    const { repository, source } = damaged(files);
    using _ = repository;
    const [broken, whole] = twoObjects();
    if (broken === undefined || whole === undefined) throw new Error("there are two");
    for (const { digest } of [broken, whole]) rmSync(repository.objectPath(digest));
    const [dump, image] = [join(files.path, "dump"), join(files.path, "image")];
    const line = ({ digest, bytes }: typeof broken, name: string): string => `/${name} ${bytes.length} 100644 1 0 0 0 0.0 ${digest.slice(0, 2)}/${digest.slice(2)} - ${digest}\n`;
    writeFileSync(dump, `/ 4096 40755 2 0 0 0 0.0 - - -\n${line(broken, "a")}${line(whole, "b")}`);
    expect(runProgram(["mkcomposefs", "--from-file", dump, image])).toMatchObject({ exit: 0 });
    const done = faulty({ verity: "sha256", unreadable: [`source/${broken.digest.slice(0, 2)}/${broken.digest.slice(2)}`] }, "image", "import", "--repo", repository.path, "--objects", source, image);
    expectOneBlock(done.stderr, "SR-E546");
    expect(done.stderr).toContain(broken.digest.slice(2));
    expect(unfinished(repository)).toEqual([]);
  });
});

test("a repository that fails while objects are copied is not taken for the source", () => {
  using files = new TemporaryDirectory();
  const { repository, source } = damaged(files);
  using _ = repository;
  const unreadable = twoObjects().map(({ digest }) => `object-${digest}`);
  for (const faults of [{ verity: "sha256", unreadable }, { failAll: { call: "ftruncate" }, errno: EIO }] as const) {
    const done = faulty(faults, "fsck", "--jobs", "1", "--repo", repository.path, "--repair", source);
    expectOneBlock(done.stderr, "SR-E548");
    expect(unfinished(repository)).toEqual([]);
  }
});

describe("image create", () => {
  const large = new Uint8Array(3 << 20).fill(7);

  function treeOf(files: TemporaryDirectory): string {
    const tree = join(files.path, "tree");
    mkdirSync(tree);
    writeFileSync(join(tree, "large"), large);
    return tree;
  }

  for (const verity of [undefined, "sha256"] as const) {
    test(`names a file that the kernel cannot copy, ${verity === undefined ? "without" : "with"} fs-verity`, () => {
      using files = new TemporaryDirectory();
      using repository = new TestRepository("sha256-v1");
      const before = repository.listing();
      const done = faulty({ ...(verity === undefined ? {} : { verity }), unreadable: ["tree/large"] }, "image", "create", "--recipe", "mkcomposefs", "--threads", "1", "--repo", repository.path, treeOf(files));
      expectOneBlock(done.stderr, "SR-E520");
      expect(done.stderr).toContain("/large");
      expect(repository.listing()).toEqual(before);
    });

    test(`stores nothing of a file that was longer when it was shared, ${verity === undefined ? "without" : "with"} fs-verity`, () => {
      using files = new TemporaryDirectory();
      using repository = new TestRepository("sha256-v1");
      const before = repository.listing();
      const tree = treeOf(files);
      const create = (grown: number): Ran => faulty({ ...(verity === undefined ? {} : { verity }), grown }, "image", "create", "--recipe", "mkcomposefs", "--threads", "1", "--repo", repository.path, tree);
      expectOneBlock(create(100).stderr, "SR-E521");
      expect(repository.listing()).toEqual(before);
      expect(create(0).exit).toBe(0);
      expect(new Uint8Array(readFileSync(repository.objectPath(fsverityDigest(large, "sha256").toHex())))).toEqual(large);
    });
  }

  test("goes on where the kernel fails to copy what can be read", () => {
    using files = new TemporaryDirectory();
    using repository = new TestRepository("sha256-v1");
    const done = faulty({ verity: "sha256", failAll: { call: "copy_file_range" }, errno: EIO }, "image", "create", "--recipe", "mkcomposefs", "--threads", "1", "--repo", repository.path, treeOf(files));
    expect(done).toMatchObject({ exit: 0, stderr: "" });
    expect(repository.json("fsck").value["ok"]).toBe(true);
  });
});
