/**
 * The proof before switch-root: the init program and its interpreters are read whole through the new root. A kernel that mounts
 * and then cannot read (overlay verity was broken in some 7.0 releases), a missing object, a changed one: all show here, while
 * there is still a console to say so.
 */

import { lastValue, type Token } from "../cmdline-parser/index.ts";
import { describeCause, SealrootError } from "../errors/index.ts";
import { type Descriptor, ERRNO, IN_ROOT, isErrno, O, openAt, readInto, reopen, statAt } from "../linux/index.ts";
import { interpreterOf } from "./interpreter.ts";

/** What systemd's and the kernel's own search try, in this order. */
const INIT_PROGRAMS = ["/usr/lib/systemd/systemd", "/lib/systemd/systemd", "/sbin/init", "/etc/init", "/bin/init", "/bin/sh"] as const;
const CHUNK = 1 << 16;
/** Holds the ELF header, the program headers and, in every toolchain, the interpreter's name. */
const HEAD = 4096;
/** A larger "init program" is read up to here; the rest is checked when it is used. */
const READ_LIMIT = 64 << 20;

export interface Proof {
  readonly path: string;
  readonly bytes: number;
}

/** A script whose interpreter is a script, and so on: the kernel follows no more than this (fs/exec.c). */
const LONGEST_CHAIN = 5;

const unreadable = (path: string, cause: unknown): SealrootError =>
  new SealrootError("SR-E400", { details: [["step", `read ${path} through the new root`], ["cause", describeCause(cause)]], cause });

const useless = (path: string, found: string): SealrootError => new SealrootError("SR-E401", { details: [["program", path], ["found", found]] });

/**
 * The name alone, so that a program whose content is missing is told from one that is not there: the first must fail, and not be
 * passed over for the next program.
 */
function findProgram(root: Descriptor, path: string): Descriptor | undefined {
  try {
    return openAt(root, path, O.PATH, IN_ROOT);
  } catch (error) {
    if (isErrno(error, ERRNO.ENOENT, ERRNO.ENOTDIR)) return undefined;
    if (isErrno(error, ERRNO.ELOOP)) throw useless(path, "symbolic links that lead nowhere");
    throw unreadable(path, error);
  }
}

function readWhole(found: Descriptor, path: string, buffer: Uint8Array): Proof & { readonly head: Uint8Array } {
  try {
    const { type, permissions } = statAt(found);
    if (type !== "regular file") throw useless(path, `a ${type}, not a regular file`);
    if ((permissions & 0o111) === 0) throw useless(path, "a file that nobody may execute");
    using file = reopen(found, O.RDONLY);
    let bytes = readInto(file, buffer);
    if (bytes === 0) throw useless(path, "an empty file");
    const head = buffer.slice(0, Math.min(bytes, HEAD));
    for (let got = bytes; got === CHUNK && bytes < READ_LIMIT; bytes += got) got = readInto(file, buffer);
    return { path, bytes, head };
  } catch (error) {
    throw error instanceof SealrootError ? error : unreadable(path, error);
  }
}

/** Reads a program, what interprets it, and so on. @returns undefined when there is no such program */
function proveProgram(root: Descriptor, path: string, buffer: Uint8Array): Proof[] | undefined {
  const proofs: Proof[] = [];
  for (let next: string | undefined = path; next !== undefined && proofs.length < LONGEST_CHAIN; ) {
    using found = findProgram(root, next);
    if (found === undefined) {
      if (proofs.length === 0) return undefined;
      throw new SealrootError("SR-E401", { summary: "the init program's interpreter is missing", details: [["init", path], ["interpreter", next]] });
    }
    const { head, ...proof } = readWhole(found, next, buffer);
    proofs.push(proof);
    next = interpreterOf(head);
  }
  return proofs;
}

/** @throws SealrootError SR-E400 or SR-E401 */
export function prove(root: Descriptor, tokens: readonly Token[]): Proof[] {
  const asked = lastValue(tokens, "init");
  const paths: readonly string[] = asked === undefined || asked === "" ? INIT_PROGRAMS : [asked];
  const buffer = new Uint8Array(CHUNK);
  for (const path of paths) {
    const proofs = proveProgram(root, path, buffer);
    if (proofs !== undefined) return proofs;
  }
  throw new SealrootError("SR-E401", { details: [["looked for", paths.join(", ")]] });
}
