/** Digests that composefs-rs pins in its own tests (crates/composefs/tests/mkfs.rs, 0.9.0), for all three formats. */

import { describe, expect, test } from "bun:test";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { type ImageFormat, readImage, writeImageBytes } from "../../../src/erofs/index.ts";
import { fsverityDigest } from "../../../src/fsverity/index.ts";
import { objectPath, type Tree, TreeBuilder, TYPE } from "../../../src/tree/index.ts";
import { attributes, builder, dumped, name, text } from "./trees.ts";

const empty = (): Tree => builder().seal();

function simple(digestSize: 32 | 64 = 32): Tree {
  const tree = builder(digestSize);
  const digest = new Uint8Array(digestSize).fill(0x5a);
  tree.add(0, name("fifo"), attributes(TYPE.fifo));
  tree.add(0, name("regular-inline"), attributes(TYPE.regular, { size: 4 }), [], { kind: "content", bytes: text("hihi") });
  tree.add(0, name("regular-external"), attributes(TYPE.regular, { size: 1234 }), [], { kind: "external", payload: text(objectPath(digest)), digest });
  tree.add(0, name("chrdev"), attributes(TYPE.characterDevice, { rdev: 123 }));
  tree.add(0, name("blkdev"), attributes(TYPE.blockDevice, { rdev: 123 }));
  tree.add(0, name("socket"), attributes(TYPE.socket));
  tree.add(0, name("symlink"), attributes(TYPE.symlink), [], { kind: "target", bytes: text("/target") });
  return tree.seal();
}

const PINNED: readonly (readonly [ImageFormat, () => Tree, string])[] = [
  ["v0", empty, "8f589e8f57ecb88823736b0d857ddca1e1068a23e264fad164b28f7038eb3682"],
  ["v0", simple, "9f3f5620ee0c54708516467d0d58741e7963047c7106b245d94c298259d0fa01"],
  ["v1", empty, "14a26c957c84f6eb774b91205476adc13196c7c33b9dd97d08d43725ecb90b63"],
  ["v1", simple, "ad6db6427568a1e4fdc772cbab7b6063f5eb4b33cb62982a740ba9213e5962b5"],
  ["v2", empty, "086b702a519b57d6ef5aea6f8b3f2be24355cd1fb835cd80fb4e3d388b24d5a5"],
  ["v2", simple, "a8fcd41f8b313bede69f462f2af0a38d64b99a6333f5df884ea9ab4037fac722"],
];

test.each(PINNED)("%s of %p", (format, make, digest) => {
  const image = writeImageBytes(make(), { format });
  expect(fsverityDigest(image, "sha256").toHex()).toBe(digest);
  expect(writeImageBytes(readImage(image).tree, { format })).toEqual(image);
});

test("special_v1.dump with --min-version=1", () => {
  const image = writeImageBytes(dumped(readFileSync(join(import.meta.dir, "../../data/images/composefs-rs-special_v1.dump"), "latin1")), { format: "v1" });
  expect(fsverityDigest(image, "sha256").toHex()).toBe("b1c78c25db8638be5b9b483472d32ee9624d8d32ded626a91cd536116e8df97c");
});

describe("SHA-512", () => {
  // the image of a layer with a directory and a file of two names: crates/composefs-integration-tests/src/tests/cli.rs
  test.each([
    ["v1", "d06f1f6a73f62ed48e05ce9442ff045cdf2a9f5ba1ec623795de3d6177a253d91076459795d94f55d8c3d71dab458bb3fc0071255a50c0a4896d86ffdc870b9a"],
    ["v2", "f7684c21050615c02cec250e0c7d4118fb0ff6340af5039e06f2f372a7614fff25dfd38cf7f28ad67d8b86e86371b7deafa9ae4bf543630322aee6196417de92"],
  ] as const)("%s of its OCI layout", (format, digest) => {
    const seconds = 1234567890n;
    const tree = new TreeBuilder(attributes(TYPE.directory | 0o755, { seconds }), [], 64);
    const file = tree.add(0, name("hello-link.txt"), attributes(TYPE.regular | 0o644, { size: 22, nlink: 2, seconds }), [], { kind: "content", bytes: text("hello from test layer\n") });
    tree.link(0, name("hello.txt"), file);
    tree.add(0, name("usr"), attributes(TYPE.directory | 0o755, { seconds }));
    expect(fsverityDigest(writeImageBytes(tree.seal(), { format }), "sha512").toHex()).toBe(digest);
  });

  test.each(["v0", "v1", "v2"] as const)("%s says the algorithm, and comes back", (format) => {
    const image = writeImageBytes(simple(64), { format, algorithm: "sha512" });
    const found = Buffer.from(image).indexOf(Buffer.concat([Buffer.from("overlay.metacopy"), Buffer.from([0, 68, 0, 2]), Buffer.alloc(64, 0x5a)]));
    expect(found).toBeGreaterThan(0);
    expect(Buffer.from(image).includes(`overlay.redirect/5a/${"5a".repeat(63)}`)).toBe(true);
    const read = readImage(image);
    expect([read.algorithm, read.format]).toEqual(["sha512", format]);
    expect(writeImageBytes(read.tree, { format })).toEqual(image);
  });

  test("is not written for a tree of the other", () => {
    expect(() => writeImageBytes(simple(32), { format: "v1", algorithm: "sha512" })).toThrow(RangeError);
  });
});
