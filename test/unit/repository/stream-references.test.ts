/** What streams refer to: composefs-rs's layout read, and any bytes give a value or a StreamProblem. */

import { describe, expect, test } from "bun:test";
import fc from "fast-check";
import { parseNamedReferences, readReferences, StreamProblem, type StreamReferences } from "../../../src/repository/stream-references.ts";
import { splitstream } from "../../support/splitstream.ts";

const read = (bytes: Uint8Array): StreamReferences =>
  readReferences(bytes.length, ({ start, end }) => bytes.subarray(Math.min(start, bytes.length), Math.min(end, bytes.length)), (packed) => (packed.length === 0 ? packed : Bun.zstdDecompressSync(packed))).references;

const [A, B] = ["ab".repeat(32), "cd".repeat(32)];

describe("references", () => {
  for (const oldHeader of [false, true]) {
    test(`names and ids, ${oldHeader ? "old" : "current"} header, any content`, () => {
      const { named, objects } = read(splitstream({ named: [["config:sha256:1", A], ["composefs.image", B]], chunks: new Uint8Array(0), contentType: 0x66696e616d69636fn, oldHeader }));
      expect(named.map(({ name, id }) => [name, id.toHex()])).toEqual([["config:sha256:1", A], ["composefs.image", B]]);
      expect(objects.length).toBe(0);
    });
  }

  test("sha512", () => {
    expect(read(splitstream({ named: [["x", A + B]], chunks: new Uint8Array(0), algorithm: 2 })).named[0]?.id.toHex()).toBe(A + B);
  });

  test("wrong records", () => {
    const text = (value: string): Uint8Array => new TextEncoder().encode(value);
    for (const records of ["0:a", "a:0\0", ":a\0", "-1:a\0", "1:a\0", "99999999999:a\0"]) expect(() => parseNamedReferences(text(records), new Uint8Array(32), 32), records).toThrow(StreamProblem);
    expect(parseNamedReferences(text("0:a:b\0" + "0:\0"), new Uint8Array(32), 32).map(({ name }) => name)).toEqual(["a:b", ""]);
  });

  test("cut short anywhere", () => {
    const whole = splitstream({ named: [["x", A]], chunks: new Uint8Array(8) });
    for (let length = 0; length < whole.length; length++) {
      try {
        read(whole.subarray(0, length));
      } catch (error) {
        expect(error, `${length}`).toBeInstanceOf(StreamProblem);
      }
    }
    expect(() => read(whole.subarray(0, 100))).toThrow(StreamProblem);
  });

  test("any header and sections are read or refused", () => {
    const whole = splitstream({ named: [["x", A], ["y", B]], chunks: new Uint8Array(64) });
    fc.assert(fc.property(fc.array(fc.tuple(fc.nat(111), fc.nat(255)), { maxLength: 6 }), (changes) => {
      const bytes = whole.slice();
      for (const [at, value] of changes) bytes[at] = value;
      try {
        read(bytes);
      } catch (error) {
        // what zstd says of other bytes than its own is the caller's to turn into words
        if (!(error instanceof StreamProblem) && !/zstd|decompress/i.test(String(error))) throw error;
      }
    }), { numRuns: 2000 });
  });
});
