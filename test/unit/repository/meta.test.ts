/** meta.json: what is accepted, every refusal, and that hostile JSON is data. */

import { describe, expect, test } from "bun:test";
import fc from "fast-check";
import { SealrootError } from "../../../src/errors/index.ts";
import { META_LIMIT, parseMeta } from "../../../src/repository/meta.ts";

const bytes = (text: string): Uint8Array => new TextEncoder().encode(text);
const parse = (text: string): unknown => parseMeta(bytes(text), "/r/meta.json");

/** What is said of a text that is refused. */
function found(text: string | Uint8Array): string {
  try {
    parseMeta(typeof text === "string" ? bytes(text) : text, "/r/meta.json");
  } catch (error) {
    if (!(error instanceof SealrootError) || error.code !== "SR-E202") throw error;
    expect(error.details[0]).toEqual(["file", "/r/meta.json"]);
    return error.details[1]?.[1] ?? "";
  }
  throw new Error("accepted");
}

describe("accepted", () => {
  // as composefs-rs at 0.7 writes it
  const full = '{"version":1,"algorithm":"fsverity-sha512-12","features":{"compatible":[],"read-only-compatible":["v1_erofs"],"incompatible":[]},"erofs_formats":{"default":1}}';
  test("as the peer writes it", () => expect(parse(full)).toEqual({ version: 1, algorithm: "sha512", readOnlyCompatible: ["v1_erofs"], format: "v1" }));
  test("the least", () => expect(parse('{"version":1,"algorithm":"fsverity-sha256-12"}')).toEqual({ version: 1, algorithm: "sha256", readOnlyCompatible: [], format: "v2" }));
  test("a byte order mark, white space, unknown keys, unknown compatible features", () => {
    expect(parse('\ufeff \n{"version":1,"algorithm":"fsverity-sha256-12","new":{"a":[1]},"features":{"compatible":["x",1],"other":2}}')).toMatchObject({ version: 1 });
  });
});

describe("the format of images", () => {
  const cases: readonly (readonly [features: readonly string[], formats: unknown, expected: string | undefined])[] = [
    [[], undefined, "v2"], [["v1_erofs"], undefined, "v1"],
    // what composefs-rs writes where nothing was chosen: the flag decides
    [["v1_erofs"], { default: 2 }, "v1"], [[], { default: 2, extra: [] }, "v2"],
    [[], { default: 1 }, "v1"], [["v1_erofs"], { default: 0 }, "v0"], [["v1_erofs"], { default: 2, extra: [1] }, "v2"],
    [[], { default: 3 }, undefined], [[], { default: 1, extra: ["x"] }, undefined], [[], [1], undefined], [[], { extra: [1] }, undefined],
  ];
  for (const [features, formats, expected] of cases) {
    test(JSON.stringify([features, formats]), () => {
      const meta = { version: 1, algorithm: "fsverity-sha256-12", features: { "read-only-compatible": features }, ...(formats === undefined ? {} : { erofs_formats: formats }) };
      expect(parseMeta(bytes(JSON.stringify(meta)), "/r/meta.json").format).toBe(expected as never);
    });
  }
});

describe("refused", () => {
  const cases: readonly (readonly [string, string | Uint8Array, string | RegExp])[] = [
    ["nothing", "", "not JSON"],
    ["half", '{"version":1', "not JSON"],
    ["bytes that are not UTF-8", new Uint8Array([0x7b, 0xff, 0x7d]), "not JSON"],
    ["comments", '{"version":1 /* */}', "not JSON"],
    ["a string", '"meta"', "not a JSON object"],
    ["null", "null", "not a JSON object"],
    ["an array", "[{}]", "not a JSON object"],
    ["no version", "{}", "version missing"],
    ["a text version", '{"version":"1"}', 'version "1"'],
    ["a fractional version", '{"version":1.5}', "version 1.5"],
    ["a negative version", '{"version":-1}', "version -1"],
    ["version 0", '{"version":0}', "version 0"],
    ["an enormous version", '{"version":1e999}', "version null"],
    ["a later version", '{"version":2,"algorithm":"fsverity-sha256-12"}', "version 2; this sealroot knows 1"],
    ["a later version in another shape", '{"version":3,"algorithm":{"new":true}}', "version 3; this sealroot knows 1"],
    ["no algorithm", '{"version":1}', "algorithm missing"],
    ["an unknown algorithm", '{"version":1,"algorithm":"fsverity-sha1-12"}', "sha1"],
    ["another block size", '{"version":1,"algorithm":"fsverity-sha256-16"}', "sha256-16"],
    ["more behind the algorithm", '{"version":1,"algorithm":"fsverity-sha256-12\\n"}', "algorithm"],
    ["features that are a list", '{"version":1,"algorithm":"fsverity-sha256-12","features":[]}', "not an object"],
    ["features that are null", '{"version":1,"algorithm":"fsverity-sha256-12","features":null}', "not an object"],
    ["a feature that is a number", '{"version":1,"algorithm":"fsverity-sha256-12","features":{"incompatible":[1]}}', "not lists of names"],
    ["incompatible features that are an object", '{"version":1,"algorithm":"fsverity-sha256-12","features":{"incompatible":{"0":"x"}}}', "not lists of names"],
    ["an incompatible feature", '{"version":1,"algorithm":"fsverity-sha256-12","features":{"incompatible":["crypt"]}}', '"crypt"'],
    ["the last of two keys counts", '{"version":1,"algorithm":"fsverity-sha256-12","version":9}', "version 9"],
    ["exactly the limit", `{"version":1,"algorithm":"fsverity-sha256-12"}${" ".repeat(META_LIMIT - 46)}`, `${META_LIMIT} bytes`],
    ["deeper than the parser goes", `${"[".repeat(META_LIMIT / 2)}`, "not JSON"],
    ["deep and well-formed", `{"version":${"[".repeat(20_000)}${"]".repeat(20_000)}}`, /^(version \[+…|not JSON)$/],
  ];
  for (const [title, text, says] of cases) test(title, () => expect(found(text)).toMatch(says));
});

describe("hostile", () => {
  test("__proto__ and constructor are keys like others", () => {
    expect(found('{"__proto__":{"version":1,"algorithm":"fsverity-sha256-12"}}')).toBe("version missing");
    expect(parse('{"version":1,"algorithm":"fsverity-sha256-12","features":{"__proto__":{"incompatible":["x"]}},"constructor":1}')).toMatchObject({ version: 1 });
    expect(Object.hasOwn(Object.prototype, "version")).toBe(false);
  });

  test("a long value is cut", () => {
    for (const text of [`{"version":"${"9".repeat(60_000)}"}`, `{"version":1,"algorithm":"${"x".repeat(60_000)}"}`, `{"version":1,"algorithm":"fsverity-sha256-12","features":{"incompatible":["${"x".repeat(60_000)}"]}}`]) {
      expect(found(text).length).toBeLessThan(200);
    }
  });

  test("any bytes are accepted or refused, nothing else", () => {
    fc.assert(fc.property(fc.uint8Array({ maxLength: 300 }), (random) => {
      try {
        parseMeta(random, "x");
      } catch (error) {
        if (!(error instanceof SealrootError)) throw error;
      }
    }));
  });

  test("any JSON is accepted or refused, and accepted only with version 1 and a known algorithm", () => {
    const value = fc.jsonValue();
    const arbitrary = fc.record({ version: fc.oneof(value, fc.constant(1)), algorithm: fc.oneof(value, fc.constantFrom("fsverity-sha256-12", "fsverity-sha512-12")), features: value }, { requiredKeys: [] });
    fc.assert(fc.property(arbitrary, (meta) => {
      try {
        expect(parseMeta(bytes(JSON.stringify(meta)), "x").version).toBe(1);
        expect(meta.version).toBe(1);
        expect(["fsverity-sha256-12", "fsverity-sha512-12"]).toContain(String(meta.algorithm));
      } catch (error) {
        if (!(error instanceof SealrootError)) throw error;
      }
    }));
  });
});
