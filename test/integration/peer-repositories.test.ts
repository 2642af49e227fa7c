/**
 * Repositories as composefs-rs and bootc left them, with OCI images, tags, OSTree commits and much that nothing needs any more: whole for
 * fsck, and gc leaves of each what the gc of the program that made it left (test/data/repository/README.md).
 */

import { describe, expect, test } from "bun:test";
import { mkdirSync, readFileSync, rmSync, truncateSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { CATALOGUE } from "../../src/errors/index.ts";
import { type RepositoryKind, runProgram, TestRepository } from "../support/repositories.ts";
import { projectTop } from "../vm/lab/cache.ts";

const MADE: Readonly<Record<string, RepositoryKind>> = {
  "cfsctl-oci-sha512-v1": "sha512-v1",
  "cfsctl-oci-sha256-v2-and-v1": "sha256-v2",
  "bootc-oci-sha512-v1": "sha512-v1",
  "cfsctl-oci-sha512-no-meta": "sha512-v2",
};

/** What the maker's gc left: of the repository as it is, and when some references were taken away before. */
function makersGc(archive: string): { readonly all: readonly string[]; readonly kept: readonly string[]; readonly dropped: readonly string[]; readonly keptLess: readonly string[] } {
  const lines = readFileSync(join(projectTop, `test/data/repository/${archive}.gc`), "utf8").trimEnd().split("\n");
  const those = (pattern: RegExp): string[] => lines.filter((line) => pattern.test(line)).map((line) => line.slice(3)).sort();
  return { all: those(/^/), kept: those(/^k/), dropped: those(/^.x/), keptLess: those(/^.k/) };
}

const pathsOf = (repository: TestRepository): string[] => repository.listing().map((path) => path.replace(/ -> .*/, ""));
const objectOf = (repository: TestRepository, link: string): string => {
  const found = repository.listing().find((path) => path.startsWith(`${link} -> `));
  if (found === undefined) throw new Error(`${link} is no link`);
  return found.replace(/^.* -> \.\.\//, "");
};

function contentOf(repository: TestRepository): string[] {
  return repository.listing().map((path) => (path.includes(" -> ") ? path : `${path} ${Bun.hash(readFileSync(repository.at(path)))}`));
}

/** A tree of which nothing lies in these repositories. @returns its path */
function otherTree(repository: TestRepository): string {
  for (const directory of ["usr", "boot", "sysroot"]) mkdirSync(join(repository.top, "tree", directory), { recursive: true });
  repository.write("tree/usr/file", "of an image that sealroot makes\n".repeat(20));
  return join(repository.top, "tree");
}

for (const [archive, kind] of Object.entries(MADE)) {
  describe(archive, () => {
    test("is whole, and each of its images is known", () => {
      using repository = new TestRepository(kind, archive);
      expect(pathsOf(repository)).toEqual([...makersGc(archive).all]);
      for (const more of [[], ["--quick"]]) expect(repository.json("fsck", ...more)).toMatchObject({ exit: 0, value: { ok: true, problems: [], temporary: [], foreign: [], notes: [] } });
      const images = repository.json("image ls").value["images"] as { readonly name: string; readonly fault: unknown; readonly references: readonly string[]; readonly neededBy: readonly string[] }[];
      expect(images.map(({ name }) => `images/${name}`).sort()).toEqual(makersGc(archive).all.filter((path) => /^images\/[0-9a-f]+$/.test(path)));
      expect(images.flatMap(({ references }) => references.map((name) => `images/refs/${name}`)).sort()).toEqual(makersGc(archive).all.filter((path) => path.startsWith("images/refs/")));
      // what is said to be needed stays, whether an image's own name or that of a stream keeps it
      const needed = images.filter(({ references, neededBy }) => references.length + neededBy.length > 0).map(({ name }) => `images/${name}`);
      expect(needed.sort()).toEqual(makersGc(archive).kept.filter((path) => /^images\/[0-9a-f]+$/.test(path)));
      for (const path of images.flatMap(({ neededBy }) => neededBy)) expect(makersGc(archive).all).toContain(path);
      for (const { name, fault } of images) {
        expect(fault).toBe(null);
        expect(repository.json("image inspect", name).value["objects"]).toMatchObject({ missing: 0 });
      }
    });

    test("gc leaves what the maker's gc left", () => {
      using repository = new TestRepository(kind, archive);
      const { kept, dropped, keptLess } = makersGc(archive);
      const before = contentOf(repository);
      const { exit, value } = repository.json("gc --no-boot-entries", "--dry-run");
      expect(exit).toBe(0);
      expect(contentOf(repository)).toEqual(before);
      expect(repository.json("gc --no-boot-entries").value["removed"]).toEqual(value["removed"] as object);
      expect(pathsOf(repository)).toEqual([...kept]);
      expect(contentOf(repository).filter((line) => !before.includes(line))).toEqual([]);
      expect(repository.json("fsck")).toMatchObject({ exit: 0, value: { ok: true, foreign: [] } });
      expect(repository.json("gc --no-boot-entries").value["removed"]).toMatchObject({ objects: 0, images: [], streams: [] });

      for (const reference of dropped) rmSync(repository.at(reference));
      expect(repository.json("gc --no-boot-entries").exit).toBe(0);
      expect(pathsOf(repository)).toEqual([...keptLess]);
      expect(repository.json("fsck")).toMatchObject({ exit: 0, value: { ok: true } });
    });

    test("an image of ours comes and goes, and nothing else changes", () => {
      using repository = new TestRepository(kind, archive);
      // one that is older than meta.json gets it first; the hash is told by the objects
      if (!repository.exists("meta.json")) expect(runProgram(["repo", "init", "--insecure", "--format", "v2", repository.path]).exit).toBe(0);
      const kept = [...new Set([...makersGc(archive).kept, "meta.json"])].sort();
      const before = contentOf(repository);
      const { exit, value } = repository.json("image create", "--name", "ours/1", otherTree(repository));
      expect(exit).toBe(0);
      expect(value["objects"]).toMatchObject({ written: 2, present: 0 });
      const digest = String(value["digest"]);
      const after = contentOf(repository);
      expect(before.filter((line) => !after.includes(line))).toEqual([]);
      // peers stumble over what is none of their names: beside these there is only our own directory
      const ours = [`images/${digest}`, "images/refs/ours/1", `objects/${digest.slice(0, 2)}/${digest.slice(2)}`];
      const added = after.filter((line) => !before.includes(line)).map((line) => line.replace(/ .*/, "")).filter((path) => !path.startsWith("sealroot/"));
      expect(added.filter((path) => !ours.includes(path))).toEqual([expect.stringMatching(/^objects\/[0-9a-f]{2}\/[0-9a-f]+$/)]);
      expect(added).toHaveLength(4);

      expect(repository.json("gc --no-boot-entries").exit).toBe(0);
      expect(pathsOf(repository).filter((path) => !added.includes(path) && !path.startsWith("sealroot/"))).toEqual(kept);
      rmSync(repository.at("images/refs/ours/1"));
      expect(repository.json("gc --no-boot-entries").value["removed"]).toMatchObject({ objects: 2, images: [digest] });
      expect(pathsOf(repository)).toEqual(kept);
    });

    test("what is damaged is found, and comes back as it was", () => {
      using whole = new TestRepository(kind, archive);
      using repository = new TestRepository(kind, archive);
      const { kept } = makersGc(archive);
      const damaged = ["images/", "streams/oci-manifest-", "streams/oci-config-", "streams/oci-layer-"].map((start, index) => {
        const link = kept.find((path) => path.startsWith(start) && !path.includes("/refs/"));
        if (link === undefined) throw new Error(`no ${start}`);
        const object = objectOf(repository, link);
        if (index % 2 === 0) rmSync(repository.at(object));
        else truncateSync(repository.at(object), 40);
        return object;
      });
      const problems = repository.json("fsck").value["problems"] as { readonly path: string }[];
      for (const object of damaged) expect(problems.map(({ path }) => path)).toContain(object);
      expect(repository.run("gc --no-boot-entries").exit).toBe(CATALOGUE["SR-E542"].exit);
      expect(repository.json("fsck", "--repair", whole.path)).toMatchObject({ exit: 0, value: { ok: true, notRepaired: [] } });
      expect(contentOf(repository)).toEqual(contentOf(whole));
    });
  });
}

test("what bootc's record of a deployment names stays as its tag had kept it", () => {
  using repository = new TestRepository("sha512-v1", "bootc-oci-sha512-v1");
  const { kept, dropped: [tag = ""] } = makersGc("bootc-oci-sha512-v1");
  const images = (): { readonly name: string; readonly neededBy: readonly string[] }[] => repository.json("image ls").value["images"] as { name: string; neededBy: string[] }[];
  const image = images().find(({ neededBy }) => neededBy.includes(tag))?.name ?? "";
  // as deployments have it that are older than bootc's tags
  rmSync(repository.at(tag));
  const origin = `state/deploy/${image}/${image}.origin`;
  repository.write(origin, `[boot]\nboot_type = bls\n\n[image]\nmanifest_digest = ${tag.replace(/^.*%2Fbootc-/, "")}\n`);
  expect(images().find(({ name }) => name === image)?.neededBy).toContain(join(repository.top, origin));
  expect(repository.json("gc --no-boot-entries").exit).toBe(0);
  expect(pathsOf(repository)).toEqual(kept.filter((path) => path !== tag));
});

test("a file of bootc's own storage is left alone", () => {
  using repository = new TestRepository("sha512-v1", "bootc-oci-sha512-v1");
  mkdirSync(repository.at("bootc/storage/overlay"), { recursive: true });
  writeFileSync(repository.at("bootc/storage/storage.lock"), "");
  expect(repository.json("fsck").value).toMatchObject({ ok: true, foreign: [] });
  expect(repository.json("gc --no-boot-entries").exit).toBe(0);
  expect(pathsOf(repository)).toEqual(["bootc/storage/storage.lock", ...makersGc("bootc-oci-sha512-v1").kept]);
});
