/** fs-verity digests of bytes: what the kernel's FS_IOC_MEASURE_VERITY reports for a file with the same content. */

import { ALGORITHMS, type VerityAlgorithm } from "./algorithm.ts";
import { encodeDescriptor } from "./descriptor.ts";
import { MerkleTree } from "./merkle.ts";

/**
 * Digest of a file given whole or as consecutive portions of any length (blocks of 4096 bytes, no salt).
 * Memory stays constant: one block for each level of the tree.
 */
export function fsverityDigest(data: Uint8Array | Iterable<Uint8Array>, algorithm: VerityAlgorithm): Uint8Array {
  const tree = new MerkleTree(algorithm);
  if (data instanceof Uint8Array) tree.update(data);
  else for (const portion of data) tree.update(portion);
  const { root, size } = tree.finish();
  return descriptorDigest(encodeDescriptor(algorithm, size, root), algorithm);
}

/** The digest that a descriptor stands for. */
export function descriptorDigest(descriptor: Uint8Array, algorithm: VerityAlgorithm): Uint8Array {
  const { digestSize, hash } = ALGORITHMS[algorithm];
  const digest = new Uint8Array(digestSize);
  hash(descriptor, digest);
  return digest;
}
