/** Sets of ids, object names and links. */

import { describe, expect, test } from "bun:test";
import { IdSet } from "../../../src/repository/id-set.ts";
import { entryOfReference, idOfLink, idOfName, isDigest, TEMPORARY_LINK, TEMPORARY_OBJECT } from "../../../src/repository/object-name.ts";
import { objectPath } from "../../../src/tree/index.ts";

const idOf = (number: number, length: 32 | 64): Uint8Array => {
  const id = new Uint8Array(length);
  new DataView(id.buffer).setUint32(length - 4, number);
  return id;
};

describe("a set of ids", () => {
  for (const length of [32, 64] as const) {
    test(`of ${length} bytes`, () => {
      const set = new IdSet(length);
      for (let number = 0; number < 20_000; number++) expect(set.add(idOf(number * 3, length))).toBe(true);
      for (let number = 0; number < 20_000; number += 7) expect(set.add(idOf(number * 3, length))).toBe(false);
      expect(set.size).toBe(20_000);
      for (let number = 0; number < 60_000; number++) expect(set.has(idOf(number, length))).toBe(number % 3 === 0);
      expect(set.numberOf(idOf(300, length))).toBe(100);
      expect(set.at(100)).toEqual(idOf(300, length));
    });
  }

  test("is not slowed down by ids that were made to fall into one place", () => {
    // FNV-1a, as this was once: pairs of four bytes that lead from one state to the same next one, so 2^16 ids of one hash
    const step = (hash: number, word: number): number => [0, 8, 16, 24].reduce((state, shift) => Math.imul(state ^ ((word >>> shift) & 255), 0x01000193), hash);
    let hash = 0x811c9dc5;
    const pairs = Array.from({ length: 16 }, () => {
      const seen = new Map<number, number>();
      for (let word = 0; ; word++) {
        const mixed = Math.imul(word, 0x9e3779b1) >>> 0;
        const next = step(hash, mixed);
        const other = seen.get(next);
        seen.set(next, mixed);
        if (other === undefined) continue;
        hash = next;
        return [other, mixed] as const;
      }
    });
    const set = new IdSet(64);
    const words = new Uint32Array(16);
    for (let number = 0; number < 65536; number++) {
      for (const [at, [one, two]] of pairs.entries()) words[at] = (number >> at) & 1 ? two : one;
      set.add(new Uint8Array(words.buffer));
    }
    expect(set.size).toBe(65536);
  }, 4000);

  test("takes copies, and no id of another length", () => {
    const set = new IdSet(32);
    const id = idOf(1, 32);
    set.add(id);
    id.fill(9);
    expect(set.has(idOf(1, 32))).toBe(true);
    expect(() => set.add(idOf(1, 64))).toThrow(RangeError);
    expect(set.has(idOf(1, 64))).toBe(false);
  });
});

describe("names", () => {
  const id = new Uint8Array(32).fill(0xab);
  test("of objects and back", () => {
    expect(objectPath(id)).toBe(`ab/${"ab".repeat(31)}`);
    expect(idOfName(objectPath(id), 32)).toEqual(id);
    expect(idOfLink(`../objects/${objectPath(id)}`, 32)).toEqual(id);
  });
  test("that are none", () => {
    const name = objectPath(id);
    for (const wrong of ["", name.slice(1), `${name}0`, name.toUpperCase(), name.replace("/", "0"), `${name.slice(0, 10)}/${name.slice(11)}`, `${name}\n`.slice(1)]) expect(idOfName(wrong, 32)).toBeUndefined();
    expect(idOfName(name, 64)).toBeUndefined();
    for (const wrong of [`objects/${name}`, `../../objects/${name}`, `/objects/${name}`, `../objects/${name}/`]) expect(idOfLink(wrong, 32)).toBeUndefined();
  });
  test("of images", () => {
    for (const digest of ["ab".repeat(32), "0".repeat(128)]) expect([isDigest(digest), isDigest(digest.slice(1)), isDigest(`${digest}\n`), isDigest(`0${digest}`)]).toEqual([true, false, false, false]);
    expect(isDigest("AB".repeat(32))).toBe(false);
  });
  test("that references lead to", () => {
    expect(["../../oci-config-sha256:1", "../abc", "abc"].map(entryOfReference)).toEqual(["oci-config-sha256:1", "abc", "abc"]);
    expect(["", "..", "../", "."].map(entryOfReference)).toEqual([undefined, undefined, undefined, undefined]);
  });
  test("of what is not finished", () => {
    expect(TEMPORARY_OBJECT.test(".tmp-object-aB3dE6gH9jKl") && TEMPORARY_LINK.test(".symlink-aB3dE6gH9jKl")).toBe(true);
    expect(TEMPORARY_OBJECT.test("tmp-object-x") || TEMPORARY_OBJECT.test(".tmp-object-") || TEMPORARY_OBJECT.test(".tmp-object-a/b")).toBe(false);
  });
});
