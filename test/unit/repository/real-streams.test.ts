/** Streams that composefs-rs itself wrote (test/data/streams): images and commits in them, and the verdict on a signed one. */

import { describe, expect, test } from "bun:test";
import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { SealrootError } from "../../../src/errors/index.ts";
import { objectId, parseCommit, parsePublicKeys } from "../../../src/ostree/index.ts";
import { parseMeta } from "../../../src/repository/meta.ts";
import { HEADER_LENGTH, parseHeader, type Range } from "../../../src/repository/splitstream.ts";
import { type Allowance, commitIn, type ReadPart, streamNaming } from "../../../src/repository/stream-commit.ts";
import { refusal } from "../../fuzz/target.ts";

const data = join(import.meta.dir, "../../data/streams");
const bytesOf = (...path: string[]): Uint8Array => new Uint8Array(readFileSync(join(data, ...path)));
const reader = (bytes: Uint8Array): ReadPart => ({ start, end }: Range) => bytes.subarray(start, end);

const FIRST = "3ce0062941df4d44ef8832a9311ef929b4f3d6fcb1d21c057a0a6be91c304e15";
const SIGNED = "ee3308a52136753d23a4d0e487206b61fb906b82c8493bededc843460b48a722";
const MADE = "61f0d52b81ae2ece5295b856cd3dca607b079003426b1a6710debf0f4428e8cb";
const LIMIT = 2 ** 20;
const plenty = (): Allowance => ({ bytes: LIMIT });

describe.each(["sha256", "sha512"] as const)("%s", (hash) => {
  const [image = ""] = readdirSync(join(data, hash, "images"));
  const stream = (id: string): Uint8Array => bytesOf(hash, "streams", `ostree-commit-${id}`);
  const commitOf = (id: string): Uint8Array => {
    const read = reader(stream(id));
    const range = streamNaming(read, image, plenty());
    if (range === undefined) throw new Error("another image");
    return commitIn(read, range, id, LIMIT, { bytes: LIMIT });
  };

  test("the repository is of a kind that is known", () => expect(parseMeta(bytesOf(hash, "meta.json"), "meta.json")).toEqual({ version: 1, algorithm: hash, readOnlyCompatible: ["v1_erofs"], format: "v1" }));

  test.each([FIRST, SIGNED])("the commit %s is found by its image, and has its id", (id) => {
    expect(parseHeader(stream(id).subarray(0, HEADER_LENGTH)).idLength).toBe(hash === "sha256" ? 32 : 64);
    const bytes = commitOf(id);
    expect(objectId(bytes)).toBe(id);
    expect(parseCommit(bytes)).toMatchObject({ subject: id === FIRST ? "first" : "signed for composefs-rs", timestamp: 1767323045n });
  });

  test("byte for byte what ostree wrote", () => expect(Buffer.compare(commitOf(SIGNED), bytesOf("signed.commit"))).toBe(0));

  test("another image, another commit, bytes that are missing", () => {
    const read = reader(stream(SIGNED));
    expect(streamNaming(read, image.replace(/^./, "0"), plenty())).toBeUndefined();
    const code = (act: () => unknown): string => {
      try {
        act();
      } catch (error) {
        if (error instanceof SealrootError) return error.code;
        throw error;
      }
      return "none";
    };
    const range = streamNaming(read, image, plenty()) ?? { start: 0, end: 0 };
    expect(code(() => commitIn(read, range, FIRST, LIMIT, { bytes: LIMIT }))).toBe("SR-E226");
    expect(code(() => commitIn(read, range, SIGNED, 100, { bytes: LIMIT }))).toBe("SR-E229");
    expect(code(() => commitIn(read, range, SIGNED, LIMIT, { bytes: 100 }))).toBe("SR-E229");
    const bytes = stream(SIGNED);
    for (let length = 0; length < bytes.length; length++) {
      const cut = reader(bytes.subarray(0, length));
      let commit: Uint8Array | undefined;
      const found = code(() => {
        const content = streamNaming(cut, image, plenty());
        if (content !== undefined) commit = commitIn(cut, content, SIGNED, LIMIT, { bytes: LIMIT });
      });
      // what is missing may be another object's, or the references: then it names no image
      if (commit === undefined) expect(["SR-E225", "none"]).toContain(found);
      else expect(objectId(commit)).toBe(SIGNED);
    }
  });

  test("all that is read and unpacked is taken off what may be, whether it is of any use or not", () => {
    const bytes = stream(SIGNED);
    const left = plenty();
    const range = streamNaming(reader(bytes), image.replace(/^./, "0"), left);
    expect(range).toBeUndefined();
    // an id, a name of 18 bytes, and that compressed
    expect(LIMIT - left.bytes).toBe(image.length / 2 + 18 + 27);
    expect(refusal(() => streamNaming(reader(bytes), image, { bytes: 40 }))).toBe("SR-E229");
    // content that breaks off, as often as it is tried
    const content = streamNaming(reader(bytes), image, plenty()) ?? { start: 0, end: 0 };
    const damaged = bytes.slice();
    damaged.fill(0xff, content.start + 40);
    const rest = { bytes: 2 ** 22 };
    let tries = 0;
    for (; rest.bytes > content.end - content.start && tries < 1000; tries++) expect(refusal(() => commitIn(reader(damaged), content, SIGNED, LIMIT, rest))).not.toBeUndefined();
    expect(tries).toBeLessThan(100);
  });

  test("a stream from before its image was made names none", () => {
    const unlinked = [...new Bun.Glob("objects/*/*").scanSync({ cwd: join(data, hash) })].map((path) => bytesOf(hash, path)).filter((bytes) => new TextDecoder().decode(bytes.subarray(0, 11)) === "SplitStream" && streamNaming(reader(bytes), image, plenty()) === undefined);
    expect(unlinked.length).toBe(2);
  });
});

test("a commit that composefs-rs made itself, of an image", () => {
  const read = reader(bytesOf("sha256/streams", `ostree-commit-${MADE}`));
  const range = streamNaming(read, readdirSync(join(data, "sha256/images"))[0] ?? "", plenty());
  expect(range).toBeDefined();
  if (range !== undefined) expect(objectId(commitIn(read, range, MADE, LIMIT, { bytes: LIMIT }))).toBe(MADE);
});

test("the key that signed it", () => expect(parsePublicKeys(bytesOf("release.pub"), "release.pub").map(({ id }) => id)).toEqual(["d7e60a0f6684643ce4ac6fe7d8a0d3fae8276096bfd6b1d6701ffcbc045ccbe0"]));
