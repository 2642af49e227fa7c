/**
 * An object store that is being written to: `objects/` of a repository, or the directory that mkcomposefs --digest-store names. Objects
 * of a run become permanent together: commit() has everything on the disk before it returns, and before anything names them.
 */

import { filesystemOf } from "../linux/data.ts";
import { syncFilesystem } from "../linux/entries.ts";
import { Descriptor, O, SyscallError, writeAll } from "../linux/index.ts";
import { openNameRaw, reopenRaw, unlinkRaw } from "../linux/names.ts";
import { Arena } from "../tree/index.ts";
import { seal } from "./object-draft.ts";
import { closeDirectories, newDirectories, ObjectPlaces, type ObjectTarget } from "./object-places.ts";
import { ObjectWriter, type StoredObject } from "./object-writer.ts";
import { cleanStaging, randomName, Staging } from "./staging.ts";
import { unwritable } from "./write-errors.ts";

type Directory = Pick<Descriptor, "fd" | "label">;

export interface ObjectStoreOptions {
  readonly algorithm: "sha256" | "sha512";
  /** Where the staging directory is made, on the same filesystem. */
  readonly beside: Directory;
  /** What its name begins with. */
  readonly prefix: string;
}

export interface StoreCounts {
  /** Objects that are new. */
  written: number;
  /** Objects that were there already. */
  present: number;
  /** Objects that were there with other content, and are not any more. */
  replaced: number;
  /** Bytes of the new ones. */
  writtenBytes: number;
}

export class ObjectStore implements Disposable {
  /** For the threads that write. */
  readonly target: ObjectTarget;
  readonly counts: StoreCounts = { written: 0, present: 0, replaced: 0, writtenBytes: 0 };
  /** What interrupted runs had left behind. */
  readonly cleaned: number;
  readonly #objects: Descriptor;
  readonly #staging: Staging;
  readonly #writer: ObjectWriter;
  readonly #places: ObjectPlaces;
  readonly #staged = new Arena();
  readonly #stagedAt: number[] = [];
  /** Staged objects that are images. */
  readonly #images: Uint8Array[] = [];

  /** @param objects stays the caller's @throws SealrootError SR-E525 */
  constructor(objects: Descriptor, { algorithm, beside, prefix }: ObjectStoreOptions) {
    this.#objects = objects;
    try {
      this.cleaned = cleanStaging(beside, prefix);
      this.#staging = Staging.make(beside, prefix);
    } catch (error) {
      throw this.failed(error);
    }
    const staging = this.#staging.directory;
    try {
      this.target = { algorithm, objects: objects.fd, staging: staging.fd, verity: hasVerity(staging, algorithm), verityWrites: WRITES_FIRST.has(filesystemOf(staging).type), directories: newDirectories() };
    } catch (error) {
      this.#staging[Symbol.dispose]();
      throw this.failed(error);
    }
    this.#writer = new ObjectWriter(this.target);
    this.#places = new ObjectPlaces(this.target);
  }

  /** Hears from the threads what became of an object. */
  note(digest: Uint8Array, how: StoredObject["how"], bytes: number): void {
    this.#count(how, bytes);
    if (how === "staged") this.#stagedAt.push(this.#staged.add(digest));
  }

  #count(how: StoredObject["how"], bytes: number): void {
    const { counts } = this;
    if (how === "present") counts.present += 1;
    else if (how === "replaced") counts.replaced += 1;
    else {
      counts.written += 1;
      counts.writtenBytes += bytes;
    }
  }

  /** Stores the image that a producer emits, after the objects that it needs. @returns the digest, copied @throws SealrootError SR-E525 */
  storePortions(produce: (sink: (portion: Uint8Array) => void) => void): Uint8Array {
    let bytes = 0;
    try {
      const { digest, how } = this.#writer.storePortions((sink) => produce((portion) => {
        bytes += portion.length;
        sink(portion);
      }));
      this.#count(how, bytes);
      const image = digest.slice();
      if (how === "staged") this.#images.push(image);
      return image;
    } catch (error) {
      throw this.failed(error);
    }
  }

  /**
   * What waited for the disk gets its place, once everything is there. Objects whose data fs-verity has written do not wait: their
   * names follow with the sync before an image's name. @throws SealrootError SR-E525
   */
  commit(): void {
    if (this.#stagedAt.length === 0 && this.#images.length === 0) return;
    const length = this.target.algorithm === "sha256" ? 32 : 64;
    try {
      syncFilesystem(this.#objects);
      this.counts.replaced += this.#places.placeAll((place) => {
        for (const at of this.#stagedAt) place(this.#staged.at(at, length));
      }, this.#images, () => syncFilesystem(this.#objects));
      this.#stagedAt.length = 0;
      this.#images.length = 0;
    } catch (error) {
      throw this.failed(error);
    }
  }

  /** An error of a thread that writes, as this store's. */
  failed(error: unknown): unknown {
    return unwritable(this.#objects.label, error);
  }

  [Symbol.dispose](): void {
    closeDirectories(this.target.directories);
    this.#staging[Symbol.dispose]();
  }
}

/**
 * Magic numbers (linux/magic.h) of ext4 and f2fs: before they say that a file has fs-verity they write its data and wait for it (their
 * end_enable_verity). btrfs writes what belongs to fs-verity only, and the data when it comes to it.
 */
const WRITES_FIRST: ReadonlySet<number> = new Set([0xef53, 0xf2f52010]);

/**
 * Whether files on this filesystem can have fs-verity: tried on one that nobody sees. Only the filesystem's own word is a no: what fails
 * for another reason (a full disk, a directory that may not be written to) must not make a repository without protection.
 * @throws SyscallError
 */
export function hasVerity(directory: Directory, algorithm: "sha256" | "sha512"): boolean {
  let name: string | undefined;
  let fd = openNameRaw(directory.fd, ".", O.RDWR | O.TMPFILE, 0o600);
  if (fd < 0) {
    name = `.tmp-object-${randomName()}`;
    fd = openNameRaw(directory.fd, name, O.RDWR | O.CREAT | O.EXCL, 0o600);
  }
  if (fd < 0) throw new SyscallError(`openat(${directory.label}, "${name}")`, -fd);
  const file = new Descriptor(fd, "a file to try fs-verity on");
  try {
    writeAll(file, new Uint8Array(1));
    const readable = reopenRaw(file.fd, O.RDONLY);
    file.close();
    if (readable < 0) throw new SyscallError(`open(${file.label})`, -readable);
    using reading = new Descriptor(readable, file.label);
    return seal(reading, algorithm) !== "unsupported";
  } finally {
    file.close();
    if (name !== undefined) unlinkRaw(directory.fd, name);
  }
}
