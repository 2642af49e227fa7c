/** What the writer refuses, how it streams, and properties of images that the golden ones do not show. */

import { describe, expect, test } from "bun:test";
import { SealrootError } from "../../../src/errors/index.ts";
import { chooseFormat, type ImageFormat, readImage, writeImage, writeImageBytes } from "../../../src/erofs/index.ts";
import { ROOT, type Tree, TYPE, type Xattr } from "../../../src/tree/index.ts";
import { attributes, builder, DIRECTORY, dumped, FILE, name, text } from "./trees.ts";

const FORMATS: readonly ImageFormat[] = ["v0", "v1", "v2"];

function refusal(make: () => Tree, format: ImageFormat): readonly string[] {
  let portions = 0;
  try {
    writeImage(make(), { format }, () => portions++);
  } catch (error) {
    if (!(error instanceof SealrootError)) throw error;
    expect(portions).toBe(0);
    return [error.code, ...error.details.map(([, words]) => words)];
  }
  return [];
}

describe("refused, with the file's name and before the first byte", () => {
  const one = (mode: number, more = {}, data: Parameters<ReturnType<typeof builder>["add"]>[4] = { kind: "none" }, xattrs: Xattr[] = []) => (): Tree => {
    const tree = builder();
    tree.add(tree.add(ROOT, name("d\xff"), DIRECTORY), name("f"), attributes(mode, more), xattrs, data);
    return tree.seal();
  };
  test.each([
    ["a type that is none", one(0o170000), "its type is none that files have"],
    ["a link without target", one(TYPE.symlink), "the target of a symbolic link has 1 to 4095 bytes"],
    ["a target of 4096 bytes", one(TYPE.symlink, {}, { kind: "target", bytes: new Uint8Array(4096).fill(97) }), "the target of a symbolic link has 1 to 4095 bytes"],
    ["content of 5001 bytes", one(TYPE.regular, { size: 5001 }, { kind: "content", bytes: new Uint8Array(5001) }), "content in the image has at most 5000 bytes"],
    ["content of another size", one(TYPE.regular, { size: 4 }, { kind: "content", bytes: new Uint8Array(5) }), "its size is not that of its content"],
    ["more than 8 PiB", one(TYPE.regular, { size: 2 ** 54 }), "a file in an image has at most 2^53 bytes"],
    ["a path of 4096 bytes", one(TYPE.regular, { size: 1 }, { kind: "external", payload: new Uint8Array(4096).fill(97), digest: undefined }), "a path in the object store has at most 4095 bytes"],
    ["32 KiB of xattrs", one(TYPE.regular, {}, { kind: "none" }, [{ name: "user.a", value: new Uint8Array(32743) }]), "its extended attributes take more than 32 KiB"],
    ["a long xattr name", one(TYPE.regular, {}, { kind: "none" }, [{ name: `user.${"a".repeat(251)}`, value: text("") }]), "an extended attribute has a name of more than 255 or a value of more than 65535 bytes"],
  ])("%s", (_, make, reason) => {
    for (const format of FORMATS) expect(refusal(make, format)).toEqual(["SR-E500", "/d\\xff/f", reason]);
  });

  test("a directory with two names", () => {
    const make = (): Tree => {
      const tree = builder();
      tree.link(ROOT, name("again"), tree.add(ROOT, name("d"), DIRECTORY));
      return tree.seal();
    };
    for (const format of FORMATS) expect(refusal(make, format)).toEqual(["SR-E500", "/d", "a directory cannot have several names"]);
  });

  test("and what is just within the limits is not", () => {
    expect(refusal(one(TYPE.regular, {}, { kind: "none" }, [{ name: "user.a", value: new Uint8Array(32742) }]), "v1")).toEqual([]);
    expect(refusal(one(TYPE.regular, { size: 5000 }, { kind: "content", bytes: new Uint8Array(5000) }), "v1")).toEqual([]);
    expect(refusal(one(TYPE.regular, { size: 2 ** 53 }), "v0")).toEqual([]);
  });
});

test("portions follow each other, and are used again", () => {
  const tree = builder();
  for (let index = 0; index < 20_000; index++) tree.add(ROOT, name(`file-${index}`), FILE);
  const sealed = tree.seal();
  const copies: Uint8Array[] = [];
  const buffers = new Set<ArrayBufferLike>();
  writeImage(sealed, { format: "v1" }, (portion) => {
    copies.push(portion.slice());
    buffers.add(portion.buffer);
  });
  expect(copies.length).toBeGreaterThan(3);
  expect(buffers.size).toBe(1);
  expect(Buffer.compare(Buffer.concat(copies), writeImageBytes(sealed, { format: "v1" }))).toBe(0);
});

test("writing does not change the tree", () => {
  const tree = dumped("/ 4096 40755 2 0 0 0 1.0 - - - user.a=1\n/w 0 20000 1 0 0 0 1.0 - - -\n/00 0 100644 1 0 0 0 1.0 - - -");
  const first = FORMATS.map((format) => Bun.hash(writeImageBytes(tree, { format })));
  expect(FORMATS.map((format) => Bun.hash(writeImageBytes(tree, { format })))).toEqual(first);
  expect(tree.inodes.xattrs(ROOT).map((xattr) => xattr.name)).toEqual(["user.a"]);
});

describe("a path that is the object of another file's digest", () => {
  const [a, b] = ["5a".repeat(32), "6b".repeat(32)];
  const path = (digest: string): string => `${digest.slice(0, 2)}/${digest.slice(2)}`;
  const line = (file: string, payload: string, digest: string): string => `/${file} 5000 100644 1 0 0 0 1.0 ${payload} - ${digest}\n`;
  const count = (lines: string, words: string): number => Buffer.from(writeImageBytes(dumped(`/ 4096 40755 2 0 0 0 1.0 - - -\n${lines}`), { format: "v1" })).toString("latin1").split(words).length - 1;

  test("is shared with it", () => {
    expect(count(line("1", path(a ?? ""), a ?? "") + line("2", path(a ?? ""), "-"), `redirect/${path(a ?? "")}`)).toBe(1);
    expect(count(line("1", path(a ?? ""), a ?? "") + line("2", path(a ?? ""), b ?? "") + line("3", path(b ?? ""), b ?? ""), `redirect/${path(a ?? "")}`)).toBe(1);
  });

  test("and not with a file that has the digest but another path", () => {
    expect(count(line("1", "elsewhere", a ?? "") + line("2", path(a ?? ""), "-"), `redirect/${path(a ?? "")}`)).toBe(1);
    expect(count(line("1", "elsewhere", a ?? "") + line("2", path(a ?? ""), a ?? "") + line("3", path(a ?? ""), "-"), "redirect/elsewhere")).toBe(1);
  });
});

describe("chooseFormat", () => {
  const plain = dumped("/ 4096 40755 2 0 0 0 1.0 - - -");
  const whiteout = dumped("/ 4096 40755 2 0 0 0 1.0 - - -\n/w 0 20000 1 0 0 0 1.0 - - -");
  test.each([[0, 1, "v0", "v1"], [1, 0, "v1", "v1"], [1, 1, "v1", "v1"], [0, 0, "v0", "v0"]] as const)("%p to %p", (minimum, maximum, without, withWhiteout) => {
    expect([chooseFormat(plain, minimum, maximum), chooseFormat(whiteout, minimum, maximum)]).toEqual([without, withWhiteout]);
  });
  test("no other versions", () => {
    for (const [minimum, maximum] of [[2, 2], [0, -1], [0.5, 1]] as const) expect(() => chooseFormat(plain, minimum, maximum)).toThrow(RangeError);
  });
});

test("what an image cannot say of whiteouts: v0 does not mark their directory as opaque", () => {
  const lines = "/ 4096 40755 2 0 0 0 1.0 - - -\n/d 4096 40755 2 0 0 0 1.0 - - -\n/d/w 0 20000 1 0 0 0 1.0 - - -";
  const opaque = (format: ImageFormat): string[] => {
    const { tree } = readImage(writeImageBytes(dumped(lines), { format }));
    return tree.inodes.xattrs(tree.target(tree.child(ROOT, 0))).map((xattr) => xattr.name);
  };
  expect(opaque("v0")).toEqual([]);
  expect(opaque("v1").toSorted()).toEqual(["trusted.overlay.opaque", "user.overlay.opaque"]);
  expect(opaque("v2")).toEqual([]);
});
