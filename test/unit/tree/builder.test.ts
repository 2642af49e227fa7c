/** Trees made name by name, compared with a model of plain objects. */

import { describe, expect, test } from "bun:test";
import fc from "fast-check";
import { type Attributes, binaryOf, bytesOf, compareBytes, type Data, DuplicateName, type Inode, isDirectory, objectPath, ROOT, Tree, TreeBuilder, TYPE, type Xattr } from "../../../src/tree/index.ts";

const attributes = (mode: number, more: Partial<Attributes> = {}): Attributes => ({ mode, nlink: 1, uid: 0, gid: 0, rdev: 0, size: 0, seconds: 0n, nanoseconds: 0, ...more });
const DIRECTORY = attributes(TYPE.directory | 0o755);
const FILE = attributes(TYPE.regular | 0o644);
const name = bytesOf;
const make = (digestSize: 32 | 64 = 32): TreeBuilder => new TreeBuilder(DIRECTORY, [], digestSize);

const names = fc.uint8Array({ minLength: 1, maxLength: 255 }).filter((bytes) => !bytes.includes(0) && !bytes.includes(0x2f) && !["", ".", ".."].includes(binaryOf(bytes)));

describe("names", () => {
  test("any bytes, in the order of memcmp, and found again", () => {
    fc.assert(
      fc.property(fc.uniqueArray(names, { maxLength: 60, selector: binaryOf }), (list) => {
        const builder = make();
        for (const own of list) builder.add(ROOT, own, FILE);
        const tree = builder.seal();
        const entries = [...tree.children(ROOT)];
        expect(entries.map((entry) => binaryOf(tree.name(entry)))).toEqual(list.toSorted((a, b) => Buffer.compare(a, b)).map((name) => binaryOf(name)));
        for (const [index, own] of list.entries()) expect(tree.target(tree.find(ROOT, own) ?? -1)).toBe(index + 1);
        for (const entry of entries) {
          const copy = new Uint8Array(300);
          tree.copyName(entry, copy, 7);
          expect(copy.subarray(7, 7 + tree.nameLength(entry))).toEqual(tree.name(entry).slice());
          expect(tree.nameByte(entry, 0)).toBe(tree.name(entry)[0] ?? -1);
        }
        expect(tree.find(ROOT, name("\x01\x02 not there"))).toBeUndefined();
      }),
    );
  });

  test.each(["", ".", "..", "a/b", "a\0", "a".repeat(256)])("refused: %p", (own) => {
    expect(() => make().add(ROOT, name(own), FILE)).toThrow(RangeError);
  });

  test("in nothing but directories", () => {
    const builder = make();
    expect(() => builder.add(builder.add(ROOT, name("f"), FILE), name("x"), FILE)).toThrow("no directory");
    expect(() => new TreeBuilder(FILE)).toThrow("no directory");
  });

  test("twice in one directory", () => {
    const builder = make();
    const directory = builder.add(ROOT, name("d"), DIRECTORY);
    for (const own of ["b", "a", "c", "b"]) builder.add(directory, name(own), FILE);
    try {
      builder.seal();
      expect.unreachable();
    } catch (error) {
      if (!(error instanceof DuplicateName)) throw error;
      expect([error.parent, binaryOf(error.entryName)]).toEqual([directory, "b"]);
    }
  });
});

describe("links", () => {
  test("are further names; the first one is the inode's place", () => {
    const builder = make();
    const directory = builder.add(ROOT, name("d"), DIRECTORY);
    const file = builder.add(directory, name("z"), FILE);
    builder.link(ROOT, name("a"), file);
    const tree = builder.seal();
    expect(tree.path(file).map((name) => binaryOf(name))).toEqual(["d", "z"]);
    expect(tree.path(ROOT)).toEqual([]);
    expect([...tree.children(ROOT), ...tree.children(directory)].map((entry) => tree.isHardLink(entry))).toEqual([true, false, false]);
    expect([tree.parentOf(file), tree.parentOf(directory), tree.parentOf(ROOT)]).toEqual([directory, ROOT, ROOT]);
  });

  test("can be made before their target is known", () => {
    const builder = make();
    const entry = builder.link(ROOT, name("first"), ROOT);
    const file = builder.add(ROOT, name("second"), FILE);
    builder.retarget(entry, file);
    const tree = builder.seal();
    expect(tree.target(tree.child(ROOT, 0))).toBe(file);
    expect(tree.isHardLink(tree.child(ROOT, 0))).toBe(true);
  });
});

test("a random tree is what was put into it", () => {
  const node = fc.record({ parent: fc.nat(), own: names, directory: fc.boolean() });
  fc.assert(
    fc.property(fc.array(node, { maxLength: 80 }), (list) => {
      const builder = make();
      const directories: Inode[] = [ROOT];
      const model = new Map<Inode, Map<string, Inode>>([[ROOT, new Map()]]);
      for (const { parent, own, directory } of list) {
        const into = directories[parent % directories.length] ?? ROOT;
        const children = model.get(into);
        if (children === undefined || children.has(binaryOf(own))) continue;
        const inode = builder.add(into, own, directory ? DIRECTORY : FILE);
        children.set(binaryOf(own), inode);
        if (!directory) continue;
        directories.push(inode);
        model.set(inode, new Map());
      }
      const tree = builder.seal();
      for (let inode = 0; inode < tree.inodes.count; inode++) {
        const children = [...(model.get(inode) ?? new Map<string, Inode>())].toSorted(([a], [b]) => (a < b ? -1 : 1));
        expect([...tree.children(inode)].map((entry): [string, Inode] => [binaryOf(tree.name(entry)), tree.target(entry)])).toEqual(children);
        expect(tree.childCount(inode)).toBe(children.length);
        expect(isDirectory(tree.inodes.mode(inode))).toBe(model.has(inode));
      }
    }),
    { numRuns: 60 },
  );
});

describe("attributes", () => {
  test("at their limits, for more inodes than one chunk of columns has", () => {
    const builder = make();
    const extreme = attributes(TYPE.socket | 0o7777, { nlink: 4294967295, uid: 4294967295, gid: 4294967294, rdev: 4294967295, size: 2 ** 53, seconds: -(2n ** 63n), nanoseconds: 4294967295 });
    for (let index = 0; index < 10_000; index++) builder.add(ROOT, name(`f${index}`), index % 777 === 0 ? extreme : attributes(TYPE.regular, { seconds: BigInt(index) - 5000n }));
    const { inodes } = builder.seal();
    for (let index = 0; index < 10_000; index++) {
      expect(inodes.attributes(index + 1)).toEqual(index % 777 === 0 ? extreme : attributes(TYPE.regular, { seconds: BigInt(index) - 5000n }));
      expect((BigInt(inodes.secondsHigh(index + 1)) << 32n) + BigInt(inodes.secondsLow(index + 1))).toBe(inodes.seconds(index + 1));
    }
  });

  test("sets of extended attributes are kept once", () => {
    const builder = make();
    const set = (value: string): Xattr[] => [{ name: "user.a", value: bytesOf(value) }];
    const inodes = ["1", "2", "1"].map((value, index) => builder.add(ROOT, name(`${index}`), FILE, set(value)));
    const tree = builder.seal();
    const [first = 0, second = 0, third = 0] = inodes.map((inode) => tree.inodes.xattrSet(inode));
    expect(first).toBe(third);
    expect(first).not.toBe(second);
    expect(tree.inodes.xattrs(inodes[1] ?? 0)).toEqual(set("2"));
    // what is next to each other cannot be taken for something else
    expect(builder.inodes.xattrTable.intern([{ name: "a1", value: bytesOf("") }])).not.toBe(builder.inodes.xattrTable.intern([{ name: "a", value: bytesOf("1") }]));
  });
});

describe("data", () => {
  const digest = (size: number): Uint8Array<ArrayBuffer> => Uint8Array.from({ length: size }, (_, index) => index * 7);
  const put = (data: Data, size: 32 | 64 = 32): { tree: Tree; inode: Inode } => {
    const builder = make(size);
    const inode = builder.add(ROOT, name("f"), data.kind === "target" ? attributes(TYPE.symlink) : FILE, [], data);
    return { tree: builder.seal(), inode };
  };

  test.each([32, 64] as const)("an object by its own name, of %p bytes", (size) => {
    const { tree, inode } = put({ kind: "external", payload: bytesOf(objectPath(digest(size))), digest: digest(size) }, size);
    expect(tree.inodes.isNamedByDigest(inode)).toBe(true);
    expect(binaryOf(tree.inodes.payload(inode) ?? bytesOf(""))).toBe(objectPath(digest(size)));
    expect(tree.inodes.digest(inode)).toEqual(digest(size));
    expect([tree.inodes.hasPayload(inode), tree.inodes.hasDigest(inode), tree.inodes.hasContent(inode)]).toEqual([true, true, false]);
    const copy = new Uint8Array(size + 2);
    tree.inodes.copyDigest(inode, copy, 1);
    expect(copy.subarray(1, size + 1)).toEqual(digest(size));
  });

  test.each([
    ["another name", { kind: "external", payload: bytesOf("a/b"), digest: digest(32) }, "a/b", 32],
    ["its name in capitals", { kind: "external", payload: bytesOf(objectPath(digest(32)).toUpperCase()), digest: digest(32) }, objectPath(digest(32)).toUpperCase(), 32],
    ["no digest", { kind: "external", payload: bytesOf("a/b"), digest: undefined }, "a/b", 0],
    ["a digest only", { kind: "external", payload: undefined, digest: digest(32) }, undefined, 32],
    ["nothing", { kind: "none" }, undefined, 0],
  ] as const)("an object with %s", (_, data, payload, digestLength) => {
    const { tree, inode } = put(data);
    const found = tree.inodes.payload(inode);
    expect(found === undefined ? undefined : binaryOf(found)).toBe(payload);
    expect(tree.inodes.digest(inode)?.length ?? 0).toBe(digestLength);
    expect(tree.inodes.isNamedByDigest(inode)).toBe(false);
  });

  test("content and targets are copies", () => {
    const bytes = bytesOf("content");
    const { tree, inode } = put({ kind: "content", bytes });
    bytes.fill(0);
    expect(binaryOf(tree.inodes.content(inode) ?? bytes)).toBe("content");
    expect(tree.inodes.target(inode)).toBeUndefined();
    const copy = new Uint8Array(3);
    tree.inodes.copyData(inode, 3, 3, copy, 0);
    expect(binaryOf(copy)).toBe("ten");
    const link = put({ kind: "target", bytes: bytesOf("../x") });
    expect(binaryOf(link.tree.inodes.target(link.inode) ?? bytes)).toBe("../x");
    expect([link.tree.inodes.hasTarget(link.inode), link.tree.inodes.dataLength(link.inode)]).toEqual([true, 4]);
  });

  test("a digest of another length", () => {
    expect(() => put({ kind: "external", payload: undefined, digest: digest(32) }, 64)).toThrow(RangeError);
  });
});

test("compareBytes is memcmp, the shorter one first", () => {
  fc.assert(fc.property(fc.uint8Array(), fc.uint8Array(), (a, b) => expect(Math.sign(compareBytes(a, b))).toBe(Buffer.compare(a, b))));
});
