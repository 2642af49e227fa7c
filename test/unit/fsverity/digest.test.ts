import { describe, expect, test } from "bun:test";
import { createHash } from "node:crypto";
import { readFileSync } from "node:fs";
import { sha256, sha512 } from "@noble/hashes/sha2.js";
import fc from "fast-check";
import { algorithmById, ALGORITHMS, BLOCK_SIZE, encodeDescriptor, fsverityDigest, MerkleTree, type VerityAlgorithm } from "../../../src/fsverity/index.ts";

interface Vector {
  readonly pattern: string;
  readonly length: number;
  readonly sha256: string;
  readonly digests: Readonly<Record<VerityAlgorithm, string>>;
}

const vectors: readonly Vector[] = readFileSync(new URL("vectors.tsv", import.meta.url), "utf8")
  .split("\n")
  .filter((line) => /^(ramp|zero)\t/.test(line))
  .map((line) => {
    const [pattern = "", length = "", sha256 = "", verity256 = "", verity512 = ""] = line.split("\t");
    return { pattern, length: Number(length), sha256, digests: { sha256: verity256, sha512: verity512 } };
  });

function* portions(vector: Vector, step: number): Generator<Uint8Array> {
  for (let start = 0; start < vector.length; start += step) {
    const portion = new Uint8Array(Math.min(step, vector.length - start));
    if (vector.pattern === "ramp") for (let i = 0; i < portion.length; i++) portion[i] = 7 * (start + i) + ((start + i) >>> 8);
    yield portion;
  }
}

describe("digests of fsverity-utils", () => {
  test("there are vectors", () => expect(vectors.length).toBe(40));
  for (const vector of vectors) {
    test(`${vector.pattern} ${vector.length}`, () => {
      const hash = createHash("sha256");
      for (const portion of portions(vector, 1 << 20)) hash.update(portion);
      expect(hash.digest("hex")).toBe(vector.sha256);
      for (const algorithm of ["sha256", "sha512"] as const) {
        expect(fsverityDigest(portions(vector, 1 << 20), algorithm).toHex()).toBe(vector.digests[algorithm]);
      }
    });
  }
});

/** The definition, word for word: hash every block, join, pad, repeat; nothing is streamed. */
function reference(data: Uint8Array, algorithm: VerityAlgorithm): { root: Uint8Array; levels: Uint8Array[] } {
  const hash = (block: Uint8Array): Buffer => createHash(algorithm).update(block).digest();
  const size = algorithm === "sha256" ? 32 : 64;
  if (data.length === 0) return { root: new Uint8Array(size), levels: [] };
  const levels: Uint8Array[] = [];
  let current = data;
  for (;;) {
    const padded = Buffer.concat([current, new Uint8Array((BLOCK_SIZE - (current.length % BLOCK_SIZE)) % BLOCK_SIZE)]);
    if (current !== data) levels.push(padded);
    const hashes: Buffer[] = [];
    for (let at = 0; at < padded.length; at += BLOCK_SIZE) hashes.push(hash(padded.subarray(at, at + BLOCK_SIZE)));
    const only = hashes[0];
    if (hashes.length === 1 && only !== undefined) return { root: only, levels };
    current = Buffer.concat(hashes);
  }
}

test("the runtime's hash functions agree with an independent implementation", () => {
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 2 * BLOCK_SIZE }), (data) => {
      for (const [algorithm, independent] of [["sha256", sha256], ["sha512", sha512]] as const) {
        const out = new Uint8Array(ALGORITHMS[algorithm].digestSize);
        ALGORITHMS[algorithm].hash(data, out);
        expect(out.toHex()).toBe(independent(data).toHex());
      }
    }),
    { numRuns: 50 },
  );
});

describe("Merkle tree", () => {
  const sizes = fc.oneof(fc.nat(3 * BLOCK_SIZE), fc.constantFrom(64, 65, 128, 129, 200).map((blocks) => blocks * BLOCK_SIZE), fc.nat(200 * BLOCK_SIZE));
  const algorithms = fc.constantFrom<VerityAlgorithm>("sha256", "sha512");

  test("root and stored blocks follow the definition, however the data is cut", () => {
    fc.assert(
      fc.property(sizes, algorithms, fc.array(fc.integer({ min: 1, max: 3 * BLOCK_SIZE }), { minLength: 1, maxLength: 6 }), (size, algorithm, cuts) => {
        const data = new Uint8Array(size).map((_, index) => (index * 31 + (index >>> 8)) & 255);
        const levels: Uint8Array[][] = [];
        const tree = new MerkleTree(algorithm, (level, block) => (levels[level] ??= []).push(block.slice()));
        for (let at = 0, turn = 0; at < size; turn++) {
          const step = cuts[turn % cuts.length] ?? 1;
          tree.update(data.subarray(at, at + step));
          at += step;
        }
        const expected = reference(data, algorithm);
        const result = tree.finish();
        expect(result.size).toBe(size);
        expect(result.root.toHex()).toBe(Buffer.from(expected.root).toString("hex"));
        expect(levels.map((blocks) => Buffer.concat(blocks).toString("hex"))).toEqual(expected.levels.map((level) => Buffer.from(level).toString("hex")));
      }),
      { numRuns: 60 },
    );
  });

  test("a finished tree takes no more data", () => {
    const tree = new MerkleTree("sha256");
    tree.finish();
    expect(() => tree.update(new Uint8Array(1))).toThrow("finished");
    expect(() => tree.finish()).toThrow("finished");
  });
});

describe("descriptor", () => {
  test("has the fields of the kernel's structure", () => {
    const root = new Uint8Array(64).fill(0xab);
    const bytes = encodeDescriptor("sha512", 0x1_0000_0203, root);
    expect(bytes.length).toBe(256);
    expect([...bytes.subarray(0, 16)]).toEqual([1, 2, 12, 0, 0, 0, 0, 0, 3, 2, 0, 0, 1, 0, 0, 0]);
    expect(bytes.subarray(16, 80)).toEqual(root);
    expect(bytes.subarray(80).every((byte) => byte === 0)).toBe(true);
  });

  test("a root of another length is refused", () => {
    expect(() => encodeDescriptor("sha256", 1, new Uint8Array(64))).toThrow(RangeError);
  });

  test("algorithm numbers", () => {
    expect([0, 1, 2, 3].map(algorithmById)).toEqual([undefined, "sha256", "sha512", undefined]);
  });
});
