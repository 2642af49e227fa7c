import { describe, expect, test } from "bun:test";
import fc from "fast-check";
import { dirmeta, emptyDirtree, objectId, writeCommit } from "../../../src/ostree/index.ts";
import { commitOfMap, HEADER_LENGTH, imagesNamed, INFO_LENGTH, inlineBytes, parseHeader, parseInfo, StreamProblem } from "../../../src/repository/splitstream.ts";
import { inlineChunk, objectMap, splitstream } from "../../support/splitstream.ts";

const [tree, meta] = [emptyDirtree(), dirmeta(0, 0, 0o40755)];
const commit = writeCommit({ timestamp: 1n, rootDirtree: tree.id, rootDirmeta: meta.id, subject: "imported" });
const map = objectMap(commit, [tree.bytes, meta.bytes, new Uint8Array(100)]);
const DIGEST = "ab".repeat(32);

/** What a reader makes of it, or the problem. */
function readAll(bytes: Uint8Array): { images: string[]; commit: ReturnType<typeof commitOfMap> } {
  const { idLength, info } = parseHeader(bytes.subarray(0, HEADER_LENGTH));
  const { streamRefs, namedRefs, stream } = parseInfo(bytes.subarray(info.start, info.start + INFO_LENGTH));
  const part = ({ start, end }: { start: number; end: number }): Uint8Array => bytes.subarray(start, end);
  const images = imagesNamed(Bun.zstdDecompressSync(part(namedRefs)), part(streamRefs), idLength);
  return { images, commit: commitOfMap(inlineBytes(Bun.zstdDecompressSync(part(stream)))) };
}
const problem = (act: () => unknown): string => {
  try {
    act();
    return "none";
  } catch (error) {
    if (error instanceof StreamProblem) return error.message;
    throw error;
  }
};

describe("a stream", () => {
  test.each([false, true])("header, image and commit (old header: %s)", (oldHeader) => {
    const bytes = splitstream({ named: [["base", "cd".repeat(32)], ["composefs.image", DIGEST]], chunks: inlineChunk(map), oldHeader });
    expect(readAll(bytes)).toEqual({ images: [DIGEST], commit: { id: objectId(commit), bytes: commit } });
  });

  test("several formats of the image, and ids of SHA-512", () => {
    const bytes = splitstream({ named: [["composefs.image", "12".repeat(64)], ["composefs.image.v2", "34".repeat(64)]], chunks: inlineChunk(map), algorithm: 2 });
    expect(readAll(bytes).images).toEqual(["12".repeat(64), "34".repeat(64)]);
  });

  test("content in several chunks", () => {
    const chunks = new Uint8Array(Bun.concatArrayBuffers([inlineChunk(map.subarray(0, 1000)), inlineChunk(map.subarray(1000))]));
    expect(commitOfMap(inlineBytes(chunks)).bytes).toEqual(commit);
  });

  test("an object map without anything but the commit", () => expect(commitOfMap(objectMap(commit)).bytes).toEqual(commit));
});

describe("what is wrong has words", () => {
  const good = splitstream({ named: [["composefs.image", DIGEST]], chunks: inlineChunk(map) });
  const changed = (at: number, byte: number): Uint8Array => good.with(at, byte);
  test.each([
    ["too short", good.subarray(0, 31), "too short"],
    ["no splitstream", changed(0, 0), "no splitstream"],
    ["a later version", changed(11, 1), "version 1"],
    ["another hash", changed(14, 3), "unknown hash"],
    ["another block size", changed(15, 16), "block size"],
    ["an info section beyond numbers", changed(31, 0xff), "cannot lie where it says"],
    ["an info section that is too short", changed(24, 100), "too short"],
    ["sections that end before they begin", changed(40, 0), "cannot lie"],
    ["other content", changed(96, 0), "no OSTree commit"],
    ["cut in the info section", good.subarray(0, 100), "ends in its info section"],
  ])("%s", (_name, bytes, words) => expect(problem(() => readAll(bytes))).toContain(words));

  test("named references", () => {
    const refs = (text: string): string => problem(() => imagesNamed(new TextEncoder().encode(text), new Uint8Array(32), 32));
    expect(refs("0:composefs.image\0")).toBe("none");
    expect(refs("0:composefs.image")).toContain("do not end");
    expect(refs("composefs.image\0")).toContain("no index");
    expect(refs("1:composefs.image\0")).toContain("out of range");
    expect(refs("99999999999:composefs.image\0")).toContain("no index");
    expect(refs("7:another\0")).toBe("none");
    expect(refs("0:x\0".repeat(5000))).toContain("more than 16");
  });

  test("chunks", () => {
    expect(problem(() => inlineBytes(new Uint8Array(8)))).toContain("outside it");
    expect(problem(() => inlineBytes(new Uint8Array(7)))).toContain("ends in the length");
    expect(problem(() => inlineBytes(new Uint8Array(BigInt64Array.of(-9n, 0n).buffer)))).toContain("ends in a chunk");
    expect(problem(() => inlineBytes(new Uint8Array(BigInt64Array.of(-(2n ** 63n)).buffer)))).toContain("ends in a chunk");
    expect(inlineBytes(new Uint8Array(0)).length).toBe(0);
  });

  test("the object map", () => {
    const changedMap = (at: number, value: number): Uint8Array => {
      const copy = map.slice();
      new DataView(copy.buffer).setUint32(at, value, true);
      return copy;
    };
    const infoAt = 1032 + 4 * 32 + new DataView(map.buffer, map.byteOffset).getUint32(0, true) * 12;
    expect(problem(() => commitOfMap(map.subarray(0, 1000)))).toContain("too short");
    expect(problem(() => commitOfMap(changedMap(0, 4)))).toContain("no commit");
    expect(problem(() => commitOfMap(changedMap(1028, 0xffffffff)))).toContain("cut short");
    expect(problem(() => commitOfMap(changedMap(infoAt, 0xffffffff)))).toContain("commit is cut short");
    expect(problem(() => commitOfMap(changedMap(infoAt + 4, 0xffffffff)))).toContain("commit is cut short");
    expect(problem(() => commitOfMap(changedMap(infoAt + 8, 0)))).toContain("outside it");
  });
});

describe("properties", () => {
  const edits = fc.array(fc.tuple(fc.nat(), fc.integer({ min: 0, max: 255 })), { maxLength: 6 });
  const edited = (bytes: Uint8Array, changes: readonly (readonly [number, number])[], cut: number): Uint8Array => {
    const copy = bytes.slice(0, Math.max(0, bytes.length - cut));
    for (const [at, byte] of changes) if (copy.length > 0) copy[at % copy.length] = byte;
    return copy;
  };
  const header = splitstream({ named: [["composefs.image", DIGEST]], chunks: inlineChunk(map) }).slice(0, 112);

  test("any bytes: a value or a StreamProblem", () => {
    fc.assert(fc.property(fc.uint8Array({ maxLength: 4096 }), edits, fc.nat(64), (bytes, changes, cut) => {
      problem(() => parseHeader(bytes));
      problem(() => parseInfo(bytes));
      problem(() => parseHeader(edited(header, changes, cut)));
      problem(() => parseInfo(edited(header.subarray(32), changes, cut)));
      problem(() => imagesNamed(bytes, bytes, 32));
      problem(() => inlineBytes(bytes));
      problem(() => inlineBytes(edited(inlineChunk(map), changes, cut)));
      problem(() => commitOfMap(bytes));
      problem(() => commitOfMap(edited(map, changes.map(([at, byte]) => [at % 1300, byte] as const), cut)));
    }), { numRuns: 3000 });
  });
});
