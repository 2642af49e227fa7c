import { describe, expect, test } from "bun:test";
import fc from "fast-check";
import {
  formatImageArgument,
  type ImageArgumentParts,
  MAX_COMMAND_LINE,
  parseImageArguments,
  splitCommandLine,
} from "../../../src/cmdline-parser/index.ts";

const A = "0123456789abcdef".repeat(4);
const B = "fedcba9876543210".repeat(4);
const L = "00112233445566778899aabbccddeeff".repeat(4);

const candidates = (line: string | Uint8Array) => parseImageArguments(line).candidates;
const skipped = (line: string | Uint8Array) => parseImageArguments(line).skipped;

describe("what is read", () => {
  test.each([
    [`composefs.digest=v1-sha256-12:${A}`, "composefs.digest", 1, "sha256", A, false],
    [`composefs.digest=v2-sha256-12:${A}`, "composefs.digest", 2, "sha256", A, false],
    [`composefs.digest=v1-sha512-12:${L}`, "composefs.digest", 1, "sha512", L, false],
    [`composefs.digest=v2-sha512-12:${L}`, "composefs.digest", 2, "sha512", L, false],
    [`composefs.digest=?v1-sha256-12:${A}`, "composefs.digest", 1, "sha256", A, true],
    [`composefs.digest=?v2-sha512-12:${L}`, "composefs.digest", 2, "sha512", L, true],
    [`composefs=${A}`, "composefs", undefined, "sha256", A, false],
    [`composefs=${L}`, "composefs", undefined, "sha512", L, false],
    [`composefs=?${A}`, "composefs", undefined, "sha256", A, true],
    [`composefs=?${L}`, "composefs", undefined, "sha512", L, true],
    // upper case is the same digest
    [`composefs=${A.toUpperCase()}`, "composefs", undefined, "sha256", A, false],
    // the kernel's quotes
    [`composefs="${A}"`, "composefs", undefined, "sha256", A, false],
    [`"composefs.digest=?v1-sha256-12:${A}"`, "composefs.digest", 1, "sha256", A, true],
  ] as const)("%s", (text, key, version, algorithm, digest, insecure) => {
    const line = `root=UUID=1-2 quiet ${text} rw\n`;
    expect(parseImageArguments(line)).toEqual({
      candidates: [{ text, offset: 20, key, version, algorithm, blockSizeLog2: 12, digest, insecure } as never],
      skipped: [],
    });
    expect(parseImageArguments(splitCommandLine(line))).toEqual(parseImageArguments(line));
  });

  test.each(["", "\n", "foo", "root=UUID=abc quiet", `x=composefs=${A}`, `rd.composefs=${A}`, `composefs.digests=${A}`, `Composefs=${A}`])(
    "nothing in %j",
    (line) => expect(parseImageArguments(line)).toEqual({ candidates: [], skipped: [] }),
  );

  test("several keep their order, whichever spelling", () => {
    const line = `composefs=${B} composefs.digest=?v1-sha512-12:${L} x composefs.digest=v1-sha256-12:${A}`;
    expect(candidates(line).map(({ digest, insecure }) => [digest, insecure])).toEqual([[B, false], [L, true], [A, false]]);
  });

  test("what follows -- counts: systemd and the peers read it too", () => {
    expect(candidates(`quiet -- single composefs=${A}`).map(({ digest }) => digest)).toEqual([A]);
  });

  test("what another argument quotes does not count", () => {
    expect(parseImageArguments(`note="x composefs=${A} y" quiet`)).toEqual({ candidates: [], skipped: [] });
  });

  test("an apostrophe hides nothing, though systemd would group by it", () => {
    expect(candidates(`note=it's composefs=${A} x=it's`).map(({ digest }) => digest)).toEqual([A]);
  });

  test("after a NUL nothing counts", () => {
    expect(candidates(`quiet\0 composefs=${A}`)).toEqual([]);
  });

  test("a byte order mark before the key makes it another key", () => {
    expect(parseImageArguments(`\ufeffcomposefs=${A}`)).toEqual({ candidates: [], skipped: [] });
  });
});

describe("duplicates", () => {
  test("the same digest appears once, as first written", () => {
    expect(candidates(`composefs=${A} composefs.digest=v1-sha256-12:${A} composefs=${A.toUpperCase()}`)).toMatchObject([
      { text: `composefs=${A}`, offset: 0 },
    ]);
  });

  test.each([
    [`composefs=?${A} composefs=${B} composefs.digest=v1-sha256-12:${A}`],
    [`composefs.digest=v1-sha256-12:${A} composefs=${B} composefs=?${A}`],
  ])("without ? wins over with ?, in the place of the first: %s", (line) => {
    expect(candidates(line).map(({ text, insecure }) => [text, insecure])).toEqual([
      [`composefs.digest=v1-sha256-12:${A}`, false],
      [`composefs=${B}`, false],
    ]);
  });
});

describe("what is skipped", () => {
  test.each([
    ["composefs", "malformed", "it has no value"],
    ["composefs.digest", "malformed", "it has no value"],
    ["composefs=", "malformed", "it has no value"],
    ['composefs.digest=""', "malformed", "it has no value"],
    ["composefs=?", "malformed", "the digest has 0 hex digits, expected are 64 (sha256) or 128 (sha512)"],
    ["composefs=foo", "malformed", '"o" at position 2 of the digest is not a hex digit'],
    [`composefs=${A}0`, "malformed", "the digest has 65 hex digits, expected are 64 (sha256) or 128 (sha512)"],
    [`composefs=??${A}`, "malformed", '"?" stands in the digest; its place is directly after "="'],
    [`composefs=${A}é`, "malformed", '"é" at position 65 of the digest is not a hex digit'],
    [`composefs=v1-sha256-12:${A}`, "malformed", '"v" at position 1 of the digest is not a hex digit'],
    [`composefs.digest=${A}`, "malformed", 'a ":" between the format and the digest is missing'],
    [`composefs.digest=v1-sha256-12-${A}`, "malformed", 'a ":" between the format and the digest is missing'],
    [`composefs.digest=:${A}`, "malformed", 'the format "" is not of the form v1-sha256-12'],
    [`composefs.digest=sha256-12:${A}`, "malformed", 'the format "sha256-12" is not of the form v1-sha256-12'],
    [`composefs.digest=v1-sha256:${A}`, "malformed", 'the format "v1-sha256" is not of the form v1-sha256-12'],
    [`composefs.digest=v1-sha256-x:${A}`, "malformed", 'the format "v1-sha256-x" is not of the form v1-sha256-12'],
    [`composefs.digest=V1-sha256-12:${A}`, "malformed", 'the format "V1-sha256-12" is not of the form v1-sha256-12'],
    [`composefs.digest=v1-sha256-12:?${A}`, "malformed", '"?" stands in the digest; its place is directly after "="'],
    ["composefs.digest=v1-sha256-12:", "malformed", "the sha256 digest has 0 hex digits, expected are 64"],
    ["composefs.digest=v1-sha256-12:a", "malformed", "the sha256 digest has 1 hex digit, expected are 64"],
    [`composefs.digest=v1-sha512-12:${A}`, "malformed", "the sha512 digest has 64 hex digits, expected are 128"],
    [`composefs.digest=v1-sha256-12:${L}`, "malformed", "the sha256 digest has 128 hex digits, expected are 64"],
    ["composefs.digest=v1-sha256-12:notahex", "malformed", '"n" at position 1 of the digest is not a hex digit'],
    [`composefs.digest=v3-sha256-12:${A}`, "unknown", "EROFS format version v3 is not known here"],
    ["composefs.digest=v10-of-another-shape", "unknown", "EROFS format version v10 is not known here"],
    [`composefs.digest=?v0-sha256-12:${A}`, "unknown", "EROFS format version v0 is not known here"],
    [`composefs.digest=v1-sha384-12:${A}`, "unknown", 'the hash algorithm "sha384" is not known here'],
    [`composefs.digest=v1-sha256-16:${A}`, "unknown", "block size 2^16 is not known here"],
    [`composefs.digest=v1-sha256-012:${A}`, "unknown", "block size 2^012 is not known here"],
  ] as const)("%s", (text, reason, explanation) => {
    // It is named, and it does not hide the good one after it.
    const { candidates: good, skipped: bad } = parseImageArguments(`a ${text} composefs=${B}`);
    expect(bad).toEqual([{ text, offset: 2, reason, explanation }]);
    expect(good.map(({ digest }) => digest)).toEqual([B]);
  });

  test("an argument swallowed by an open quote is pointed at", () => {
    const text = `note="x composefs=${A}`;
    expect(skipped(`quiet ${text}`)).toEqual([
      { text, offset: 6, reason: "malformed", explanation: "a double quote before it is never closed, so it is part of another argument" },
    ]);
    expect(skipped('quiet note="x')).toEqual([]);
  });

  test("a line that is too long has no candidates and says why", () => {
    const { candidates: none, skipped: why } = parseImageArguments(`composefs=${A} ${" ".repeat(MAX_COMMAND_LINE)}`);
    expect(none).toEqual([]);
    expect(why).toMatchObject([{ reason: "malformed", explanation: expect.stringContaining("at most 65536") }]);
  });
});

describe("properties", () => {
  const hex = (length: number) => fc.stringMatching(new RegExp(`^[0-9a-f]{${length}}$`));
  const size = fc.oneof(
    hex(64).map((digest) => ({ algorithm: "sha256" as const, digest })),
    hex(128).map((digest) => ({ algorithm: "sha512" as const, digest })),
  );
  const parts: fc.Arbitrary<ImageArgumentParts> = fc
    .tuple(size, fc.boolean(), fc.constantFrom(1 as const, 2 as const, undefined))
    .map(([digest, insecure, version]) => {
      const common = { ...digest, insecure, blockSizeLog2: 12 as const };
      return version === undefined ? { ...common, key: "composefs", version } : { ...common, key: "composefs.digest", version };
    });

  test("written and read back, alone and among others, in order", () => {
    fc.assert(fc.property(fc.uniqueArray(parts, { selector: (p) => p.digest }), fc.constantFrom(" ", "\t", " quiet ", ' x="a b" '), (all, between) => {
      const texts = all.map(formatImageArgument);
      const read = parseImageArguments(`${texts.join(between)}\n`);
      expect(read.skipped).toEqual([]);
      expect(read.candidates.map(({ text }) => text)).toEqual(texts);
      expect(read.candidates.map(({ text: _text, offset: _offset, ...rest }) => rest as ImageArgumentParts)).toEqual(all);
    }));
  });

  test("another argument never makes a candidate less strict, and never removes one", () => {
    const few = fc.array(parts.map((p) => ({ ...p, digest: p.algorithm === "sha256" ? A : L })), { maxLength: 4 });
    fc.assert(fc.property(few, parts, (before, more) => {
      const line = before.map(formatImageArgument).join(" ");
      const longer = [`${line} ${formatImageArgument(more)}`, `${formatImageArgument(more)} ${line}`];
      for (const old of candidates(line)) {
        for (const text of longer) {
          const now = candidates(text).find(({ digest }) => digest === old.digest);
          expect(now).toBeDefined();
          if (!old.insecure) expect(now?.insecure).toBe(false);
        }
      }
    }));
  });

  test("any bytes: no throw, and every candidate is well-formed and stands where it says", () => {
    const pieces = fc.constantFrom("composefs=", "composefs.digest=", "?", "v1-", "v2-", "sha256-12", "sha512", ":", '"', " ", "--", "=", A, L, "\0", "\u00a0", "\v");
    const input = fc.oneof(
      fc.uint8Array({ maxLength: 300 }),
      fc.array(pieces, { maxLength: 14 }).map((list) => new TextEncoder().encode(list.join(""))),
    );
    fc.assert(fc.property(input, (bytes) => {
      const { candidates: good, skipped: bad } = parseImageArguments(bytes);
      for (const { digest, algorithm } of good) expect(digest).toMatch(algorithm === "sha256" ? /^[0-9a-f]{64}$/ : /^[0-9a-f]{128}$/);
      const decode = new TextDecoder("utf-8", { ignoreBOM: true });
      for (const { text, offset } of [...good, ...bad]) {
        const length = new TextEncoder().encode(text).length;
        if (!text.includes("\ufffd")) expect(decode.decode(bytes.subarray(offset, offset + length))).toBe(text);
      }
    }), { numRuns: 2000 });
  });
});
