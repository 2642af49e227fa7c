/** The file that says when the initramfs was built: one form, and everything else stops the boot. */

import { describe, expect, test } from "bun:test";
import fc from "fast-check";
import { buildTimePath, parseBuildTime } from "../../../src/config/index.ts";
import { SealrootError } from "../../../src/errors/index.ts";

const bytes = (text: string): Uint8Array => new TextEncoder().encode(text);
const word = (content: Uint8Array): number | string => {
  try {
    return parseBuildTime(content, "f");
  } catch (error) {
    if (error instanceof SealrootError) return error.code;
    throw error;
  }
};

test("it lies beside the configuration", () => {
  expect(buildTimePath("/usr/lib/composefs/setup-root-conf.toml")).toBe("/usr/lib/composefs/setup-root-not-before");
  expect(buildTimePath("conf.toml")).toBe("setup-root-not-before");
});

test.each([["2000-01-01T00:00:00Z\n", 946684800], ["2026-11-01T00:00:00Z\n", 1793491200], ["2028-02-29T23:59:59Z\n", 1835481599], ["9999-12-31T23:59:59Z\n", 253402300799]])("%j is %d", (text, seconds) => {
  expect(word(bytes(text))).toBe(seconds);
});

describe("SR-E246", () => {
  test.each([
    "", "\n", "2026-11-01T00:00:00Z", "2026-11-01T00:00:00Z\n\n", "2026-11-01T00:00:00Z\r\n", " 2026-11-01T00:00:00Z\n", "2026-11-01T00:00:00\n", "2026-11-01T00:00:00+00:00\n", "2026-11-01 00:00:00Z\n",
    "2026-11-01T00:00:00.5Z\n", "2026-11-01\n", "1793491200\n", "0\n", "now\n", "2026-02-30T00:00:00Z\n", "2026-13-01T00:00:00Z\n", "2026-11-01T24:00:00Z\n", "2026-11-01T00:00:60Z\n", "1969-12-31T23:59:59Z\n",
    "1970-01-01T00:00:00Z\n", "1980-01-01T00:00:00Z\n", "1999-12-31T23:59:59Z\n", "-026-11-01T00:00:00Z\n", "\ufeff2026-11-01T00:00:00Z\n", "2026-11-01T00:00:00Z\n2030-11-01T00:00:00Z\n", "2026-11-01T00:00:00Z\n\0", `${"0".repeat(100)}`,
  ])("%j", (text) => expect(word(bytes(text))).toBe("SR-E246"));

  test("any bytes: a time, written so, or SR-E246", () => {
    fc.assert(fc.property(fc.oneof(fc.uint8Array({ maxLength: 80 }), fc.stringMatching(/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ\n$/).map(bytes)), (content) => {
      const found = word(content);
      if (typeof found === "number") expect(`${new Date(found * 1000).toISOString().slice(0, 19)}Z\n`).toBe(new TextDecoder().decode(content));
      else expect(found).toBe("SR-E246");
    }));
  });
});
