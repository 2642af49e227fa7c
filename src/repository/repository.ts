/**
 * A composefs repository on disk, opened for reading: `composefs/` below the physical root. Takes no lock and writes nothing.
 * Every lookup stays beneath the repository.
 */

import { SealrootError } from "../errors/index.ts";
import { BENEATH, type Descriptor, ERRNO, isErrno, listDirectory, type Listing, O, openAt, readUpTo, reopen, statAt, SyscallError } from "../linux/index.ts";
import { META_LIMIT, parseMeta, type RepositoryMeta } from "./meta.ts";

export const REPOSITORY = "composefs";

/** Whoever reads a repository and cannot: led out of it or to the wrong kind of file, not allowed to, or the disk fails. */
export function unreadable(path: string, error: unknown): unknown {
  if (!(error instanceof SyscallError)) return error;
  const facts = { details: [["path", path] as const], cause: error };
  if (isErrno(error, ERRNO.EXDEV, ERRNO.ELOOP, ERRNO.ENOTDIR)) return new SealrootError("SR-E204", facts);
  if (isErrno(error, ERRNO.EACCES, ERRNO.EPERM)) return new SealrootError("SR-E105", { ...facts, summary: "the repository may not be read", meaning: "a system's own is root's" });
  return new SealrootError("SR-E214", { ...facts, summary: "the repository cannot be read" });
}

/** Features of repositories under which this program may write (composefs-rs, known_features::RO_COMPAT). */
const WRITABLE_FEATURES = ["v1_erofs"];

/** A feature that is not known may be a new kind of link: what it keeps nobody sees. @param path of the repository, for the error @throws SealrootError SR-E202 */
export function requireWritable({ meta }: Repository, path: string): void {
  const unknown = (meta?.readOnlyCompatible ?? []).filter((feature) => !WRITABLE_FEATURES.includes(feature));
  if (unknown.length === 0) return;
  throw new SealrootError("SR-E202", { summary: "the repository may only be read by this version", details: [["repository", path], ["features", unknown.join(", ")]], meaning: "meta.json has features that are not known here, and asks that it is not changed without them", next: "write to it with the program that made it, or with a newer sealroot" });
}

/** A lookup that found nothing is a value. */
export function openInside(directory: Descriptor, path: string, flags: number): Descriptor | undefined {
  try {
    return openAt(directory, path, flags, BENEATH);
  } catch (error) {
    if (isErrno(error, ERRNO.ENOENT)) return undefined;
    throw unreadable(`${directory.label}/${path}`, error);
  }
}

/** A regular file for reading. Looked at before it is opened: a device may act, or wait, when somebody only opens it. */
export function openFile(directory: Descriptor, path: string): Descriptor | undefined {
  using found = openInside(directory, path, O.PATH);
  if (found === undefined) return undefined;
  try {
    const { type } = statAt(found);
    if (type !== "regular file") throw new SealrootError("SR-E204", { details: [["path", found.label], ["found", `a ${type}, not a regular file`]] });
    return reopen(found, O.RDONLY);
  } catch (error) {
    throw unreadable(found.label, error);
  }
}

/** The names in a directory; undefined when there is none. */
export function list(directory: Descriptor, path: string, limit: number): Listing | undefined {
  using found = openInside(directory, path, O.RDONLY | O.DIRECTORY);
  if (found === undefined) return undefined;
  try {
    return listDirectory(found, limit);
  } catch (error) {
    throw unreadable(found.label, error);
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
    return Repository.at(directory);
  }

  /** The repository that is this directory, which is taken over. @throws SealrootError SR-E202, SR-E204 */
  static at(directory: Descriptor): Repository {
    using file = openFile(directory, "meta.json");
    const meta = file === undefined ? undefined : parseMeta(readMeta(file), file.label);
    return new Repository(directory.take(), meta);
  }

  /** The image file `images/<digest>`, opened once; undefined when there is none. */
  openImage(digest: string): Descriptor | undefined {
    return openFile(this.directory, `images/${digest}`);
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

function readMeta(file: Descriptor): Uint8Array {
  try {
    return readUpTo(file, META_LIMIT);
  } catch (error) {
    throw unreadable(file.label, error);
  }
}
