/** fs-verity over bytes: digests, Merkle trees, descriptors. Pure; the kernel's side is in linux/. */
export { algorithmById, ALGORITHMS, BLOCK_SIZE, LOG2_BLOCK_SIZE, type VerityAlgorithm } from "./algorithm.ts";
export { DESCRIPTOR_SIZE, encodeDescriptor } from "./descriptor.ts";
export { descriptorDigest, fsverityDigest } from "./digest.ts";
export { type MerkleResult, MerkleTree, TreeBlockHasher, treeBlockSpan, type TreeBlockSink } from "./merkle.ts";
