/** What a program asks to be interpreted by, from its first bytes, which may be hostile: the image may be unverified. */

import { describe, expect, test } from "bun:test";
import fc from "fast-check";
import { readFileSync } from "node:fs";
import { interpreterOf } from "../../../src/boot/interpreter.ts";

const ascii = (text: string): Uint8Array => new TextEncoder().encode(text);

interface Elf {
  readonly wide?: boolean;
  readonly table?: bigint;
  readonly entrySize?: number;
  readonly count?: number;
  readonly offset?: bigint;
  readonly length?: bigint;
  readonly text?: string;
}

/** An ELF head with one PT_LOAD and one PT_INTERP, by the System V ABI. */
function elf({ wide = true, table = 64n, entrySize = wide ? 56 : 32, count = 2, offset = 512n, length, text = "/lib/ld.so\0" }: Elf = {}): Uint8Array {
  const bytes = new Uint8Array(1024);
  const view = new DataView(bytes.buffer);
  bytes.set([0x7f, 0x45, 0x4c, 0x46, wide ? 2 : 1, 1, 1]);
  const second = Number(BigInt.asUintN(16, table)) + entrySize;
  const size = length ?? BigInt(text.length);
  if (wide) {
    view.setBigUint64(32, table, true);
    view.setUint16(54, entrySize, true);
    view.setUint16(56, count, true);
  } else {
    view.setUint32(28, Number(BigInt.asUintN(32, table)), true);
    view.setUint16(42, entrySize, true);
    view.setUint16(44, count, true);
  }
  if (second + 56 <= bytes.length) {
    view.setUint32(Number(BigInt.asUintN(16, table)), 1, true);
    view.setUint32(second, 3, true);
    if (wide) {
      view.setBigUint64(second + 8, offset, true);
      view.setBigUint64(second + 32, size, true);
    } else {
      view.setUint32(second + 4, Number(BigInt.asUintN(32, offset)), true);
      view.setUint32(second + 16, Number(BigInt.asUintN(32, size)), true);
    }
  }
  bytes.set(ascii(text), 512);
  return bytes;
}

describe("ELF", () => {
  test("the shell of this machine", () => {
    const head = new Uint8Array(readFileSync("/bin/sh")).subarray(0, 4096);
    expect(interpreterOf(head)).toMatch(/^\/lib.*\/ld-.*\.so\.\d$/);
  });
  test("64 and 32 bit", () => {
    expect(interpreterOf(elf())).toBe("/lib/ld.so");
    expect(interpreterOf(elf({ wide: false }))).toBe("/lib/ld.so");
  });
  test("static: none", () => expect(interpreterOf(elf({ count: 1 }))).toBeUndefined());
  test("big-endian is not for this machine", () => {
    const bytes = elf();
    bytes[5] = 2;
    expect(interpreterOf(bytes)).toBeUndefined();
  });

  const hostile: readonly (readonly [string, Elf])[] = [
    ["a table beyond the file", { table: 1n << 40n }],
    ["a table at the end of numbers", { table: (1n << 64n) - 1n }],
    ["entries of no size", { entrySize: 0, count: 65535 }],
    ["entries that are too small", { entrySize: 55 }],
    ["entries without end", { count: 65535, text: "" }],
    ["a name beyond the file", { offset: 1020n }],
    ["a name at the end of numbers", { offset: (1n << 64n) - 8n }],
    ["a name of no length", { length: 0n }],
    ["a name that is only its end", { length: 1n }],
    ["a name without end", { length: (1n << 64n) - 1n }],
    ["a name longer than a path", { length: 5000n }],
    ["a name with a NUL inside", { text: "/lib\0/ld.so\0" }],
  ];
  for (const [title, facts] of hostile) test(title, () => expect(interpreterOf(elf(facts))).toBeUndefined());

  test("cut anywhere: nothing, and no failure", () => {
    const whole = elf();
    for (let length = 0; length < 523; length++) expect(interpreterOf(whole.subarray(0, length))).toBeUndefined();
    expect(interpreterOf(whole.subarray(0, 523))).toBe("/lib/ld.so");
  });

  test("any change of any bytes: a text or nothing, never a failure", () => {
    fc.assert(fc.property(fc.array(fc.tuple(fc.nat(1023), fc.nat(255)), { maxLength: 40 }), fc.boolean(), (changes, wide) => {
      const bytes = elf({ wide });
      for (const [at, value] of changes) bytes[at] = value;
      const result = interpreterOf(bytes);
      expect(result === undefined || (typeof result === "string" && result.length > 0)).toBe(true);
    }), { numRuns: 2000 });
    fc.assert(fc.property(fc.uint8Array({ maxLength: 200 }), (bytes) => void interpreterOf(Uint8Array.of(0x7f, 0x45, 0x4c, 0x46, 2, 1, ...bytes))), { numRuns: 1000 });
  });
});

describe("scripts", () => {
  const cases: readonly (readonly [string, string | undefined])[] = [
    ["#!/bin/sh\necho", "/bin/sh"],
    ["#!/bin/sh -e -u\n", "/bin/sh"],
    ["#! \t/bin/sh\t-e\n", "/bin/sh"],
    ["#!/bin/sh", "/bin/sh"],
    ["#!\n/bin/sh", undefined],
    ["#!   \n", undefined],
    ["#!", undefined],
    ["# !/bin/sh\n", undefined],
    [" #!/bin/sh\n", undefined],
    ["#!/bin/sh\0/other\n", "/bin/sh"],
    ["", undefined],
    ["text", undefined],
  ];
  for (const [text, expected] of cases) test(JSON.stringify(text), () => expect(interpreterOf(ascii(text))).toBe(expected));
  test("only as far as the kernel looks", () => expect(interpreterOf(ascii(`#!${" ".repeat(254)}/bin/sh\n`))).toBeUndefined());
});
