/** Differences of trees: every attribute is seen, nothing equal is told, and names of any bytes can be read. */

import { describe, expect, test } from "bun:test";
import { type Attributes, bytesOf, type Data, type Tree, TreeBuilder, type Xattr } from "../../../src/tree/index.ts";
import { compareTrees, type Difference, nameText } from "../../../src/tree/diff.ts";

const plain = (mode: number, more: Partial<Attributes> = {}): Attributes => ({ mode, nlink: 1, uid: 0, gid: 0, rdev: 0, size: 0, seconds: 1n, nanoseconds: 0, ...more });

interface File {
  readonly attributes?: Partial<Attributes>;
  readonly xattrs?: readonly Xattr[];
  readonly data?: Data;
  readonly mode?: number;
}

/** A directory `d` with one file `f`, and what `more` adds. */
function tree(file: File = {}, more: (builder: TreeBuilder, directory: number, inode: number) => void = () => undefined): Tree {
  const builder = new TreeBuilder(plain(0o40755, { nlink: 3 }));
  const directory = builder.add(0, bytesOf("d"), plain(0o40755, { nlink: 2 }));
  const inode = builder.add(directory, bytesOf("f"), plain(file.mode ?? 0o100644, file.attributes), file.xattrs ?? [], file.data ?? { kind: "none" });
  more(builder, directory, inode);
  return builder.seal();
}

function differences(a: Tree, b: Tree): Difference[] {
  const found: Difference[] = [];
  const equal = compareTrees(a, b, (difference) => found.push(difference) > 0);
  expect(equal).toBe(found.length === 0);
  return found;
}

const attributesOf = (a: Tree, b: Tree): unknown => differences(a, b).map((difference) => (difference.kind === "changed" ? [difference.path, ...difference.attributes.map(({ name, a: left, b: right }) => [name, left, right])] : difference));

const digest = (byte: number): Uint8Array => new Uint8Array(32).fill(byte);
const external = (byte: number): Data => ({ kind: "external", payload: undefined, digest: digest(byte) });

describe("differences", () => {
  test("equal trees have none", () => {
    expect(differences(tree(), tree())).toEqual([]);
  });

  test("every attribute", () => {
    const cases: readonly (readonly [File, unknown])[] = [
      [{ mode: 0o100600 }, ["mode", "0644", "0600"]],
      [{ mode: 0o10644 }, ["type", "regular file", "fifo"]],
      [{ attributes: { uid: 5 } }, ["uid", "0", "5"]],
      [{ attributes: { gid: 6 } }, ["gid", "0", "6"]],
      [{ attributes: { nlink: 2 } }, ["links", "1", "2"]],
      [{ attributes: { seconds: 1_700_000_000n, nanoseconds: 5 } }, ["mtime", "1.000000000 (1970-01-01 00:00:01 UTC)", "1700000000.000000005 (2023-11-14 22:13:20 UTC)"]],
      [{ attributes: { seconds: 2n ** 62n } }, ["mtime", "1.000000000 (1970-01-01 00:00:01 UTC)", "4611686018427387904.000000000"]],
      [{ xattrs: [{ name: "security.selinux", value: bytesOf("usr_t\0") }] }, ["xattr security.selinux", undefined, '"usr_t\\u0000"']],
      [{ data: { kind: "content", bytes: bytesOf("hi") } }, ["content", "empty", "inline 6869"]],
    ];
    for (const [file, expected] of cases) expect(attributesOf(tree(), tree(file))).toEqual([["/d/f", expected]]);
  });

  test("content by digest, by object and by size", () => {
    expect(attributesOf(tree({ data: external(1) }), tree({ data: external(2) }))).toEqual([["/d/f", ["content", `sha256:${"01".repeat(32)}`, `sha256:${"02".repeat(32)}`]]]);
    expect(attributesOf(tree({ attributes: { size: 9 } }), tree({ attributes: { size: 9 }, data: { kind: "external", payload: bytesOf("a b"), digest: undefined } }))).toEqual([["/d/f", ["content", "zeros", "object a b"]]]);
  });

  test("targets and devices", () => {
    const link = (target: string): File => ({ mode: 0o120777, data: { kind: "target", bytes: bytesOf(target) } });
    expect(attributesOf(tree(link("x")), tree(link("y\n")))).toEqual([["/d/f", ["target", "x", "y\\x0a"]]]);
    const device = (rdev: number): File => ({ mode: 0o20600, attributes: { rdev } });
    expect(attributesOf(tree(device(1)), tree(device(2)))).toEqual([["/d/f", ["device", "1", "2"]]]);
  });

  test("a hard link and two files", () => {
    const linked = tree({ attributes: { nlink: 2 } }, (builder, directory, inode) => void builder.link(directory, bytesOf("g"), inode));
    const apart = tree({ attributes: { nlink: 2 } }, (builder, directory) => void builder.add(directory, bytesOf("g"), plain(0o100644, { nlink: 2 })));
    expect(attributesOf(linked, apart)).toEqual([["/d/g", ["hard link", "of /d/f", undefined]]]);
  });

  test("what only one has, once for all that is below it", () => {
    const more = tree({}, (builder, directory) => {
      const below = builder.add(directory, bytesOf("a"), plain(0o40755));
      builder.add(below, bytesOf("x"), plain(0o100644));
      builder.add(builder.add(below, bytesOf("y"), plain(0o40755)), bytesOf("z"), plain(0o100644));
    });
    expect(differences(more, tree())).toEqual([{ kind: "only in a", path: "/d/a", type: "directory", below: 3 }]);
    expect(differences(tree(), more)).toEqual([{ kind: "only in b", path: "/d/a", type: "directory", below: 3 }]);
  });

  test("ends when it was told enough", () => {
    const other = tree({ attributes: { uid: 1 } }, (builder) => void builder.add(0, bytesOf("zz"), plain(0o100644)));
    const found: Difference[] = [];
    compareTrees(tree(), other, (difference) => found.push(difference) < 1);
    expect(found.map(({ path }) => path)).toEqual(["/d/f"]);
  });

  test("a tree deeper than the runtime's stack", () => {
    const deep = (uid: number): Tree => {
      const builder = new TreeBuilder(plain(0o40755));
      let at = 0;
      for (let depth = 0; depth < 3000; depth++) at = builder.add(at, bytesOf("d"), plain(0o40755));
      builder.add(at, bytesOf("f"), plain(0o100644, { uid }));
      return builder.seal();
    };
    expect(differences(deep(0), deep(1)).length).toBe(1);
  });
});

test("names of any bytes", () => {
  expect([bytesOf("plain"), new TextEncoder().encode("grün"), bytesOf("\xff\\"), bytesOf("a\nb")].map(nameText)).toEqual(["plain", "grün", "\\xff\\\\", "a\\x0ab"]);
});
