/** The content of one file into another: shared, copied inside the kernel, or through this process, which then hashes it on the way. */

import type { MerkleTree } from "../fsverity/index.ts";
import { copyRange, readRaw, reflink, seek, setSize } from "../linux/data.ts";
import { type Descriptor, ERRNO, isErrno, statAt, SyscallError, writeAll } from "../linux/index.ts";
import type { ContentHasher } from "./content-hasher.ts";
import { extents } from "./object-draft.ts";

/** Thrown when a file is not what it was when it was opened. */
export class FileChanged extends Error {
  constructor() {
    super("the file changed while it was read");
  }
}

/** A file that is to be stored cannot be read; any other failed call is about where it is stored. */
export class SourceError extends SyscallError {}

/** Disks that fail. A call on two files that ends so does not say whose. */
const FAULTS: readonly number[] = [ERRNO.EIO, ERRNO.EBADMSG, ERRNO.EUCLEAN];
export const isFault = (error: unknown): boolean => isErrno(error, ...FAULTS);

export interface CopySource {
  readonly fd: number;
  readonly label: string;
}

export class ContentCopier {
  readonly #hasher: ContentHasher;
  /** False once this pair of filesystems has refused. */
  #reflinks = true;
  #ranges = true;

  /** @param hasher whose buffer the bytes pass through */
  constructor(hasher: ContentHasher) {
    this.#hasher = hasher;
  }

  /** In the cheapest way. @throws FileChanged, SourceError, SyscallError */
  copy(source: CopySource, target: Descriptor, size: number, sparse: boolean): void {
    if (!this.copyUnread(source, target, size, sparse)) this.#readAndWrite(source, target, size, sparse, undefined);
  }

  /** @returns the digest of the copy @throws FileChanged, SourceError, SyscallError */
  copyHashed(source: CopySource, target: Descriptor, size: number, sparse: boolean): Uint8Array {
    // what is hashed is the copy, which nobody else can change
    const shared = unlessFault(() => {
      if (!this.#reflink(source, target, size)) return false;
      if (!this.#hasher.hashFile(target.fd, size, sparse)) throw new FileChanged();
      return true;
    });
    if (shared !== true) {
      if (shared === undefined) startAgain(source, target);
      this.#readAndWrite(source, target, size, sparse, this.#hasher.begin());
    }
    return this.#hasher.digest();
  }

  /**
   * Without the bytes coming here.
   * @returns false where these filesystems cannot, or one of them failed: reading and writing tells which. Both are at their beginning then.
   * @throws FileChanged, SourceError, SyscallError
   */
  copyUnread(source: CopySource, target: Descriptor, size: number, sparse: boolean): boolean {
    const copied = unlessFault(() => this.#reflink(source, target, size) || (this.#ranges && this.#copyRanges(source, target, size, sparse)));
    if (copied === undefined) startAgain(source, target);
    return copied === true;
  }

  /** @returns false where these filesystems cannot */
  #copyRanges(source: CopySource, target: Descriptor, size: number, sparse: boolean): boolean {
    for (const extent of sourceExtents(source, size, sparse)) {
      if (sparse) for (const file of [source, target]) seek(file, extent.start, "SET");
      for (let left = extent.end - extent.start; left > 0; ) {
        const got = copyRange(source, target, left);
        if (got === undefined) {
          this.#ranges = false;
          startAgain(source, target);
          return false;
        }
        if (got === 0) throw new FileChanged();
        left -= got;
      }
    }
    if (sparse) setSize(target, size);
    return true;
  }

  #reflink(source: CopySource, target: Descriptor, size: number): boolean {
    if (this.#reflinks) this.#reflinks = reflink(source, target);
    // all of the file as it was then, which may have grown, and been cut back since
    if (this.#reflinks && statAt(target).size !== size) throw new FileChanged();
    return this.#reflinks;
  }

  #readAndWrite(source: CopySource, target: Descriptor, size: number, sparse: boolean, tree: MerkleTree | undefined): void {
    const { buffer } = this.#hasher;
    let hashed = 0;
    for (const extent of sourceExtents(source, size, sparse)) {
      if (sparse) for (const file of [source, target]) seek(file, extent.start, "SET");
      tree?.updateZeros(extent.start - hashed);
      for (let left = extent.end - extent.start; left > 0; ) {
        const got = readRaw(source.fd, buffer, Math.min(left, buffer.length));
        if (got < 0) throw new SourceError("read", -got);
        if (got === 0) throw new FileChanged();
        const portion = buffer.subarray(0, got);
        tree?.update(portion);
        writeAll(target, portion);
        left -= got;
      }
      hashed = extent.end;
    }
    tree?.updateZeros(size - hashed);
    if (sparse) setSize(target, size);
  }
}

/** @returns undefined where a disk failed */
function unlessFault(copy: () => boolean): boolean | undefined {
  try {
    return copy();
  } catch (error) {
    if (isFault(error)) return undefined;
    throw error;
  }
}

function startAgain(source: CopySource, target: Descriptor): void {
  for (const file of [source, target]) seek(file, 0, "SET");
  setSize(target, 0);
}

/** @throws SourceError */
function* sourceExtents(source: CopySource, size: number, sparse: boolean): ReturnType<typeof extents> {
  try {
    yield* extents(source, size, sparse);
  } catch (error) {
    throw error instanceof SyscallError ? new SourceError(error.call, error.errno) : error;
  }
}
