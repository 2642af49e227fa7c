import { describe, expect, test } from "bun:test";
import fc from "fast-check";
import { SealrootError } from "../../../src/errors/index.ts";
import { DEFAULT_BINDING_KEY, NO_PREPARE_ROOT, parsePrepareRoot, parseWishArgument } from "../../../src/config/index.ts";
import { parseKeyFile, stringValue } from "../../../src/config/keyfile.ts";

const bytes = (text: string): Uint8Array => new TextEncoder().encode(text);
const parse = (text: string) => parsePrepareRoot(bytes(text), "prepare-root.conf");

function refusal(act: () => unknown): { code: string; details: Record<string, string> } {
  try {
    act();
  } catch (error) {
    if (error instanceof SealrootError) return { code: error.code, details: Object.fromEntries(error.details) };
    throw error;
  }
  throw new Error("it was accepted");
}

describe("key files", () => {
  test("comments, blank lines, white space, duplicate keys and groups", () => {
    const file = parseKeyFile(bytes("# c\n\n[a]\n x = 1 # not a comment\n[b]\ny=2\n[a]\nx=3\n"), "f");
    expect([...(file.get("a") ?? [])]).toEqual([["x", "3"]]);
    expect([...(file.get("b") ?? [])]).toEqual([["y", "2"]]);
  });
  test("escapes, and a semicolon that is data", () => {
    const file = parseKeyFile(bytes("[g]\nk=/etc/a;b\\s\\\\c\\n\n"), "f");
    expect(stringValue(file, "g", "k", "f")).toBe("/etc/a;b \\c\n");
  });
  test.each([
    ["k=v\n", "1"], ["[g]\nnonsense\n", "2"], ["[g\nk=v\n", "1"], ["[g]\n=v\n", "2"], ["[g]\n\nk=a\0b\n", "3"],
  ])("%j is refused with its line", (text, line) => {
    expect(refusal(() => parseKeyFile(bytes(text), "f"))).toMatchObject({ code: "SR-E101", details: { file: "f", line } });
  });
  test("any bytes give a file or SR-E101", () => {
    fc.assert(fc.property(fc.oneof(fc.uint8Array({ maxLength: 300 }), fc.string({ unit: "binary", maxLength: 200 }).map(bytes)), (data) => {
      try {
        parsePrepareRoot(data, "f");
      } catch (error) {
        expect(error).toBeInstanceOf(SealrootError);
      }
    }));
  });
});

describe("prepare-root.conf", () => {
  test("empty is the default", () => expect(parse("")).toEqual({ ...NO_PREPARE_ROOT, source: "prepare-root.conf" }));
  test("everything", () => {
    expect(parse("[composefs]\nenabled=signed\nkeypath=/etc/k\n[root]\ntransient-ro=true\n[etc]\ntransient=1\n[sysroot]\nreadonly=false\n")).toEqual({
      composefs: "signed", source: "prepare-root.conf", keyPath: "/etc/k", rootTransient: true, rootReadOnly: true, etcTransient: true, sysrootReadOnly: false,
    });
  });
  test.each([["yes", "yes"], ["true", "yes"], ["1", "yes"], ["maybe", "maybe"], ["no", "no"], ["0", "no"], ["verity", "verity"]] as const)("enabled=%s is %s", (text, wish) => {
    expect(parse(`[composefs]\nenabled=${text}\n`)).toEqual({ ...NO_PREPARE_ROOT, composefs: wish, source: "prepare-root.conf", keyPath: DEFAULT_BINDING_KEY });
  });
  test.each(["Signed", "signed # really", "signed ", "sined", "", "constructor"])("enabled=%j is refused, never taken for less", (text) => {
    expect(refusal(() => parse(`[composefs]\nenabled=${text}\n`)).code).toBe("SR-E101");
  });
  test("transient together with transient-ro is refused", () => {
    expect(refusal(() => parse("[root]\ntransient=true\ntransient-ro=true\n")).code).toBe("SR-E101");
  });
});

describe("ostree.prepare-root.composefs=", () => {
  test.each([["signed", "signed"], ["verity", "verity"], ["1", "yes"], ["maybe", "maybe"], ["0", "no"]] as const)("%s is %s", (value, wish) => expect(parseWishArgument(value)).toBe(wish));
  test.each(["", "Signed", "2", "constructor"])("%j stops the boot", (value) => expect(refusal(() => parseWishArgument(value)).code).toBe("SR-E101"));
});
