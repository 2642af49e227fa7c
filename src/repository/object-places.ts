/**
 * `objects/` while it is being written to: its 256 directories, what has an object's name there already, and the names that objects get.
 * Works on numbers of descriptors, because several threads of the process share them.
 */

import { enableVerity } from "../linux/enable-verity.ts";
import { readRaw } from "../linux/data.ts";
import { Descriptor, ERRNO, makeDirectory, measureVerity, O, SyscallError } from "../linux/index.ts";
import { closeRaw, FileStatus, linkDescriptorRaw, openName, openNameRaw, renameRaw, statNameRaw, unlinkRaw } from "../linux/names.ts";
import { ContentHasher } from "./content-hasher.ts";

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

const DIRECTORY_PERMISSIONS = 0o755;
const REGULAR = 8;

export class ObjectPlaces {
  readonly #target: ObjectTarget;
  readonly #status = new FileStatus();
  /** Apart from the one that hashes what is to be stored, whose buffer holds that. */
  #hasher: ContentHasher | undefined;

  constructor(target: ObjectTarget) {
    this.#target = target;
  }

  /** Moves a staged object to its place. What was there meanwhile stays, unless it cannot be the object. @throws SyscallError */
  placeStaged(digest: Uint8Array): "placed" | "present" | "replaced" {
    const { staging } = this.#target;
    const hex = digest.toHex();
    const result = this.moveIn(hex, hex, false);
    if (result === 0) return "placed";
    const size = result === -ERRNO.EEXIST && statNameRaw(staging, hex, this.#status) === 0 ? this.#status.size : undefined;
    if (size === undefined) throw new SyscallError(`renameat2(${hex})`, -result);
    if (this.isPresent(digest, size)) {
      unlinkRaw(staging, hex);
      return "present";
    }
    const replaced = this.moveIn(hex, hex, true);
    if (replaced < 0) throw new SyscallError(`renameat2(${hex})`, -replaced);
    return "replaced";
  }

  /** Gives a file of the staging directory an object's name. @param replace whether what has the name gives way @returns 0 or minus the errno */
  moveIn(name: string, hex: string, replace: boolean): number {
    return renameRaw(this.#target.staging, name, this.#directory(hex), hex.slice(2), replace);
  }

  /** Gives an open file an object's name. @returns 0 or minus the errno */
  linkIn(file: Descriptor, hex: string): number {
    return linkDescriptorRaw(file.fd, this.#directory(hex), hex.slice(2));
  }

  /**
   * There is an object of this name, and it is one: without fs-verity nobody else would notice that its bytes have changed since.
   * @param content what it has to hold, where that is in memory: comparing takes less than hashing
   */
  isPresent(digest: Uint8Array, size: number, content?: Uint8Array): boolean {
    const hex = digest.toHex();
    const directory = this.#directory(hex);
    const looked = statNameRaw(directory, hex.slice(2), this.#status);
    if (looked !== 0 || this.#status.mode >> 12 !== REGULAR || this.#status.size !== size) return false;
    const fd = openNameRaw(directory, hex.slice(2), O.RDONLY | O.NONBLOCK | O.NOCTTY);
    if (fd < 0) return false;
    using _there = new Descriptor(fd, hex);
    this.#hasher ??= new ContentHasher(this.#target.algorithm);
    if (content === undefined) return this.#hasher.hashFile(fd, size, false) && this.#hasher.digest().toHex() === hex;
    const { buffer } = this.#hasher;
    for (let done = 0; done < size; ) {
      const got = readRaw(fd, buffer.subarray(done), size - done);
      if (got <= 0) return false;
      done += got;
    }
    return Buffer.compare(buffer.subarray(0, size), content) === 0;
  }

  /** The object that is there has this very digest; verity is switched on where it was left off. */
  isSealed(hex: string, size: number): boolean {
    const fd = openNameRaw(this.#directory(hex), hex.slice(2), O.RDONLY | O.NONBLOCK | O.NOCTTY);
    if (fd < 0) return false;
    using there = new Descriptor(fd, hex);
    if (statNameRaw(fd, "", this.#status) < 0 || this.#status.mode >> 12 !== REGULAR || this.#status.size !== size) return false;
    let measured = measureVerity(there);
    if (measured.kind === "no-verity") {
      enableVerity(there, this.#target.algorithm);
      measured = measureVerity(there);
    }
    return measured.kind === "digest" && measured.digest === hex;
  }

  /** Descriptor of `objects/xx` of a digest, made when it is not there. */
  #directory(hex: string): number {
    const { directories, objects } = this.#target;
    const name = hex.slice(0, 2);
    const index = Number.parseInt(name, 16);
    const known = Atomics.load(directories, index) - 1;
    if (known >= 0) return known;
    const parent = { fd: objects, label: "objects" };
    makeDirectory(parent, name, DIRECTORY_PERMISSIONS);
    const opened = openName(parent, name, O.RDONLY | O.DIRECTORY).take().fd;
    // another thread may have been quicker
    const quicker = Atomics.compareExchange(directories, index, 0, opened + 1);
    if (quicker === 0) return opened;
    closeRaw(opened);
    return quicker - 1;
  }
}
