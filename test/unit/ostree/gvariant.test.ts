import { describe, expect, test } from "bun:test";
import fc from "fast-check";
import { chooseOffsetSize } from "../../../src/ostree/gvariant-framing.ts";
import { show } from "../../../src/ostree/gvariant-plain.ts";
import { elementCount, forEachElement, forEachEntry, GVariantError, isNormal, lookUp, read, readNormal, textOf, TooManySteps } from "../../../src/ostree/gvariant-read.ts";
import { parseType, typeOf } from "../../../src/ostree/gvariant-type.ts";
import { type Plain, write } from "../../../src/ostree/gvariant-write.ts";

const hex = (text: string): Uint8Array => Uint8Array.fromHex(text.replaceAll(" ", ""));
const ascii = (text: string): string => new TextEncoder().encode(text).toHex();

describe("types", () => {
  test.each([
    ["y", 1, 1], ["b", 1, 1], ["n", 2, 2], ["u", 4, 4], ["h", 4, 4], ["t", 8, 8], ["d", 8, 8], ["s", 1, undefined], ["v", 8, undefined],
    ["ay", 1, undefined], ["at", 8, undefined], ["mt", 8, undefined], ["()", 1, 1], ["(y)", 1, 1], ["(yu)", 4, 8], ["(uy)", 4, 8], ["(yty)", 8, 24],
    ["{sv}", 8, undefined], ["{yt}", 8, 16], ["a{sv}", 8, undefined], ["(a{sv}aya(say)sstayay)", 8, undefined], ["(y(ny)y)", 2, 8],
  ] as const)("%s is aligned to %d, of size %p", (text, alignment, fixedSize) => {
    expect(parseType(text)).toMatchObject({ text, alignment });
    expect(parseType(text)?.fixedSize).toBe(fixedSize);
  });

  test.each(["", "z", "yy", "a", "m", "(", ")", "(y", "{}", "{s}", "{ssv}", "{vs}", "{(s)v}", "a{", "()y", "*", "r", "é", "(y}", "{sv)", "a\0"])("%p is none", (text) => {
    expect(parseType(text)).toBeUndefined();
    expect(() => typeOf(text)).toThrow(RangeError);
  });

  test("depth and length are limited", () => {
    expect(parseType(`${"a".repeat(64)}y`)?.kind).toBe("array");
    expect(parseType(`${"a".repeat(65)}y`)).toBeUndefined();
    expect(parseType("a".repeat(100_000))).toBeUndefined();
    expect(parseType("(".repeat(100_000))).toBeUndefined();
    expect(parseType(`(${"y".repeat(1022)})`)?.fixedSize).toBe(1022);
    expect(parseType(`(${"y".repeat(1023)})`)).toBeUndefined();
  });
});

/** Worked out by hand from the specification's rules; the last three are in its section 3.4. */
const examples: readonly [type: string, value: Plain, bytes: string][] = [
  ["b", true, "01"],
  ["n", -2, "feff"],
  ["u", 0x12345678, "78563412"],
  ["x", -1n, "ffffffffffffffff"],
  ["s", "", "00"],
  ["s", "é", "c3a900"],
  ["ay", hex("0001ff"), "0001ff"],
  ["aq", [1, 2], "01000200"],
  ["as", [], ""],
  ["as", [""], "00 01"],
  ["as", ["a", "bc"], "6100 626300 02 05"],
  ["aay", [new Uint8Array()], "00"],
  ["(yu)", [1, 2], "01 000000 02000000"],
  ["(uy)", [1, 2], "01000000 02 000000"],
  ["(sy)", ["a", 7], "6100 07 02"],
  ["(ys)", [7, "a"], "07 6100"],
  ["(ss)", ["a", "b"], "6100 6200 02"],
  ["(sss)", ["a", "b", "c"], "6100 6200 6300 04 02"],
  ["ms", [], ""],
  ["ms", ["a"], "610000"],
  ["my", [7], "07"],
  ["mmy", [[]], "00"],
  ["mmy", [[7]], "0700"],
  ["v", { type: "y", value: 7 }, `07 00 ${ascii("y")}`],
  ["v", { type: "ay", value: new Uint8Array() }, `00 ${ascii("ay")}`],
  ["a{sv}", [["k", { type: "u", value: 1 }]], `6b00 000000000000 01000000 00 75 02 0f`],
  ["()", [], "00"],
  ["a()", [[], []], "0000"],
  ["ms", ["hello world"], `${ascii("hello world")} 00 00`],
  ["a(si)", [["hi", -2], ["bye", -1]], "6869 0000 feffffff 03 000000 627965 00 ffffffff 04 09 15"],
  ["ay", hex("04050607"), "04050607"],
];

describe("bytes", () => {
  test.each(examples.map((example) => [`${example[0]}: ${example[2]}`, example] as const))("%s", (_name, [type, value, text]) => {
    const bytes = hex(text);
    expect(write(type, value).toHex()).toBe(bytes.toHex());
    expect(isNormal(read(typeOf(type), bytes))).toBe(true);
  });

  test("offsets take the first width that fits with the table", () => {
    expect([[0, 0], [254, 1], [255, 1], [250, 5], [251, 5], [65533, 1], [65534, 1], [2 ** 32 - 5, 1]].map(([body = 0, count = 0]) => chooseOffsetSize(body, count))).toEqual([1, 1, 2, 1, 2, 2, 4, 4]);
    for (const length of [252, 253, 254, 255, 256, 65531, 65532, 65533]) {
      const bytes = write("as", ["x".repeat(length)]);
      expect(isNormal(read(typeOf("as"), bytes))).toBe(true);
      expect(show(read(typeOf("as"), bytes))).toEqual(["x".repeat(length)]);
    }
  });

  test.each([
    ["a boolean of 2", "b", "02"],
    ["a string without its end", "s", "61"],
    ["a string with NUL inside", "s", "610062 00"],
    ["no string at all", "s", ""],
    ["bad UTF-8", "s", "ff00"],
    ["an overlong form", "s", "c08000"],
    ["a surrogate", "s", "eda08000"],
    ["padding that is not zero", "(yu)", "01 000100 02000000"],
    ["padding at the end that is not zero", "(uy)", "01000000 02 000001"],
    ["a fixed tuple that is too short", "(uy)", "01000000 02"],
    ["an array that breaks off", "aq", "010002"],
    ["offsets out of order", "as", "6100 626300 05 02"],
    ["an offset beyond the end", "as", "6100 626300 02 ff"],
    ["offsets that are wider than needed", "as", "6100 626300 0200 0500"],
    ["bytes between members and offsets", "(ss)", "6100 6200 00 02"],
    ["an empty tuple of another byte", "()", "01"],
    ["a variant without a type", "v", "0700"],
    ["a variant of no type", "v", "07007a"],
    ["a variant of two types", "v", "07007979"],
    ["an empty variant", "v", ""],
    ["a maybe without its end", "ms", "610061"],
    ["a maybe of a wrong size", "mu", "010000"],
    ["no object path", "o", "6100"],
    ["no signature", "g", "7a00"],
  ])("%s is not in normal form", (_name, type, text) => {
    const bytes = hex(text);
    expect(isNormal(read(typeOf(type), bytes))).toBe(false);
    expect(() => readNormal(typeOf(type), bytes)).toThrow(GVariantError);
    expect(() => show(read(typeOf(type), bytes))).not.toThrow();
  });

  test("offsets of two bytes where one would do are not in normal form", () => {
    // 4 strings in 250 bytes: with one byte each the offsets would end at 254; the reader takes two from 256 on
    const ends = [62, 124, 187, 250];
    const strings = new Uint8Array(250).fill(0x61);
    for (const end of ends) strings[end - 1] = 0;
    const wide = (list: readonly number[]): Uint8Array => Uint8Array.from([...strings, ...list.flatMap((end) => [end, 0])]);
    const array = read(typeOf("as"), wide(ends));
    expect((show(array) as string[]).map(({ length }) => length)).toEqual([61, 61, 62, 62]);
    expect(isNormal(array)).toBe(false);
    expect(write("as", show(array) as string[]).length).toBe(254);
    const tuple = read(typeOf("(ssss)"), wide([187, 124, 62]));
    expect((show(tuple) as string[]).map(({ length }) => length)).toEqual([61, 61, 62, 62]);
    expect(isNormal(tuple)).toBe(false);
    expect(write("(ssss)", show(tuple) as string[]).length).toBe(253);
  });

  test("object paths and signatures", () => {
    for (const text of ["/", "/a", "/a/b_1"]) expect(textOf(read(typeOf("o"), write("o", text)))).toBe(text);
    for (const text of ["//", "/a/", "a", "", "/é"]) expect(textOf(read(typeOf("o"), write("o", text)))).toBeUndefined();
    for (const text of ["", "ss", "a{sv}ay"]) expect(textOf(read(typeOf("g"), write("g", text)))).toBe(text);
  });

  test("what is broken is read as the default of its type", () => {
    // as GLib has it; from the first offset out of order on, all is
    expect(show(read(typeOf("as"), hex("6100 626300 02 01 05")))).toEqual(["a", "", ""]);
    expect(show(read(typeOf("(us)"), hex("0100")))).toEqual([0, ""]);
    expect(show(read(typeOf("u"), hex("01")))).toBe(0);
    expect(show(read(typeOf("v"), hex("07007a")))).toEqual({ type: "()", value: [] });
    expect(show(read(typeOf("aq"), hex("010002")))).toEqual([]);
  });

  test.each([
    ["b", 1], ["y", 256], ["y", -1], ["n", 40000], ["u", 1.5], ["t", -1n], ["t", 2n ** 64n], ["x", 2 ** 60], ["d", "1"], ["s", "a\0b"], ["s", "\ud800"], ["s", 1],
    ["ms", "a"], ["ms", ["a", "b"]], ["as", "a"], ["ay", "a"], ["(ss)", ["a"]], ["v", "a"], ["v", { type: "zz", value: 1 }], ["{sv}", [1, 2]],
  ] as const)("%s does not take what is not of the type", (type, value) => {
    expect(() => write(type, value as Plain)).toThrow(RangeError);
  });
});

describe("bounds", () => {
  test("variants within variants: 60 are read, thousands are refused, none overflows the stack", () => {
    const nest = (depth: number): Plain => (depth === 0 ? { type: "y", value: 1 } : { type: "v", value: nest(depth - 1) });
    expect(isNormal(read(typeOf("v"), write("v", nest(60))))).toBe(true);
    const bomb = new Uint8Array(30_000);
    for (let at = 0; at < bomb.length; at += 2) bomb[at + 1] = 0x76;
    expect(isNormal(read(typeOf("v"), bomb))).toBe(false);
  });

  /** Values looked at. */
  function stepsFor(type: string, bytes: Uint8Array, most = 2 ** 18): number {
    const steps = { left: most };
    isNormal(read(typeOf(type), bytes), steps);
    return most - steps.left;
  }
  const tuples = (depth: number, inner: string): string => `a${"(".repeat(depth)}${inner}${")".repeat(depth)}`;

  test("what any bytes are a normal value of is not looked into", () => {
    for (const type of ["ay", tuples(50, "y"), tuples(50, "qq"), tuples(9, "(yy)(yy)"), tuples(60, "t"), "a(tt(uu))", "ad"]) expect(stepsFor(type, new Uint8Array(2 ** 20))).toBe(1);
    // as before: a part of an element, padding, booleans, and the empty tuple, which is one byte of zero
    expect(isNormal(read(typeOf(tuples(50, "q")), new Uint8Array(5)))).toBe(false);
    for (const [type, bad] of [["a(yq)", 1], ["a(qy)", 3], [tuples(50, "b"), 2], ["a(y())", 1], ["a()", 1], ["(y())", 1]] as const) {
      const bytes = new Uint8Array(type === "(y())" ? 2 : 8);
      expect(isNormal(read(typeOf(type), bytes))).toBe(true);
      expect(isNormal(read(typeOf(type), bytes.fill(2, bad, bad + 1)))).toBe(false);
    }
  });

  test("nesting does not multiply the work: it ends, and the value is not taken for normal", () => {
    for (const inner of ["b", "s", "ay", "()", "mb", "v"]) {
      const bytes = new Uint8Array(2 ** 20);
      const steps = stepsFor(tuples(50, inner), bytes, 1000);
      expect(steps).toBeLessThanOrEqual(1001);
      expect(isNormal(read(typeOf(tuples(50, inner)), bytes), { left: 1000 })).toBe(false);
    }
    expect(() => readNormal(typeOf(tuples(50, "b")), new Uint8Array(2 ** 20))).toThrow(TooManySteps);
    expect(() => readNormal(typeOf(tuples(50, "b")), new Uint8Array(1000).fill(2))).not.toThrow(TooManySteps);
  });

  test("the types of variants are work as well", () => {
    const type = `(${"(y)".repeat(300)})`;
    const bytes = write("av", Array.from({ length: 100 }, () => ({ type, serialised: new Uint8Array(300) })));
    expect(stepsFor("av", bytes)).toBeGreaterThan(100 * type.length);
    expect(stepsFor("aay", write("aay", Array.from({ length: 8000 }, () => new Uint8Array(8))))).toBe(1001);
  });

  test("a million empty elements are counted without visiting them", () => {
    const bytes = new Uint8Array(4 * 2 ** 20);
    const value = read(typeOf("aay"), bytes);
    expect(elementCount(value)).toBe(2 ** 20);
    let seen = 0;
    forEachElement(value, () => ++seen < 5);
    expect(seen).toBe(5);
  });

  test("elements never overlap, so nested arrays do not multiply", () => {
    // every offset says "the whole"; without the rule, each level would visit it again for each element
    const bytes = new Uint8Array(200).fill(100);
    let visits = 0;
    const walk = (value: ReturnType<typeof read>): void => void forEachElement(value, (element) => (visits++, walk(element), true));
    walk(read(typeOf("aaaaaaaas"), bytes));
    expect(visits).toBeLessThan(2000);
  });

  test("a dictionary whose keys have no end is searched in linear time", () => {
    const entries = 200_000;
    const bytes = write("aay", Array.from({ length: entries }, () => hex("6161616161616101")));
    expect(lookUp(read(typeOf("a{sv}"), bytes), "nothing")).toBeUndefined();
  });
});

/** A type and a value of it. */
const typed: fc.Arbitrary<{ type: string; value: Plain }> = fc.letrec<{ any: { type: string; value: Plain }; leaf: { type: string; value: Plain } }>((tie) => ({
  leaf: fc.oneof(
    fc.boolean().map((value) => ({ type: "b", value })),
    fc.integer({ min: 0, max: 255 }).map((value) => ({ type: "y", value })),
    fc.integer({ min: -32768, max: 32767 }).map((value) => ({ type: "n", value })),
    fc.integer({ min: 0, max: 0xffffffff }).map((value) => ({ type: "u", value })),
    fc.bigInt({ min: 0n, max: 2n ** 64n - 1n }).map((value) => ({ type: "t", value })),
    fc.bigInt({ min: -(2n ** 63n), max: 2n ** 63n - 1n }).map((value) => ({ type: "x", value })),
    fc.string({ unit: "grapheme", maxLength: 300 }).filter((text) => !text.includes("\0")).map((value) => ({ type: "s", value })),
    fc.uint8Array({ maxLength: 70 }).map((value) => ({ type: "ay", value })),
  ),
  any: fc.oneof(
    { maxDepth: 4 },
    tie("leaf"),
    tie("any").map((value) => ({ type: "v", value })),
    fc.tuple(tie("any"), fc.nat(5)).map(([{ type, value }, count]) => ({ type: `a${type}`, value: type === "y" ? new Uint8Array(count) : Array.from({ length: count }, () => value) })),
    fc.tuple(tie("any"), fc.boolean()).map(([{ type, value }, present]) => ({ type: `m${type}`, value: present ? [value] : [] })),
    fc.array(tie("any"), { maxLength: 4 }).map((members) => ({ type: `(${members.map(({ type }) => type).join("")})`, value: members.map(({ value }) => value) })),
    fc.array(fc.tuple(fc.string(), tie("any")), { maxLength: 4 }).map((entries) => ({ type: "a{sv}", value: entries.map(([key, value]) => [key.replaceAll("\0", ""), value]) })),
  ),
})).any;

/** Reads a value and writes it again, by way of what is shown of it. */
function again(type: string, bytes: Uint8Array): Uint8Array {
  const back = (shape: string, shown: ReturnType<typeof show>): Plain => {
    const parsed = typeOf(shape);
    if (parsed.kind === "basic" || parsed.kind === "string") return shown as Plain;
    if (shape === "ay") return Uint8Array.fromHex(shown as string);
    if (parsed.kind === "variant") {
      const { type: held, value } = shown as { type: string; value: ReturnType<typeof show> };
      return { type: held, value: back(held, value) };
    }
    if (parsed.kind === "array" || parsed.kind === "maybe") return (shown as ReturnType<typeof show>[]).map((item) => back(parsed.element.text, item));
    const { members } = parsed as Extract<typeof parsed, { kind: "tuple" | "entry" }>;
    return (shown as ReturnType<typeof show>[]).map((item, index) => back(members[index]?.text ?? "", item));
  };
  return write(type, back(type, show(read(typeOf(type), bytes))));
}

describe("properties", () => {
  test("what is written is in normal form, and is read as what was written", () => {
    fc.assert(fc.property(typed, ({ type, value }) => {
      const bytes = write(type, value);
      expect(isNormal(read(typeOf(type), bytes))).toBe(true);
      expect(again(type, bytes)).toEqual(bytes);
    }), { numRuns: 2000 });
  });

  test("normal form is exactly what the writer writes: changed bytes are either refused or written back the same", () => {
    fc.assert(fc.property(typed, fc.array(fc.tuple(fc.nat(), fc.integer({ min: 0, max: 255 })), { minLength: 1, maxLength: 3 }), fc.integer({ min: -3, max: 3 }), ({ type, value }, edits, length) => {
      if (type.includes("d")) return;
      const written = write(type, value);
      const bytes = new Uint8Array(Math.max(0, written.length + length));
      bytes.set(written.subarray(0, bytes.length));
      for (const [at, byte] of edits) if (bytes.length > 0) bytes[at % bytes.length] = byte;
      const changed = read(typeOf(type), bytes);
      if (isNormal(changed) && !JSON.stringify(show(changed), (_key, item: unknown) => (typeof item === "bigint" ? "" : item)).includes('"d')) expect(again(type, bytes)).toEqual(bytes);
    }), { numRuns: 3000 });
  });

  test("any bytes are read as a value of any type", () => {
    fc.assert(fc.property(typed, fc.uint8Array({ maxLength: 200 }), ({ type }, bytes) => {
      const value = read(typeOf(type), bytes);
      show(value);
      forEachEntry(value, () => true);
      isNormal(value);
    }), { numRuns: 3000 });
  });
});
