/** What a tree is kept in: arenas, columns, and the sort that makes no garbage. */

import { describe, expect, test } from "bun:test";
import fc from "fast-check";
import { Arena, BigColumn, ByteColumn, compareBytes, DoubleColumn, hashBytes, ShortColumn, Sorter, WordColumn } from "../../../src/tree/index.ts";

describe("Arena", () => {
  test("items of any length stay where they are", () => {
    fc.assert(
      fc.property(fc.array(fc.nat(70_000), { maxLength: 80 }), (lengths) => {
        const arena = new Arena();
        const items = lengths.map((length, index) => {
          const bytes = new Uint8Array(length).fill(index + 1);
          return { at: arena.add(bytes), bytes };
        });
        for (const { at, bytes } of items) {
          expect(Buffer.compare(arena.at(at, bytes.length), bytes)).toBe(0);
          const copy = new Uint8Array(Math.min(bytes.length, 9));
          arena.copy(at, copy.length, copy, 0);
          expect(copy).toEqual(bytes.slice(0, copy.length));
        }
      }),
      { numRuns: 30 },
    );
  });

  test("comparing and hashing two of them is comparing and hashing bytes", () => {
    const secrets = Uint32Array.from({ length: 20 }, (_, index) => (index * 2654435761) | 1);
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 60 }), fc.uint8Array({ maxLength: 60 }), (a, b) => {
        const arena = new Arena();
        const [left, right] = [arena.add(a), arena.add(b)];
        expect(Math.sign(arena.compare(left, a.length, right, b.length))).toBe(Math.sign(compareBytes(a, b)));
        expect(arena.hash(right, b.length, secrets)).toBe(hashBytes(b, 0, b.length, secrets));
        expect(hashBytes(new Uint8Array([9, ...a, 9]), 1, a.length, secrets)).toBe(hashBytes(a, 0, a.length, secrets));
      }),
    );
  });

  test("nothing longer than the longest", () => {
    expect(() => new Arena().add(new Uint8Array((1 << 17) + 1))).toThrow(RangeError);
  });
});

describe("columns", () => {
  test.each([
    ["ByteColumn", new ByteColumn(), 255],
    ["ShortColumn", new ShortColumn(), 65535],
    ["WordColumn", new WordColumn(), 2 ** 32 - 1],
    ["DoubleColumn", new DoubleColumn(), 2 ** 53],
  ] as const)("%s", (_, column, most) => {
    const indexes = [0, 63, 64, 300, 4095, 4096, 4097, 50_000, 65];
    expect(column.get(70)).toBe(0);
    for (const index of indexes) column.set(index, most - index % 7);
    for (const index of indexes) expect(column.get(index)).toBe(most - index % 7);
    for (const index of [1, 66, 5000, 49_999, 50_001, 1_000_000]) expect(column.get(index)).toBe(0);
  });

  test("BigColumn, whole and in halves", () => {
    const column = new BigColumn();
    const values = new Map([[0, -1n], [70, 2n ** 63n - 1n], [4096, -(2n ** 63n)], [9000, 0x1_8000_0000n]]);
    for (const [index, value] of values) column.set(index, value);
    for (const [index, value] of values) {
      expect(column.get(index)).toBe(value);
      expect((BigInt(column.high(index)) << 32n) + BigInt(column.low(index))).toBe(value);
    }
    expect([column.get(71), column.high(71), column.low(100_000)]).toEqual([0n, 0, 0]);
  });
});

test("Sorter sorts, keeps what is equal in order, and is used again", () => {
  const sorter = new Sorter();
  fc.assert(
    fc.property(fc.array(fc.nat(50), { maxLength: 300 }), (keys) => {
      const items = Uint32Array.from(keys.keys());
      sorter.sort(items, (a, b) => (keys[a] ?? 0) - (keys[b] ?? 0));
      expect([...items]).toEqual([...keys.keys()].toSorted((a, b) => (keys[a] ?? 0) - (keys[b] ?? 0)));
    }),
  );
});
