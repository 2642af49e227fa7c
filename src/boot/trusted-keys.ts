/** The keys that the policy trusts: files, and directories of files, in the initramfs that holds the policy. */

import { describeCause, SealrootError } from "../errors/index.ts";
import { ERRNO, isErrno, isLink, listDirectory, O, openPath, readUpTo, reopen, statAt } from "../linux/index.ts";
import { MAX_KEY_FILE_BYTES, parsePublicKeys, type TrustedKey } from "../ostree/index.ts";
import type { Requirement, TrustPolicy } from "../trust/index.ts";

/** Where the policy's paths are looked up: the running system, which in a boot is the initramfs, or an initramfs in a file. */
export interface PolicyFiles {
  /** Links are followed; one that leads nowhere is a "symbolic link". undefined: there is nothing of that name. */
  typeOf(path: string): string | undefined;
  /** At most `limit` bytes of a regular file. */
  read(path: string, limit: number): Uint8Array;
  list(path: string): readonly string[];
}

/** Files in a directory of keys. */
const MAX_FILES = 256;

export const RUNNING_SYSTEM: PolicyFiles = {
  typeOf(path) {
    try {
      using found = openPath(path, O.PATH);
      return statAt(found).type;
    } catch (error) {
      if (!isErrno(error, ERRNO.ENOENT, ERRNO.ENOTDIR)) throw error;
      return isLink(path) ? "symbolic link" : undefined;
    }
  },
  read(path, limit) {
    // looked at before it is opened for reading, since that waits for a FIFO's other end
    using found = openPath(path, O.PATH);
    const { type } = statAt(found);
    if (type !== "regular file") throw new SealrootError("SR-E230", { details: [["file", path], ["found", `a ${type}, not a regular file`]] });
    using file = reopen(found, O.RDONLY);
    return readUpTo(file, limit);
  },
  list(path) {
    using directory = openPath(path, O.RDONLY | O.DIRECTORY);
    const { names, complete } = listDirectory(directory, MAX_FILES);
    if (!complete) throw new SealrootError("SR-E229", { details: [["directory", path], ["found", `more than ${MAX_FILES} files`]] });
    return names;
  },
};

/**
 * For each requirement of the policy all keys of the paths that it names, each key once.
 * @throws SealrootError SR-E230 for a path that is missing or cannot be read, SR-E231 where there is no key, SR-E232 for a file
 * that is malformed, SR-E229 for one that is too large
 */
export const readTrustedKeys = ({ requirements }: TrustPolicy, files: PolicyFiles = RUNNING_SYSTEM): TrustedKey[][] => requirements.map((requirement) => keysOf(requirement, files));

function keysOf({ source, keys: paths }: Requirement, files: PolicyFiles): TrustedKey[] {
  if (paths.length === 0) throw new SealrootError("SR-E231", { details: [["policy", `${source} names no keys`]] });
  const keys = new Map<string, TrustedKey>();
  for (const path of paths) for (const key of keysAt(path, files)) if (!keys.has(key.id)) keys.set(key.id, key);
  return [...keys.values()];
}

function keysAt(path: string, files: PolicyFiles): TrustedKey[] {
  const refuse = (found: string): SealrootError => new SealrootError("SR-E230", { details: [["file", path], ["found", found]] });
  if (!path.startsWith("/")) throw refuse("a path that does not begin with /");
  try {
    const type = files.typeOf(path);
    if (type === undefined) throw refuse("nothing of that name");
    if (type === "symbolic link") throw refuse("a link that leads nowhere");
    if (type !== "directory") return parsePublicKeys(files.read(path, MAX_KEY_FILE_BYTES + 1), path);
    // hidden files are what editors and packagers leave behind; anything else must be a key
    const all = files.list(path);
    // here as well: the files of an initramfs that `verify` opens are listed without a limit
    if (all.length > MAX_FILES) throw new SealrootError("SR-E229", { details: [["directory", path], ["found", `more than ${MAX_FILES} files`]] });
    const names = all.filter((name) => !name.startsWith("."));
    if (names.length === 0) throw new SealrootError("SR-E231", { details: [["directory", path], ["found", "no file in it"]] });
    return names.flatMap((name) => keysIn(`${path.replace(/\/+$/, "")}/${name}`, files));
  } catch (error) {
    if (error instanceof SealrootError) throw error;
    throw new SealrootError("SR-E230", { details: [["file", path], ["cause", describeCause(error)]], cause: error });
  }
}

/** A file in a directory of keys. Directories in it are no keys, and one that is left out could be the one that matters. */
function keysIn(path: string, files: PolicyFiles): TrustedKey[] {
  const type = files.typeOf(path);
  if (type !== "regular file") throw new SealrootError("SR-E230", { details: [["file", path], ["found", `a ${type ?? "file that is gone"}, not a regular file`]] });
  return parsePublicKeys(files.read(path, MAX_KEY_FILE_BYTES + 1), path);
}
