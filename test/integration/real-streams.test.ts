/** Repositories as composefs-rs itself left them, with an imported OSTree commit that is signed: the whole verdict, as before a boot. */

import { describe, expect, test } from "bun:test";
import { cpSync, mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { expectCode, run, runJson } from "../support/signed-disk.ts";
import { TemporaryDirectory } from "../support/temporary.ts";

const data = join(import.meta.dir, "../data/streams");
const SIGNED = "ee3308a52136753d23a4d0e487206b61fb906b82c8493bededc843460b48a722";
const KEY = "d7e60a0f6684643ce4ac6fe7d8a0d3fae8276096bfd6b1d6701ffcbc045ccbe0";

interface Scene extends Disposable {
  readonly repository: string;
  /** Detached metadata of the imported commit; an import keeps none. */
  readonly commitmeta: string;
  readonly verify: readonly string[];
}

function scene(hash: "sha256" | "sha512"): Scene {
  const directory = new TemporaryDirectory();
  const root = join(directory.path, "root");
  const repository = join(root, "composefs");
  cpSync(join(data, hash), repository, { recursive: true, verbatimSymlinks: true });
  const [digest = ""] = readdirSync(join(repository, "images"));
  for (const name of ["etc", "var"]) mkdirSync(join(root, "state/deploy", digest, name), { recursive: true });
  const commits = join(repository, "commits", digest);
  mkdirSync(commits, { recursive: true });
  const commitmeta = join(commits, `${SIGNED}.commitmeta`);
  cpSync(join(data, "signed.commitmeta"), commitmeta);
  const config = join(directory.path, "conf.toml");
  writeFileSync(config, `[trust]\nlevel = "signed"\nkeys = "${join(data, "release.pub")}"\n`);
  const verify = ["verify", "--sysroot", root, "--config", config, "--assume-verity", "--cmdline", `ro composefs.digest=v1-${hash}-12:${digest}`];
  return { repository, commitmeta, verify, [Symbol.dispose]: () => directory[Symbol.dispose]() };
}

describe.each(["sha256", "sha512"] as const)("%s", (hash) => {
  test("the imported commit vouches for the image that composefs-rs made of it", () => {
    using it = scene(hash);
    expect(runJson(...it.verify)).toMatchObject({ allowed: true, level: "signed", signed: { commit: SIGNED, keys: [KEY], timestamp: 1767323045, origin: join(it.repository, "streams", `ostree-commit-${SIGNED}`) } });
  });

  test("and no longer without its detached metadata, or with one byte of it changed", () => {
    using it = scene(hash);
    expect(run(it.verify).exit).toBe(0);
    const bytes = new Uint8Array(readFileSync(it.commitmeta));
    writeFileSync(it.commitmeta, bytes.with(60, (bytes[60] ?? 0) ^ 1));
    // what is left is no point of the curve
    expectCode("SR-E224", ...it.verify);
    rmSync(it.commitmeta);
    expectCode("SR-E220", ...it.verify);
  });
});
