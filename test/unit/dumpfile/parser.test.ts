/** The parser against the C tool, case by case; portions of any size; hostile bytes. */

import { describe, expect, test } from "bun:test";
import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import fc from "fast-check";
import { DumpfileParser, MAX_LINE } from "../../../src/dumpfile/index.ts";
import { SealrootError } from "../../../src/errors/index.ts";
import { binaryOf, ROOT, type Tree } from "../../../src/tree/index.ts";

const golden = join(import.meta.dir, "../../data/golden");
const encoder = new TextEncoder();

function parse(text: string | Uint8Array, strict = false, portion = Infinity): Tree {
  const bytes = typeof text === "string" ? encoder.encode(text) : text;
  const parser = new DumpfileParser({ strict });
  for (let at = 0; at < bytes.length; at += portion) parser.push(bytes.slice(at, portion === Infinity ? undefined : at + portion));
  return parser.finish();
}

/** What it is refused with; "" when it is not. */
function refusal(text: string | Uint8Array, strict = false): string {
  try {
    parse(text, strict);
    return "";
  } catch (error) {
    if (!(error instanceof SealrootError)) throw error;
    expect(error.code).toBe("SR-E510");
    return error.message.trimEnd();
  }
}

interface Case {
  readonly name: string;
  readonly exit: string;
  readonly message: string;
  readonly strictExit: string;
  readonly strictMessage: string;
  readonly note: string;
}

const cases: readonly Case[] = readFileSync(join(golden, "parse.tsv"), "utf8").trimEnd().split("\n").slice(1).map((line) => {
  const [name = "", exit = "", message = "", , strictExit = "", strictMessage = "", note = ""] = line.split("\t");
  return { name, exit, message, strictExit, strictMessage, note };
});

/** What we say where C accepts what cannot be meant. */
const OURS: Readonly<Record<string, RegExp>> = {
  "num-gid-alpha-uid1": /^Invalid integer zz$/,
  "num-rdev-alpha-uid1": /^Invalid integer zz$/,
  "digest-short": /^Invalid fs-verity digest [0-9a-f]+$/,
  "digest-odd": /^Invalid fs-verity digest [0-9a-f]+$/,
  "digest-nonhex": /^Invalid fs-verity digest /,
  "digest-prefix": /^Invalid fs-verity digest /,
  "digest-empty": /^Invalid fs-verity digest$/,
  "size-2e64-2e43+1": /^cannot write file: File too large$/,
  "size-minus1": /^cannot write file: File too large$/,
  "size-2e64": /^cannot write file: File too large$/,
  "hl-rho": /^cannot write file: Too many levels of symbolic links$/,
  "hl-to-dir": /^Directories can't be hardlinked$/,
  "hl-to-root": /^Directories can't be hardlinked$/,
  "hl-empty": /^No target path for the hardlink$/,
};

/** Not a matter of the text: the C tool's accounting of an image's own xattrs. */
const LATER = ["wh-own-xattr", "wh-parent-xattr"];

describe("as the C tool", () => {
  test("all its cases are here", () => {
    expect(cases.map(({ name }) => `${name}.dump`).toSorted()).toEqual(readdirSync(join(golden, "parse")).toSorted());
    expect(cases.length).toBe(227);
    expect(cases.filter(({ note }) => /C BUG|C bug/.test(note)).map(({ name }) => name).toSorted()).toEqual(Object.keys(OURS).toSorted());
  });

  for (const { name, exit, message, strictExit, strictMessage } of cases) {
    test(name, () => {
      const bytes = readFileSync(join(golden, "parse", `${name}.dump`));
      const ours = OURS[name];
      if (ours !== undefined) {
        expect(refusal(bytes)).toMatch(ours);
        expect(refusal(bytes, true)).toMatch(ours);
        return;
      }
      const expected = exit === "0" || LATER.includes(name) ? "" : message;
      expect(refusal(bytes)).toBe(expected);
      expect(refusal(bytes, true)).toBe(strictExit === "=" ? expected : strictMessage);
    });
  }

  // 16 as the C tool prints it has a path that is too long by two stray bytes
  for (const name of readdirSync(golden).filter((file) => /\.(dump|info)$/.test(file) && file !== "16-payload-lengths.info")) {
    test(`${name} is taken, strictly too`, () => {
      const bytes = readFileSync(join(golden, name));
      expect(refusal(bytes)).toBe("");
      expect(refusal(bytes, true)).toBe("");
    });
  }
});

/** Everything that is in a tree, for comparison. */
function facts(tree: Tree): unknown[] {
  const { inodes } = tree;
  const all: unknown[] = [];
  for (let inode = 0; inode < inodes.count; inode++) {
    const bytes = (value: Uint8Array | undefined): string | undefined => (value === undefined ? undefined : binaryOf(value));
    all.push([inodes.attributes(inode), inodes.xattrs(inode).map(({ name, value }) => [name, binaryOf(value)]), bytes(inodes.content(inode)), bytes(inodes.target(inode)), bytes(inodes.payload(inode)), bytes(inodes.digest(inode))]);
    for (const entry of tree.children(inode)) all.push([inode, binaryOf(tree.name(entry)), tree.target(entry), tree.isHardLink(entry)]);
  }
  return all;
}

describe("what it makes of a line", () => {
  const root = "/ 4096 40755 2 0 0 0 5.6 - - -\n";
  const only = (line: string): Tree => parse(root + line);

  test("attributes", () => {
    expect(only("/f 7 100640 3 1000 2000 9 -12.34 ab/cd - -\n").inodes.attributes(1)).toEqual({ mode: 0o100640, nlink: 3, uid: 1000, gid: 2000, rdev: 0, size: 7, seconds: -12n, nanoseconds: 34 });
    expect(only("/c 0 20666 1 0 0 259 1.0 - - -\n").inodes.rdev(1)).toBe(259);
  });

  test("content, payload, digest", () => {
    const digest = "0123456789abcdefABCDEF000000000000000000000000000000000000000001";
    const tree = parse(`${root}/a 2 100644 1 0 0 0 0.0 x/y hi ${digest}\n/b 9 100644 1 0 0 0 0.0 x/y - ${digest}\n/c 9 100644 1 0 0 0 0.0 - - -\n/d 0 100644 1 0 0 0 0.0 x/y - ${digest}\n`);
    expect(binaryOf(tree.inodes.content(1) ?? new Uint8Array())).toBe("hi");
    expect(tree.inodes.digest(1)).toBeUndefined();
    expect([tree.inodes.digest(2)?.toHex(), binaryOf(tree.inodes.payload(2) ?? new Uint8Array())]).toEqual([digest.toLowerCase(), "x/y"]);
    for (const inode of [3, 4]) expect([tree.inodes.content(inode), tree.inodes.payload(inode), tree.inodes.digest(inode)]).toEqual([undefined, undefined, undefined]);
  });

  test("a symbolic link is as long as its target", () => {
    expect(only("/l 99 120777 1 0 0 0 0.0 \\x61b - -\n").inodes.size(1)).toBe(2);
  });

  test("SHA-512", () => {
    const parser = new DumpfileParser({ strict: true, digestSize: 64 });
    parser.push(encoder.encode(`${root}/f 9 100644 1 0 0 0 0.0 x - ${"ab".repeat(64)}\n`));
    expect(parser.finish().inodes.digest(1)?.toHex()).toBe("ab".repeat(64));
    const short = new DumpfileParser({ strict: true, digestSize: 64 });
    expect(() => short.push(encoder.encode(`${root}/f 9 100644 1 0 0 0 0.0 x - ${"ab".repeat(32)}\n`))).toThrow("Invalid fs-verity digest");
  });

  test("hard links", () => {
    const tree = parse(`${root}/z 0 @100644 - - - - - /d/f\n/y 0 @100644 - - - - - z\n/d 0 40755 2 0 0 0 0.0 - - -\n/d/f 5 100644 7 0 0 0 0.0 x - -\n`);
    expect([...tree.children(ROOT)].map((entry) => [binaryOf(tree.name(entry)), tree.target(entry), tree.isHardLink(entry)])).toEqual([["d", 1, false], ["y", 2, true], ["z", 2, true]]);
    expect(tree.inodes.nlink(2)).toBe(7);
  });
});

describe("portions", () => {
  for (const name of ["07-hardlinks.dump", "12-acls.dump", "16-payload-lengths.dump"]) {
    test(`${name} in pieces of any size`, () => {
      const bytes = readFileSync(join(golden, name));
      const whole = facts(parse(bytes));
      for (const portion of [1, 2, 7, 64, 1000]) expect(facts(parse(bytes, true, portion))).toEqual(whole);
    });
  }
});

describe("hostile bytes", () => {
  test("a line without end is refused, in portions and whole", () => {
    const long = new Uint8Array(MAX_LINE + 1).fill(0x61);
    expect(refusal(long)).toBe(`A line is longer than ${MAX_LINE} bytes`);
    expect(refusal(Buffer.concat([long, Buffer.from("\n")]))).toBe(`A line is longer than ${MAX_LINE} bytes`);
    expect(() => parse(long, false, 4096)).toThrow("A line is longer");
    expect(refusal(new Uint8Array(MAX_LINE).fill(0x61))).toBe("Invalid integer");
  });

  test("what a message quotes cannot steer a terminal", () => {
    expect(refusal("/ x\u001b[31m 40755 2 0 0 0 0.0 - - -\n")).toBe("Invalid integer x\\x1b[31m");
    expect(refusal(Buffer.from("/ \xff 40755 2 0 0 0 0.0 - - -\n", "latin1"))).toBe("Invalid integer \\xff");
  });

  test("anything is a tree or is refused", () => {
    const piece = fc.constantFrom("/", "/a", "/a/b", "\\x", "\\x2f", "-", "@", "40755", "100644", "120777", "0", "1", "1.1", "\n", " ", "=", "k=v", "99999999999999999999", "\u0000", "..");
    fc.assert(fc.property(fc.array(piece, { maxLength: 60 }), fc.boolean(), (pieces, strict) => {
      refusal(`/ 0 40755 1 0 0 0 0.0 - - -\n${pieces.join("")}`, strict);
    }), { numRuns: 3000 });
  });
});
