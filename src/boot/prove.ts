/**
 * The proof before switch-root: the init program and its interpreter are read whole through the new root. A kernel that mounts
 * and then cannot read (overlay verity was broken in some 7.0 releases), a missing object, a changed one: all show here, while
 * there is still a console to say so.
 */

import { lastValue, type Token } from "../cmdline-parser/index.ts";
import { describeCause, SealrootError } from "../errors/index.ts";
import { type Descriptor, ERRNO, isErrno, O, openAt, readInto, RESOLVE, statAt } from "../linux/index.ts";
import { elfInterpreter } from "./elf.ts";

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

const IN_NEW_ROOT = RESOLVE.IN_ROOT | RESOLVE.NO_MAGICLINKS;

function openProgram(root: Descriptor, path: string): Descriptor | undefined {
  try {
    return openAt(root, path, O.RDONLY | O.NONBLOCK, IN_NEW_ROOT);
  } catch (error) {
    if (isErrno(error, ERRNO.ENOENT, ERRNO.ENOTDIR)) return undefined;
    throw unreadable(path, error);
  }
}

const unreadable = (path: string, cause: unknown): SealrootError =>
  new SealrootError("SR-E400", { details: [["step", `read ${path} through the new root`], ["cause", describeCause(cause)]], cause });

function readWhole(file: Descriptor, path: string, buffer: Uint8Array): Proof & { readonly head: Uint8Array } {
  try {
    if (statAt(file).type !== "regular") throw new SealrootError("SR-E401", { details: [["found", `${path} is not a regular file`]] });
    let bytes = readInto(file, buffer);
    const head = buffer.slice(0, Math.min(bytes, HEAD));
    for (let got = bytes; got === CHUNK && bytes < READ_LIMIT; bytes += got) got = readInto(file, buffer);
    return { path, bytes, head };
  } catch (error) {
    throw error instanceof SealrootError ? error : unreadable(path, error);
  }
}

/** @throws SealrootError SR-E400 or SR-E401 */
export function prove(root: Descriptor, tokens: readonly Token[]): Proof[] {
  const asked = lastValue(tokens, "init");
  const paths: readonly string[] = asked === undefined || asked === "" ? INIT_PROGRAMS : [asked];
  const buffer = new Uint8Array(CHUNK);
  for (const path of paths) {
    using file = openProgram(root, path);
    if (file === undefined) continue;
    const { head, ...init } = readWhole(file, path, buffer);
    const interpreter = elfInterpreter(head);
    if (interpreter === undefined) return [init];
    using loader = openProgram(root, interpreter);
    if (loader === undefined) throw new SealrootError("SR-E401", { summary: "the init program's interpreter is missing", details: [["init", path], ["interpreter", interpreter]] });
    const { head: _, ...second } = readWhole(loader, interpreter, buffer);
    return [init, second];
  }
  throw new SealrootError("SR-E401", { details: [["looked for", paths.join(", ")]] });
}
