/** The files of an SELinux policy in a tree. Links in them lead to other files of the tree, never out of it. */

import { SealrootError } from "../errors/index.ts";
import { type Descriptor, ERRNO, IN_ROOT, isErrno, O, openAt, readUpTo, statAt } from "../linux/index.ts";
import { binaryOf } from "../tree/index.ts";

/** Bytes; a distribution's whole file_contexts has half a million. */
const LIMIT = 64 * 1024 * 1024;

/** @param path below etc/selinux @returns its text, one character a byte; undefined where there is none @throws SealrootError SR-E528 */
export function readPolicyFile(tree: Descriptor, path: string): string | undefined {
  const full = `etc/selinux/${path}`;
  try {
    using file = openAt(tree, full, O.RDONLY | O.NONBLOCK | O.NOCTTY, IN_ROOT);
    const { type } = statAt(file);
    if (type !== "regular file") throw new SealrootError("SR-E528", { details: [["file", full], ["found", `a ${type}`]] });
    const bytes = readUpTo(file, LIMIT);
    if (bytes.length === LIMIT) throw new SealrootError("SR-E528", { details: [["file", full], ["found", `${LIMIT} bytes or more`]] });
    return binaryOf(bytes);
  } catch (error) {
    if (isErrno(error, ERRNO.ENOENT)) return undefined;
    if (error instanceof SealrootError) throw error;
    throw new SealrootError("SR-E528", { details: [["file", full]], cause: error });
  }
}
