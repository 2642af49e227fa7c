/**
 * Putting a good copy of an object in the place of a bad one, or where one is missing. The copy is complete, on the disk, and has the
 * right digest before it gets the name; the bad one has its name until then. Cut off at any point the repository is no worse than it
 * was: what may stay is a file of a temporary name, which the next run removes.
 */

import { BENEATH, type Descriptor, type DirectoryDescriptor, ERRNO, makeDirectory, measureVerity, O, openAt, statAt, SyscallError } from "../linux/index.ts";
import { seek, setPermissions } from "../linux/data.ts";
import { moveAt, removeAt, syncFile, syncFilesystem } from "../linux/entries.ts";
import { ContentCopier, FileChanged, isFault, SourceError } from "./content-copier.ts";
import { ContentHasher } from "./content-hasher.ts";
import type { RepositoryContents } from "./contents.ts";
import { seal } from "./object-draft.ts";
import { hasVerity } from "./object-store.ts";
import { placeLink } from "./publish.ts";
import { openInside } from "./repository.ts";

const DIRECTORY = O.RDONLY | O.DIRECTORY | O.NOFOLLOW;
/** Bytes and objects that wait at most: so much is lost when the run is cut off, and lies on the disk twice. */
const MOST_WAITING_BYTES = 1 << 30;
const MOST_WAITING = 10_000;

/** Bytes; a smaller file is not asked where it has holes. */
const MAY_BE_SPARSE = 65_536;

export type Staged = "staged" | "wrong content" | "unreadable" | "no fs-verity";

/** The name of a draft until it is placed. */
const draftOf = (hex: string): string => `object-${hex}`;

/** Good copies of objects: staged, then on the disk, many at once, then in their places. */
export class Replacements {
  readonly #contents: RepositoryContents;
  readonly #drafts: DirectoryDescriptor;
  readonly #required: boolean;
  readonly #verity: boolean;
  readonly #hasher: ContentHasher;
  readonly #copier: ContentCopier;
  /** In hexadecimal digits, with what hears that it has its place. */
  readonly #waiting = new Map<string, () => void>();
  #waitingBytes = 0;

  /**
   * @param drafts a directory on the same filesystem, for what is not finished
   * @param verity "required": without fs-verity no copy is taken; "tried": enabled where the filesystem has it
   * @throws SyscallError when the repository cannot be written to
   */
  constructor(contents: RepositoryContents, drafts: DirectoryDescriptor, verity: "required" | "tried") {
    this.#contents = contents;
    this.#drafts = drafts;
    this.#required = verity === "required";
    this.#verity = hasVerity(drafts, contents.algorithm);
    this.#hasher = new ContentHasher(contents.algorithm);
    this.#copier = new ContentCopier(this.#hasher);
  }

  /**
   * Copies `copy` beside its place, if its content is that of this id.
   * @param copy at its beginning; nothing is written for a file of another size before its content was hashed, since the source may hold
   * anything under the name of an object, also what would fill the disk
   * @param expected bytes that it should have; undefined where nobody knows. A copy with the right content is taken whatever its size.
   * @throws SyscallError when the repository cannot be written to
   */
  stage(id: Uint8Array, copy: Descriptor, expected: number | undefined): { readonly result: Staged; readonly size: number } {
    const { size } = statAt(copy);
    if (size !== expected) {
      const right = hasContent(copy, size, this.#contents.algorithm, id);
      if (right !== true) return { result: right === undefined ? "unreadable" : "wrong content", size: 0 };
    }
    if (this.#required && !this.#verity) return { result: "no fs-verity", size };
    const hex = id.toHex();
    const name = draftOf(hex);
    let good = false;
    let result: Staged = "wrong content";
    using draft = openAt(this.#drafts, name, O.RDWR | O.CREAT | O.EXCL | O.NOFOLLOW, BENEATH, 0o644);
    try {
      setPermissions(draft, 0o644);
      good = this.#verity ? this.#copySealed(copy, draft, size, name, id) : this.#copyHashed(copy, draft, size, hex);
    } catch (error) {
      if (error instanceof SourceError) result = "unreadable";
      // cut short meanwhile: it is another
      else if (!(error instanceof FileChanged)) throw error;
    } finally {
      if (!good) removeAt(this.#drafts, name);
    }
    return good ? { result: "staged", size } : { result, size: 0 };
  }

  /** A staged object, for reading. */
  open(id: Uint8Array): Descriptor {
    return openAt(this.#drafts, draftOf(id.toHex()), O.RDONLY | O.NOFOLLOW, BENEATH);
  }

  /** A staged object is to get its name with the next place(), or before, where much waits. @param placed called when it has it @throws SyscallError */
  add(id: Uint8Array, size: number, placed: () => void): void {
    this.#waiting.set(id.toHex(), placed);
    this.#waitingBytes += size;
    if (this.#waitingBytes >= MOST_WAITING_BYTES || this.#waiting.size >= MOST_WAITING) this.place();
  }

  /** Gives what waits its names, once all of it is on the disk: what had them gives way in the same step. @throws SyscallError */
  place(): void {
    if (this.#waiting.size === 0) return;
    const { directory: top, repository } = this.#contents;
    syncFilesystem(top);
    makeDirectory(top, "objects", 0o755);
    using objects = repository.openObjects();
    for (const [hex, placed] of this.#waiting) {
      const prefix = hex.slice(0, 2);
      makeDirectory(objects, prefix, 0o755);
      using directory = openInside(objects, prefix, DIRECTORY);
      if (directory === undefined) throw new Error(`${objects.label}/${prefix} was removed by somebody else`);
      moveAt(this.#drafts, draftOf(hex), directory, hex.slice(2));
      placed();
    }
    this.#waiting.clear();
    this.#waitingBytes = 0;
    // an image that is named next must not be there without them
    syncFilesystem(top);
  }

  /** Without fs-verity what counts is what was copied. @returns whether it is the object */
  #copyHashed(copy: Descriptor, draft: Descriptor, size: number, hex: string): boolean {
    return this.#copier.copyHashed(copy, draft, size, size > MAY_BE_SPARSE).toHex() === hex;
  }

  /** The kernel writes, hashes and vouches for it. @returns whether it is the object */
  #copySealed(copy: Descriptor, draft: Descriptor, size: number, name: string, id: Uint8Array): boolean {
    const { algorithm } = this.#contents;
    this.#copier.copy(copy, draft, size, size > MAY_BE_SPARSE);
    // a file with a writer cannot get fs-verity
    draft.close();
    using file = openAt(this.#drafts, name, O.RDONLY | O.NOFOLLOW, BENEATH);
    try {
      seal(file, algorithm);
    } catch (error) {
      // it is read then: of blocks that it shares with the source for the first time
      if (!isFault(error) || hasContent(copy, size, algorithm, id) !== undefined) throw error;
      throw new SourceError("read", ERRNO.EIO);
    }
    const measured = measureVerity(file);
    return measured.kind === "digest" && measured.digest === id.toHex();
  }
}

/** Whether the first `length` bytes of a file have the digest; holes cost nothing. The file is at its beginning afterwards. @returns undefined when it cannot be read */
export function hasContent(file: Descriptor, length: number, algorithm: "sha256" | "sha512", id: Uint8Array): boolean | undefined {
  const hasher = new ContentHasher(algorithm);
  try {
    const right = hasher.hashFile(file.fd, length, true) && equalIds(hasher.digest(), id);
    seek(file, 0, "SET");
    return right;
  } catch (error) {
    if (error instanceof SyscallError) return undefined;
    throw error;
  }
}

const equalIds = (a: Uint8Array, b: Uint8Array): boolean => a.length === b.length && a.every((byte, at) => byte === b[at]);

/** Removes what an interrupted run has left. The caller holds the exclusive lock, so nobody is still writing it. */
export function removeTemporary(contents: RepositoryContents, temporary: readonly string[]): void {
  for (const path of temporary) contents.remove(path);
}

/** Makes `images/<digest>` a link to the object of that digest, which is there and right. In one step: what was there gives way then. */
export function replaceImageLink({ directory }: RepositoryContents, digest: string, drafts: DirectoryDescriptor): void {
  makeDirectory(directory, "images", 0o755);
  using images = openInside(directory, "images", DIRECTORY);
  if (images === undefined) return;
  placeLink(drafts, images, digest, `../objects/${digest.slice(0, 2)}/${digest.slice(2)}`);
  syncFile(images);
}
