import { describe, expect, test } from "bun:test";
import fc from "fast-check";
import { allValues, lastValue, MAX_COMMAND_LINE, sameKey, splitCommandLine } from "../../../src/cmdline-parser/index.ts";

/** [command line, [key, value][]], worked out by hand from next_arg() in lib/cmdline.c of Linux 6.12. */
const table: [string, [string, string | undefined][]][] = [
  ["", []],
  [" \t\n\v\f\r ", []],
  ["quiet", [["quiet", undefined]]],
  ["quiet\n", [["quiet", undefined]]],
  ["  a  b=1\tc=\v d\n", [["a", undefined], ["b", "1"], ["c", ""], ["d", undefined]]],
  ["a=b=c", [["a", "b=c"]]],
  ["=a", [["=a", undefined]]],
  ["=a=b", [["=a", "b"]]],
  ["=", [["=", undefined]]],
  // quotes protect white space; around a value they go
  ['a="b c" d', [["a", "b c"], ["d", undefined]]],
  ['a="" d', [["a", ""], ["d", undefined]]],
  ['a=b" "c d', [["a", 'b" "c'], ["d", undefined]]],
  ['a="b c"d e', [["a", 'b c"d'], ["e", undefined]]],
  ['a="b"c" d" e', [["a", 'b"c" d'], ["e", undefined]]],
  ['a=b"', [["a", 'b"']]],
  ["a='b c'", [["a", "'b"], ["c'", undefined]]],
  ["a=b\\ c", [["a", "b\\"], ["c", undefined]]],
  // around the whole argument they go as well, only one at the end
  ['"a=b c" d', [["a", "b c"], ["d", undefined]]],
  ['"a b" c', [["a b", undefined], ["c", undefined]]],
  ['"a="b"" c', [["a", 'b"'], ["c", undefined]]],
  ['"a"b c', [['a"b', undefined], ["c", undefined]]],
  ['"a=" b', [["a", ""], ["b", undefined]]],
  ['"" b', [["", undefined], ["b", undefined]]],
  ['"=" b', [["=", undefined], ["b", undefined]]],
  // a quote that is never closed takes the rest
  ['a="b c', [["a", "b c"]]],
  ['a="', [["a", ""]]],
  ['"', [["", undefined]]],
  ['a" b=c', [['a" b', "c"]]],
  // a NUL ends it
  ["a b\0c", [["a", undefined], ["b", undefined]]],
  ["\0a", []],
  // -- is an argument like another for the splitting
  ["a -- b", [["a", undefined], ["--", undefined], ["b", undefined]]],
];

describe("splitCommandLine", () => {
  test.each(table)("%j", (line, expected) => {
    expect(splitCommandLine(line).map(({ key, value }): [string, string | undefined] => [key, value])).toEqual(expected);
    expect(splitCommandLine(new TextEncoder().encode(line))).toEqual(splitCommandLine(line));
  });

  test("0xa0 separates, 0x85 does not, whatever the encoding was meant to be", () => {
    expect(splitCommandLine(Uint8Array.from([0x61, 0xa0, 0x62, 0x85, 0x63])).map((token) => token.offset)).toEqual([0, 2]);
    expect(splitCommandLine("x=voilà y").map((token) => token.offset)).toEqual([0, 9]);
    expect(splitCommandLine("x=hällo").map((token) => token.value)).toEqual(["hällo"]);
  });

  test("bytes that are no UTF-8 stay one token, and a byte order mark stays part of the key", () => {
    expect(splitCommandLine(Uint8Array.from([0xff, 0x3d, 0xfe])).map(({ key, value }) => [key, value])).toEqual([["\ufffd", "\ufffd"]]);
    expect(splitCommandLine("\ufeffcomposefs=1")[0]?.key).toBe("\ufeffcomposefs");
  });

  test("offset and length are bytes and find the raw text again", () => {
    const tokens = splitCommandLine('ä="1 2" "b c"\n');
    expect(tokens.map(({ raw, offset, length }) => [raw, offset, length])).toEqual([['ä="1 2"', 0, 8], ['"b c"', 9, 5]]);
  });

  test("what follows -- is marked; quoted dashes are dashes, -- with a value is not", () => {
    const marks = (line: string): boolean[] => splitCommandLine(line).map((token) => token.afterDashes);
    expect(marks("a -- b -- c")).toEqual([false, false, true, true, true]);
    expect(marks('a "--" b')).toEqual([false, false, true]);
    expect(marks("a --=1 --x b")).toEqual([false, false, false, false]);
  });

  test("an open quote is marked", () => {
    expect(splitCommandLine('a="b" c="d').map((token) => token.openQuote)).toEqual([false, true]);
  });

  test("longer than the limit is refused, at the limit it is read", () => {
    const longest = "a ".repeat(MAX_COMMAND_LINE / 2);
    expect(splitCommandLine(longest)).toHaveLength(MAX_COMMAND_LINE / 2);
    expect(() => splitCommandLine(`${longest}b`)).toThrow(RangeError);
    expect(() => splitCommandLine(new Uint8Array(MAX_COMMAND_LINE + 1))).toThrow(RangeError);
    expect(() => splitCommandLine("ä".repeat(MAX_COMMAND_LINE - 1))).toThrow(RangeError);
  });

  const noise = fc.oneof(
    fc.uint8Array({ maxLength: 400 }),
    fc.array(fc.constantFrom(0x22, 0x20, 0x3d, 0x2d, 0x61, 0xa0, 0x0b, 0), { maxLength: 60 }).map((bytes) => Uint8Array.from(bytes)),
  );

  test("any bytes: tokens lie in order, do not overlap, and leave out only white space", () => {
    fc.assert(fc.property(noise, (bytes) => {
      let at = 0;
      const blank = (to: number): void => {
        for (; at < to; at++) expect([0x09, 0x0a, 0x0b, 0x0c, 0x0d, 0x20, 0xa0]).toContain(bytes[at] ?? -1);
      };
      for (const token of splitCommandLine(bytes)) {
        expect(token.length).toBeGreaterThan(0);
        blank(token.offset);
        at += token.length;
      }
      const nul = bytes.indexOf(0);
      blank(nul < 0 ? bytes.length : nul);
    }), { numRuns: 1000 });
  });

  test("plain words come back as they are, quoted or not", () => {
    const word = fc.stringMatching(/^[a-z._][a-z0-9._-]{0,8}(=[a-z0-9:?,\/=-]{0,12})?$/);
    fc.assert(fc.property(fc.array(fc.tuple(word, fc.boolean())), (words) => {
      const line = words.map(([text, quote]) => (quote ? `"${text}"` : text)).join(" ");
      const back = splitCommandLine(line).map(({ key, value }) => (value === undefined ? key : `${key}=${value}`));
      expect(back).toEqual(words.map(([text]) => text));
    }));
  });

  test("the longest lines are read at once, whatever they are made of", () => {
    for (const piece of ['"', "=", " ", "a", '" ', '="', "a=\" ", "--\n"]) {
      splitCommandLine(piece.repeat(MAX_COMMAND_LINE / piece.length));
    }
  });
});

describe("looking up", () => {
  const tokens = splitCommandLine('init=/a root=LABEL="x y" my-key=1 init="/b c" my_key quiet -- init=/d');

  test("the last value wins, no value is empty, absence is undefined", () => {
    expect(lastValue(tokens, "init")).toBe("/d");
    expect(lastValue(tokens.filter((token) => !token.afterDashes), "init")).toBe("/b c");
    expect(lastValue(tokens, "quiet")).toBe("");
    expect(lastValue(tokens, "ro")).toBeUndefined();
    expect(lastValue(tokens, "toString")).toBeUndefined();
    expect(lastValue(tokens, "root")).toBe('LABEL="x y"');
  });

  test("all values in order; - and _ are one letter", () => {
    expect(allValues(tokens, "init")).toEqual(["/a", "/b c", "/d"]);
    expect(allValues(tokens, "my_key")).toEqual(["1", ""]);
    expect(sameKey("a-b_c", "a_b-c")).toBe(true);
    expect(sameKey("a-b", "a.b")).toBe(false);
    expect(sameKey("Init", "init")).toBe(false);
  });
});
