/** Files that a command is given by name, read whole into memory, once. */

import { closeSync, constants, fstatSync, openSync, readSync } from "node:fs";
import { CATALOGUE, type ErrorCode, SealrootError } from "../errors/index.ts";

/** Far above any initramfs. */
const LONGEST_FILE = 2 ** 31;

export interface InputFile {
  readonly bytes: Uint8Array;
  /** Permission bits. */
  readonly permissions: number;
}

/** Says which file it is that `act` cannot use. */
export function aboutFile<T>(path: string, act: () => T): T {
  try {
    return act();
  } catch (error) {
    if (!(error instanceof SealrootError) || error.details.some(([label]) => label === "file")) throw error;
    throw new SealrootError(error.code, { details: [["file", path], ...error.details] });
  }
}

/**
 * @param limit most bytes that such a file can have
 * @throws SealrootError SR-E603 (or `code`) for what cannot be read, is no regular file, or is larger
 */
export function openInputFile(path: string, limit = LONGEST_FILE, code: ErrorCode = "SR-E603"): InputFile {
  const refuse = (found: string, cause?: unknown): never => {
    // whatever it was to hold: it was not read
    const { meaning, next } = CATALOGUE["SR-E603"];
    throw new SealrootError(code, { details: [["file", path], ...(found === "" ? [] : ([["found", found]] as const))], meaning, next, cause });
  };
  let descriptor: number;
  try {
    // Not to wait for the other end of a pipe.
    descriptor = openSync(path, constants.O_RDONLY | constants.O_NONBLOCK);
  } catch (error) {
    return refuse("", error);
  }
  try {
    const status = fstatSync(descriptor);
    if (!status.isFile()) return refuse(status.isDirectory() ? "a directory" : "no regular file");
    if (status.size > limit) return refuse(`${status.size} bytes: more than ${limit === LONGEST_FILE ? "an initramfs" : "such a file"} can have`);
    const bytes = new Uint8Array(status.size);
    let filled = 0;
    while (filled < bytes.length) {
      const count = readSync(descriptor, bytes, filled, Math.min(bytes.length - filled, 1 << 26), null);
      if (count === 0) break;
      filled += count;
    }
    return { bytes: bytes.subarray(0, filled), permissions: status.mode & 0o7777 };
  } catch (error) {
    if (error instanceof SealrootError) throw error;
    return refuse("", error);
  } finally {
    closeSync(descriptor);
  }
}

export const readInputFile = (path: string, limit?: number): Uint8Array => openInputFile(path, limit).bytes;
