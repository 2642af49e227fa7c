import { expect, test } from "bun:test";
import { EM_AARCH64, EM_X86_64 } from "../../../src/build/elf.ts";
import { entryCode } from "../../../src/build/entry-code.ts";

const request = {
  address: 0x400000,
  next: 0x400400,
  allowed: ["TERM", "NO_COLOR"],
  program: { slot: 0x500000, address: 0x600000, length: 0x123456 },
  withoutProgram: { message: "no program\n\n", exit: 98 },
  withoutMemory: { message: "no memory\n", exit: 19 },
  withoutProc: { message: "no /proc\n", exit: 13 },
};

/** What GNU as 2.40 makes of the text in the comments of entry-code.ts, with this request's names and distances. */
const X64 =
  "488b0c24488d5ccc104989d4488b3b4883c3084885ff7429488d351e0100004989f8803e007415ac84c074e0413a004d8d400174f2ac84c075fbebe3c60700eb" +
  "cb31db89dfbe01000000b8480000000f0585c0792a488d3df2000000be02000000b8020000000f0585c07913488d3de5000000be00002000b8020000000f05ff" +
  "c383fb0372bdb800005000488b00483d000060007579488b00483d56341200756e31ffbe00000090ba0700000041ba224000004983c8ff4531c9b8090000000f" +
  "054885c078364889c7b80b0000000f05bf9cffffff488d357e00000031d2b80d0100000f0585c0794c488d3592000000ba09000000bb0d000000eb24488d3574" +
  "000000ba0a000000bb13000000eb11488d3554000000ba0c000000bb62000000bf02000000b8010000000f0589dfb8e70000000f054c89e2e9c3020000544552" +
  "4d3d004e4f5f434f4c4f523d00002f6465762f6e756c6c002f002f70726f632f73656c662f6d617073006e6f2070726f6772616d0a0a006e6f206d656d6f7279" +
  "0a006e6f202f70726f630a00";

const ARM64 =
  "f30340f9f46f338b94420091f50300aa818640f8e10100b4620a0010e30301aa44004039240100344414403824ffff34651440389f00056b80ffff5444144038" +
  "e4ffff35f6ffff173f000039f1ffff17140080d2e00314aa210080d2280380d2010000d48001f8b6600c809241080030420080d2080780d2010000d4c000f8b6" +
  "600c8092c10700700204a0d2080780d2010000d4940600919f0e00f1c3fdff54010080d2010aa0f2210040f9020080d2020ca0f23f0002eb01040054210040f9" +
  "c28a86d24202a0f23f0002eb61030054000080d2010080d20100b2f2e20080d2430488d204008092050080d2c81b80d2010000d4a001f8b7e81a80d2010000d4" +
  "600c8092e1030030020080d2080680d2010000d44002f8b681040030220180d2b30180d208000014a1030050420180d2730280d204000014c1020030820180d2" +
  "530c80d2400080d2080880d2010000d4e00313aac80b80d2010000d4e00315aaa80000145445524d3d004e4f5f434f4c4f523d00002f6465762f6e756c6c002f" +
  "002f70726f632f73656c662f6d617073006e6f2070726f6772616d0a0a006e6f206d656d6f72790a006e6f202f70726f630a00";

test("x86-64: the bytes that an assembler makes of the same text", () => {
  const code = entryCode({ machine: EM_X86_64, ...request });
  expect(code.toHex()).toBe(X64);
});

test("arm64: the bytes that an assembler makes of the same text", () => {
  const code = entryCode({ machine: EM_AARCH64, ...request });
  expect(code.toHex()).toBe(ARM64);
});

test("the names and texts stand behind the code, in the order in which it expects them", () => {
  for (const machine of [EM_X86_64, EM_AARCH64]) {
    const text = Buffer.from(entryCode({ machine, ...request })).toString("latin1");
    expect(text.endsWith("TERM=\0NO_COLOR=\0\0/dev/null\0/\0/proc/self/maps\0no program\n\n\0no memory\n\0no /proc\n\0")).toBe(true);
  }
});

test("refuses names that could allow more than themselves, and machines that it has no code for", () => {
  for (const name of ["", "A=B", "A B", "A\0B", "1A", "ä"]) expect(() => entryCode({ machine: EM_X86_64, ...request, allowed: [name] })).toThrow("is not the name of a variable");
  expect(() => entryCode({ machine: 40, ...request })).toThrow("no code for machine 40");
});

test("refuses a distance that does not fit", () => {
  expect(() => entryCode({ machine: EM_AARCH64, ...request, next: request.address + 2 ** 28 })).toThrow("does not fit");
  expect(() => entryCode({ machine: EM_X86_64, ...request, next: request.address + 2 ** 32 })).toThrow("does not fit");
});

test("refuses addresses that its instructions cannot hold", () => {
  for (const slot of [-1, 2 ** 31, 0.5]) expect(() => entryCode({ machine: EM_X86_64, ...request, program: { ...request.program, slot } })).toThrow("out of range");
});
