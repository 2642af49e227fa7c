import { expect, test } from "bun:test";
import { isNeeded, removeLanguages } from "../../../src/build/icu-data.ts";

/** A package with these items, each filled with its own letter, after 7 bytes of something else. */
function icuPackage(names: readonly string[], sizes: readonly number[], header = 32): { bytes: Buffer; table: number } {
  const table = 7 + header;
  const namesAt = 4 + 8 * names.length;
  const texts = Buffer.from(names.map((name) => `icudt78l/${name}\0`).join(""), "latin1");
  let offset = Math.ceil((namesAt + texts.length) / 16) * 16;
  const bytes = Buffer.alloc(table + offset + sizes.reduce((sum, size) => sum + size, 0), 0xaa);
  bytes.writeUInt16LE(header, 7);
  bytes.set([0xda, 0x27], 9);
  bytes.write("CmnD", 7 + 12, "latin1");
  bytes.writeUInt32LE(names.length, table);
  let nameOffset = namesAt;
  for (const [index, name] of names.entries()) {
    bytes.writeUInt32LE(nameOffset, table + 4 + 8 * index);
    bytes.writeUInt32LE(offset, table + 8 + 8 * index);
    bytes.fill(name.slice(-6, -5) || "x", table + offset, table + offset + (sizes[index] ?? 0));
    nameOffset += `icudt78l/${name}\0`.length;
    offset += sizes[index] ?? 0;
  }
  bytes.set(texts, table + namesAt);
  return { bytes, table };
}

test("English, root and everything that is not a language stay", () => {
  for (const name of ["root.res", "en.res", "en_US.res", "coll/root.res", "coll/ucadata.icu", "zoneinfo64.res", "nfkc.nrm", "pool.res", "res_index.res", "zone/res_index.res", "zone/tzdbNames.res", "brkitr/char.brk", "likelySubtags.res"]) {
    expect([name, isNeeded(name)]).toEqual([name, true]);
  }
  for (const name of ["de.res", "zh_Hant_HK.res", "coll/zh.res", "brkitr/cjdict.dict", "unit/uk.res", "en_GB.res", "ff_Adlm.res", "yue.res"]) {
    expect([name, isNeeded(name)]).toEqual([name, false]);
  }
});

test("what stays is packed to the front with its size; zeros follow; nothing else changes", () => {
  const names = ["coll/de.res", "coll/root.res", "de.res", "root.res", "zoneinfo64.res", "zu.res"];
  const { bytes, table } = icuPackage(names, [32, 48, 64, 16, 80, 160]);
  const before = Buffer.from(bytes);
  const first = before.readUInt32LE(table + 8);
  expect(removeLanguages(bytes)).toEqual({ kept: 3, removed: 3, bytes: 96 });
  expect(bytes.readUInt32LE(table)).toBe(3);
  const items = [0, 1, 2].map((index) => {
    const name = table + bytes.readUInt32LE(table + 4 + 8 * index);
    return [bytes.toString("latin1", name, bytes.indexOf(0, name)), bytes.readUInt32LE(table + 8 + 8 * index) - first];
  });
  expect(items).toEqual([["icudt78l/coll/root.res", 0], ["icudt78l/root.res", 48], ["icudt78l/zoneinfo64.res", 64]]);
  expect(bytes.subarray(table + first, table + first + 48).equals(before.subarray(table + first + 32, table + first + 80))).toBe(true);
  expect(bytes.subarray(table + first + 144, table + first + 240).every((byte) => byte === 0)).toBe(true);
  expect(bytes.subarray(table + first + 240).equals(before.subarray(table + first + 240))).toBe(true);
  expect(bytes.subarray(0, table).equals(before.subarray(0, table))).toBe(true);
});

test("refuses what is laid out otherwise", () => {
  expect(() => removeLanguages(Buffer.alloc(100))).toThrow("not exactly one data package");
  const two = icuPackage(["root.res", "zu.res"], [16, 16]).bytes;
  expect(() => removeLanguages(Buffer.concat([two, two]))).toThrow("not exactly one data package");
  expect(() => removeLanguages(icuPackage(["de.res", "root.res"], [16, 16]).bytes)).toThrow("the last item cannot be removed");
  expect(() => removeLanguages(icuPackage(["de.res", "root.res", "zu.res"], [8, 16, 16]).bytes)).toThrow("not sorted");
  const headless = icuPackage(["root.res", "zu.res"], [16, 16]).bytes;
  headless[9] = 0;
  expect(() => removeLanguages(headless)).toThrow("no header");
});
