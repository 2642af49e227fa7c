/**
 * The fs-verity descriptor: the 256 bytes whose hash is the file's digest.
 * Source: struct fsverity_descriptor in Linux fs/verity/fsverity_private.h and fsverity.rst, "File digest computation".
 */

import { ALGORITHMS, LOG2_BLOCK_SIZE, type VerityAlgorithm } from "./algorithm.ts";

export const DESCRIPTOR_SIZE = 256;

const DESCRIPTOR_VERSION = 1;
const DATA_SIZE_AT = 8;
const ROOT_HASH_AT = 16;

/**
 * Encodes the descriptor of a file of `size` bytes with Merkle root `root`; no salt, no built-in signature.
 * @throws RangeError when the root is not as long as the algorithm's hashes
 */
export function encodeDescriptor(algorithm: VerityAlgorithm, size: number, root: Uint8Array): Uint8Array {
  const { id, digestSize } = ALGORITHMS[algorithm];
  if (root.length !== digestSize) throw new RangeError(`a ${algorithm} root hash has ${digestSize} bytes, not ${root.length}`);
  const descriptor = new Uint8Array(DESCRIPTOR_SIZE);
  descriptor[0] = DESCRIPTOR_VERSION;
  descriptor[1] = id;
  descriptor[2] = LOG2_BLOCK_SIZE;
  new DataView(descriptor.buffer).setBigUint64(DATA_SIZE_AT, BigInt(size), true);
  descriptor.set(root, ROOT_HASH_AT);
  return descriptor;
}
