/** What the files and the command line come to together: nothing that one of them asks for is lost. */

import { describe, expect, test } from "bun:test";
import fc from "fast-check";
import { type ComposefsWish, NO_PREPARE_ROOT, type PrepareRootConfig, type TrustTable } from "../../../src/config/index.ts";
import { SealrootError } from "../../../src/errors/index.ts";
import { judgeWish, policyOf, raiseWish, replacePrepareRoot, type Said, type TrustPolicy } from "../../../src/trust/index.ts";
import { describePolicy } from "../../../src/trust/judge.ts";

const KEY = "/etc/ostree/initramfs-root-binding.key";
const WISHES: readonly ComposefsWish[] = ["no", "maybe", "yes", "verity", "signed"];
const LEVELS = ["none", "verity", "signed"] as const;
const table = (change: Partial<TrustTable> = {}): TrustTable => ({ level: "none", keys: [], threshold: 1, revoked: [], notBefore: undefined, insecureArgument: undefined, ...change });
const policy = (said: Partial<Said>) => policyOf({ table: undefined, wish: "no", keyPath: KEY, builtAt: undefined, ...said });

describe("raiseWish: the argument raises the configuration, never lowers it", () => {
  for (const [i, configured] of WISHES.entries()) {
    for (const [j, asked] of WISHES.entries()) test(`${configured} with ${asked}`, () => expect(raiseWish(configured, asked)).toBe(WISHES[Math.max(i, j)] ?? "signed"));
  }
});

describe("two prepare-root.conf", () => {
  const file = (change: Partial<PrepareRootConfig>): PrepareRootConfig => ({ ...NO_PREPARE_ROOT, ...change });
  test("the second replaces the first, except for the level and its key", () => {
    expect(replacePrepareRoot(file({ composefs: "signed", keyPath: "/a", etcTransient: true }), file({ sysrootReadOnly: true }))).toEqual(file({ composefs: "signed", keyPath: "/a", sysrootReadOnly: true }));
    expect(replacePrepareRoot(file({ composefs: "verity", keyPath: "/a" }), file({ composefs: "signed", keyPath: "/b" }))).toEqual(file({ composefs: "signed", keyPath: "/b" }));
    expect(replacePrepareRoot(file({ composefs: "signed", keyPath: "/a" }), file({ composefs: "signed", keyPath: "/b" }))).toEqual(file({ composefs: "signed", keyPath: "/b" }));
  });
});

describe("the level", () => {
  test("without a table only a wish for verity or signatures makes a policy", () => {
    for (const wish of ["no", "maybe", "yes"] as const) expect(policy({ wish })).toBeUndefined();
    expect(policy({ wish: "verity" })).toEqual({ level: "verity", source: "prepare-root.conf", requirements: [], revoked: [], notBefore: undefined, insecureArgument: false });
    expect(policy({ wish: "signed" })).toEqual({ level: "signed", source: "prepare-root.conf", requirements: [{ source: "prepare-root.conf", keys: [KEY], threshold: 1 }], revoked: [], notBefore: undefined, insecureArgument: false });
  });

  test("is the higher one, from either side", () => {
    for (const [index, level] of LEVELS.entries()) {
      for (const [other, wish] of (["no", "verity", "signed"] as const).entries()) expect(policy({ table: table({ level, keys: ["/mine"] }), wish })?.level).toBe(LEVELS[Math.max(index, other)] ?? "none");
    }
  });
});

describe("who has to sign", () => {
  const mine = table({ level: "signed", keys: ["/mine"], threshold: 2 });
  test("each side that asks for signatures, by its own keys; the number is the table's for both", () => {
    expect(policy({ table: mine, wish: "signed" })?.requirements).toEqual([{ source: "prepare-root.conf", keys: [KEY], threshold: 2 }, { source: "[trust]", keys: ["/mine"], threshold: 2 }]);
    expect(policy({ table: mine, wish: "verity" })?.requirements).toEqual([{ source: "[trust]", keys: ["/mine"], threshold: 2 }]);
    expect(policy({ table: { ...mine, keys: [KEY] }, wish: "signed" })?.requirements.map(({ keys }) => keys)).toEqual([[KEY], [KEY]]);
  });
  test("a table that does not ask itself lends its threshold, its revoked keys and its floor, not its keys", () => {
    expect(policy({ table: table({ level: "verity", keys: ["/idle"], threshold: 2, revoked: ["ab"], notBefore: 5 }), wish: "signed" })).toEqual({
      level: "signed", source: "prepare-root.conf", requirements: [{ source: "prepare-root.conf", keys: [KEY], threshold: 2 }], revoked: ["ab"], notBefore: 5, notBeforeSource: "not-before in [trust]", insecureArgument: false,
    });
  });
  test("a table of level signed without keys: SR-E231, whoever else asks", () => {
    for (const wish of WISHES) expect(() => policy({ table: table({ level: "signed" }), wish })).toThrow(expect.objectContaining({ constructor: SealrootError, code: "SR-E231" }));
  });
  test("below level signed nobody", () => {
    for (const level of ["none", "verity"] as const) expect(policy({ table: table({ level, keys: ["/idle"] }), wish: "verity" })?.requirements).toEqual([]);
  });
});

describe("the floor", () => {
  const signed = (notBefore: TrustTable["notBefore"]) => table({ level: "signed", keys: ["/mine"], notBefore });
  test.each([
    [undefined, undefined, undefined], [undefined, 7, 7], [5, undefined, 5], [5, 7, 7], [9, 7, 9], ["build", 7, 7], ["build", 0, 0],
  ] as const)("%p in the table, built at %p: %p", (said, builtAt, floor) => expect(policy({ table: signed(said), builtAt })?.notBefore).toBe(floor));
  test("holds for OSTree's keys as well", () => expect(policy({ wish: "signed", builtAt: 7 })?.notBefore).toBe(7));
  test("one that is missing is no floor of none: SR-E246", () => {
    for (const said of [{ table: signed("build") }, { table: { ...signed("build"), level: "none" as const }, wish: "signed" as const }]) {
      expect(() => policy(said)).toThrow(expect.objectContaining({ constructor: SealrootError, code: "SR-E246" }));
    }
    expect(policy({ table: table({ level: "verity", notBefore: "build" }) })?.level).toBe("verity");
  });
});

test("who asks is said: the table, the file, the argument, or several", () => {
  const file = "/etc/ostree/prepare-root.conf";
  const said = (level: (typeof LEVELS)[number] | undefined, wish: ComposefsWish) => policy({ table: level === undefined ? undefined : table({ level, keys: ["/mine"] }), wish, wishSource: file });
  expect([said("signed", "no"), said("verity", "signed"), said("signed", "signed"), said("signed", "verity"), said(undefined, "verity"), said("none", "yes")].map((found) => found?.source)).toEqual([
    "[trust]", file, `[trust] and ${file}`, "[trust]", file, "[trust]",
  ]);
  expect(said("verity", "signed")?.requirements.map(({ source }) => source)).toEqual([file]);
  expect(describePolicy(said("verity", "signed"))).toBe(`level = "signed", by ${file}`);
  const replaced = replacePrepareRoot({ ...NO_PREPARE_ROOT, composefs: "signed", source: "/first" }, { ...NO_PREPARE_ROOT, composefs: "verity", source: "/second" });
  expect([replaced.source, replacePrepareRoot(replaced, { ...replaced, source: "/third" }).source]).toEqual(["/first", "/third"]);
});

test("where the floor comes from is said", () => {
  const from = (notBefore: TrustTable["notBefore"], builtAt: number | undefined) => policy({ table: table({ level: "signed", keys: ["/mine"], notBefore }), builtAt })?.notBeforeSource;
  expect([from(undefined, undefined), from(5, undefined), from(5, 7), from(9, 7), from("build", 7)]).toEqual([
    undefined, "not-before in [trust]", "the initramfs says when it was built", "not-before in [trust]", "the initramfs says when it was built",
  ]);
});

describe("`?`", () => {
  test.each([
    ["none", undefined, "no", true], ["none", false, "no", false], ["none", true, "yes", true], ["none", undefined, "verity", false], ["none", true, "verity", false], ["none", true, "signed", false],
    ["verity", undefined, "no", false], ["verity", true, "maybe", true], ["verity", true, "verity", false], ["signed", undefined, "no", false], ["signed", true, "no", false],
  ] as const)("level %s, insecure-argument %p, enabled = %s: %p", (level, insecureArgument, wish, allowed) => {
    expect(policy({ table: table({ level, keys: ["/mine"], insecureArgument }), wish })?.insecureArgument).toBe(allowed);
  });
});

describe("what is asked of a deployment", () => {
  test.each([["no", "nothing"], ["maybe", "image if there is one"], ["yes", "image"], ["verity", "image"], ["signed", "image"]] as const)("%s without a policy: %s", (wish, asked) => {
    expect(judgeWish(undefined, wish)).toBe(asked);
    expect(judgeWish(policy({ table: table() }), wish)).toBe(asked);
    for (const level of ["verity", "signed"] as const) expect(judgeWish(policy({ table: table({ level, keys: ["/mine"] }) }), wish)).toBe("image");
  });
});

describe("raising any of them never lets anything more", () => {
  const signedNeedsKeys = (one: TrustTable): TrustTable => (one.level === "signed" && one.keys.length === 0 ? { ...one, keys: ["/a"] } : one);
  const tables = fc.option(fc.record({
    level: fc.constantFrom(...LEVELS), keys: fc.subarray(["/a", "/b"]), threshold: fc.constantFrom(1, 2), revoked: fc.subarray(["x", "y"]), notBefore: fc.constantFrom(undefined, 3, 9),
    insecureArgument: fc.constantFrom(undefined, true, false),
  }).map(signedNeedsKeys), { nil: undefined });
  const numberOf = (notBefore: TrustTable["notBefore"]): number => (typeof notBefore === "number" ? notBefore : 0);
  const rank = (level: (typeof LEVELS)[number] | undefined): number => LEVELS.indexOf(level ?? "none");

  function expectNoMore(before: TrustPolicy | undefined, after: TrustPolicy | undefined, wish: ComposefsWish): void {
    expect(rank(after?.level)).toBeGreaterThanOrEqual(rank(before?.level));
    if (before !== undefined) expect(after).toBeDefined();
    if (after?.insecureArgument === true && before !== undefined) expect(before.insecureArgument).toBe(true);
    // whoever has signed enough for what is asked afterwards has signed enough for what was asked before
    for (const { keys, threshold } of before?.requirements ?? []) expect(after?.requirements.some((other) => Bun.deepEquals(other.keys, keys) && other.threshold >= threshold)).toBe(true);
    for (const id of before?.revoked ?? []) expect(after?.revoked).toContain(id);
    if (after?.level === "signed") {
      expect(after.requirements.length).toBeGreaterThan(0);
      expect(after.notBefore ?? 0).toBeGreaterThanOrEqual(before?.notBefore ?? 0);
    }
    const asked = ["nothing", "image if there is one", "image"];
    expect(asked.indexOf(judgeWish(after, wish))).toBeGreaterThanOrEqual(asked.indexOf(judgeWish(before, wish)));
  }

  test("the wish", () => {
    fc.assert(fc.property(tables, fc.constantFrom(...WISHES), fc.constantFrom(...WISHES), fc.constantFrom(undefined, 1, 6, 12), (written, wish, asked, builtAt) => {
      const after = policy({ table: written, wish: raiseWish(wish, asked), builtAt });
      expectNoMore(policy({ table: written, wish, builtAt }), after, wish);
      if (after?.level === "signed") expect(after.notBefore ?? 0).toBeGreaterThanOrEqual(Math.max(builtAt ?? 0, numberOf(written?.notBefore)));
    }), { numRuns: 1000 });
  });

  test("the table's level, threshold, floor and revoked keys, and the time of the build", () => {
    const raise = fc.record({ level: fc.constantFrom(...LEVELS), threshold: fc.nat(2), later: fc.constantFrom(undefined, 0, 5), revoked: fc.subarray(["x", "y"]), built: fc.nat(9) });
    fc.assert(fc.property(tables, raise, fc.constantFrom(...WISHES), fc.constantFrom(undefined, 1, 6, 12), (written, { level, threshold, later, revoked, built }, wish, builtAt) => {
      const from = written ?? table({ insecureArgument: true });
      const raised = signedNeedsKeys({
        ...from,
        level: rank(level) > rank(from.level) ? level : from.level,
        threshold: from.threshold + threshold,
        notBefore: later === undefined ? from.notBefore : numberOf(from.notBefore) + later,
        revoked: [...new Set([...from.revoked, ...revoked])],
      });
      expectNoMore(policy({ table: written, wish, builtAt }), policy({ table: raised, wish, builtAt: builtAt === undefined ? undefined : builtAt + built }), wish);
    }), { numRuns: 2000 });
  });
});
