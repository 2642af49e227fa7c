/** What keeps a repository from being written to, for people: which filesystem, what is left on it, what to do. */

import { readFileSync } from "node:fs";
import { type ErrorFacts, SealrootError } from "../errors/index.ts";
import { filesystemOf } from "../linux/data.ts";
import { ERRNO, O, openPath, statAt, SyscallError } from "../linux/index.ts";

const AGAIN = "then run it again: what is there already is kept, and nothing is half done";

type Words = Pick<ErrorFacts, "summary" | "meaning" | "next">;
const TOO_MANY_OPEN: Words = { summary: "too many open files", meaning: "one stays open for each directory of objects, and for each directory that leads to a file", next: `raise the limit of open files (ulimit -n; that of the whole machine: sysctl fs.file-max), ${AGAIN}` };
const NO_DIRECTORY: Words = { summary: "something that is no directory has the name of one", meaning: "a file or a symbolic link is where a directory is needed; it gives way to none", next: `look for what does not belong there (sealroot fsck), move it elsewhere, ${AGAIN}` };

const WORDS: Readonly<Record<number, Words>> = {
  [ERRNO.EMFILE]: TOO_MANY_OPEN,
  [ERRNO.ENFILE]: TOO_MANY_OPEN,
  [ERRNO.ENOTDIR]: NO_DIRECTORY,
  [ERRNO.ELOOP]: NO_DIRECTORY,
  [ERRNO.ENOSPC]: { summary: "the filesystem of the repository is full", meaning: "it has no room, or no inodes, for another file", next: `make room there, or remove what no image needs (sealroot gc), ${AGAIN}` },
  [ERRNO.EDQUOT]: { summary: "the quota on the filesystem of the repository is used up", meaning: "this user, group or project may not have more files or bytes there", next: `raise the quota, or remove something, ${AGAIN}` },
  [ERRNO.EIO]: { summary: "the filesystem of the repository fails", meaning: "its disk, or what connects it, did not take what was written", next: `look at the kernel's messages (dmesg) and at the disk, ${AGAIN}` },
  [ERRNO.EISDIR]: { summary: "a directory has the name of an object", meaning: "somebody put it there; it gives way to no object", next: `look at what it is and remove it, ${AGAIN}` },
  [ERRNO.EROFS]: { summary: "the filesystem of the repository is read-only", meaning: "it is mounted so, or became so after an error", next: `remount it read-write, ${AGAIN}` },
};

/** Facts of an error that says so: for the code that the command has for it. @param path of the repository, or of a directory in it */
export function writeFacts(path: string, error: SyscallError): ErrorFacts {
  const words = WORDS[error.errno];
  // no room helps there, and looking for it would open a file
  const filesystem = words === TOO_MANY_OPEN || words === NO_DIRECTORY ? [] : filesystemDetails(path);
  return { ...words, details: [["in", path], ...filesystem], cause: error };
}

/** Whoever writes to a store and cannot. */
export function unwritable(path: string, error: unknown): unknown {
  return error instanceof SyscallError ? new SealrootError("SR-E525", writeFacts(path, error)) : error;
}

/** Nothing where it cannot be had: the error itself counts. */
function filesystemDetails(path: string): readonly (readonly [string, string])[] {
  try {
    using directory = openPath(path, O.PATH);
    const { available, blockSize, inodes, freeInodes } = filesystemOf(directory);
    const mount = mountPoint(readFileSync("/proc/self/mountinfo", "latin1"), statAt(directory).mountId);
    // filesystems that make inodes as they need them count none
    const free: readonly [string, string] = ["free", `${available * blockSize} bytes${inodes === 0 ? "" : `, ${freeInodes} inodes`}`];
    return mount === undefined ? [free] : [["filesystem", mount], free];
  } catch (error) {
    // readFileSync's are of another class
    if (!(error instanceof Error)) throw error;
    return [];
  }
}

/** proc(5), mountinfo: the id, three fields, the mount point with octal escapes. */
function mountPoint(text: string, id: number): string | undefined {
  const field = text.split("\n").find((line) => line.startsWith(`${id} `))?.split(" ")[4];
  if (field === undefined) return undefined;
  return Buffer.from(field.replace(/\\([0-7]{3})/g, (_, digits: string) => String.fromCharCode(Number.parseInt(digits, 8))), "latin1").toString();
}
