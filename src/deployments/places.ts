/** Reading what may name an image. What is not there is a value; what is there and cannot be read is an error: it may keep what nobody then sees. */

import { SealrootError } from "../errors/index.ts";
import { type Descriptor, type DirectoryDescriptor, ERRNO, type FileFacts, HERE, isErrno, O, openAt, openPath, readUpTo, reopen, statAt } from "../linux/index.ts";

/** Bytes read of an entry, a menu, or a table of the kernel's. */
export const LARGEST_TEXT = 2 ** 24;

export const refuse = (path: string, found: string, cause?: unknown): SealrootError => new SealrootError("SR-E542", { details: [["cannot read", path], ["found", found]], ...(cause === undefined ? {} : { cause }) });

/** A file of the kernel's of which only a part was read. @param next what can be done about it */
export const tooLong = (path: string, next?: string): SealrootError =>
  new SealrootError("SR-E542", { details: [["cannot read", path], ["found", `${LARGEST_TEXT} bytes or more`]], ...(next === undefined ? {} : { next }) });

/** @throws SealrootError SR-E542 for whatever is thrown */
export function guarded<T>(path: string, act: () => T): T {
  try {
    return act();
  } catch (error) {
    if (error instanceof SealrootError) throw error;
    throw refuse(path, error instanceof Error ? error.message : String(error), error);
  }
}

/** @param resolve of openat2(2) */
export function openDirectory(from: DirectoryDescriptor, path: string, resolve: number): Descriptor | undefined {
  return guarded(path, () => {
    try {
      return openAt(from, path, O.RDONLY | O.DIRECTORY, resolve);
    } catch (error) {
      if (isErrno(error, ERRNO.ENOENT, ERRNO.ENOTDIR)) return undefined;
      throw error;
    }
  });
}

/** The content of a regular file. Looked at before it is opened: a device may act when somebody only opens it, a FIFO waits. @param most bytes */
export function readFile(from: DirectoryDescriptor, path: string, resolve: number, most: number): Uint8Array | undefined {
  return guarded(from === HERE ? path : `${from.label}/${path}`, () => {
    try {
      using found = openAt(from, path, O.PATH, resolve);
      const { type, size } = statAt(found);
      if (type !== "regular file") throw refuse(found.label, `a ${type}`);
      if (size > most) throw refuse(found.label, `${size} bytes`);
      using file = reopen(found, O.RDONLY);
      return readUpTo(file, most);
    } catch (error) {
      if (isErrno(error, ERRNO.ENOENT, ERRNO.ENOTDIR)) return undefined;
      throw error;
    }
  });
}

/** A file of the kernel's, which has no size. */
export function readSystemFile(path: string): string {
  using file = guarded(path, () => openPath(path, O.RDONLY));
  const bytes = guarded(path, () => readUpTo(file, LARGEST_TEXT));
  if (bytes.length === LARGEST_TEXT) throw tooLong(path);
  return new TextDecoder().decode(bytes);
}

/** undefined for what cannot be looked at. */
export function factsOf(path: string): FileFacts | undefined {
  try {
    return statAt(HERE, path);
  } catch {
    return undefined;
  }
}

export const isSameFile = (one: FileFacts | undefined, other: FileFacts | undefined): boolean =>
  one !== undefined && other !== undefined && one.inode === other.inode && one.device.major === other.device.major && one.device.minor === other.device.minor;
