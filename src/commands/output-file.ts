/** Files that a command writes: whole or not at all, and never over another one unless that is what was asked for. */

import { closeSync, existsSync, fchmodSync, fsyncSync, linkSync, mkdirSync, openSync, readFileSync, renameSync, statSync, unlinkSync, writeSync } from "node:fs";
import { dirname } from "node:path";
import { SealrootError } from "../errors/index.ts";

const unwritable = (path: string, cause: unknown): SealrootError => new SealrootError("SR-E236", { details: [["file", path]], cause });
const codeOf = (error: unknown): unknown => (error instanceof Error && "code" in error ? error.code : undefined);

/** Writes a file beside its place and moves it there by `place`. Nothing stays of it when that fails. */
function writeBeside(path: string, bytes: Uint8Array, permissions: number, place: (temporary: string) => void): void {
  const temporary = `${path}.${process.pid}.new`;
  let made = false;
  try {
    // "x": not through a link that somebody left there
    const file = openSync(temporary, "wx", permissions);
    made = true;
    try {
      for (let done = 0; done < bytes.length; ) done += writeSync(file, bytes, done);
      // past the umask, which may take more away, never grant more than was asked for
      fchmodSync(file, permissions);
      fsyncSync(file);
    } finally {
      closeSync(file);
    }
    place(temporary);
  } catch (error) {
    if (error instanceof SealrootError) throw error;
    throw codeOf(error) === "EEXIST" ? new SealrootError("SR-E235", { details: [["file", path]] }) : unwritable(path, error);
  } finally {
    if (made) {
      try {
        unlinkSync(temporary);
      } catch {
        // moved into place
      }
    }
  }
}

/** @throws SealrootError SR-E235 when there is one already, SR-E236 when it cannot be written */
export function writeNewFile(path: string, bytes: Uint8Array, permissions: number): void {
  writeBeside(path, bytes, permissions, (temporary) => {
    try {
      linkSync(temporary, path);
    } catch (error) {
      // a file system without hard links, such as a memory stick's
      if (codeOf(error) !== "EPERM" && codeOf(error) !== "ENOTSUP" && codeOf(error) !== "EOPNOTSUPP") throw error;
      if (existsSync(path)) throw new SealrootError("SR-E235", { details: [["file", path]] });
      renameSync(temporary, path);
    }
  });
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
