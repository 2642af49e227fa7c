/**
 * Objects, written once: an unnamed temporary file, the data, fs-verity, the digest from the kernel where it has one, then the name. Works
 * on numbers of descriptors, because several threads of the process share them.
 *
 * Where the kernel has fs-verity, it has written an object's data to the disk when enabling returns, so an object gets its place at once.
 * Without it nothing would tell an object that a power cut emptied from a good one: such objects wait in a staging directory until
 * everything is on the disk (object-store.ts).
 */

import type { MerkleTree } from "../fsverity/index.ts";
import { copyRange, readRaw, reflink, seek, setSize } from "../linux/data.ts";
import { enableVerity } from "../linux/enable-verity.ts";
import { Descriptor, ERRNO, makeDirectory, measureVerity, O, SyscallError, writeAll } from "../linux/index.ts";
import { closeRaw, FileStatus, linkDescriptorRaw, openName, openNameRaw, renameRaw, statNameRaw, unlinkRaw } from "../linux/names.ts";
import { ContentHasher } from "./content-hasher.ts";
import { type Draft, Drafts, extents, openReadOnly } from "./object-draft.ts";
import { randomName } from "./staging.ts";

export interface ObjectTarget {
  readonly algorithm: "sha256" | "sha512";
  /** Descriptor of `objects/`. */
  readonly objects: number;
  /** Descriptor of a directory of our own on the same filesystem. */
  readonly staging: number;
  /** The filesystem has fs-verity. */
  readonly verity: boolean;
  /** Descriptors of the directories in `objects/`, plus one; 0: not opened yet. Shared, because there would be 256 for each thread. */
  readonly directories: Int32Array<SharedArrayBuffer>;
}

export const newDirectories = (): Int32Array<SharedArrayBuffer> => new Int32Array(new SharedArrayBuffer(256 * 4));

/** When no thread writes any more. */
export function closeDirectories(directories: Int32Array<SharedArrayBuffer>): void {
  for (let index = 0; index < directories.length; index++) {
    const fd = Atomics.exchange(directories, index, 0) - 1;
    if (fd >= 0) closeRaw(fd);
  }
}

export interface StoredObject {
  /** A view until the next object. */
  readonly digest: Uint8Array;
  /** "present": there was one; "placed": it is in objects/; "staged": it is to be moved there; "replaced": it took the place of a damaged one. */
  readonly how: "present" | "placed" | "staged" | "replaced";
}

/** Thrown when a file is not what it was when it was opened. */
export class FileChanged extends Error {
  constructor() {
    super("the file changed while it was read");
  }
}

const DIRECTORY_PERMISSIONS = 0o755;
const ATTEMPTS = 5;

export class ObjectWriter {
  readonly #target: ObjectTarget;
  readonly #hasher: ContentHasher;
  readonly #status = new FileStatus();
  /** False once this pair of filesystems has refused. */
  #reflinks = true;
  #ranges = true;
  readonly #drafts: Drafts;
  /** For objects that are there already; apart from the other, whose buffer holds what is stored. */
  #present: ContentHasher | undefined;

  constructor(target: ObjectTarget) {
    this.#target = target;
    this.#hasher = new ContentHasher(target.algorithm);
    this.#drafts = new Drafts(target.staging);
  }

  /**
   * Stores the content of an open file, from its beginning.
   * @param unchanged asked before the object gets a name @throws FileChanged, SyscallError
   */
  store(fd: number, size: number, sparse: boolean, unchanged: () => boolean): StoredObject {
    if (!this.#target.verity && !sparse && size <= this.#hasher.buffer.length) return this.#storeSmall(fd, size, unchanged);
    const source = { fd, label: "the file" };
    using temporary = this.#drafts.make();
    const computed = this.#fill(source, temporary.file, size, sparse);
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

  /** Moves a staged object to its place. What was there meanwhile stays, unless it cannot be the object. */
  place(digest: Uint8Array): "placed" | "present" | "replaced" {
    const { staging } = this.#target;
    const hex = digest.toHex();
    const directory = this.#directory(hex);
    const name = hex.slice(2);
    const result = renameRaw(staging, hex, directory.fd, name, false);
    if (result === 0) return "placed";
    const size = result === -ERRNO.EEXIST && statNameRaw(staging, hex, this.#status) === 0 ? this.#status.size : undefined;
    if (size === undefined) throw new SyscallError(`renameat2(${hex})`, -result);
    if (this.#isPresent(digest, size)) {
      unlinkRaw(staging, hex);
      return "present";
    }
    const replaced = renameRaw(staging, hex, directory.fd, name, true);
    if (replaced < 0) throw new SyscallError(`renameat2(${hex})`, -replaced);
    return "replaced";
  }

  /** A file that content was put into by somebody else, hashed by somebody else: large files are hashed by several threads. */
  finishFilled(file: Descriptor, size: number, digest: Uint8Array): StoredObject {
    return this.#finish({ file, name: undefined, [Symbol.dispose]: () => file.close() }, size, digest);
  }

  /** Copies a file into a temporary one without hashing it. @returns undefined where that means reading it */
  copyUnread(fd: number, size: number, sparse: boolean): Descriptor | undefined {
    using temporary = this.#drafts.make();
    if (temporary.name !== undefined || !this.#copy({ fd, label: "the file" }, temporary.file, size, sparse)) return undefined;
    return temporary.file.take();
  }

  #storeSmall(fd: number, size: number, unchanged: () => boolean): StoredObject {
    const { buffer } = this.#hasher;
    const tree = this.#hasher.begin();
    for (let done = 0; done < size; ) {
      const got = readRaw(fd, buffer.subarray(done), size - done);
      if (got < 0) throw new SyscallError("read", -got);
      if (got === 0) throw new FileChanged();
      done += got;
    }
    if (!unchanged()) throw new FileChanged();
    const content = buffer.subarray(0, size);
    tree.update(content);
    const digest = this.#hasher.digest();
    if (this.#isPresent(digest, size, content)) return { digest, how: "present" };
    using temporary = this.#drafts.make();
    writeAll(temporary.file, content);
    return this.#stage(temporary, digest);
  }

  /** @returns the digest, where the bytes passed through our hands and the kernel will not compute it */
  #fill(source: { readonly fd: number; readonly label: string }, target: Descriptor, size: number, sparse: boolean): Uint8Array | undefined {
    if (this.#target.verity) {
      if (!this.#copy(source, target, size, sparse)) this.#readAndWrite(source, target, size, sparse, undefined);
      return undefined;
    }
    // what is hashed is the copy, which nobody else can change
    if (this.#reflink(source, target)) {
      this.#hasher.hashFile(target.fd, size, sparse);
      return this.#hasher.digest();
    }
    this.#readAndWrite(source, target, size, sparse, this.#hasher.begin());
    return this.#hasher.digest();
  }

  #reflink(source: { readonly fd: number; readonly label: string }, target: Descriptor): boolean {
    if (this.#reflinks) this.#reflinks = reflink(source, target);
    return this.#reflinks;
  }

  /** Without the bytes coming here. @returns false where these filesystems cannot */
  #copy(source: { readonly fd: number; readonly label: string }, target: Descriptor, size: number, sparse: boolean): boolean {
    if (this.#reflink(source, target)) return true;
    if (!this.#ranges) return false;
    for (const extent of extents(source, size, sparse)) {
      if (sparse) for (const file of [source, target]) seek(file, extent.start, "SET");
      for (let left = extent.end - extent.start; left > 0; ) {
        const got = copyRange(source, target, left);
        if (got === undefined) {
          this.#ranges = false;
          for (const file of [source, target]) seek(file, 0, "SET");
          setSize(target, 0);
          return false;
        }
        if (got === 0) throw new FileChanged();
        left -= got;
      }
    }
    if (sparse) setSize(target, size);
    return true;
  }

  #readAndWrite(source: { readonly fd: number; readonly label: string }, target: Descriptor, size: number, sparse: boolean, tree: MerkleTree | undefined): void {
    const { buffer } = this.#hasher;
    let hashed = 0;
    for (const extent of extents(source, size, sparse)) {
      if (sparse) for (const file of [source, target]) seek(file, extent.start, "SET");
      tree?.updateZeros(extent.start - hashed);
      for (let left = extent.end - extent.start; left > 0; ) {
        const got = readRaw(source.fd, buffer, Math.min(left, buffer.length));
        if (got < 0) throw new SyscallError("read", -got);
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

  #finish(temporary: Draft, size: number, computed: Uint8Array | undefined): StoredObject {
    if (computed === undefined || this.#target.verity) return this.#seal(temporary, size);
    if (this.#isPresent(computed, size)) return { digest: computed, how: "present" };
    return this.#stage(temporary, computed);
  }

  /** Verity on, digest from the kernel, name. */
  #seal(temporary: Draft, size: number): StoredObject {
    using file = openReadOnly(temporary);
    for (let attempt = 1; ; attempt++) {
      const enabled = enableVerity(file, this.#target.algorithm);
      if (enabled === "enabled" || enabled === "already") break;
      if (enabled === "unsupported") throw new SyscallError("ioctl(FS_IOC_ENABLE_VERITY)", ERRNO.EOPNOTSUPP);
      // a process that is being started may hold a copy of our descriptor for a moment
      if (attempt === ATTEMPTS) throw new SyscallError("ioctl(FS_IOC_ENABLE_VERITY)", ERRNO.ETXTBSY);
      Bun.sleepSync(attempt);
    }
    const measured = measureVerity(file);
    if (measured.kind !== "digest" || measured.algorithm !== this.#target.algorithm) throw new SyscallError("ioctl(FS_IOC_MEASURE_VERITY)", ERRNO.ENODATA);
    const digest = Uint8Array.fromHex(measured.digest);
    const directory = this.#directory(measured.digest);
    const name = measured.digest.slice(2);
    const result = temporary.name === undefined ? linkDescriptorRaw(file.fd, directory.fd, name) : renameRaw(this.#target.staging, temporary.name, directory.fd, name, false);
    if (result === 0) {
      temporary.name = undefined;
      return { digest, how: "placed" };
    }
    if (result !== -ERRNO.EEXIST) throw new SyscallError(`linkat(objects/${measured.digest})`, -result);
    if (this.#isSealed(directory, name, size, measured.digest)) return { digest, how: "present" };
    return this.#replace(temporary, file, directory, name, digest);
  }

  /** What has the name of this object is not the object: ours takes its place in one step. */
  #replace(temporary: Draft, file: Descriptor, directory: Directory, name: string, digest: Uint8Array): StoredObject {
    const { staging } = this.#target;
    // a name of its own: another thread may be replacing the same object
    const own = temporary.name ?? `.tmp-object-${randomName()}`;
    if (temporary.name === undefined) {
      const linked = linkDescriptorRaw(file.fd, staging, own);
      if (linked < 0) throw new SyscallError(`linkat(${own})`, -linked);
    }
    const result = renameRaw(staging, own, directory.fd, name, true);
    if (result < 0) {
      if (temporary.name === undefined) unlinkRaw(staging, own);
      throw new SyscallError(`renameat2(${name})`, -result);
    }
    temporary.name = undefined;
    return { digest, how: "replaced" };
  }

  /** The object that is there has this very digest; verity is switched on where it was left off. */
  #isSealed(directory: Directory, name: string, size: number, expected: string): boolean {
    const fd = openNameRaw(directory.fd, name, O.RDONLY | O.NONBLOCK | O.NOCTTY);
    if (fd < 0) return false;
    using there = new Descriptor(fd, name);
    if (statNameRaw(fd, "", this.#status) < 0 || this.#status.mode >> 12 !== 8 || this.#status.size !== size) return false;
    let measured = measureVerity(there);
    if (measured.kind === "no-verity") {
      enableVerity(there, this.#target.algorithm);
      measured = measureVerity(there);
    }
    return measured.kind === "digest" && measured.digest === expected;
  }

  /**
   * There is an object of this name, and it is one: without fs-verity nobody else would notice that its bytes have changed since.
   * @param content what it has to hold, where that is in memory: comparing takes less than hashing
   */
  #isPresent(digest: Uint8Array, size: number, content?: Uint8Array): boolean {
    const hex = digest.toHex();
    const directory = this.#directory(hex);
    const looked = statNameRaw(directory.fd, hex.slice(2), this.#status);
    if (looked !== 0 || this.#status.mode >> 12 !== 8 || this.#status.size !== size) return false;
    const fd = openNameRaw(directory.fd, hex.slice(2), O.RDONLY | O.NONBLOCK | O.NOCTTY);
    if (fd < 0) return false;
    using _there = new Descriptor(fd, hex);
    this.#present ??= new ContentHasher(this.#target.algorithm);
    if (content === undefined) return this.#present.hashFile(fd, size, false) && this.#present.digest().toHex() === hex;
    const { buffer } = this.#present;
    for (let done = 0; done < size; ) {
      const got = readRaw(fd, buffer.subarray(done), size - done);
      if (got <= 0) return false;
      done += got;
    }
    return Buffer.compare(buffer.subarray(0, size), content) === 0;
  }

  #stage(temporary: Draft, digest: Uint8Array): StoredObject {
    const { staging } = this.#target;
    const hex = digest.toHex();
    const result = temporary.name === undefined ? linkDescriptorRaw(temporary.file.fd, staging, hex) : renameRaw(staging, temporary.name, staging, hex, false);
    if (result === -ERRNO.EEXIST) return { digest, how: "present" };
    if (result < 0) throw new SyscallError(`linkat(${hex})`, -result);
    temporary.name = undefined;
    return { digest, how: "staged" };
  }

  /** `objects/xx` of a digest, made when it is not there. */
  #directory(hex: string): Directory {
    const { directories, objects } = this.#target;
    const name = hex.slice(0, 2);
    const index = Number.parseInt(name, 16);
    let fd = Atomics.load(directories, index) - 1;
    if (fd < 0) {
      const parent = { fd: objects, label: "objects" };
      makeDirectory(parent, name, DIRECTORY_PERMISSIONS);
      const opened = openName(parent, name, O.RDONLY | O.DIRECTORY).take().fd;
      // another thread may have been quicker
      const known = Atomics.compareExchange(directories, index, 0, opened + 1);
      if (known !== 0) closeRaw(opened);
      fd = known === 0 ? opened : known - 1;
    }
    return { fd, label: `objects/${name}` };
  }
}

type Directory = Pick<Descriptor, "fd" | "label">;
