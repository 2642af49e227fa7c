/**
 * The C project's own test suite, as it is, against our executable: its scripts are given a directory of programs, and that is ours.
 * The suite comes with the source of Debian's package; what it needs composefs-fuse for is left out, since we are no FUSE server.
 */

import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { readdirSync } from "node:fs";
import { join } from "node:path";
import { ourTools } from "../support/peer-tools.ts";
import { TemporaryDirectory } from "../support/temporary.ts";
import { hostPackages } from "../vm/lab/host.ts";
import { run, type RunResult } from "../vm/lab/run.ts";
import { composefsSource } from "../vm/lab/tree.ts";

const scratch = new TemporaryDirectory();
afterAll(() => scratch[Symbol.dispose]());

await hostPackages();
const source = await composefsSource();
const tests = join(source, "tests");
const assets = join(tests, "assets");
let tools = "";

beforeAll(() => {
  tools = ourTools(join(scratch.path, "bin"));
});

/** Options that the scripts would find out by trying; erofs-utils is installed, this machine's kernel has no fs-verity. */
const ENVIRONMENT = { can_whiteout: "y", has_fuse: "n", has_fsck: "y" };

const script = (name: string, env: Readonly<Record<string, string>>, ...more: readonly string[]): Promise<RunResult> =>
  run(["bash", join(tests, name), tools, ...more], { env: { ...ENVIRONMENT, TMPDIR: scratch.path, ...env }, timeout: 500 });

describe("checksums: images, their fsck, both round trips", () => {
  const present = readdirSync(assets);
  const names = present.filter((name) => /\.dump(\.gz)?$/.test(name) && !name.startsWith("should-fail") && present.includes(`${name}.sha256`));

  test("all assets are here", () => {
    expect(names.length).toBeGreaterThanOrEqual(15);
    expect(names).toContain("f36-x86_64-silverblue.dump.gz");
  });

  for (const name of names) {
    test(name, async () => {
      const { stdout } = await script("test-checksums.sh", {}, assets, name);
      // a script that finds no file says nothing and is content
      expect(stdout).toContain(`\nok ${name} `);
    });
  }
});

test("dumpfiles that must be refused", async () => {
  const names = readdirSync(assets).filter((name) => name.startsWith("should-fail"));
  expect(names.length).toBeGreaterThanOrEqual(14);
  const { stdout } = await script("test-should-fail.sh", {}, ...names.map((name) => join(assets, name)));
  expect(stdout.match(/^ok /gm)?.length).toBe(names.length);
});

test("a dump of some names only", async () => {
  const { stdout } = await script("test-dump-filtered.sh", {}, assets);
  expect(stdout).toEndWith("ok\n");
});

test("inline files, objects, digests of files", async () => {
  const { stdout } = await script("test-units.sh", {});
  expect([...stdout.matchAll(/^Test (\w+): OK$/gm)].map(([, name]) => name)).toEqual(["test_inline", "test_objects", "test_mount_digest", "test_composefs_info_measure_files"]);
});

describe("random trees: fsck, both round trips", () => {
  // without a seed the script makes ten new ones, which takes minutes
  for (const seed of ["sealroot", "composefs", "erofs"]) {
    test(`seed ${seed}`, async () => {
      const { stdout } = await script("test-random-fuse.sh", { seed });
      expect(stdout).toContain(`Using seed '${seed}'\nGenerating composefs image\n`);
      expect(stdout).toEndWith("Dumping composefs image\n");
    });
  }
});

test("mounted: /usr/bin and a random tree come out as they went in", async () => {
  // the script finds the tools in PATH and takes itself to be run from the top of the source
  const command = `cd "$0" && exec bash tests/integration.sh`;
  const { stdout, stderr } = await run(["unshare", "--mount", "--propagation=private", "bash", "-c", command, source], {
    env: { PATH: `${tools}:${process.env["PATH"] ?? ""}`, cfsroot: join(scratch.path, "composefs"), TMPDIR: scratch.path }, timeout: 550,
  });
  expect(stdout).toContain("fsverity unsupported");
  expect(stderr.match(/^\+ run_test /gm)?.length).toBe(2);
});
