import { describe, expect, test } from "bun:test";
import fc from "fast-check";
import { Damage } from "../../../src/initramfs/damage.ts";
import { elfMachine, readElf } from "../../../src/initramfs/elf.ts";
import { isPortableExecutable, kernelRelease, readUki, sectionText } from "../../../src/initramfs/uki.ts";
import { bytes, elf, join, uki } from "./build.ts";

const sections = (image: Uint8Array): readonly (readonly [string, string | undefined])[] =>
  readUki(image).profiles.map(({ id, sections: map }) => [id, map.has(".cmdline") ? sectionText(map.get(".cmdline") ?? new Uint8Array(0)) : undefined]);

describe("unified kernel images", () => {
  test("sections, their text and the machine", () => {
    const image = uki([[".linux", "kernel"], [".osrel", "ID=test\n"], [".cmdline", "quiet composefs=x\0\0\0"], [".initrd", "cpio"]]);
    expect(isPortableExecutable(image)).toBe(true);
    expect(readUki(image).machine).toBe(62);
    expect(readUki(uki([[".linux", ""]], 0xaa64)).machine).toBe(183);
    expect(sections(image)).toEqual([["", "quiet composefs=x"]]);
  });

  test("profiles take what is common, and their own in its place", () => {
    const image = uki([
      [".linux", "kernel"], [".cmdline", "common"], [".initrd", "one"],
      [".profile", "ID=main\nTITLE=Ordinary"],
      [".profile", 'TITLE=Rescue\nID="rescue"'], [".cmdline", "rescue"], [".initrd", "two"],
      [".profile", "TITLE=nameless"], [".cmdline", "third"], [".cmdline", "ignored"],
    ]);
    expect(sections(image)).toEqual([["main", "common"], ["rescue", "rescue"], ["2", "third"]]);
    expect(readUki(image).profiles.map((profile) => sectionText(profile.sections.get(".initrd") ?? new Uint8Array(0)))).toEqual(["one", "two", "one"]);
  });

  test("text that is not UTF-8 is kept byte by byte", () => {
    expect(sectionText(Uint8Array.of(0x61, 0xe9, 0))).toBe("aé");
  });

  test("the kernel's release", () => {
    const kernel = new Uint8Array(0x400);
    kernel.set(bytes("HdrS"), 0x202);
    new DataView(kernel.buffer).setUint16(0x20e, 0x100, true);
    kernel.set(bytes("6.12.9-test (builder@host) #1"), 0x300);
    expect(kernelRelease(kernel)).toBe("6.12.9-test");
    expect(kernelRelease(kernel.subarray(0, 0x210))).toBeUndefined();
    expect(kernelRelease(bytes("MZ"))).toBeUndefined();
  });

  test.each([
    ["no PE header", join(bytes("MZ"), new Uint8Array(200)), "no PE header"],
    ["too short", bytes("MZ"), "ends in the middle"],
  ])("%s", (_, image, message) => {
    expect(() => readUki(image)).toThrow(message);
  });

  test("a section beyond the end", () => {
    const image = uki([[".initrd", "x".repeat(600)]]);
    expect(() => readUki(image.subarray(0, image.length - 600))).toThrow("lies beyond its end");
  });

  test("hostile images are read or damaged", () => {
    const source = uki([[".linux", "kernel"], [".cmdline", "text"], [".initrd", "cpio"], [".profile", "ID=x"], [".cmdline", "other"]]);
    const change = fc.record({ at: fc.nat(0x300), byte: fc.nat(255) });
    fc.assert(
      fc.property(fc.array(change, { minLength: 1, maxLength: 8 }), fc.option(fc.nat(source.length), { freq: 3 }), (changes, cut) => {
        const image = source.slice();
        for (const { at, byte } of changes) image[at] = byte;
        try {
          readUki(cut === null ? image : image.subarray(0, cut));
        } catch (error) {
          if (!(error instanceof Damage)) throw error;
        }
      }),
      { numRuns: 1000 },
    );
  });
});

describe("programs", () => {
  test("machine, interpreter and libraries", () => {
    const file = elf({ needed: ["libc.so.6", "libm.so.6"], interpreter: "/lib64/ld-linux-x86-64.so.2" });
    expect(readElf(file)).toEqual({ machine: 62, interpreter: "/lib64/ld-linux-x86-64.so.2", needed: ["libc.so.6", "libm.so.6"] });
    expect(elfMachine(file.subarray(0, 64))).toBe(62);
    expect(elfMachine(bytes("#!/bin/sh"))).toBeUndefined();
  });

  test("hostile programs are read or damaged", () => {
    const source = elf({ needed: ["libc.so.6"], payload: "payload" });
    const change = fc.record({ at: fc.nat(source.length - 1), byte: fc.nat(255) });
    fc.assert(
      fc.property(fc.array(change, { minLength: 1, maxLength: 8 }), fc.option(fc.nat(source.length), { freq: 3 }), (changes, cut) => {
        const file = source.slice();
        for (const { at, byte } of changes) file[at] = byte;
        try {
          readElf(cut === null ? file : file.subarray(0, cut));
        } catch (error) {
          if (!(error instanceof Damage)) throw error;
        }
      }),
      { numRuns: 1000 },
    );
  });
});
