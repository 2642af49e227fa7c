/**
 * The two hash algorithms of fs-verity, and the block size that composefs fixes.
 * Source: Linux Documentation/filesystems/fsverity.rst and include/uapi/linux/fsverity.h.
 */

export type VerityAlgorithm = "sha256" | "sha512";

export interface AlgorithmFacts {
  /** FS_VERITY_HASH_ALG_*: the number in descriptors, ioctls and `trusted.overlay.metacopy`. */
  readonly id: 1 | 2;
  /** Length of a digest in bytes. */
  readonly digestSize: 32 | 64;
  /** Hashes `data` into the first `digestSize` bytes of `out`. */
  hash(data: Uint8Array, out: Uint8Array): void;
}

/** Bytes in a data block and in a Merkle tree block; the `12` in `v1-sha256-12` is its logarithm. */
export const BLOCK_SIZE = 4096;
export const LOG2_BLOCK_SIZE = 12;

export const ALGORITHMS: Readonly<Record<VerityAlgorithm, AlgorithmFacts>> = {
  // The static functions allocate nothing per block, which is what makes them the fastest (test/bench).
  sha256: { id: 1, digestSize: 32, hash: (data, out) => void Bun.SHA256.hash(data, out) },
  sha512: { id: 2, digestSize: 64, hash: (data, out) => void Bun.SHA512.hash(data, out) },
};

/** The algorithm that a descriptor or an ioctl names by number; undefined for one that fs-verity lacks. */
export function algorithmById(id: number): VerityAlgorithm | undefined {
  return id === 1 ? "sha256" : id === 2 ? "sha512" : undefined;
}
