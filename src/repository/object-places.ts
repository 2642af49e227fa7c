/**
 * `objects/` while it is being written to: its 256 directories, what has an object's name there already, and the names that objects get,
 * at once or from a staging directory with the same 256.
 * Works on numbers of descriptors, because several threads of the process share them.
 */

import { enableVerity } from "../linux/enable-verity.ts";
import { readRaw } from "../linux/data.ts";
import { Descriptor, ERRNO, makeDirectory, measureVerity, O, SyscallError } from "../linux/index.ts";
import { closeRaw, FileStatus, linkDescriptorRaw, openNameRaw, renameRaw, statNameRaw, unlinkRaw } from "../linux/names.ts";
import { ContentHasher } from "./content-hasher.ts";

export interface ObjectTarget {
  readonly algorithm: "sha256" | "sha512";
  /** Descriptor of `objects/`. */
  readonly objects: number;
  /** Descriptor of a directory of our own on the same filesystem. */
  readonly staging: number;
  /** The filesystem has fs-verity. */
  readonly verity: boolean;
  /** Enabling it has written the data to the disk. */
  readonly verityWrites: boolean;
  /**
   * Descriptors of the directories in `objects/`, plus one, then of those in the staging directory. 0: not looked for yet; NONE: it was not
   * there. Shared, because there would be so many for each thread.
   */
  readonly directories: Int32Array<SharedArrayBuffer>;
}

/** An object that waits for its place. */
export interface StagedPlace {
  /** Descriptor. */
  readonly directory: number;
  readonly name: string;
}

const PREFIXES = 256;
const NONE = -1;

export const newDirectories = (): Int32Array<SharedArrayBuffer> => new Int32Array(new SharedArrayBuffer(2 * PREFIXES * 4));

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

  /**
   * Where an object is to be staged: in a directory of its first two digits, made when it is not there; where `objects/` has that one
   * already, so that it cannot become it, in the staging directory itself: both would keep a descriptor open for each prefix.
   * @throws SyscallError
   */
  stagingPlace(hex: string): StagedPlace {
    if (this.#directory("objects", hex, false) !== undefined) return { directory: this.#target.staging, name: hex };
    return { directory: this.#directory("staging", hex, true) ?? NONE, name: hex.slice(2) };
  }

  /**
   * Gives everything that is staged its place. Where `objects/` has no directory of its digits yet, the one that it is staged in becomes
   * that, with all that is in it: a new store takes 256 names instead of one for each object.
   * @param each calls back with each staged digest that is not one of the images
   * @param images staged digests of images. One may be published already, and have lost its objects: what it needs is in its place, and
   * on the disk, before it is
   * @param sync brings everything on the disk
   * @returns how many took the place of something that was not the object @throws SyscallError
   */
  placeAll(each: (digest: (bytes: Uint8Array) => void) => void, images: readonly Uint8Array[], sync: () => void): number {
    const withImage = new Set(images.map((digest) => digest[0]));
    const moved = new Uint8Array(PREFIXES);
    for (let prefix = 0; prefix < PREFIXES; prefix++) if (!withImage.has(prefix) && this.#placeDirectory(prefix)) moved[prefix] = 1;
    let replaced = 0;
    let others = false;
    each((digest) => {
      others = true;
      if (moved[digest[0] ?? 0] === 0 && this.#placeStaged(digest.toHex(), digest)) replaced += 1;
    });
    if (others && images.length > 0) sync();
    for (const digest of images) if (this.#placeStaged(digest.toHex(), digest)) replaced += 1;
    // what has moved is not where it was
    closeDirectories(this.#target.directories);
    return replaced;
  }

  #placeDirectory(prefix: number): boolean {
    const { directories, objects, staging } = this.#target;
    if (Atomics.load(directories, PREFIXES + prefix) <= 0 || Atomics.load(directories, prefix) > 0) return false;
    const name = prefix.toString(16).padStart(2, "0");
    return renameRaw(staging, name, objects, name, false) === 0;
  }

  /** What was there meanwhile stays, unless it cannot be the object. @returns whether something gave way */
  #placeStaged(hex: string, digest: Uint8Array): boolean {
    const { directory, name } = this.#stagedAt(hex);
    const result = this.moveIn(directory, name, hex, false);
    if (result === 0) return false;
    const size = result === -ERRNO.EEXIST && statNameRaw(directory, name, this.#status) === 0 ? this.#status.size : undefined;
    if (size === undefined) throw new SyscallError(`renameat2(${hex})`, -result);
    if (this.#target.verity ? this.isSealed(hex, size) : this.isPresent(digest, size)) {
      unlinkRaw(directory, name);
      return false;
    }
    const replaced = this.moveIn(directory, name, hex, true);
    if (replaced < 0) throw new SyscallError(`renameat2(${hex})`, -replaced);
    return true;
  }

  /** Where stagingPlace() has put it: all of a prefix in one directory, since `objects/` was looked at once. */
  #stagedAt(hex: string): StagedPlace {
    const known = Atomics.load(this.#target.directories, PREFIXES + Number.parseInt(hex.slice(0, 2), 16));
    return known > 0 ? { directory: known - 1, name: hex.slice(2) } : { directory: this.#target.staging, name: hex };
  }

  /** Gives a file of another directory an object's name. @param replace whether what has the name gives way @returns 0 or minus the errno */
  moveIn(directory: number, name: string, hex: string, replace: boolean): number {
    return renameRaw(directory, name, this.#place(hex), hex.slice(2), replace);
  }

  /** Gives an open file an object's name. @returns 0 or minus the errno */
  linkIn(file: Descriptor, hex: string): number {
    return linkDescriptorRaw(file.fd, this.#place(hex), hex.slice(2));
  }

  /**
   * There is an object of this name, and it is one: without fs-verity nobody else would notice that its bytes have changed since.
   * @param content what it has to hold, where that is in memory: comparing takes less than hashing
   */
  isPresent(digest: Uint8Array, size: number, content?: Uint8Array): boolean {
    const hex = digest.toHex();
    const directory = this.#directory("objects", hex, false);
    if (directory === undefined) return false;
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
    const directory = this.#directory("objects", hex, false);
    const fd = directory === undefined ? NONE : openNameRaw(directory, hex.slice(2), O.RDONLY | O.NONBLOCK | O.NOCTTY);
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
  #place(hex: string): number {
    return this.#directory("objects", hex, true) ?? NONE;
  }

  /** @returns undefined where there is none and none is to be made */
  #directory(where: "objects" | "staging", hex: string, make: boolean): number | undefined {
    const { directories, objects, staging } = this.#target;
    const name = hex.slice(0, 2);
    const index = Number.parseInt(name, 16) + (where === "objects" ? 0 : PREFIXES);
    const parent = { fd: where === "objects" ? objects : staging, label: where };
    for (;;) {
      const known = Atomics.load(directories, index);
      if (known > 0) return known - 1;
      if (known === NONE && !make) return undefined;
      if (make) makeDirectory(parent, name, DIRECTORY_PERMISSIONS);
      const opened = openNameRaw(parent.fd, name, O.RDONLY | O.DIRECTORY);
      if (opened < 0 && (opened !== -ERRNO.ENOENT || make)) throw new SyscallError(`openat(${where}/${name})`, -opened);
      // another thread may have been quicker
      if (Atomics.compareExchange(directories, index, known, opened < 0 ? NONE : opened + 1) !== known && opened >= 0) closeRaw(opened);
    }
  }
}
