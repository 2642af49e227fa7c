/** Objects that are not what they are said to be: in a repository, in the source of an import or a repair, and in what an image says of them. */

import { describe, expect, test } from "bun:test";
import { mkdirSync, readFileSync, rmSync, statSync, truncateSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { CATALOGUE } from "../../src/errors/index.ts";
import { fsverityDigest } from "../../src/fsverity/index.ts";
import { faultyProgram, program } from "../support/program.ts";
import { expectOneBlock } from "../support/refusal.ts";
import { runProgram, TestRepository } from "../support/repositories.ts";
import { TemporaryDirectory } from "../support/temporary.ts";

const content = new Uint8Array(5000).fill(0x61);
const digest = fsverityDigest(content, "sha256").toHex();
const name = `${digest.slice(0, 2)}/${digest.slice(2)}`;

/** An image with one file that needs the object. @param size what the image says of it @returns its path */
function imageOf(files: TemporaryDirectory, size: number): string {
  const dump = join(files.path, `dump${size}`);
  const image = join(files.path, `image${size}`);
  writeFileSync(dump, `/ 4096 40755 2 0 0 0 0.0 - - -\n/f ${size} 100644 1 0 0 0 0.0 ${name} - ${digest}\n`);
  expect(runProgram(["mkcomposefs", "--from-file", dump, image])).toMatchObject({ exit: 0 });
  return image;
}

function sourceOf(files: TemporaryDirectory, bytes: Uint8Array): string {
  const source = join(files.path, "source");
  mkdirSync(join(source, digest.slice(0, 2)), { recursive: true });
  writeFileSync(join(source, name), bytes);
  return source;
}

describe("an image that lies about a size", () => {
  test("is not imported, whether its object is there or comes with it", () => {
    using files = new TemporaryDirectory();
    using repository = new TestRepository("sha256-v1");
    const source = sourceOf(files, content);
    const before = repository.listing();
    expectOneBlock(repository.run("image import", "--objects", source, imageOf(files, 4999)).stderr, "SR-E503");
    expect(repository.listing()).toEqual(before);
    repository.put(content);
    const with5000 = repository.listing();
    expectOneBlock(repository.run("image import", imageOf(files, 4999)).stderr, "SR-E503");
    expect(repository.listing()).toEqual(with5000);
    expect(repository.run("image import", imageOf(files, 5000)).exit).toBe(0);
  });
});

test("import checks the objects that are there", () => {
  using files = new TemporaryDirectory();
  using repository = new TestRepository("sha256-v1");
  repository.put(content);
  writeFileSync(repository.objectPath(digest), content.map((byte) => byte ^ 1));
  const image = imageOf(files, 5000);
  expectOneBlock(repository.run("image import", image).stderr, "SR-E546");
  expect(repository.run("image import", "--objects", sourceOf(files, content), image).exit).toBe(0);
  expect(new Uint8Array(readFileSync(repository.objectPath(digest)))).toEqual(content);
  expect(repository.json("fsck").value["ok"]).toBe(true);
});

test("where fs-verity is demanded, import takes the kernel's word for the objects that are there", () => {
  using files = new TemporaryDirectory();
  using repository = new TestRepository("sha256-v1");
  repository.put(content);
  const image = imageOf(files, 5000);
  const faults = { measuredNames: { "/meta.json": "0".repeat(64), [`/${digest.slice(2)}`]: "1".repeat(64) } };
  const done = Bun.spawnSync([...faultyProgram(), "image", "import", "--repo", repository.path, image], { env: { ...process.env, FAULTS: JSON.stringify(faults) } });
  expectOneBlock(done.stderr.toString(), "SR-E546");
});

test("image create never publishes over a damaged object of the same size", () => {
  using files = new TemporaryDirectory();
  using repository = new TestRepository("sha256-v1");
  const tree = join(files.path, "tree");
  mkdirSync(tree);
  writeFileSync(join(tree, "small"), content);
  const large = new Uint8Array(3 << 20).fill(7);
  writeFileSync(join(tree, "large"), large);
  const create = (): Record<string, unknown> => repository.json("image create", "--recipe", "mkcomposefs", tree).value;
  const image = create()["digest"] as string;
  const damaged = [digest, fsverityDigest(large, "sha256").toHex(), image];
  for (const id of damaged) writeFileSync(repository.objectPath(id), readFileSync(repository.objectPath(id)).map((byte) => byte ^ 1));
  expect(create()).toMatchObject({ digest: image, objects: { replaced: 3 } });
  expect(repository.json("fsck").value["ok"]).toBe(true);
  expect(create()).toMatchObject({ digest: image, objects: { present: 3, replaced: 0, written: 0 } });
});

describe("what stands in the place of an object in the source", () => {
  /** Runs with a limit to the size of any file that it writes: 1 MiB. */
  const limited = (args: readonly string[]): { readonly exit: number; readonly stderr: string } => {
    const done = Bun.spawnSync(["sh", "-c", 'ulimit -f 2048; exec "$@"', "sh", ...program(), ...args], { env: { PATH: "/usr/bin:/bin" }, timeout: 60_000 });
    return { exit: done.exitCode, stderr: done.stderr.toString() };
  };

  test("3 GiB where 5000 bytes are wanted are not copied", () => {
    using files = new TemporaryDirectory();
    using repository = new TestRepository("sha256-v1");
    const source = sourceOf(files, new Uint8Array(0));
    truncateSync(join(source, name), 3 * 2 ** 30);
    const image = imageOf(files, 5000);
    expectOneBlock(limited(["image", "import", "--repo", repository.path, "--objects", source, image]).stderr, "SR-E546");
    expect(repository.run("image import", "--allow-missing", image).exit).toBe(0);
    expect(limited(["fsck", "--repo", repository.path, "--repair", source]).exit).toBe(CATALOGUE["SR-E541"].exit);
    // of an image that is missing nobody knows the size
    const kept = repository.kept;
    rmSync(repository.objectPath(kept));
    mkdirSync(join(source, kept.slice(0, 2)), { recursive: true });
    writeFileSync(join(source, kept.slice(0, 2), kept.slice(2)), "");
    truncateSync(join(source, kept.slice(0, 2), kept.slice(2)), 3 * 2 ** 30);
    expect(limited(["fsck", "--repo", repository.path, "--repair", source]).exit).toBe(CATALOGUE["SR-E541"].exit);
  }, 120_000);
});

test("what is written is for everybody to read, whatever the umask", () => {
  using files = new TemporaryDirectory();
  using repository = new TestRepository("sha256-v1");
  const masked = (...args: readonly string[]): number => Bun.spawnSync(["sh", "-c", 'umask 077; exec "$@"', "sh", ...program(), ...args], { env: { PATH: "/usr/bin:/bin" } }).exitCode;
  const mode = (path: string): number => statSync(path).mode & 0o777;
  const source = sourceOf(files, content);
  expect(masked("image", "import", "--repo", repository.path, "--objects", source, imageOf(files, 5000))).toBe(0);
  expect([mode(repository.objectPath(digest)), mode(join(repository.objectPath(digest), ".."))]).toEqual([0o644, 0o755]);
  rmSync(repository.objectPath(digest));
  const repaired = Bun.spawnSync(["sh", "-c", 'umask 077; exec "$@"', "sh", ...program(), "fsck", "--repo", repository.path, "--repair", source], { env: { PATH: "/usr/bin:/bin" } });
  expect(`${repaired.stdout}${repaired.stderr}`).toStartWith("the repository is whole");
  expect(mode(repository.objectPath(digest))).toBe(0o644);
  // mkcomposefs: objects past the umask (fchmod in the C tool), directories by it
  const store = join(files.path, "store");
  expect(masked("mkcomposefs", `--digest-store=${store}`, source, join(files.path, "out"))).toBe(0);
  expect([mode(join(store, name)), mode(join(store, digest.slice(0, 2)))]).toEqual([0o644, 0o700]);
});

test("a filesystem that fails is not one without fs-verity", () => {
  using files = new TemporaryDirectory();
  const ENABLE_VERITY = 0x40806685;
  const init = (errno: number): string => Bun.spawnSync([...faultyProgram(), "repo", "init", join(files.path, `r${errno}`)], { env: { ...process.env, FAULTS: JSON.stringify({ failAll: { call: "ioctl", what: ENABLE_VERITY }, errno }) } }).stderr.toString();
  expectOneBlock(init(28), "SR-E525");
  expectOneBlock(init(5), "SR-E525");
  expectOneBlock(init(95), "SR-E524");
  using repository = new TestRepository("sha256-v1");
  const created = Bun.spawnSync([...faultyProgram(), "image", "create", "--repo", repository.path, "--recipe", "mkcomposefs", files.path], { env: { ...process.env, FAULTS: JSON.stringify({ failAll: { call: "ioctl", what: ENABLE_VERITY }, errno: 28 }) } });
  expectOneBlock(created.stderr.toString(), "SR-E525");
  expect(repository.listing().filter((path) => path.includes("staging-") || path.includes(".tmp-"))).toEqual([]);
});
