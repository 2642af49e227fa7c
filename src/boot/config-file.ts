/** Files of the initramfs, read whole: the configuration and what the kernel says about itself. */

import { SealrootError } from "../errors/index.ts";
import { ERRNO, isErrno, isLink, O, openPath, readUpTo, statAt } from "../linux/index.ts";
import type { PolicyFiles } from "./trusted-keys.ts";

/** Both are far smaller; a reader of its own judges what is longer. */
const LARGEST_INPUT = 128 * 1024;

export function readInput(path: string): Uint8Array {
  using file = openPath(path, O.RDONLY | O.NONBLOCK);
  return readUpTo(file, LARGEST_INPUT);
}

/**
 * A file of the initramfs, undefined when it is missing.
 * @param files an initramfs that is not the running system @throws SealrootError SR-E101
 */
export function readConfigFile(path: string, files?: PolicyFiles): Uint8Array | undefined {
  if (files !== undefined) return readElsewhere(path, files);
  try {
    using file = openPath(path, O.RDONLY | O.NONBLOCK);
    const { type } = statAt(file);
    // without a writer it reads as empty, which would be no policy at all
    if (type === "FIFO") throw new SealrootError("SR-E101", { details: [["file", path], ["found", "a FIFO, not a regular file"]] });
    return readUpTo(file, LARGEST_INPUT);
  } catch (error) {
    // a link that leads nowhere was meant to lead to a policy: that is not the same as no policy
    if (isErrno(error, ERRNO.ENOENT) && !isLink(path)) return undefined;
    if (error instanceof SealrootError) throw error;
    throw new SealrootError("SR-E101", { details: [["file", path]], cause: error });
  }
}

function readElsewhere(path: string, files: PolicyFiles): Uint8Array | undefined {
  const type = files.typeOf(path);
  if (type === undefined) return undefined;
  if (type !== "regular file") throw new SealrootError("SR-E101", { details: [["file", path], ["found", `a ${type}, not a regular file`]] });
  return files.read(path, LARGEST_INPUT);
}
