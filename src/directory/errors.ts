/** What goes wrong while a directory is read, always with the path it went wrong at. */

import { SealrootError } from "../errors/index.ts";
import { ERRNO, isErrno } from "../linux/index.ts";

const decoder = new TextDecoder();

/** For people: bytes that are not UTF-8 are replaced. */
export const shownPath = (top: string, names: readonly Uint8Array[]): string => [top === "/" && names.length > 0 ? "" : top, ...names.map((name) => decoder.decode(name))].join("/");

export const changed = (path: string): SealrootError => new SealrootError("SR-E521", { details: [["path", path]] });

/** An error without a code becomes SR-E520 at that path. */
export function located(path: string, error: unknown): SealrootError {
  if (error instanceof SealrootError) return error;
  if (isErrno(error, ERRNO.EMFILE, ERRNO.ENFILE)) return new SealrootError("SR-E520", { summary: "too many files are open at once", details: [["path", path]], cause: error, meaning: "the directories that lead to a file are open while it is read, and some of those in the store", next: "raise the limit of open files: ulimit -n" });
  return new SealrootError("SR-E520", { details: [["path", path]], cause: error });
}
