/** Files that a command writes: whole or not at all, and never over another one unless that is what was asked for. */

import { closeSync, fchmodSync, fsyncSync, linkSync, mkdirSync, openSync, readFileSync, renameSync, statSync, unlinkSync, writeSync } from "node:fs";
import { dirname, join } from "node:path";
import { SealrootError } from "../errors/index.ts";
import { ERRNO, isErrno, renameNoReplace, statAt } from "../linux/index.ts";

const unwritable = (path: string, cause: unknown): SealrootError => new SealrootError("SR-E236", { details: [["file", path]], cause });
const codeOf = (error: unknown): unknown => (error instanceof Error && "code" in error ? error.code : undefined);
/** What a file system says that has no permissions, or no hard links. */
const isUnknownHere = (error: unknown): boolean => ["EPERM", "ENOTSUP", "EOPNOTSUPP", "ENOSYS"].includes(String(codeOf(error)));

/** For its owner alone, such as a private key. */
const isPrivate = (permissions: number): boolean => (permissions & 0o077) === 0;
const mustHold = (file: number, permissions: number, path: string): void => {
  const { permissions: has, uid } = statAt({ fd: file, label: path });
  if (isPrivate(has) && uid === process.geteuid?.()) return;
  const wanted = `0${permissions.toString(8)}`;
  throw new SealrootError("SR-E616", { details: [["file", path], ["expected", `mode ${wanted}, of user ${process.geteuid?.()}`], ["found", `mode 0${has.toString(8)}, of user ${uid}, after it was set to ${wanted}`]] });
};

/** Past the umask, which may take more away, never grant more than was asked for. A file system that has no permissions may refuse. */
function setPermissions(file: number, permissions: number): void {
  try {
    fchmodSync(file, permissions);
  } catch (error) {
    if (!isUnknownHere(error)) throw error;
  }
}

/**
 * Writes a file beside its place and moves it there by `place`. Nothing stays of it when that fails.
 * What is private is written only into a file that turned out to be so.
 */
function writeBeside(path: string, bytes: Uint8Array, permissions: number, place: (temporary: string) => void): void {
  // of a length that does not depend on the file's own name, which may be as long as a name can be
  const temporary = join(dirname(path), `.sealroot-${crypto.getRandomValues(new Uint8Array(8)).toHex()}.new`);
  let made = false;
  try {
    // "x": not through a link that somebody left there
    const file = openSync(temporary, "wx", permissions);
    made = true;
    try {
      setPermissions(file, permissions);
      if (isPrivate(permissions)) mustHold(file, permissions, path);
      for (let done = 0; done < bytes.length; ) done += writeSync(file, bytes, done);
      fsyncSync(file);
    } finally {
      closeSync(file);
    }
    place(temporary);
  } catch (error) {
    if (error instanceof SealrootError) throw error;
    throw isErrno(error, ERRNO.EEXIST) || codeOf(error) === "EEXIST" ? new SealrootError("SR-E235", { details: [["file", path]] }) : unwritable(path, error);
  } finally {
    if (made) remove(temporary);
  }
}

/** What may be gone by now. */
function remove(path: string): void {
  try {
    unlinkSync(path);
  } catch {
    // it is
  }
}

/** @throws SealrootError SR-E235 when there is one already, SR-E236 when it cannot be written, SR-E616 */
export function writeNewFile(path: string, bytes: Uint8Array, permissions: number): void {
  writeBeside(path, bytes, permissions, (temporary) => placeNew(temporary, path));
}

/**
 * Never over a file that somebody else makes at this moment. Not every file system can rename so (NFS and CIFS cannot), nor has
 * each hard links (FAT has none); what all can do is to make a file that was not there, and to rename over that.
 */
function placeNew(temporary: string, path: string): void {
  try {
    renameNoReplace(temporary, path);
    return;
  } catch (error) {
    if (!isErrno(error, ERRNO.EINVAL, ERRNO.ENOSYS, ERRNO.EOPNOTSUPP)) throw error;
  }
  try {
    linkSync(temporary, path);
    return;
  } catch (error) {
    if (!isUnknownHere(error)) throw error;
  }
  closeSync(openSync(path, "wx", 0o600));
  try {
    renameSync(temporary, path);
  } catch (error) {
    remove(path);
    throw error;
  }
}

/** Takes the place of the file in one step, if there is one. @throws SealrootError SR-E236 */
export function replaceFile(path: string, bytes: Uint8Array, permissions: number): void {
  writeBeside(path, bytes, permissions, (temporary) => renameSync(temporary, path));
}

/** As writeNewFile(); a file that is there already with these very bytes will do. @returns whether it was written */
export function writeSameFile(path: string, bytes: Uint8Array, permissions: number): boolean {
  try {
    writeNewFile(path, bytes, permissions);
    return true;
  } catch (error) {
    if (!(error instanceof SealrootError) || error.code !== "SR-E235" || !holds(path, bytes)) throw error;
    return false;
  }
}

export interface OutputFile {
  readonly path: string;
  readonly bytes: Uint8Array;
  readonly permissions: number;
  /** Also the directory that it is to lie in. */
  readonly makeDirectory?: boolean;
}

/** All of the files or none; those that are there with these very bytes stay. @throws SealrootError as writeSameFile() */
export function writeAll(files: readonly OutputFile[]): void {
  const written: string[] = [];
  try {
    for (const { path, bytes, permissions, makeDirectory } of files) {
      if (makeDirectory === true) makeDirectoryOf(path);
      if (writeSameFile(path, bytes, permissions)) written.push(path);
    }
  } catch (error) {
    for (const path of written) remove(path);
    throw error;
  }
}

function holds(path: string, bytes: Uint8Array): boolean {
  try {
    const status = statSync(path);
    return status.isFile() && status.size === bytes.length && readFileSync(path).equals(bytes);
  } catch {
    return false;
  }
}

/** Makes the directory that a file is to lie in. @throws SealrootError SR-E236 */
export function makeDirectoryOf(path: string): void {
  try {
    mkdirSync(dirname(path), { recursive: true, mode: 0o755 });
  } catch (error) {
    throw unwritable(dirname(path), error);
  }
}
