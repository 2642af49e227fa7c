/** Images that nobody's writer makes: each is refused with one error, and none costs more than its length allows. */

import { describe, expect, test } from "bun:test";
import { SealrootError } from "../../../src/errors/index.ts";
import { type ImageFormat, MAX_DEPTH, readImage, writeImageBytes } from "../../../src/erofs/index.ts";
import { type Inode, ROOT, type Tree, TreeBuilder, TYPE } from "../../../src/tree/index.ts";
import { attributes, builder, DIRECTORY, dumped, FILE, name } from "./trees.ts";

const A = "5a".repeat(32);
const SOURCE = `/ 4096 40755 2 0 0 0 1.0 - - -
/d 4096 40755 2 0 0 0 1.0 - - -
/d/f 5 100644 1 0 0 0 1.0 - hello - user.a=1
/d/g 5 100644 1 0 0 0 1.0 - hello - user.a=1
/e 4096 40755 2 0 0 0 1.0 - - -
/x 9000 100644 1 0 0 0 1.0 ${A.slice(0, 2)}/${A.slice(2)} - ${A}
/y 6 120777 1 0 0 0 1.0 target - -`;

/** v2 has no stubs, and all inodes are long: places are easy to find. */
function image(format: ImageFormat = "v2", lines = SOURCE): { bytes: Uint8Array<ArrayBuffer>; view: DataView; nid: (path: string) => number } {
  const bytes = new Uint8Array(writeImageBytes(dumped(lines), { format }));
  const view = new DataView(bytes.buffer);
  const find = (directory: number, wanted: string): number => {
    const at = directory * 32;
    const icount = view.getUint16(at + 2, true);
    const tail = at + ((view.getUint16(at, true) & 1) === 1 ? 64 : 32) + (icount === 0 ? 0 : 12 + (icount - 1) * 4);
    const count = view.getUint16(tail + 8, true) / 12;
    const end = tail + (view.getUint32(at + 8, true) % 4096);
    for (let index = 0; index < count; index++) {
      const start = view.getUint16(tail + index * 12 + 8, true);
      const stop = index + 1 < count ? view.getUint16(tail + (index + 1) * 12 + 8, true) : end - tail;
      if (Buffer.from(bytes.subarray(tail + start, tail + stop)).toString("latin1") === wanted) return tail + index * 12;
    }
    throw new Error(`no ${wanted}`);
  };
  const nid = (path: string): number => path.split("/").filter((part) => part !== "").reduce((directory, part) => view.getUint32(find(directory, part), true), view.getUint16(1024 + 14, true));
  return { bytes, view, nid };
}

function refusal(bytes: Uint8Array): string {
  try {
    readImage(bytes);
  } catch (error) {
    if (!(error instanceof SealrootError)) throw error;
    return `${error.code} ${error.details.at(-1)?.[1] ?? ""}`;
  }
  return "";
}

describe("another file", () => {
  test.each([["nothing", new Uint8Array()], ["three bytes", new Uint8Array(3)], ["zeros", new Uint8Array(8192)]])("%s", (_, bytes) => expect(refusal(bytes)).toBe("SR-E501 "));
  test("a newer version", () => {
    const { bytes, view } = image();
    view.setUint32(12, 3, true);
    expect(refusal(bytes)).toBe("SR-E502 3");
    view.setUint32(4, 2, true);
    expect(refusal(bytes)).toBe("SR-E502 2");
  });
  test("any length that it was cut to", () => {
    const { bytes } = image("v1");
    for (let length = 0; length < bytes.length; length += 61) expect(refusal(bytes.subarray(0, length))).toMatch(/^SR-E50[13]/);
  });
  test("bytes in the middle of a buffer", () => {
    const { bytes } = image();
    const larger = new Uint8Array(bytes.length + 200);
    larger.set(bytes, 100);
    expect(refusal(larger.subarray(100, 100 + bytes.length))).toBe("");
  });
});

describe("a change", () => {
  type Change = (view: DataView, nid: (path: string) => number) => void;
  const at = (nid: (path: string) => number, path: string, offset: number): number => nid(path) * 32 + offset;
  const dirent = (view: DataView, nid: (path: string) => number, path: string, index: number): number => at(nid, path, 64 + (view.getUint16(at(nid, path, 2), true) === 0 ? 0 : 12)) + index * 12;
  const changes: readonly (readonly [string, Change, string])[] = [
    ["features that composefs does not use", (view) => view.setUint32(1024 + 80, 4, true), "it has features"],
    ["a number of blocks", (view) => view.setUint32(1024 + 36, 77, true), "the file is not as long"],
    ["a number of inodes", (view) => view.setUint32(1024 + 16, 77, true), "not as many inodes"],
    ["a root that is a file", (view, nid) => view.setUint16(1024 + 14, nid("d/f"), true), "the root is no directory"],
    ["a root outside", (view) => view.setUint16(1024 + 14, 65535, true), "an inode lies outside"],
    ["a directory within itself", (view, nid) => view.setUint32(dirent(view, nid, "", 3), nid("d"), true), "a directory has two names"],
    ["the root within itself", (view, nid) => view.setUint32(dirent(view, nid, "", 3), nid(""), true), "a directory has two names"],
    ["a wrong parent", (view, nid) => view.setUint32(dirent(view, nid, "d", 1), nid("e"), true), "leads elsewhere"],
    ["a wrong self", (view, nid) => view.setUint32(dirent(view, nid, "d", 0), nid("e"), true), "leads elsewhere"],
    ["an entry of another type", (view, nid) => view.setUint8(dirent(view, nid, "d", 2) + 10, 7), "another type"],
    ["an entry into the middle of an inode", (view, nid) => view.setUint32(dirent(view, nid, "d", 3), nid("d/f") + 1, true), "no inode"],
    ["an entry beyond the image", (view, nid) => view.setUint32(dirent(view, nid, "d", 2), 0x7fffffff, true), "outside"],
    ["an entry far beyond", (view, nid) => view.setUint32(dirent(view, nid, "d", 2) + 4, 1, true), "leads out of the image"],
    ["a name with a slash", (view, nid) => view.setUint8(dirent(view, nid, "d", 0) + 4 * 12 + 3, 0x2f), "no valid name"],
    ["names out of order", (view, nid) => view.setUint8(dirent(view, nid, "d", 0) + 4 * 12 + 3, 0x7a), "not sorted"],
    ["a name twice", (view, nid) => view.setUint8(dirent(view, nid, "d", 0) + 4 * 12 + 3, 0x67), "not sorted"],
    ["no entries", (view, nid) => view.setUint16(dirent(view, nid, "d", 0) + 8, 0, true), "does not begin with its entries"],
    ["a size in the exabytes", (view, nid) => view.setUint32(at(nid, "d", 12), 0x7fffffff, true), "not stored as"],
    ["a layout that is compressed", (view, nid) => view.setUint16(at(nid, "d/f", 0), 3, true), "data layout"],
    ["content beyond 5000 bytes", (view, nid) => view.setUint32(at(nid, "d/f", 8), 5001, true), "more content"],
    ["xattrs that do not end", (view, nid) => view.setUint16(at(nid, "d/f", 2), 65535, true), "does not end within"],
    ["more references than room", (view, nid) => view.setUint8(at(nid, "d/f", 68), 9), "more references"],
    ["a reference beyond the image", (view, nid) => view.setUint32(at(nid, "d/f", 76), 0x3fffffff, true), "no shared attribute"],
    ["references that overlap", (view, nid) => view.setUint32(at(nid, "d/f", 76), view.getUint32(at(nid, "d/f", 76), true) - 1, true), "attribute"],
    ["blocks for a file that is outside", (view, nid) => view.setUint32(at(nid, "x", 64) + 12 + 56 + 20 + 68, 0, true), "has blocks in the image"],
    ["a chunk format", (view, nid) => view.setUint32(at(nid, "x", 16), 30, true), "the chunks"],
    ["metacopy of another version", (view, nid) => view.setUint8(at(nid, "x", 64) + 12 + 20, 1), "the digest of a file"],
    ["metacopy on a file with content", (view, nid) => view.setUint16(at(nid, "x", 0), 1, true), "leads to an object as well"],
    ["a target with a NUL", (view, nid) => view.setUint8(at(nid, "y", 66), 0), "the target of"],
    ["a link without target", (view, nid) => view.setUint32(at(nid, "y", 8), 0, true), "the target of"],
    ["a type that is none", (view, nid) => view.setUint16(at(nid, "y", 4), 0o170000, true), "another type"],
  ];
  test.each(changes)("%s", (_, change, reason) => {
    const { bytes, view, nid } = image();
    change(view, nid);
    expect(refusal(bytes)).toStartWith("SR-E503 ");
    expect(refusal(bytes)).toContain(reason);
  });

  test("overlayfs cannot be spoken to behind our back: an unescaped redirect on a directory", () => {
    const { bytes } = image("v1", "/ 4096 40755 2 0 0 0 1.0 - - -\n/d 4096 40755 2 0 0 0 1.0 - - - trusted.Overlay.redirect=/etc");
    Buffer.from(bytes.buffer).write("overlay.redirect", Buffer.from(bytes.buffer).indexOf("Overlay.redirect"));
    expect(refusal(bytes)).toContain("speaks to overlayfs");
  });

  test("a whiteout that is no stub", () => {
    const { bytes } = image("v1", "/ 4096 40755 2 0 0 0 1.0 - - -\n/d 4096 40755 2 0 0 0 1.0 - - -\n/d/null 0 20666 1 0 0 259 1.0 - - -");
    const buffer = Buffer.from(bytes.buffer);
    buffer.writeUInt32LE(0, buffer.indexOf(Buffer.from([3, 1, 0, 0]), 1152));
    expect(refusal(bytes)).toContain("a whiteout stands where");
  });
});

describe("bounds", () => {
  const deep = (levels: number): Tree => {
    const tree = builder();
    let parent: Inode = ROOT;
    for (let level = 1; level < levels; level++) parent = tree.add(parent, name("d"), DIRECTORY);
    tree.add(parent, name("f"), FILE);
    return tree.seal();
  };

  test.each(["v0", "v1", "v2"] as const)("directories as deep as allowed are written as %s and read, and one more is neither", (format) => {
    const bytes = new Uint8Array(writeImageBytes(deep(MAX_DEPTH), { format }));
    expect(refusal(bytes)).toBe("");
    expect(() => writeImageBytes(deep(MAX_DEPTH + 1), { format })).toThrow(expect.objectContaining({ code: "SR-E500", details: [["file", expect.any(String)], ["reason", "directories are more than 4096 deep"]] }));
    // the file at the very bottom as a directory, in its inode and its entry, the third and last of its directory
    const view = new DataView(bytes.buffer);
    const entry = Buffer.from(bytes.buffer).lastIndexOf("...f") - 12;
    expect(view.getUint8(entry + 10)).toBe(1);
    view.setUint8(entry + 10, 2);
    view.setUint16(view.getUint32(entry, true) * 32 + 4, 0o40755, true);
    expect(refusal(bytes)).toContain("more than 4096 deep");
  });

  test("a message does not repeat a path that nobody could write", () => {
    const refused = (): unknown => writeImageBytes(deep(MAX_DEPTH + 1), { format: "v1" });
    let path = "";
    try {
      refused();
    } catch (error) {
      path = error instanceof SealrootError ? (error.details[0]?.[1] ?? "") : "";
    }
    expect([path.length, path.slice(0, 6), path.at(-1)]).toEqual([4097, "/d/d/d", "…"]);
  });

  test("an escaped whiteout stays one, whatever its device number's field holds", () => {
    const { bytes, view } = image("v1", "/ 4096 40755 2 0 0 0 1.0 - - -\n/d 4096 40755 2 0 0 0 1.0 - - -\n/d/w 0 20600 1 0 0 0 1.0 - - -");
    const mode = Buffer.from(bytes.buffer).indexOf(Buffer.from([0x80, 0x81]), 1152);
    view.setUint32(mode + 12, 259, true);
    const { inodes } = readImage(bytes).tree;
    expect([inodes.mode(2), inodes.rdev(2)]).toEqual([0o20600, 0]);
  });

  test("digests of two algorithms", () => {
    const { bytes } = image("v1", `${SOURCE}\n/z 9000 100644 1 0 0 0 1.0 ${"6b".slice(0, 2)}/${"6b".repeat(31)} - ${"6b".repeat(32)}`);
    const buffer = Buffer.from(bytes.buffer);
    buffer.writeUInt8(2, buffer.lastIndexOf(Buffer.from([0, 36, 0, 1])) + 3);
    expect(refusal(bytes)).toContain("the digest of a file is not as composefs writes it");
  });
});

describe("what only composefs-rs writes", () => {
  test("an empty file in the form of an external one", () => {
    const { bytes, view } = image("v1", `/ 4096 40755 2 0 0 0 1.0 - - -\n/x 9000 100644 1 0 0 0 1.0 ${A.slice(0, 2)}/${A.slice(2)} - ${A}`);
    const at = Buffer.from(bytes.buffer).indexOf(Buffer.from([0x28, 0x23, 0, 0]), 1152);
    view.setUint32(at, 0, true);
    view.setUint32(at + 8, 0, true);
    const { inodes } = readImage(bytes).tree;
    expect([inodes.size(1), inodes.digest(1)?.toHex()]).toEqual([0, A]);
  });

  test("a directory's own mark beside the user's", () => {
    const { bytes } = image("v1", "/ 4096 40755 2 0 0 0 1.0 - - -\n/d 4096 40755 2 0 0 0 1.0 - - - trusted.overlay.opaqua=y trusted.overlay.opaque=z");
    const buffer = Buffer.from(bytes.buffer);
    buffer.write("opaque", buffer.indexOf("opaqua"));
    const { tree } = readImage(bytes);
    expect(tree.inodes.xattrs(tree.target(tree.child(ROOT, 0))).map((xattr) => [xattr.name, ...xattr.value])).toEqual([["trusted.overlay.opaque", 0x79]]);
  });

  test("and nothing else twice", () => {
    const { bytes } = image("v1", "/ 4096 40755 2 0 0 0 1.0 - - -\n/d 4096 40755 2 0 0 0 1.0 - - - user.opaqua=y user.opaque=z");
    const buffer = Buffer.from(bytes.buffer);
    buffer.write("opaque", buffer.indexOf("opaqua"));
    expect(refusal(bytes)).toContain("an extended attribute twice");
  });
});

test("hard links are found in whatever order", () => {
  const tree = builder();
  const b = tree.add(ROOT, name("b"), FILE);
  tree.link(ROOT, name("a"), b);
  tree.link(tree.add(ROOT, name("c"), DIRECTORY), name("z"), b);
  const { tree: read } = readImage(writeImageBytes(tree.seal(), { format: "v1" }));
  expect(read.inodes.count).toBe(3);
  expect(read.target(read.child(ROOT, 0))).toBe(read.target(read.child(ROOT, 1)));
  expect([...read.children(ROOT)].map((entry) => read.isHardLink(entry))).toEqual([false, true, false]);
});

test("times, owners and numbers at their limits", () => {
  const more = { uid: 4294967295, gid: 65536, nlink: 70000, seconds: -(2n ** 63n), nanoseconds: 4294967295 };
  const tree = new TreeBuilder(attributes(TYPE.directory | 0o7777, { ...more, seconds: 2n ** 63n - 1n }));
  tree.add(ROOT, name("f"), attributes(TYPE.regular | 0o7777, more));
  const { tree: read } = readImage(writeImageBytes(tree.seal(), { format: "v1" }));
  expect(read.inodes.seconds(ROOT)).toBe(2n ** 63n - 1n);
  expect(read.inodes.attributes(1)).toEqual(attributes(TYPE.regular | 0o7777, more));
});
