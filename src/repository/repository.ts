/**
 * A composefs repository on disk, opened for reading: `composefs/` below the physical root. Takes no lock and writes nothing.
 * Every lookup stays beneath the repository.
 */

import { SealrootError } from "../errors/index.ts";
import { type Descriptor, ERRNO, isErrno, O, openAt, readUpTo, RESOLVE, statAt } from "../linux/index.ts";
import { META_LIMIT, parseMeta, type RepositoryMeta } from "./meta.ts";

export const REPOSITORY = "composefs";
const BENEATH = RESOLVE.BENEATH | RESOLVE.NO_MAGICLINKS;

/** A lookup that found nothing is a value; one that was led out of the repository, or to the wrong kind of file, is an error. */
function openInside(directory: Descriptor, path: string, flags: number): Descriptor | undefined {
  try {
    return openAt(directory, path, flags, BENEATH);
  } catch (error) {
    if (isErrno(error, ERRNO.ENOENT)) return undefined;
    if (isErrno(error, ERRNO.EXDEV, ERRNO.ELOOP, ERRNO.ENOTDIR)) {
      throw new SealrootError("SR-E204", { details: [["path", `${directory.label}/${path}`]], cause: error });
    }
    throw error;
  }
}

export class Repository implements Disposable {
  readonly directory: Descriptor;
  /** Absent in repositories older than meta.json. */
  readonly meta: RepositoryMeta | undefined;

  private constructor(directory: Descriptor, meta: RepositoryMeta | undefined) {
    this.directory = directory;
    this.meta = meta;
  }

  /** @throws SealrootError SR-E201 when there is none, SR-E202 when it is of an unknown kind, SR-E204 when a link leads out */
  static open(sysroot: Descriptor): Repository {
    using directory = openInside(sysroot, REPOSITORY, O.RDONLY | O.DIRECTORY);
    if (directory === undefined) throw new SealrootError("SR-E201", { details: [["looked for", `${sysroot.label}/${REPOSITORY}`]] });
    using file = openInside(directory, "meta.json", O.RDONLY | O.NONBLOCK);
    const meta = file === undefined ? undefined : parseMeta(readRegular(file, META_LIMIT), file.label);
    return new Repository(directory.take(), meta);
  }

  /** The image file `images/<digest>`, opened once; undefined when there is none. */
  openImage(digest: string): Descriptor | undefined {
    using image = openInside(this.directory, `images/${digest}`, O.RDONLY | O.NONBLOCK);
    if (image === undefined) return undefined;
    requireRegular(image);
    return image.take();
  }

  /** The object store, for use as an overlay's data layer. */
  openObjects(): Descriptor {
    const objects = openInside(this.directory, "objects", O.RDONLY | O.DIRECTORY);
    if (objects === undefined) throw new SealrootError("SR-E201", { summary: "the repository has no objects", details: [["looked for", `${this.directory.label}/objects`]] });
    return objects;
  }

  [Symbol.dispose](): void {
    this.directory.close();
  }
}

function requireRegular(file: Descriptor): void {
  const { type } = statAt(file);
  if (type !== "regular") throw new SealrootError("SR-E204", { details: [["path", file.label], ["found", `a ${type}, not a regular file`]] });
}

function readRegular(file: Descriptor, limit: number): Uint8Array {
  requireRegular(file);
  return readUpTo(file, limit);
}
