/** A directory as a tree: every type of file, names of any bytes, links, attributes, holes; and what is refused. */

import { describe, expect, test } from "bun:test";
import { execFileSync } from "node:child_process";
import { appendFileSync, chmodSync, linkSync, mkdirSync, readFileSync, symlinkSync, truncateSync, utimesSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { Contents, type ContentSink, countSource, ContentFailure, PRESETS, readDirectory, readSource, type Recipe } from "../../../src/directory/index.ts";
import { SealrootError } from "../../../src/errors/index.ts";
import { fsverityDigest } from "../../../src/fsverity/index.ts";
import { makeDirectory, O, openPath, setXattr } from "../../../src/linux/index.ts";
import { openName } from "../../../src/linux/names.ts";
import { type Inode, ROOT, type Tree } from "../../../src/tree/index.ts";
import { TemporaryDirectory } from "../../support/temporary.ts";

const MKCOMPOSEFS = PRESETS.mkcomposefs;
const CONTAINER: Recipe = { ...PRESETS["composefs-rs"], algorithm: "sha256" };
const BOOT: Recipe = { ...PRESETS["composefs-rs-boot"], algorithm: "sha256" };

function treeOf(path: string, recipe: Recipe = MKCOMPOSEFS, threads = 1): Tree {
  using source = openPath(path, O.RDONLY | O.DIRECTORY);
  return readSource(source, recipe, { store: undefined, threads });
}

/** Path by path; names as latin1. */
function listing(tree: Tree): Map<string, Inode> {
  const found = new Map<string, Inode>();
  const walk = (directory: Inode, path: string): void => {
    for (const entry of tree.children(directory)) {
      const own = `${path}/${Buffer.from(tree.name(entry)).toString("latin1")}`;
      found.set(own, tree.target(entry));
      if (tree.inodes.mode(tree.target(entry)) >> 12 === 4) walk(tree.target(entry), own);
    }
  };
  walk(ROOT, "");
  return found;
}

function at(tree: Tree, path: string): Inode {
  const found = listing(tree).get(path);
  if (found === undefined) throw new Error(`no ${path}: ${[...listing(tree).keys()].join(" ")}`);
  return found;
}

const codeOf = (work: () => unknown): string => {
  try {
    work();
  } catch (error) {
    if (error instanceof SealrootError) return `${error.code} ${error.details.map(([, text]) => text).join(" ")}`;
    throw error;
  }
  return "";
};

const digestOf = (path: string): string => fsverityDigest(readFileSync(path), "sha256").toHex();

describe("a tree", () => {
  test("has every type of file, with its own numbers", () => {
    using place = new TemporaryDirectory();
    const top = place.path;
    mkdirSync(join(top, "d/e"), { recursive: true });
    writeFileSync(join(top, "small"), "x".repeat(64));
    writeFileSync(join(top, "large"), "y".repeat(65));
    writeFileSync(join(top, "empty"), "");
    symlinkSync("to\nnowhere", join(top, "link"));
    execFileSync("sh", ["-c", "mkfifo fifo; mknod char c 5 1; mknod block b 8 300; mknod whiteout c 0 0"], { cwd: top });
    chmodSync(join(top, "d"), 0o1751);
    execFileSync("touch", ["-d", "@-3.5", join(top, "large")]);
    using server = Bun.listen({ unix: join(top, "socket"), socket: { data: () => undefined } }) as unknown as Disposable & { stop(): void };
    const tree = treeOf(top);
    const { inodes } = tree;
    server.stop();
    expect([...listing(tree).keys()]).toEqual(["/block", "/char", "/d", "/d/e", "/empty", "/fifo", "/large", "/link", "/small", "/socket", "/whiteout"]);
    const type = (path: string): number => inodes.mode(at(tree, path)) >> 12;
    expect(["/fifo", "/char", "/d", "/block", "/large", "/link", "/socket"].map(type)).toEqual([1, 2, 4, 6, 8, 10, 12]);
    expect(inodes.mode(at(tree, "/d"))).toBe(0o41751);
    expect([inodes.nlink(ROOT), inodes.nlink(at(tree, "/d")), inodes.nlink(at(tree, "/d/e"))]).toEqual([3, 3, 2]);
    expect([inodes.rdev(at(tree, "/char")), inodes.rdev(at(tree, "/block")), inodes.rdev(at(tree, "/whiteout"))]).toEqual([0x501, 0x10082c, 0]);
    expect(Buffer.from(inodes.target(at(tree, "/link")) ?? []).toString()).toBe("to\nnowhere");
    expect(Buffer.from(inodes.content(at(tree, "/small")) ?? []).toString()).toBe("x".repeat(64));
    const large = at(tree, "/large");
    expect([inodes.size(large), inodes.seconds(large), inodes.nanoseconds(large), inodes.digest(large)?.toHex()]).toEqual([65, -4n, 500_000_000, digestOf(join(top, "large"))]);
    expect(inodes.isNamedByDigest(large)).toBe(true);
    expect([inodes.content(at(tree, "/empty")), inodes.digest(at(tree, "/empty"))]).toEqual([undefined, undefined]);
    using source = openPath(top, O.RDONLY | O.DIRECTORY);
    expect(countSource(source, { emptied: [], inlineLimit: 64 })).toEqual({ items: 10, bytes: 65 });
  });

  test("has names of any bytes, in their order", () => {
    using place = new TemporaryDirectory();
    const names = ["\xff", "a\nb", " ", "\\", "\x01", "ä", "z".repeat(255)];
    for (const name of names) writeFileSync(Buffer.concat([Buffer.from(`${place.path}/`), Buffer.from(name, "latin1")]), "");
    expect([...listing(treeOf(place.path)).keys()]).toEqual(names.toSorted((a, b) => Buffer.compare(Buffer.from(a, "latin1"), Buffer.from(b, "latin1"))).map((name) => `/${name}`));
  });

  test("has extended attributes, ACLs and file capabilities as the recipe keeps them", () => {
    using place = new TemporaryDirectory();
    const path = join(place.path, "usr");
    mkdirSync(path);
    writeFileSync(join(path, "f"), "");
    const capability = Buffer.from("0100000200200000000000000000000000000000", "hex");
    // version 2; owner rwx, user 1000 r, group r, mask r, others none
    const acl = Buffer.from("02000000" + "01000700ffffffff" + "02000400e8030000" + "04000400ffffffff" + "10000400ffffffff" + "20000000ffffffff", "hex");
    {
      using file = openPath(join(path, "f"), O.RDONLY);
      setXattr(file, "security.capability", capability);
      setXattr(file, "system.posix_acl_access", acl);
      setXattr(file, "trusted.odd", new Uint8Array([1]));
      using directory = openPath(path, O.RDONLY | O.DIRECTORY);
      setXattr(directory, "security.other", new Uint8Array(3));
    }
    const names = (recipe: Recipe): string[] => {
      const tree = treeOf(place.path, recipe);
      return tree.inodes.xattrs(at(tree, "/usr/f")).map(({ name, value }) => `${name}=${Buffer.from(value).toString("hex")}`);
    };
    expect(names(MKCOMPOSEFS)).toEqual([`security.capability=${capability.toString("hex")}`, `system.posix_acl_access=${acl.toString("hex")}`, "trusted.odd=01"]);
    expect(names(CONTAINER)).toEqual([`security.capability=${capability.toString("hex")}`]);
    expect(names({ ...MKCOMPOSEFS, xattrs: "none" })).toEqual([]);
  });

  test("keeps hard links, or copies them, as the recipe says", () => {
    using place = new TemporaryDirectory();
    for (const name of ["usr", "a", "b/deep"]) mkdirSync(join(place.path, name), { recursive: true });
    writeFileSync(join(place.path, "usr/f"), "q".repeat(100));
    for (const name of ["b/deep/f", "b/f", "a/f"]) linkSync(join(place.path, "usr/f"), join(place.path, name));
    const kept = treeOf(place.path, CONTAINER);
    const first = at(kept, "/a/f");
    expect(["/b/deep/f", "/b/f", "/usr/f"].map((path) => at(kept, path))).toEqual([first, first, first]);
    expect([kept.inodes.nlink(first), kept.path(first).map((name) => Buffer.from(name).toString()).join("/")]).toEqual([4, "a/f"]);
    const copies = treeOf(place.path);
    const inodes = ["/a/f", "/b/deep/f", "/b/f", "/usr/f"].map((path) => at(copies, path));
    expect(new Set(inodes).size).toBe(4);
    expect(new Set(inodes.map((inode) => `${copies.inodes.nlink(inode)} ${copies.inodes.digest(inode)?.toHex()}`))).toEqual(new Set([`1 ${digestOf(join(place.path, "usr/f"))}`]));
  });

  test("leaves out devices and times where the recipe says so", () => {
    using place = new TemporaryDirectory();
    execFileSync("sh", ["-c", "mknod c c 0 0; mknod b b 1 1; mkfifo p"], { cwd: place.path });
    const tree = treeOf(place.path, { ...MKCOMPOSEFS, devices: "skip", times: "epoch" });
    expect([...listing(tree).keys()]).toEqual(["/p"]);
    expect([tree.inodes.seconds(ROOT), tree.inodes.nanoseconds(at(tree, "/p"))]).toEqual([0n, 0]);
  });
});

describe("recipes for a root", () => {
  test("take metadata of / from /usr and empty directories, whose times follow", () => {
    using place = new TemporaryDirectory();
    for (const name of ["usr", "boot/x", "sysroot/y", "run/z"]) mkdirSync(join(place.path, name), { recursive: true });
    for (const [name, time] of [["usr", 1000.25], ["boot", 5.5], ["sysroot", 6.5], ["run", 7.5]] as const) utimesSync(join(place.path, name), time, time);
    chmodSync(join(place.path, "usr"), 0o711);
    const tree = treeOf(place.path, BOOT);
    expect([...listing(tree).keys()]).toEqual(["/boot", "/run", "/sysroot", "/usr"]);
    const { inodes } = tree;
    expect([inodes.mode(ROOT), inodes.seconds(ROOT), inodes.nanoseconds(ROOT)]).toEqual([0o40711, 1000n, 250_000_000]);
    const times = (path: string): unknown[] => [inodes.seconds(at(tree, path)), inodes.nanoseconds(at(tree, path))];
    expect([times("/boot"), times("/sysroot"), times("/run")]).toEqual([[1000n, 500_000_000], [1000n, 500_000_000], [1000n, 250_000_000]]);
    expect([...listing(treeOf(place.path, CONTAINER)).keys()]).toEqual(["/boot", "/boot/x", "/run", "/sysroot", "/sysroot/y", "/usr"]);
  });

  test("refuse what is no root", () => {
    using place = new TemporaryDirectory();
    expect(codeOf(() => treeOf(place.path, CONTAINER))).toBe(`SR-E522 ${place.path} /usr`);
    mkdirSync(join(place.path, "usr"));
    expect(codeOf(() => treeOf(place.path, BOOT))).toBe(`SR-E522 ${place.path} /boot`);
    writeFileSync(join(place.path, "run"), "");
    expect(codeOf(() => treeOf(place.path, CONTAINER))).toStartWith("SR-E522");
  });
});

describe("contents", () => {
  test("of sparse files are hashed with their holes", () => {
    using place = new TemporaryDirectory();
    const path = join(place.path, "sparse");
    writeFileSync(path, "begin");
    truncateSync(path, 3_000_000);
    appendFileSync(path, "middle");
    truncateSync(path, 5_000_001);
    const tree = treeOf(place.path);
    expect(tree.inodes.digest(at(tree, "/sparse"))?.toHex()).toBe(digestOf(path));
    truncateSync(path, 2 ** 42);
    const started = performance.now();
    expect(treeOf(place.path).inodes.size(1)).toBe(2 ** 42);
    expect(performance.now() - started).toBeLessThan(20_000);
  });

  test("are the same with several threads, in many files and in a large one", () => {
    using place = new TemporaryDirectory();
    for (let index = 0; index < 700; index++) writeFileSync(join(place.path, `f${index}`), Buffer.alloc(65 + index * 37, index));
    const large = Buffer.alloc(70 * 1024 * 1024 + 12_345);
    for (let word = 0; word < large.length >> 2; word += 7) large.writeUInt32LE(word, word * 4);
    writeFileSync(join(place.path, "large"), large);
    const digests = (tree: Tree): string => [...listing(tree)].map(([path, inode]) => `${path} ${tree.inodes.digest(inode)?.toHex()}`).join("\n");
    const alone = digests(treeOf(place.path));
    expect(alone).toContain(`/large ${fsverityDigest(large, "sha256").toHex()}`);
    expect(alone).toContain(`/f699 ${digestOf(join(place.path, "f699"))}`);
    expect(digests(treeOf(place.path, MKCOMPOSEFS, 3))).toBe(alone);
  }, 30_000);
});

describe("changes while reading", () => {
  /** Changes the tree when the content of the first file is handed over. */
  const during = (path: string, change: () => void): string => codeOf(() => {
    using source = openPath(path, O.RDONLY | O.DIRECTORY);
    return readDirectory(source, MKCOMPOSEFS, (deliver): ContentSink => {
      const contents = new Contents({ algorithm: "sha256", store: undefined, threads: 1, deliver });
      return {
        add: (inode, fd, status) => {
          change();
          contents.add(inode, fd, status);
        },
        drain: () => contents.drain(),
      };
    });
  });

  test("are refused, by name", () => {
    using place = new TemporaryDirectory();
    const path = join(place.path, "d/file");
    mkdirSync(join(place.path, "d"));
    writeFileSync(path, "x".repeat(10_000));
    expect(during(place.path, () => appendFileSync(path, "more"))).toBe(`SR-E521 ${path}`);
    expect(during(place.path, () => truncateSync(path, 5000))).toBe(`SR-E521 ${path}`);
    expect(during(place.path, () => writeFileSync(join(place.path, "d/new"), ""))).toBe(`SR-E521 ${join(place.path, "d")}`);
    expect(during(place.path, () => undefined)).toBe("");
  });

  test("a sink's failure names the file", () => {
    using place = new TemporaryDirectory();
    writeFileSync(join(place.path, "file"), "x".repeat(100));
    using source = openPath(place.path, O.RDONLY | O.DIRECTORY);
    const sink: ContentSink = { add: (inode) => { throw new ContentFailure(inode, "reading", new Error("no")); }, drain: () => undefined };
    expect(codeOf(() => readDirectory(source, MKCOMPOSEFS, () => sink))).toBe(`SR-E520 ${join(place.path, "file")}`);
  });

  test("one that cannot write is not the file's fault", () => {
    using place = new TemporaryDirectory();
    writeFileSync(join(place.path, "file"), "x".repeat(100));
    using source = openPath(place.path, O.RDONLY | O.DIRECTORY);
    const store = { objects: -1, staging: -1, verity: false, verityWrites: false, directories: new Int32Array(new SharedArrayBuffer(1024)) };
    const failure = ((): unknown => {
      try {
        return readDirectory(source, MKCOMPOSEFS, (deliver) => new Contents({ algorithm: "sha256", store, threads: 1, deliver }));
      } catch (error) {
        return error;
      }
    })();
    expect(failure instanceof ContentFailure && failure.failed).toBe("writing");
  });
});

test("deep trees, beyond the length of a path", () => {
  using place = new TemporaryDirectory();
  const name = "d".repeat(100);
  let directory = openPath(place.path, O.RDONLY | O.DIRECTORY);
  for (let depth = 0; depth < 100; depth++) {
    makeDirectory(directory, name, 0o755);
    const below = openName(directory, name, O.RDONLY | O.DIRECTORY);
    directory.close();
    directory = below;
  }
  directory.close();
  expect(treeOf(place.path).inodes.count).toBe(101);
  execFileSync("rm", ["-rf", join(place.path, name)]);
});
