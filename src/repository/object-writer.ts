/**
 * Objects, written once: a temporary file, without a name where the filesystem has such, the data, fs-verity, the digest from the kernel
 * where it has one, then the name. A small file whose digest is known before it is written is made under its name in the staging
 * directory. One writer for each thread.
 *
 * Where enabling fs-verity writes the data to the disk before it returns, an object gets its place at once. Elsewhere a power cut could
 * leave the name without the data, and without fs-verity nothing would tell such an object from a good one: there objects wait in a
 * staging directory until everything is on the disk (object-store.ts).
 */

import { readRaw } from "../linux/data.ts";
import { type Descriptor, ERRNO, measureVerity, SyscallError, writeAll } from "../linux/index.ts";
import { linkDescriptorRaw, renameRaw, unlinkRaw } from "../linux/names.ts";
import { ContentCopier, FileChanged, SourceError } from "./content-copier.ts";
import { ContentHasher } from "./content-hasher.ts";
import { type Draft, Drafts, openReadOnly, seal } from "./object-draft.ts";
import { ObjectPlaces, type ObjectTarget } from "./object-places.ts";
import { randomName } from "./staging.ts";

export interface StoredObject {
  /** A view until the next object. */
  readonly digest: Uint8Array;
  /** "present": there was one; "placed": it is in objects/; "staged": it is to be moved there; "replaced": it took the place of a damaged one. */
  readonly how: "present" | "placed" | "staged" | "replaced";
}

/** The call that gives a draft another name. */
const callOf = ({ name }: Draft): string => name === undefined ? "linkat" : "renameat2";

export class ObjectWriter {
  readonly #target: ObjectTarget;
  readonly #hasher: ContentHasher;
  readonly #copier: ContentCopier;
  readonly #drafts: Drafts;
  readonly #places: ObjectPlaces;

  constructor(target: ObjectTarget) {
    this.#target = target;
    this.#hasher = new ContentHasher(target.algorithm);
    this.#copier = new ContentCopier(this.#hasher);
    this.#drafts = new Drafts(target.staging);
    this.#places = new ObjectPlaces(target);
  }

  /**
   * Stores the content of an open file, from its beginning.
   * @param unchanged asked before the object gets a name @throws FileChanged; SourceError; SyscallError when the store cannot be written to
   */
  store(fd: number, size: number, sparse: boolean, unchanged: () => boolean): StoredObject {
    if (!this.#target.verity && !sparse && size <= this.#hasher.buffer.length) return this.#storeSmall(fd, size, unchanged);
    const source = { fd, label: "the file" };
    using temporary = this.#drafts.make();
    let computed: Uint8Array | undefined;
    if (this.#target.verity) this.#copier.copy(source, temporary.file, size, sparse);
    else computed = this.#copier.copyHashed(source, temporary.file, size, sparse);
    if (!unchanged()) throw new FileChanged();
    return this.#finish(temporary, size, computed);
  }

  /** Stores bytes that a producer emits in portions. */
  storePortions(produce: (sink: (portion: Uint8Array) => void) => void): StoredObject {
    using temporary = this.#drafts.make();
    const tree = this.#hasher.begin();
    let size = 0;
    produce((portion) => {
      writeAll(temporary.file, portion);
      if (!this.#target.verity) tree.update(portion);
      size += portion.length;
    });
    return this.#finish(temporary, size, this.#target.verity ? undefined : this.#hasher.digest());
  }

  /** A file that content was put into by somebody else, hashed by somebody else: large files are hashed by several threads. */
  finishFilled(file: Descriptor, size: number, digest: Uint8Array): StoredObject {
    return this.#finish({ file, name: undefined, [Symbol.dispose]: () => file.close() }, size, digest);
  }

  /** Copies a file into a temporary one without hashing it. @returns undefined where that means reading it */
  copyUnread(fd: number, size: number, sparse: boolean): Descriptor | undefined {
    using temporary = this.#drafts.make();
    if (temporary.name !== undefined || !this.#copier.copyUnread({ fd, label: "the file" }, temporary.file, size, sparse)) return undefined;
    return temporary.file.take();
  }

  #storeSmall(fd: number, size: number, unchanged: () => boolean): StoredObject {
    const { buffer } = this.#hasher;
    const tree = this.#hasher.begin();
    for (let done = 0; done < size; ) {
      const got = readRaw(fd, buffer.subarray(done), size - done);
      if (got < 0) throw new SourceError("read", -got);
      if (got === 0) throw new FileChanged();
      done += got;
    }
    if (!unchanged()) throw new FileChanged();
    const content = buffer.subarray(0, size);
    tree.update(content);
    const digest = this.#hasher.digest();
    if (this.#places.isPresent(digest, size, content)) return { digest, how: "present" };
    const hex = digest.toHex();
    const { directory, name } = this.#places.stagingPlace(hex);
    using file = this.#drafts.create(directory, name);
    // of another file with the same content, in a run that ends whole or not at all
    if (file === undefined) return { digest, how: "present" };
    writeAll(file, content);
    return { digest, how: "staged" };
  }

  #finish(temporary: Draft, size: number, computed: Uint8Array | undefined): StoredObject {
    if (computed === undefined || this.#target.verity) return this.#seal(temporary, size);
    if (this.#places.isPresent(computed, size)) return { digest: computed, how: "present" };
    return this.#stage(temporary, temporary.file, computed);
  }

  /** Verity on, digest from the kernel, name. */
  #seal(temporary: Draft, size: number): StoredObject {
    using file = openReadOnly(temporary);
    if (seal(file, this.#target.algorithm) === "unsupported") throw new SyscallError("ioctl(FS_IOC_ENABLE_VERITY)", ERRNO.EOPNOTSUPP);
    const measured = measureVerity(file);
    if (measured.kind !== "digest" || measured.algorithm !== this.#target.algorithm) throw new SyscallError("ioctl(FS_IOC_MEASURE_VERITY)", ERRNO.ENODATA);
    const digest = Uint8Array.fromHex(measured.digest);
    if (!this.#target.verityWrites) {
      if (this.#places.isSealed(measured.digest, size)) return { digest, how: "present" };
      return this.#stage(temporary, file, digest);
    }
    const result = temporary.name === undefined ? this.#places.linkIn(file, measured.digest) : this.#places.moveIn(this.#target.staging, temporary.name, measured.digest, false);
    if (result === 0) {
      temporary.name = undefined;
      return { digest, how: "placed" };
    }
    if (result !== -ERRNO.EEXIST) throw new SyscallError(`${callOf(temporary)}(objects/${measured.digest})`, -result);
    if (this.#places.isSealed(measured.digest, size)) return { digest, how: "present" };
    this.#replace(temporary, file, measured.digest);
    return { digest, how: "replaced" };
  }

  /** What has the name of this object is not the object: ours takes its place in one step. */
  #replace(temporary: Draft, file: Descriptor, hex: string): void {
    const { staging } = this.#target;
    // a name of its own: another thread may be replacing the same object
    const own = temporary.name ?? `.tmp-object-${randomName()}`;
    if (temporary.name === undefined) {
      const linked = linkDescriptorRaw(file.fd, staging, own);
      if (linked < 0) throw new SyscallError(`linkat(${own})`, -linked);
    }
    const result = this.#places.moveIn(staging, own, hex, true);
    if (result < 0) {
      if (temporary.name === undefined) unlinkRaw(staging, own);
      throw new SyscallError(`renameat2(${hex})`, -result);
    }
    temporary.name = undefined;
  }

  /** @param file of the draft, still open */
  #stage(temporary: Draft, file: Descriptor, digest: Uint8Array): StoredObject {
    const hex = digest.toHex();
    const { directory, name } = this.#places.stagingPlace(hex);
    const result = temporary.name === undefined ? linkDescriptorRaw(file.fd, directory, name) : renameRaw(this.#target.staging, temporary.name, directory, name, false);
    if (result === -ERRNO.EEXIST) return { digest, how: "present" };
    if (result < 0) throw new SyscallError(`${callOf(temporary)}(${hex})`, -result);
    temporary.name = undefined;
    return { digest, how: "staged" };
  }
}
