/** fs-verity digests of files by reading them, with the buffers of one thread, kept from file to file. */

import { descriptorDigest, encodeDescriptor, MerkleTree, TreeBlockHasher } from "../fsverity/index.ts";
import { readAtRaw, readRaw, seek } from "../linux/data.ts";
import { SyscallError } from "../linux/index.ts";

/** Bytes that are read at once: what stays in a core's own cache while it is hashed. */
const BUFFER = 512 * 1024;

export class ContentHasher {
  readonly #algorithm: "sha256" | "sha512";
  readonly #tree: MerkleTree;
  #blocks: TreeBlockHasher | undefined;
  readonly buffer = new Uint8Array(new ArrayBuffer(BUFFER));

  constructor(algorithm: "sha256" | "sha512") {
    this.#algorithm = algorithm;
    this.#tree = new MerkleTree(algorithm);
  }

  /** A tree for the next file, to be filled. */
  begin(): MerkleTree {
    this.#tree.reset();
    return this.#tree;
  }

  /** The digest of what the tree was filled with. */
  digest(): Uint8Array {
    const { root, size } = this.#tree.finish();
    return descriptorDigest(encodeDescriptor(this.#algorithm, size, root), this.#algorithm);
  }

  /**
   * Fills the tree with a file from its beginning.
   * @param advance is told of the bytes that were read, and that were not there to be read; of a sparse file alone
   * @returns false when it has not as many bytes @throws SyscallError
   */
  hashFile(fd: number, size: number, sparse: boolean, advance: (bytes: number) => void = () => undefined): boolean {
    const tree = this.begin();
    const { buffer } = this;
    if (sparse) return this.#hashSparse(fd, size, advance);
    for (let done = 0; done < size; ) {
      // at an offset: a copy's position is at its end
      const got = readAtRaw(fd, buffer, Math.min(size - done, BUFFER), done);
      if (got < 0) throw new SyscallError("pread", -got);
      if (got === 0) return false;
      tree.update(buffer.subarray(0, got));
      done += got;
    }
    return true;
  }

  #hashSparse(fd: number, size: number, advance: (bytes: number) => void): boolean {
    const file = { fd, label: "the file" };
    let done = 0;
    while (done < size) {
      const data = seek(file, done, "DATA") ?? size;
      this.#tree.updateZeros(Math.min(data, size) - done);
      advance(Math.min(data, size) - done);
      done = Math.min(data, size);
      if (done === size) break;
      const end = Math.min(seek(file, done, "HOLE") ?? size, size);
      seek(file, done, "SET");
      while (done < end) {
        const got = readRaw(fd, this.buffer, Math.min(end - done, BUFFER));
        if (got < 0) throw new SyscallError("read", -got);
        if (got === 0) return false;
        this.#tree.update(this.buffer.subarray(0, got));
        advance(got);
        done += got;
      }
    }
    return true;
  }

  /**
   * Hashes of the tree blocks over a part of a file, for MerkleTree.updateHashed().
   * @param offset a multiple of treeBlockSpan() @returns bytes of `out` that were filled; undefined when the file ends before
   */
  hashPart(fd: number, offset: number, length: number, span: number, out: Uint8Array): number | undefined {
    this.#blocks ??= new TreeBlockHasher(this.#algorithm);
    let filled = 0;
    for (let done = 0; done < length; done += span) {
      const part = this.buffer.subarray(0, Math.min(span, length - done));
      for (let got = 0; got < part.length; ) {
        const result = readAtRaw(fd, part.subarray(got), part.length - got, offset + done + got);
        if (result < 0) throw new SyscallError("pread", -result);
        if (result === 0) return undefined;
        got += result;
      }
      filled += this.#blocks.hash(part, out.subarray(filled));
    }
    return filled;
  }
}
