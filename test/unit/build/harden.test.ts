import { expect, test } from "bun:test";
import { offsetOf, readElf } from "../../../src/build/elf.ts";
import { findRoom, installEntryCode } from "../../../src/build/harden.ts";
import { coverProgram } from "../../../src/build/program-part.ts";
import { CODE_ADDRESS, syntheticElf } from "./synthetic-elf.ts";

const plan = { allowed: ["TERM"], withoutProgram: { message: "no\n", exit: 98 }, withoutMemory: { message: "no\n", exit: 19 }, withoutProc: { message: "no\n", exit: 13 } };

/** `count` stubs of 14 bytes, 16 apart, from `start` on. */
const stubs = (count: number, start: number, prefix = "uv_"): { name: string; address: number; size: number }[] =>
  Array.from({ length: count }, (_, index) => ({ name: `${prefix}${start}_${index}`, address: CODE_ADDRESS + start + 16 * index, size: 14 }));

test("takes the longest run of stubs", () => {
  const bytes = syntheticElf({ code: new Uint8Array(4096), symbols: [...stubs(3, 64), ...stubs(20, 1024), ...stubs(50, 2048, "napi_")] });
  expect(findRoom(bytes, readElf(bytes))).toEqual({ address: CODE_ADDRESS + 1024, size: 19 * 16 + 14, first: "uv_1024_0", last: "uv_1024_19" });
});

test("functions of another size end a run", () => {
  const bytes = syntheticElf({ code: new Uint8Array(4096), symbols: [...stubs(5, 64), { name: "uv_real", address: CODE_ADDRESS + 144, size: 100 }, ...stubs(4, 256)] });
  expect(findRoom(bytes, readElf(bytes)).last).toBe("uv_64_4");
});

test("installs the code there, and makes it the entry", () => {
  const bytes = syntheticElf({ code: new Uint8Array(4096).fill(0xcc), symbols: stubs(60, 1000) });
  const before = Buffer.from(bytes);
  coverProgram(before);
  const { address, code } = installEntryCode(bytes, plan);
  expect(address % 16).toBe(0);
  const elf = readElf(bytes);
  expect(elf.entry).toBe(address);
  const at = offsetOf(elf, address);
  expect(bytes.subarray(at, at + code.length).equals(Buffer.from(code))).toBe(true);
  before.writeBigUInt64LE(BigInt(address), 24);
  before.set(code, at);
  expect(bytes.equals(before)).toBe(true);
});

test("refuses when there is no room, or too little", () => {
  expect(() => installEntryCode(syntheticElf({}), plan)).toThrow("no room");
  expect(() => installEntryCode(syntheticElf({ code: new Uint8Array(4096), symbols: stubs(3, 0) }), plan)).toThrow("the room has");
});
