/** The ways into a Merkle tree that skip work: zeros by level, blocks hashed elsewhere, one tree for many files. All give the digest of the plain way. */

import { describe, expect, test } from "bun:test";
import fc from "fast-check";
import { BLOCK_SIZE, MerkleTree, TreeBlockHasher, treeBlockSpan, type VerityAlgorithm } from "../../../src/fsverity/index.ts";

const algorithm = fc.constantFrom<VerityAlgorithm>("sha256", "sha512");

const plain = (data: Uint8Array, which: VerityAlgorithm): string => {
  const tree = new MerkleTree(which);
  tree.update(data);
  return tree.finish().root.toHex();
};

/** Data that no two blocks share. */
const filled = (length: number): Uint8Array => {
  const data = new Uint8Array(length);
  for (let at = 0; at < length; at += 64) data[at] = (at >>> 6) ^ (at >>> 14) ^ 0x5a;
  return data;
};

describe("zeros", () => {
  const part = fc.record({ zero: fc.boolean(), length: fc.oneof(fc.nat(3 * BLOCK_SIZE), fc.nat(3).map((n) => n * treeBlockSpan("sha512")), fc.nat(2_000_000)) });

  test("in any places hash as if they had been read", () => {
    fc.assert(fc.property(algorithm, fc.array(part, { maxLength: 5 }), (which, parts) => {
      const tree = new MerkleTree(which);
      const chunks = parts.map(({ zero, length }) => (zero ? new Uint8Array(length) : filled(length)));
      parts.forEach(({ zero, length }, index) => (zero ? tree.updateZeros(length) : tree.update(chunks[index] ?? new Uint8Array())));
      const whole = new Uint8Array(Buffer.concat(chunks));
      const { root, size } = tree.finish();
      expect([root.toHex(), size]).toEqual([plain(whole, which), whole.length]);
    }), { numRuns: 60 });
  });

  test("of a terabyte take no time", () => {
    const tree = new MerkleTree("sha256");
    tree.updateZeros(2 ** 40 + 5);
    expect(tree.finish().size).toBe(2 ** 40 + 5);
    const small = new MerkleTree("sha256");
    small.updateZeros(1 << 24);
    expect(small.finish().root.toHex()).toBe(plain(new Uint8Array(1 << 24), "sha256"));
  });
});

describe("blocks hashed elsewhere", () => {
  test("in parts of whole spans, and a tail", () => {
    fc.assert(fc.property(algorithm, fc.integer({ min: BLOCK_SIZE + 1, max: 3_000_000 }), fc.integer({ min: 1, max: 4 }), (which, length, spans) => {
      const data = filled(length);
      const tree = new MerkleTree(which);
      const hasher = new TreeBlockHasher(which);
      const step = spans * treeBlockSpan(which);
      const out = new Uint8Array(64 * 8);
      for (let at = 0; at < length; at += step) {
        const portion = data.subarray(at, at + step);
        tree.updateHashed(out.subarray(0, hasher.hash(portion, out)), portion.length);
      }
      expect(tree.finish().root.toHex()).toBe(plain(data, which));
    }), { numRuns: 40 });
  });

  test("not in the middle of a tree block", () => {
    const tree = new MerkleTree("sha256");
    tree.update(new Uint8Array(BLOCK_SIZE));
    expect(() => tree.updateHashed(new Uint8Array(32), BLOCK_SIZE)).toThrow();
  });
});

test("one tree for files of every size, large ones first", () => {
  const tree = new MerkleTree("sha256");
  for (const length of [3_000_000, 0, 1, 4096, 4097, 600_000, 5, 524_288, 524_289, 0]) {
    tree.reset();
    tree.update(filled(length));
    expect(tree.finish().root.toHex()).toBe(plain(filled(length), "sha256"));
  }
});
