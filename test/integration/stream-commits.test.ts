/** Commits of imported OSTree streams in a composefs-rs repository: found by the image that they name, and judged like any other. */

import { expect, test } from "bun:test";
import { mkdirSync, readFileSync, renameSync, rmSync, symlinkSync, truncateSync, writeFileSync } from "node:fs";
import { basename, join } from "node:path";
import { emptyDirtree } from "../../src/ostree/index.ts";
import { inlineChunk, objectMap, splitstream, type StreamParts } from "../support/splitstream.ts";
import { SignedDisk } from "../support/signed-disk.ts";

interface Scene extends Disposable {
  readonly disk: SignedDisk;
  readonly id: string;
  /** Puts the commit's stream there, changed. */
  store(change?: Partial<StreamParts>, name?: string): string;
}

/** A signed commit, moved out of commits/ into a stream; its detached metadata stays. */
async function imported(): Promise<Scene> {
  const disk = await SignedDisk.create();
  const path = disk.commit("--version", "1");
  disk.sign(path, "trusted");
  disk.policy(["trusted"]);
  const id = basename(path, ".commit");
  const bytes = new Uint8Array(readFileSync(path));
  rmSync(path);
  mkdirSync(join(disk.repository, "streams"));
  const store = (change: Partial<StreamParts> = {}, name = `ostree-commit-${id}`): string => {
    const object = join(disk.repository, "objects", "00", `stream-${name}`);
    mkdirSync(join(disk.repository, "objects", "00"), { recursive: true });
    writeFileSync(object, splitstream({ named: [["composefs.image", disk.digest]], chunks: inlineChunk(objectMap(bytes, [emptyDirtree().bytes])), ...change }));
    rmSync(join(disk.repository, "streams", name), { force: true });
    symlinkSync(`../objects/00/stream-${name}`, join(disk.repository, "streams", name));
    return object;
  };
  return { disk, id, store, [Symbol.dispose]: () => disk[Symbol.dispose]() };
}

test("the commit is found, and its signatures where the import cannot keep them", async () => {
  using scene = await imported();
  scene.disk.expectRefused("SR-E107");
  scene.store();
  const report = scene.disk.expectAllowed();
  expect(report).toMatchObject({ level: "signed", signed: { commit: scene.id, origin: join(scene.disk.repository, "streams", `ostree-commit-${scene.id}`) } });
  expect(report["lookedAt"]).toEqual([
    { path: scene.disk.commits, found: "nothing" },
    { path: join(scene.disk.repository, "streams/ostree-commit-*"), found: "1 OSTree commit" },
  ]);
});

test("a damaged file of its name in commits/ does not hide it", async () => {
  using scene = await imported();
  scene.store();
  for (const bytes of ["", "x".repeat(300)]) {
    writeFileSync(join(scene.disk.commits, `${scene.id}.commit`), bytes);
    expect(scene.disk.expectAllowed()).toMatchObject({ signed: { commit: scene.id, origin: join(scene.disk.repository, "streams", `ostree-commit-${scene.id}`) } });
  }
});

test("an old header", async () => {
  using scene = await imported();
  scene.store({ oldHeader: true });
  scene.disk.expectAllowed();
});

test("other images' streams, damaged ones and other things in streams/ are passed over", async () => {
  using scene = await imported();
  scene.store();
  scene.store({ named: [["composefs.image", "cd".repeat(32)]] }, `ostree-commit-${"11".repeat(32)}`);
  scene.store({ chunks: new Uint8Array(5) }, `ostree-commit-${"22".repeat(32)}`);
  truncateSync(scene.store({}, `ostree-commit-${"33".repeat(32)}`), 50);
  writeFileSync(scene.store({}, `ostree-commit-${"44".repeat(32)}`), "no stream\n");
  scene.store({}, "oci-layer-x");
  mkdirSync(join(scene.disk.repository, "streams/refs/ostree"), { recursive: true });
  const report = scene.disk.expectAllowed();
  expect((report["unusable"] as string[]).length).toBe(3);
});

test("without detached metadata: SR-E220", async () => {
  using scene = await imported();
  scene.store();
  rmSync(join(scene.disk.commits, `${scene.id}.commitmeta`));
  scene.disk.expectRefused("SR-E220");
});

test("another commit in the stream of this one: SR-E226", async () => {
  using scene = await imported();
  const other = scene.disk.commit("--version", "2");
  const bytes = new Uint8Array(readFileSync(other));
  rmSync(other);
  scene.store({ chunks: inlineChunk(objectMap(bytes)) });
  expect(scene.disk.expectRefused("SR-E226").stderr).toContain("its object map names commit");
  // the same, with the map saying the expected id
  scene.store({ chunks: inlineChunk(objectMap(bytes, [], scene.id)) });
  scene.disk.expectRefused("SR-E226");
});

test("a stream of a few bytes that stands for a gigabyte: SR-E229", async () => {
  using scene = await imported();
  scene.store({ chunks: new Uint8Array(2 ** 29) });
  expect(scene.disk.expectRefused("SR-E229").stderr).toContain("when unpacked");
});

test("a stream that is a link out of the repository: SR-E204", async () => {
  using scene = await imported();
  renameSync(scene.store(), join(scene.disk.root, "kept"));
  const link = join(scene.disk.repository, "streams", `ostree-commit-${scene.id}`);
  rmSync(link);
  symlinkSync("../../kept", link);
  scene.disk.expectRefused("SR-E204");
});

test("a good commit in commits/ is enough: streams are not even looked at", async () => {
  using scene = await imported();
  scene.disk.sign(scene.disk.commit("--version", "2"), "trusted");
  rmSync(join(scene.disk.repository, "streams"), { recursive: true });
  symlinkSync("/etc", join(scene.disk.repository, "streams"));
  expect((scene.disk.expectAllowed()["lookedAt"] as unknown[]).length).toBe(1);
});
