import { expect, test } from "bun:test";
import { headersEnd, offsetOf, readElf, sectionNamed } from "../../../src/build/elf.ts";
import { coverProgram, findProgram, uncovered } from "../../../src/build/program-part.ts";
import { CODE_ADDRESS, DATA_ADDRESS, PROGRAM_ADDRESS, SLOT_ADDRESS, syntheticElf } from "./synthetic-elf.ts";

const bun = Buffer.from("2a00000000000000the program", "latin1");
bun.writeBigUInt64LE(42n);

const lost = (bytes: Buffer): readonly number[] => uncovered(bytes, readElf(bytes), headersEnd(bytes));

test("finds the program, its length and where its address stands", () => {
  const bytes = syntheticElf({ bun });
  expect(findProgram(bytes, readElf(bytes))).toEqual({ slot: SLOT_ADDRESS, address: PROGRAM_ADDRESS, length: 42 });
});

test("refuses when the address stands nowhere, or in two places", () => {
  const nowhere = syntheticElf({ bun, slot: 5 });
  expect(() => findProgram(nowhere, readElf(nowhere))).toThrow("not in exactly one place");
  const twice = syntheticElf({ bun });
  twice.writeBigUInt64LE(BigInt(PROGRAM_ADDRESS), offsetOf(readElf(twice), DATA_ADDRESS));
  expect(() => findProgram(twice, readElf(twice))).toThrow("not in exactly one place");
});

test("before: strip would lose the address; after: nothing", () => {
  const bytes = syntheticElf({ bun });
  expect(lost(bytes).length).toBeGreaterThan(0);
  expect(lost(bytes)[0]).toBe(offsetOf(readElf(bytes), SLOT_ADDRESS));
  coverProgram(bytes);
  expect(lost(bytes)).toEqual([]);
  const elf = readElf(bytes);
  expect(sectionNamed(elf, ".tm_clone_table")).toMatchObject({ address: SLOT_ADDRESS, size: 8, offset: offsetOf(elf, SLOT_ADDRESS) });
  expect(sectionNamed(elf, ".bss")).toMatchObject({ type: 1, address: SLOT_ADDRESS + 8, offset: offsetOf(elf, SLOT_ADDRESS + 8) });
});

test("only section headers change, and a second time nothing does", () => {
  const bytes = syntheticElf({ bun });
  const headers = Number(bytes.readBigUInt64LE(40));
  const before = Buffer.from(bytes);
  coverProgram(bytes);
  expect(bytes.subarray(0, headers).equals(before.subarray(0, headers))).toBe(true);
  const once = Buffer.from(bytes);
  coverProgram(bytes);
  expect(bytes.equals(once)).toBe(true);
});

test("code in no section is seen as well", () => {
  const bytes = syntheticElf({ bun, covered: true, code: new Uint8Array(64).fill(0x90) });
  expect(lost(bytes)).toEqual([]);
  const elf = readElf(bytes);
  const header = elf.sections.findIndex(({ name }) => name === ".text");
  bytes.writeBigUInt64LE(60n, Number(bytes.readBigUInt64LE(40)) + 64 * header + 32);
  expect(lost(bytes)).toEqual([60, 61, 62, 63].map((at) => offsetOf(elf, CODE_ADDRESS + at)));
});
