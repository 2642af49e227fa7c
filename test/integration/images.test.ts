/** Looking at images, comparing, mounting and importing them; repositories by composefs-rs, images by the C tool. */

import { describe, expect, test } from "bun:test";
import { cpSync, mkdirSync, readFileSync, rmSync, symlinkSync, utimesSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { CATALOGUE } from "../../src/errors/index.ts";
import { image, storePath } from "../support/images.ts";
import { Initramfs } from "../support/initramfs.ts";
import { expectOneBlock } from "../support/refusal.ts";
import { program } from "../support/program.ts";
import { KINDS, runProgram, TestRepository } from "../support/repositories.ts";
import { TemporaryDirectory } from "../support/temporary.ts";

describe("looking", () => {
  for (const kind of KINDS) {
    test(kind, () => {
      using repository = new TestRepository(kind);
      const { kept, unnamed, algorithm } = repository;
      const format = kind.slice(-2);
      const { value } = repository.json("image ls");
      const images = value["images"] as { name: string }[];
      expect(images.map(({ name }) => name)).toEqual([kept, unnamed].sort());
      expect(images.find(({ name }) => name === kept)).toMatchObject({ digest: kept, format, references: ["kept"], neededBy: [], fault: null });
      expect(repository.run("image ls", "--digests").stdout.trimEnd().split("\n").sort()).toEqual([kept, unnamed].sort());
      expect(repository.run("image ls").stdout).toContain(kept.slice(0, 12));

      // composefs-rs's argument for it, ? because its repository was made with --insecure
      const argument = `composefs.digest=?${format}-${algorithm}-12:${kept}`;
      for (const name of [kept, kept.slice(0, 8), "kept", argument, `${format}-${algorithm}-12:${kept}`]) expect(repository.run("karg", name).stdout).toBe(`${argument}\n`);
      expect(repository.run("karg", "--require-verity", "kept").stdout).toBe(`${argument.replace("?", "")}\n`);
      expect(repository.run("karg", "--short", "--insecure", "kept").stdout).toBe(`composefs=?${kept}\n`);
      expect(repository.json("image inspect", "kept").value).toMatchObject({
        digest: kept, algorithm, format, argument, inodes: { "directory": 2, "regular file": 5, "symbolic link": 1 }, hardLinks: 1,
        objects: { count: 3, missing: 0 }, inline: { count: 1, bytes: 6 }, references: ["kept"], commits: [], recipe: null, misnamed: false,
      });
    });
  }

  test("an image that cannot be used is listed with its fault", () => {
    using repository = new TestRepository("sha256-v1");
    rmSync(repository.objectPath(repository.kept));
    const images = repository.json("image ls").value["images"] as { name: string; fault: string | null }[];
    expect(images.find(({ name }) => name === repository.kept)?.fault).toBe("its object is missing");
  });

  test("what is not there, and what is not clear", () => {
    using repository = new TestRepository("sha256-v1");
    expectOneBlock(repository.run("image inspect", "nothing").stderr, "SR-E544");
    expectOneBlock(runProgram(["image", "inspect", "nothing"]).stderr, "SR-E544");
    expectOneBlock(repository.run("karg", "/etc/hostname").stderr, "SR-E501");
    expectOneBlock(repository.run("karg", "/dev/null").stderr, "SR-E603");
    const twin = `${repository.kept.slice(0, 10)}${"0".repeat(54)}`;
    repository.link(`images/${twin}`, repository.kept);
    expectOneBlock(repository.run("karg", repository.kept.slice(0, 8)).stderr, "SR-E549");
    // a name that is another image's
    expectOneBlock(repository.run("image inspect", "--nonsense").stderr, "SR-E100");
  });
});

describe("comparing", () => {
  test("paths and attributes; the exit status as with diff", () => {
    using repository = new TestRepository("sha256-v1");
    const { exit, value } = repository.json("image diff", "kept", repository.unnamed);
    expect(exit).toBe(1);
    expect(value).toMatchObject({ equal: false, sameTree: false, differences: 1 });
    const [difference] = value["told"] as { path: string; attributes: { name: string; a: string; b: string }[] }[];
    expect(difference?.path).toBe("/f3");
    expect(difference?.attributes.map(({ name }) => name)).toEqual(["mtime", "size", "content"]);
    const { stdout } = repository.run("image diff", "kept", repository.unnamed);
    for (const words of ["/f3", "mtime", "1700000000.000000000 (2023-11-14 22:13:20 UTC)"]) expect(stdout).toContain(words);
    expect(repository.run("image diff", "kept", repository.kept)).toEqual({ exit: 0, stdout: "", stderr: "" });
  });

  test("two formats of one tree", () => {
    using first = new TestRepository("sha256-v1");
    using second = new TestRepository("sha256-v2");
    const { exit, stdout } = first.run("image diff", "kept", second.objectPath(second.kept));
    expect(exit).toBe(1);
    expect(stdout).toEndWith("the files in them are the same; the formats are v1 and v2\n");
  });

  test("an image and the directory that it was made of", () => {
    using files = new TemporaryDirectory();
    using repository = new TestRepository("sha256-v1");
    const tree = join(files.path, "tree");
    mkdirSync(tree);
    writeFileSync(join(tree, "file"), "content\n".repeat(50));
    const { value } = repository.json("image create", "--recipe", "mkcomposefs", "--name", "made", tree);
    expect(repository.run("image diff", "made", tree)).toEqual({ exit: 0, stdout: "", stderr: "" });
    utimesSync(join(tree, "file"), 1, 1);
    const { exit, value: differs } = repository.json("image diff", tree, "made");
    expect(exit).toBe(1);
    expect(differs["told"]).toMatchObject([{ path: "/file", attributes: [{ name: "mtime", a: "1.000000000 (1970-01-01 00:00:01 UTC)" }] }]);
    expect((differs["b"] as { digest: string }).digest).toBe(`sha256:${value["digest"] as string}`);
    // of an image by somebody else nobody knows the recipe
    expectOneBlock(repository.run("image diff", "kept", tree).stderr, "SR-E100");
    expect(repository.run("image diff", "--recipe", "mkcomposefs", "kept", tree).exit).toBe(1);
    expectOneBlock(repository.run("image diff", tree, tree).stderr, "SR-E100");
  });

  test("the first ones, and all", () => {
    using files = new TemporaryDirectory();
    using repository = new TestRepository("sha256-v1");
    const digests = ["a", "b"].map((name) => {
      const tree = join(files.path, name);
      mkdirSync(tree);
      for (let number = 0; number < 30; number++) writeFileSync(join(tree, `f${number}`), name);
      utimesSync(tree, 0, 0);
      for (let number = 0; number < 30; number++) utimesSync(join(tree, `f${number}`), 0, 0);
      return repository.json("image create", "--recipe", "mkcomposefs", tree).value["digest"] as string;
    });
    const [a = "", b = ""] = digests;
    expect(repository.run("image diff", a, b).stdout).toContain("and 20 more paths: --all");
    expect((repository.json("image diff", "--all", a, b).value["told"] as unknown[]).length).toBe(30);
    expect((repository.json("image diff", "--limit", "3", a, b).value["told"] as unknown[]).length).toBe(3);
  });
});

describe("importing what the C tool made", () => {
  const setUp = async (): Promise<{ readonly digest: string; readonly file: string; readonly store: string }> => {
    const digest = await image();
    const store = join(storePath, "composefs/objects");
    return { digest, file: join(store, digest.slice(0, 2), digest.slice(2)), store };
  };

  test("with its objects; then gc keeps it, and composefs-rs's layout is kept", async () => {
    const { digest, file, store } = await setUp();
    using repository = new TestRepository("sha256-v1");
    const { unnamed } = repository;
    const { exit, value } = repository.json("image import", file, "--objects", store, "--name", "release/44", "--digest", `v1-sha256-12:${digest}`);
    expect({ exit, value }).toMatchObject({ exit: 0, value: { digest, format: "v1", missing: [], argument: `composefs.digest=?v1-sha256-12:${digest}`, reference: "release/44" } });
    expect(repository.listing()).toContain(`images/${digest} -> ../objects/${digest.slice(0, 2)}/${digest.slice(2)}`);
    expect(repository.listing()).toContain(`images/refs/release/44 -> ../../${digest}`);
    expect(repository.json("fsck").value["ok"]).toBe(true);
    expect((repository.json("gc --no-boot-entries").value["removed"] as { images: string[] }).images).toEqual([unnamed]);
    expect(repository.exists(`images/${digest}`)).toBe(true);
    expect(repository.json("fsck").value["ok"]).toBe(true);
    // again is no mistake
    expect(repository.run("image import", file).exit).toBe(0);
  });

  test("refused: objects missing, another digest, another algorithm, no image", async () => {
    const { file, store } = await setUp();
    using repository = new TestRepository("sha256-v1");
    const before = repository.listing();
    expectOneBlock(repository.run("image import", file).stderr, "SR-E546");
    expectOneBlock(repository.run("image import", file, "--objects", store, "--digest", "0".repeat(64)).stderr, "SR-E547");
    expectOneBlock(repository.run("image import", "/bin/sh").stderr, "SR-E501");
    expectOneBlock(repository.run("image import", "/nowhere").stderr, "SR-E603");
    expectOneBlock(repository.run("image import", file, "--name", "../x").stderr, "SR-E100");
    expect(repository.listing()).toEqual(before);
    using other = new TestRepository("sha512-v1");
    expectOneBlock(other.run("image import", file, "--objects", store).stderr, "SR-E527");
    const { exit, value } = repository.json("image import", file, "--allow-missing");
    expect(exit).toBe(0);
    expect((value["missing"] as unknown[]).length).toBeGreaterThan(0);
    expect(repository.run("fsck").exit).toBe(CATALOGUE["SR-E540"].exit);
  });

  test("into a repository that is as new as can be: meta.json alone", async () => {
    const { digest, file, store } = await setUp();
    using repository = new TestRepository("sha256-v1");
    for (const name of ["objects", "images"]) rmSync(repository.at(name), { recursive: true });
    expect(repository.run("image ls").stdout).toBe("no images\n");
    expect(repository.run("gc --no-boot-entries").exit).toBe(0);
    expect(repository.run("image import", file, "--objects", store)).toEqual({ exit: 0, stdout: `sha256:${digest}\n`, stderr: "" });
    expect(repository.json("fsck").value["ok"]).toBe(true);
  });
});

describe("mounting", () => {
  for (const kind of ["sha256-v1", "sha512-v2"] as const) {
    test(kind, async () => {
      using repository = new TestRepository(kind);
      using namespace = await Initramfs.create({ show: [repository.top] });
      cpSync(repository.path, namespace.at("/tmp/composefs"), { recursive: true, verbatimSymlinks: true });
      namespace.shell("mkdir -p /tmp/mount");
      const mounted = namespace.run([...program(), "image", "mount", "--repo", "/tmp/composefs", "kept", "/tmp/mount"]);
      expect(mounted).toMatchObject({ exit: 0, stdout: `${repository.algorithm}:${repository.kept} is mounted at /tmp/mount\n` });
      expect(mounted.stderr).toContain("without fs-verity");
      expect(namespace.shell("cat /tmp/mount/d/small; head -n 1 /tmp/mount/f2; readlink /tmp/mount/d/link")).toBe("small\nline 2 of a file that is long enough for the object store\n../f1\n");
      expect(namespace.run(["sh", "-c", "echo x > /tmp/mount/x"]).exit).not.toBe(0);
      namespace.shell("umount /tmp/mount");
      expectOneBlock(namespace.run([...program(), "image", "mount", "--repo", "/tmp/composefs", "--verity", "require", "kept", "/tmp/mount"]).stderr, "SR-E212");
      // an image that is not what its name says never reaches the kernel
      const object = namespace.at(`/tmp/composefs/objects/${repository.kept.slice(0, 2)}/${repository.kept.slice(2)}`);
      const bytes = readFileSync(object);
      bytes[bytes.length - 1] = (bytes.at(-1) ?? 0) ^ 1;
      writeFileSync(object, bytes);
      expect(namespace.run([...program(), "image", "mount", "--repo", "/tmp/composefs", "kept", "/tmp/mount"]).exit).not.toBe(0);
      expect(namespace.shell("ls /tmp/mount")).toBe("");
    });
  }
});

test("commands of two words", () => {
  expect(runProgram(["image"]).exit).toBe(2);
  expect(runProgram(["image", "--help"]).stdout).toContain("sealroot image diff");
  expect(runProgram(["image", "ls", "--help"]).stdout).toContain("usage: sealroot image ls");
  expectOneBlock(runProgram(["image", "nothing"]).stderr, "SR-E100");
});

test("a link among the images that leads out of the repository is not followed", () => {
  using repository = new TestRepository("sha256-v1");
  rmSync(repository.at(`images/${repository.kept}`));
  symlinkSync("/etc/passwd", repository.at(`images/${repository.kept}`));
  expect(repository.run("image inspect", "kept").exit).toBe(CATALOGUE["SR-E540"].exit);
});
