/** Directories become images: with the digests of mkcomposefs (run beside) and of composefs-rs (written down), in a repository that is whole. */

import { afterAll, describe, expect, test } from "bun:test";
import { cpSync, existsSync, mkdirSync, readdirSync, readFileSync, readlinkSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { PRESETS } from "../../src/directory/index.ts";
import { CATALOGUE } from "../../src/errors/index.ts";
import { fsverityDigest } from "../../src/fsverity/index.ts";
import { writeFixedTree } from "../support/fixed-tree.ts";
import { program } from "../support/program.ts";
import { expectOneBlock } from "../support/refusal.ts";
import { TemporaryDirectory } from "../support/temporary.ts";
import { hostPackages } from "../vm/lab/host.ts";
import { composefsTool, debianTree } from "../vm/lab/tree.ts";

const scratch = new TemporaryDirectory();
afterAll(() => scratch[Symbol.dispose]());
const fixed = join(scratch.path, "fixed");
mkdirSync(fixed);
writeFixedTree(fixed);

interface Ran {
  readonly exit: number | null;
  readonly stdout: string;
  readonly stderr: string;
}

function run(...args: readonly string[]): Ran {
  const { exitCode, stdout, stderr } = Bun.spawnSync([...program(), ...args], { stdin: "ignore", stdout: "pipe", stderr: "pipe", timeout: 300_000 });
  return { exit: exitCode, stdout: stdout.toString(), stderr: stderr.toString() };
}

function ok(...args: readonly string[]): string {
  const { exit, stdout, stderr } = run(...args);
  expect(stderr).toBe("");
  expect(exit).toBe(0);
  return stdout;
}

interface Created {
  readonly digest: string;
  readonly karg: string;
  readonly preset: string | null;
  readonly secure: boolean | null;
  readonly threads: number;
  readonly objects: { readonly written: number; readonly present: number; readonly replaced: number } | null;
}

const json = (...args: readonly string[]): Created => JSON.parse(ok(...args, "--json")) as Created;

let repositories = 0;
function newRepository(...options: readonly string[]): string {
  const path = join(scratch.path, `repository${repositories++}`);
  ok("repo", "init", "--insecure", ...options, path);
  return path;
}

describe("digests of mkcomposefs, from Debian's package, in the same run", () => {
  const theirs = async (directory: string, ...options: readonly string[]): Promise<string> => {
    await hostPackages();
    const { exitCode, stdout, stderr } = Bun.spawnSync([...(await composefsTool("mkcomposefs")), "--print-digest-only", ...options, directory]);
    if (exitCode !== 0) throw new Error(stderr.toString());
    return stdout.toString().trim();
  };
  const ours = (directory: string): string => json("image", "create", "--digest-only", "--recipe", "mkcomposefs", "--algorithm", "sha256", "--format", "v1", directory).digest;

  test("a Debian root", async () => {
    const tree = await debianTree();
    expect(ours(tree)).toBe(await theirs(tree, "--min-version=1"));
  }, 300_000);

  test("a part of this machine's /usr", async () => {
    for (const directory of ["/usr/share/doc", "/usr/share/zoneinfo", "/usr/lib/x86_64-linux-gnu/perl-base", "/usr/sbin", "/etc"].filter((path) => existsSync(path))) {
      expect(ours(directory), directory).toBe(await theirs(directory, "--min-version=1"));
    }
  }, 300_000);

  test("every option that decides what is in the image", async () => {
    for (const options of [[], ["--min-version=1"], ["--use-epoch"], ["--skip-devices"], ["--skip-xattrs"], ["--user-xattrs"], ["--use-epoch", "--skip-devices", "--skip-xattrs", "--max-version=0"], ["--threads=1"]]) {
      expect(ok("mkcomposefs", "--print-digest-only", ...options, fixed).trim(), options.join(" ")).toBe(await theirs(fixed, ...options));
    }
  }, 120_000);
});

describe("digests of composefs-rs", () => {
  /** cfsctl 0.9.0 (f22ecda) compute-id [--bootable], of the tree that writeFixedTree() makes. */
  const CFSCTL: readonly (readonly [preset: string, algorithm: string, format: string, digest: string])[] = [
    ["composefs-rs", "sha256", "v1", "d9ec31f59c90d2c4b01cb5775fff90e8a5a322b7f622ee7e02153deae43075e7"],
    ["composefs-rs", "sha256", "v2", "31b1a0917be2ae7797132ab51c5d5b63a6cea91c3873ee974f3852dcaaf02a2a"],
    ["composefs-rs", "sha512", "v1", "0c0fe20a195a1a2a3e5a6c8ddbb17429025288c70b0b251c63d6455859a145b91d41b74ad9e2c42f836422a53cbf1e1d914c5a038d4ae214d9487332ba6a1f12"],
    ["composefs-rs", "sha512", "v2", "beea3aa7e22e27f3e7c816650574699bd1be0d5867fafa3d9652e28656919fa3617158217756b6b703fd8cc82c9bcccd8777fe0df18d2fc27976f53844e31a23"],
    ["composefs-rs-boot", "sha256", "v1", "e62f3cc334671fde0ef196f55487912a4933e057db114596da4b33654b945442"],
    ["composefs-rs-boot", "sha256", "v2", "3d37f42d97fff28484b980859166351cd22efea34c4254df59ba8ab9103968f7"],
    ["composefs-rs-boot", "sha512", "v1", "34b285ef3c34272ee7afa15385a0366a8bff201e860108a56847d28d6f4f5a2565820dacfa3ee33837add4752099f68dcd88ed800263e43bc53f8b5de9fb930b"],
    ["composefs-rs-boot", "sha512", "v2", "36556a847d5fde06ab8883cc36666979e1ad4fb5e702e9c50ccef07d701cc0e84ce9e00c663c8313a3bb796dc491810ec49f279b8ca14358fda2091d3823578a"],
  ];
  for (const [preset, algorithm, format, digest] of CFSCTL) {
    test(`${preset}, ${algorithm}, ${format}`, () => {
      expect(json("image", "create", "--digest-only", "--recipe", preset, "--algorithm", algorithm, "--format", format, fixed)).toMatchObject({ digest, preset, karg: `composefs.digest=${format}-${algorithm}-12:${digest}` });
    });
  }
});

test("labels of an SELinux policy in the tree, and hard links that they break, as composefs-rs has them", () => {
  const tree = join(scratch.path, "labelled");
  mkdirSync(tree);
  writeFixedTree(tree, true);
  const digest = (algorithm: string, format: string): string => json("image", "create", "--digest-only", "--algorithm", algorithm, "--format", format, tree).digest;
  // cfsctl 0.9.0 (f22ecda) compute-id --bootable
  expect(digest("sha256", "v1")).toBe("bd413ad428ba6aae0854eea17e83ed7c8fb4729718a674ffbae6f34e44769dcf");
  expect(digest("sha512", "v2")).toBe("a2042b5c0593a90ac4b6bdbac84faa99a88a1e482c578bbd5730853b0ab2f27e0239ba632c50948349ee1f459244aad6e774f5c41f6f68ba5285721cbf343edf");
  rmSync(join(tree, "etc/selinux/targeted/contexts/files/file_contexts"));
  const { exit, stderr } = run("image", "create", "--digest-only", tree);
  expectOneBlock(stderr, "SR-E528");
  expect(exit).toBe(CATALOGUE["SR-E528"].exit);
});

describe("a repository", () => {
  test("is made as composefs-rs makes it, once", () => {
    const path = newRepository();
    expect(readFileSync(join(path, "meta.json"), "utf8")).toBe(
      '{\n  "version": 1,\n  "algorithm": "fsverity-sha512-12",\n  "features": {\n    "compatible": [],\n    "read-only-compatible": [\n      "v1_erofs"\n    ],\n    "incompatible": []\n  },\n  "erofs_formats": {\n    "default": 1\n  }\n}\n');
    expect(JSON.parse(ok("repo", "init", "--insecure", "--json", path))).toEqual({ repository: path, created: false, algorithm: "sha512", format: "v1", secure: false });
    for (const [code, ...options] of [["SR-E523", "--insecure", "--algorithm", "sha256"], ["SR-E523", "--insecure", "--format", "v2"], ["SR-E523"], ["SR-E100", "--algorithm", "md5"]] as const) {
      const { exit, stderr } = run("repo", "init", ...options, path);
      expectOneBlock(stderr, code);
      expect(exit).toBe(CATALOGUE[code].exit);
    }
  });

  test("is not made without fs-verity unless that is said: this kernel has none", () => {
    const path = join(scratch.path, "secure");
    const { exit, stderr } = run("repo", "init", path);
    expectOneBlock(stderr, "SR-E524");
    expect([exit, existsSync(path)]).toEqual([CATALOGUE["SR-E524"].exit, false]);
    expect(stderr).toContain("--insecure");
    // a directory that somebody else has made stays, as it was
    mkdirSync(path);
    expectOneBlock(run("repo", "init", path).stderr, "SR-E524");
    expect(readdirSync(path)).toEqual([]);
  });

  test("is made in a directory that is there", () => {
    const { exit, stderr } = run("repo", "init", "--insecure", join(scratch.path, "a/b/c"));
    expectOneBlock(stderr, "SR-E525");
    expect(exit).toBe(CATALOGUE["SR-E525"].exit);
    expect(stderr).toContain("make the directory above it");
    expect(stderr).not.toContain("an object");
    expect(existsSync(join(scratch.path, "a"))).toBe(false);
  });

  test("and what is printed: the argument alone, or JSON with it", () => {
    const { exit, stdout, stderr } = run("image", "create", "--digest-only", "--print-karg", "--json", "--recipe", "composefs-rs", fixed);
    expectOneBlock(stderr, "SR-E100");
    expect([exit, stdout]).toEqual([CATALOGUE["SR-E100"].exit, ""]);
  });

  test("gets an image with all of its objects, a name, and its recipe beside it", () => {
    const path = newRepository("--algorithm", "sha256");
    const first = json("image", "create", "--repo", path, "--name", "os/42", "--recipe", "composefs-rs", fixed);
    expect(first).toMatchObject({ preset: "composefs-rs", secure: false, karg: `composefs.digest=?v1-sha256-12:${first.digest}`, objects: { present: 0, replaced: 0 } });
    // the program, the large file, the hole, three files of more than 64 bytes, the image
    expect(first.objects?.written).toBe(7);
    for (const [prefix, rest] of readdirSync(join(path, "objects")).flatMap((prefix) => readdirSync(join(path, "objects", prefix)).map((rest) => [prefix, rest] as const))) {
      expect(fsverityDigest(readFileSync(join(path, "objects", prefix, rest)), "sha256").toHex()).toBe(`${prefix}${rest}`);
    }
    expect(readlinkSync(join(path, "images", first.digest))).toBe(`../objects/${first.digest.slice(0, 2)}/${first.digest.slice(2)}`);
    expect(readlinkSync(join(path, "images/refs/os/42"))).toBe(`../../${first.digest}`);
    expect(JSON.parse(readFileSync(join(path, "sealroot/recipes", `${first.digest}.json`), "utf8"))).toEqual({ version: 1, ...PRESETS["composefs-rs"], algorithm: "sha256" });
    expect(readdirSync(join(path, "sealroot"))).toEqual(["recipes"]);
    expect(json("image", "create", "--repo", path, "--recipe", "composefs-rs", fixed)).toMatchObject({ digest: first.digest, objects: { written: 0, present: 7, replaced: 0 } });
    const printed = run("image", "create", "--repo", path, "--recipe", "composefs-rs", "--print-karg", fixed);
    expect({ exit: printed.exit, stdout: printed.stdout }).toEqual({ exit: 0, stdout: `${first.karg}\n` });
    // only the argument on standard output, and why it is a weak one beside it
    expect(printed.stderr).toMatch(/^sealroot: the \? lets the image boot without fs-verity.*--insecure\)\n$/);
    expect(ok("fsck", "--repo", path)).toContain("the repository is whole");
    // the recipe as it lies there makes the same image again
    const recipe = join(path, "sealroot/recipes", `${first.digest}.json`);
    expect(json("image", "create", "--repo", path, "--recipe", recipe, fixed).digest).toBe(first.digest);
  }, 60_000);

  test("is as before when the directory cannot become an image", () => {
    const path = newRepository();
    const cases: Readonly<Record<string, readonly string[]>> = {
      "SR-E522": ["--recipe", "composefs-rs-boot", join(fixed, "usr")],
      "SR-E520": [join(fixed, "none")],
      "SR-E526": ["--recipe", "nothing", fixed],
      "SR-E527": ["--recipe", join(scratch.path, "recipe.json"), fixed],
      "SR-E100": ["--name", "../x", fixed],
    };
    writeFileSync(join(scratch.path, "recipe.json"), JSON.stringify({ version: 1, ...PRESETS["composefs-rs"], algorithm: "sha256" }));
    for (const [code, args] of Object.entries(cases)) {
      const { exit, stdout, stderr } = run("image", "create", "--repo", path, ...args);
      expectOneBlock(stderr, code as keyof typeof CATALOGUE);
      expect([exit, stdout]).toEqual([CATALOGUE[code as keyof typeof CATALOGUE].exit, ""]);
    }
    const { stderr } = run("image", "create", "--repo", join(scratch.path, "nowhere"), fixed);
    expectOneBlock(stderr, "SR-E201");
    expect(readdirSync(join(path, "images"))).toEqual([]);
    expect(readdirSync(join(path, "objects"), { recursive: true, encoding: "utf8" }).filter((name) => name.includes("/"))).toEqual([]);
    expect(existsSync(join(path, "sealroot")) ? readdirSync(join(path, "sealroot")) : []).toEqual([]);
  }, 60_000);

  test("of another version or with unknown features is not written to", () => {
    const path = newRepository();
    const meta = readFileSync(join(path, "meta.json"), "utf8");
    writeFileSync(join(path, "meta.json"), meta.replace('"v1_erofs"', '"v1_erofs", "later"'));
    const { stderr } = run("image", "create", "--repo", path, fixed);
    expectOneBlock(stderr, "SR-E202");
    expect(stderr).toContain("later");
  });

  test("whose objects were made by mkcomposefs is used as it is", () => {
    const path = newRepository("--algorithm", "sha256");
    ok("mkcomposefs", `--digest-store=${join(path, "objects")}`, fixed, join(scratch.path, "image"));
    expect(readdirSync(join(path, "objects")).filter((name) => !/^[0-9a-f]{2}$/.test(name))).toEqual([]);
    expect(json("image", "create", "--repo", path, "--recipe", "mkcomposefs", fixed).objects).toMatchObject({ written: 1 });
  });

  test("may lead elsewhere by no link inside", () => {
    const path = newRepository();
    rmSync(join(path, "objects"), { recursive: true });
    mkdirSync(join(scratch.path, "outside"));
    symlinkSync("../outside", join(path, "objects"));
    expect(run("image", "create", "--repo", path, fixed).exit).not.toBe(0);
    expect(readdirSync(join(scratch.path, "outside"))).toEqual([]);
  });
});

test("several threads take part where there is enough to do", () => {
  const tree = join(scratch.path, "large");
  mkdirSync(tree);
  for (let index = 0; index < 8; index++) writeFileSync(join(tree, `f${index}`), Buffer.alloc(40 << 20, index));
  cpSync(join(tree, "f1"), join(tree, "copy"));
  const made = json("image", "create", "--digest-only", "--recipe", "mkcomposefs", "--threads", "3", tree);
  expect(made.threads).toBeGreaterThan(1);
  expect(json("image", "create", "--digest-only", "--recipe", "mkcomposefs", "--threads", "1", tree)).toMatchObject({ threads: 1, digest: made.digest });
  rmSync(tree, { recursive: true });
}, 120_000);
