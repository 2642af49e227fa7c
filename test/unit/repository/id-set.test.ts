/** Sets of ids, object names and links. */

import { describe, expect, test } from "bun:test";
import { IdSet } from "../../../src/repository/id-set.ts";
import { entryOfReference, idOfLink, idOfName, objectName, TEMPORARY_LINK, TEMPORARY_OBJECT } from "../../../src/repository/object-name.ts";

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
    expect(objectName(id)).toBe(`ab/${"ab".repeat(31)}`);
    expect(idOfName(objectName(id), 32)).toEqual(id);
    expect(idOfLink(`../objects/${objectName(id)}`, 32)).toEqual(id);
  });
  test("that are none", () => {
    const name = objectName(id);
    for (const wrong of ["", name.slice(1), `${name}0`, name.toUpperCase(), name.replace("/", "0"), `${name.slice(0, 10)}/${name.slice(11)}`, `${name}\n`.slice(1)]) expect(idOfName(wrong, 32)).toBeUndefined();
    expect(idOfName(name, 64)).toBeUndefined();
    for (const wrong of [`objects/${name}`, `../../objects/${name}`, `/objects/${name}`, `../objects/${name}/`]) expect(idOfLink(wrong, 32)).toBeUndefined();
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
