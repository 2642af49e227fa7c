/** What a composefs repository on an unauthenticated disk holds besides images: meta.json, and streams in which commits are looked for. */

import { readFileSync } from "node:fs";
import { join } from "node:path";
import { SealrootError } from "../../src/errors/index.ts";
import { parseMeta } from "../../src/repository/meta.ts";
import { commitOfMap, HEADER_LENGTH, imagesNamed, INFO_LENGTH, inlineBytes, parseHeader, parseInfo, type Range, StreamProblem } from "../../src/repository/splitstream.ts";
import { commitIn, streamNaming } from "../../src/repository/stream-commit.ts";
import { files, must, refusal, type Target } from "./target.ts";
import { inlineChunk, objectMap, rawFrame, splitstream } from "../support/splitstream.ts";

const DATA = join(import.meta.dir, "../data/streams");
const DIGEST = "b5f4672db5a6ba2a2b68570a43b5afe4645b0554b97bf4da53b22e5f021a22e2";
const [commit = new Uint8Array()] = files(join(import.meta.dir, "../data/ostree/commit"));
const LIMIT = 65536;

/** A part of a stream by itself: a value or a StreamProblem. */
function part(act: () => void): void {
  try {
    act();
  } catch (error) {
    if (!(error instanceof StreamProblem)) throw error;
  }
}

/** What composefs-rs itself wrote. */
const real = (): Uint8Array[] => [...new Bun.Glob("*/objects/*/*").scanSync({ cwd: DATA })].toSorted().map((path) => new Uint8Array(readFileSync(join(DATA, path)))).filter((bytes) => new TextDecoder().decode(bytes.subarray(0, 11)) === "SplitStream");

/** The parts of a stream, unpacked; nothing when it is none. */
function unpacked(stream: Uint8Array): Uint8Array[] {
  const cut = ({ start, end }: Range): Uint8Array => stream.subarray(start, end);
  const { info } = parseHeader(stream.subarray(0, HEADER_LENGTH));
  const { namedRefs, stream: content } = parseInfo(cut({ start: info.start, end: info.start + INFO_LENGTH }));
  const chunks = new Uint8Array(Bun.zstdDecompressSync(cut(content)));
  return [stream, new Uint8Array(Bun.zstdDecompressSync(cut(namedRefs))), chunks, inlineBytes(chunks)];
}

/** Streams whose parts are not compressed, so that a changed byte gets through. */
function made(): Uint8Array[] {
  const map = objectMap(commit, [new Uint8Array(100)]);
  const named = [["base", "cd".repeat(32)], ["composefs.image", DIGEST]] as const;
  const chunks = inlineChunk(map);
  const two = new Uint8Array(Bun.concatArrayBuffers([inlineChunk(map.subarray(0, 1000)), inlineChunk(map.subarray(1000))]));
  return [splitstream({ named, chunks, compress: rawFrame }), splitstream({ named, chunks: two, compress: rawFrame }), splitstream({ named, chunks, compress: rawFrame, oldHeader: true }), splitstream({ named, chunks })];
}

export const REPOSITORY_TARGETS: Readonly<Record<string, Target>> = {
  splitstream: {
    turns: true,
    corpus: () => [...real(), ...made()].flatMap(unpacked),
    try: (input, generator) => {
      // by itself
      part(() => parseHeader(input));
      part(() => parseInfo(input));
      part(() => must(imagesNamed(input, generator.from(generator.corpus), generator.chance(2) ? 32 : 64).every((digest) => /^([0-9a-f]{64}){1,2}$/.test(digest)), "an image"));
      part(() => inlineBytes(input));
      part(() => {
        const found = commitOfMap(input);
        must(found.bytes.length <= input.length && found.id.length === 64, "a commit that was not there");
      });
      // and as a whole
      const read = ({ start, end }: Range): Uint8Array => input.subarray(start, end);
      let range: Range | undefined;
      const code = refusal(() => (range = streamNaming(read, DIGEST, { bytes: LIMIT })));
      must(code === undefined || code === "SR-E225" || code === "SR-E229", `code ${code}`);
      const content = range ?? { start: generator.below(64), end: input.length };
      const left = { bytes: LIMIT };
      let id = "00".repeat(32);
      try {
        commitIn(read, content, id, LIMIT, left);
      } catch (error) {
        if (!(error instanceof SealrootError)) throw error;
        must(["SR-E225", "SR-E226", "SR-E229"].includes(error.code), `code ${error.code}`);
        id = /[0-9a-f]{64}/.exec(error.details.map(([, detail]) => detail).join(" "))?.[0] ?? id;
      }
      must(left.bytes >= 0, "more was unpacked than is allowed");
      const second = refusal(() => must(commitIn(read, content, id, LIMIT, { bytes: LIMIT }).length <= LIMIT, "a commit that is too large"));
      must(second === undefined || ["SR-E225", "SR-E226", "SR-E229"].includes(second), `code ${second}`);
    },
  },
  meta: {
    corpus: () => [
      '{"version":1,"algorithm":"fsverity-sha256-12"}',
      '{ "version": 1, "algorithm": "fsverity-sha512-12", "features": { "compatible": [], "read-only-compatible": ["v1_erofs"], "incompatible": [] } }\n',
      '{"version":2,"algorithm":"fsverity-sha256-12"}',
      '{"version":1,"algorithm":"fsverity-sha256-12","features":{"incompatible":["crypt"]}}',
      "[]", "null", '"x"', "{}", "1e999",
    ].map((json) => new TextEncoder().encode(json)),
    words: ['"version":1', '"algorithm":"fsverity-sha256-12"', '"features":', '"incompatible":', '"read-only-compatible":', "[]", "{}", "[", "]", "{", "}", ",", ":", '"', "null", "true", "-0", "1e400", "\\u0000", "\\ud800", '"__proto__":', '"toString":'],
    try: (input) => {
      let meta: ReturnType<typeof parseMeta> | undefined;
      const code = refusal(() => (meta = parseMeta(input, "f")));
      must(code === undefined || code === "SR-E202", `code ${code}`);
      if (meta === undefined) return;
      must(meta.version === 1 && (meta.algorithm === "sha256" || meta.algorithm === "sha512") && meta.readOnlyCompatible.every((name) => typeof name === "string"), "a repository of an unknown kind");
      // what would have to be refused is there, whatever else is
      const { features } = JSON.parse(new TextDecoder().decode(input)) as { readonly features?: { readonly incompatible?: readonly unknown[] } };
      must((features?.incompatible ?? []).length === 0, "an incompatible feature is passed over");
    },
  },
};
