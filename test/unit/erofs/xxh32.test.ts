import { expect, test } from "bun:test";
import { xxh32 } from "../../../src/erofs/xxh32.ts";
import { text } from "./trees.ts";

test.each(["", "a", "abc", "selinux", "overlay.metacopy", "overlay.overlay.whiteouts", "x".repeat(255)])("%p as the runtime's own", (words) => {
  for (const seed of [0, 1, 0x25bbe08f, 0x25bbe08f + 6, 0xffffffff]) expect(xxh32(text(words), seed)).toBe(Bun.hash.xxHash32(words, seed));
});
