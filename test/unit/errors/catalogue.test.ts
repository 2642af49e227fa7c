/** The catalogue is an interface: unique, complete, and nothing in it that nobody reports. */

import { describe, expect, test } from "bun:test";
import { readFileSync } from "node:fs";
import { CATALOGUE, describeCause, type ErrorCode, SealrootError } from "../../../src/errors/index.ts";

const top = `${import.meta.dir}/../../..`;
const entries = Object.entries(CATALOGUE);

/** Where codes are reported: the program, and the guard that speaks where the program did not run. */
const sources = [...new Bun.Glob("{src,dracut,systemd}/**").scanSync({ cwd: top, onlyFiles: true })].filter((path) => path !== "src/errors/catalogue.ts");
const used = new Map<string, string[]>();
for (const path of sources) for (const [code] of readFileSync(`${top}/${path}`, "utf8").matchAll(/SR-E\d{3}/g)) used.set(code, [...(used.get(code) ?? []), path]);

describe("the catalogue", () => {
  test("codes of one form, in order of their numbers", () => {
    const codes = entries.map(([code]) => code);
    for (const code of codes) expect(code).toMatch(/^SR-E[1-9]\d\d$/);
    expect(codes).toEqual(codes.toSorted());
  });

  test("an exit status of its own for each, none that the shell, the runtime or systemd uses", () => {
    const exits = entries.map(([, { exit }]) => exit);
    expect(new Set(exits).size).toBe(exits.length);
    for (const exit of exits) {
      expect(exit).toBeGreaterThan(1);
      expect(exit).toBeLessThan(126);
    }
  });

  test("words for all: one line each, no full stop at the end, a title short enough for the first line", () => {
    for (const [code, { title, meaning, next }] of entries) {
      for (const text of [title, meaning, next]) {
        expect(text, code).toMatch(/^\S[^\n]*[^\s.]$/);
        expect(text, code).not.toMatch(/[\x00-\x1f]/); // oxlint-disable-line no-control-regex
      }
      expect(title.length, code).toBeLessThanOrEqual(62);
    }
  });

  test("every code that is reported is in it", () => {
    const strangers = [...used].filter(([code]) => !Object.hasOwn(CATALOGUE, code) && code !== "SR-E999");
    expect(strangers).toEqual([]);
  });

  test("every code in it is reported somewhere", () => {
    expect(entries.map(([code]) => code).filter((code) => !used.has(code))).toEqual([]);
  });
});

describe("SealrootError", () => {
  test("takes its words from the catalogue, or from the case at hand", () => {
    const plain = new SealrootError("SR-E210");
    expect([plain.message, plain.meaning, plain.next, plain.exit, plain.name]).toEqual([CATALOGUE["SR-E210"].title, CATALOGUE["SR-E210"].meaning, CATALOGUE["SR-E210"].next, 30, "SealrootError"]);
    const own = new SealrootError("SR-E210", { summary: "a", meaning: "b", next: "c", details: [["d", "e"]] });
    expect([own.message, own.meaning, own.next, own.details]).toEqual(["a", "b", "c", [["d", "e"]]]);
  });

  test("every code can be thrown", () => {
    for (const code of Object.keys(CATALOGUE)) expect(new SealrootError(code as ErrorCode).exit).toBe(CATALOGUE[code as ErrorCode].exit);
  });

  test("describeCause: never empty, never without end, never a stack", () => {
    expect(describeCause(new Error("a", { cause: new Error("b", { cause: "c" }) }))).toBe("a: b: c");
    expect(describeCause(new TypeError(""))).toBe("TypeError");
    expect(describeCause("text")).toBe("text");
    const circle = new Error("round");
    circle.cause = circle;
    expect(describeCause(circle).split(": ")).toHaveLength(8);
    expect(describeCause(new Error("a"))).not.toContain("at ");
  });
});
