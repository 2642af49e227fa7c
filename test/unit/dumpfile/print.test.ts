/** Trees as text: what the C tool printed is read and printed again, byte for byte. */

import { describe, expect, test } from "bun:test";
import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import fc from "fast-check";
import { DumpfileParser, eachObject, printDumpfile, printListing } from "../../../src/dumpfile/index.ts";
import { binaryOf, bytesOf, type Tree } from "../../../src/tree/index.ts";

const golden = join(import.meta.dir, "../../data/golden");

function parse(text: string): Tree {
  const parser = new DumpfileParser({ strict: true });
  parser.push(bytesOf(text));
  return parser.finish();
}

function collect(print: (sink: (bytes: Uint8Array) => void) => void): string {
  const parts: string[] = [];
  print((bytes) => parts.push(binaryOf(bytes)));
  return parts.join("");
}

const names = (...all: string[]): Uint8Array[] => all.map(bytesOf);
const dump = (tree: Tree, ...only: string[]): string => collect((sink) => printDumpfile(tree, sink, only.length === 0 ? undefined : names(...only)));
const list = (tree: Tree, ...only: string[]): string => collect((sink) => printListing(tree, sink, only.length === 0 ? undefined : names(...only)));

describe("a dumpfile read and printed is the same", () => {
  for (const name of readdirSync(golden).filter((file) => file.endsWith(".info") && !file.startsWith("16-"))) {
    test(name, () => {
      const text = readFileSync(join(golden, name), "latin1");
      expect(dump(parse(text)) === text).toBeTrue();
    });
  }

  test("any bytes in contents, names, targets and xattrs", () => {
    const bytes = fc.uint8Array({ minLength: 1, maxLength: 40 }).map((array) => binaryOf(array).replaceAll("\0", "0"));
    fc.assert(fc.property(bytes, bytes, bytes, (name, value, content) => {
      const hex = (text: string): string => [...text].map((character) => `\\x${character.charCodeAt(0).toString(16).padStart(2, "0")}`).join("");
      const clean = `n${name.replaceAll("/", "_")}`;
      const text = `/ 0 40755 2 0 0 0 0.0 - - -\n/${hex(clean)} ${content.length} 100644 1 0 0 0 0.0 - ${hex(content)} - user.${hex(name)}=${hex(value)}\n/z 1 120777 1 0 0 0 0.0 ${hex(value)} - -\n`.replace("/z 1 ", `/z ${value.length} `);
      const tree = parse(text);
      expect(dump(parse(dump(tree)))).toBe(dump(tree));
      expect(binaryOf(tree.inodes.content(1) ?? new Uint8Array())).toBe(content);
    }), { numRuns: 300 });
  });

  test("an xattr longer than a portion, and a path longer than one", () => {
    const value = "x".repeat(32000);
    const deep = Array.from({ length: 300 }, (_, level) => `/${"d".repeat(254)}`.repeat(level + 1));
    const text = ["/ 0 40755 2 0 0 0 0.0 - - -", ...deep.map((path) => `${path} 0 40755 2 0 0 0 0.0 - - - k=${value}`), ""].join("\n");
    expect(dump(parse(text)) === text).toBeTrue();
  });
});

const small = parse([
  "/ 10 40755 3 0 0 0 0.0 - - -",
  "/a\\x20b 10 40755 2 0 0 0 0.0 - - -",
  `/a\\x20b/file 100 100644 2 0 0 0 1.5 ab/cd\\x20e - ${"00".repeat(32)} user.x\\x3d=\\x3d`,
  "/dash 1 100644 1 0 0 0 0.0 - \\x2d -",
  "/link 100 @100644 2 0 0 0 1.5 /a\\x20b/file - -",
  "/sym 3 120777 1 0 0 0 0.0 x\\x20y - -",
  "/third 100 @100644 2 0 0 0 1.5 /a\\x20b/file - -",
  "",
].join("\n"));

describe("forms", () => {
  test("a dumpfile", () => {
    expect(dump(small).split("\n")[4]).toBe(`/link 100 @100644 2 0 0 0 1.5 /a\\x20b/file - ${"00".repeat(32)} user.x\\x3d=\\x3d`);
  });

  test("a listing", () => {
    expect(list(small)).toBe("/a b/\t\n/a b/file\t@ ab/cd\\x20e\n/dash\n/link\n/sym\t-> x\\x20y\n/third\n");
  });

  test("objects", () => {
    const found: string[] = [];
    eachObject(small, (payload) => found.push(binaryOf(payload)));
    expect(found).toEqual(["ab/cd e"]);
  });

  test("a part: a file's first name in it is the one that counts", () => {
    expect(dump(small, "third", "link", "nowhere").split("\n").map((line) => line.split(" ").slice(0, 3).join(" "))).toEqual(["/ 10 40755", "/link 100 100644", "/third 100 @100644", ""]);
    expect(dump(small, "third", "link")).toContain(" 1.5 /link - ");
    expect(list(small, "third")).toBe("/third\t@ ab/cd\\x20e\n");
    expect(list(small, "a b")).toBe("/a b/\t\n/a b/file\t@ ab/cd\\x20e\n");
  });
});
