import { expect, test } from "bun:test";
import fc from "fast-check";
import { readFileSync } from "node:fs";
import { dynamicSymbols, interpreter, neededLibraries, offsetOf, readElf, requiredVersions, sectionNamed } from "../../../src/build/elf.ts";
import { CODE_ADDRESS, syntheticElf } from "./synthetic-elf.ts";

test("reads what was put in", () => {
  const bytes = syntheticElf({
    machine: 183,
    interpreter: "/lib/ld.so",
    needed: ["libc.so.6", "libm.so.6"],
    versions: ["GLIBC_2.17", "GLIBC_2.9"],
    symbols: [{ name: "uv_accept", address: CODE_ADDRESS + 16, size: 14 }],
  });
  const elf = readElf(bytes);
  expect(elf).toMatchObject({ machine: 183, type: 2, entry: CODE_ADDRESS });
  expect(interpreter(bytes, elf)).toBe("/lib/ld.so");
  expect(neededLibraries(bytes, elf)).toEqual(["libc.so.6", "libm.so.6"]);
  expect(requiredVersions(bytes, elf)).toEqual(["GLIBC_2.17", "GLIBC_2.9"]);
  expect(dynamicSymbols(bytes, elf)).toEqual([{ name: "uv_accept", address: CODE_ADDRESS + 16, size: 14, kind: 2, defined: true }]);
  expect(offsetOf(elf, CODE_ADDRESS + 5)).toBe(offsetOf(elf, CODE_ADDRESS) + 5);
  expect(() => offsetOf(elf, CODE_ADDRESS + 64)).toThrow("not in the file");
  expect(() => sectionNamed(elf, ".nothing")).toThrow("no section .nothing");
});

test("no version section: no versions", () => {
  const bytes = syntheticElf({});
  expect(requiredVersions(bytes, readElf(bytes))).toEqual([]);
});

test("refuses what is not such a file", () => {
  expect(() => readElf(new Uint8Array(64))).toThrow("not a 64-bit little-endian ELF file");
  expect(() => readElf(new Uint8Array(3))).toThrow("not a 64-bit little-endian ELF file");
});

test("files cut before their last section header throw, and never hang", () => {
  const whole = syntheticElf({ needed: ["libc.so.6"], versions: ["GLIBC_2.17"] });
  fc.assert(fc.property(fc.integer({ min: 0, max: whole.length - 64 }), (length) => {
    expect(() => readElf(whole.subarray(0, length))).toThrow();
  }));
});

test("reads the program that runs this test", () => {
  const bytes = readFileSync(process.execPath);
  const elf = readElf(bytes);
  expect(neededLibraries(bytes, elf)).toContain("libc.so.6");
  expect(dynamicSymbols(bytes, elf).some(({ name }) => name === "uv_accept")).toBe(true);
});
