/**
 * Which system calls fail, and how. From the environment variable FAULTS (JSON, see {@link Faults}).
 *
 * What an older kernel refuses is modelled on its source; the kernels themselves run in test/vm, where there is one.
 */

import { appendFileSync, fstatSync, mkdirSync, readFileSync, readlinkSync, statSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { fsverityDigest } from "../../../src/fsverity/index.ts";

type Argument = number | Uint8Array | null;
type Syscall = (name: string, ...args: Argument[]) => number;

export interface Faults {
  /** Makes the kernel look like one of this version. */
  readonly kernel?: "6.14" | "6.12" | "6.6" | "6.5" | "6.1";
  /** The call of this number (from 0, in the order in which they are made) fails, unless it may not: see {@link UNDO}. */
  readonly failCall?: number;
  readonly errno?: number;
  /** A file-backed EROFS counts as a level of stacking, as in 6.12.63: an overlay on the root's is one too many. */
  readonly countsFiles?: boolean;
  /** Every call of this name, or of one of these (and, for ioctl, of this request; for fsopen, of this type) fails. */
  readonly failAll?: { readonly call: string | readonly string[]; readonly what?: number | string };
  /** Reading these files fails with EIO, also where the kernel copies from them, or hashes them for fs-verity: by the end of the path. */
  readonly unreadable?: readonly string[];
  /** The filesystem shares blocks (FICLONE), and whoever writes to the source has just added so many bytes, and cuts them off again. */
  readonly grown?: number;
  /** Milliseconds that each of these calls takes longer, so that several threads make them at once. */
  readonly pause?: number;
  /** The filesystem has fs-verity, with this hash: enabling succeeds, and every file's digest is that of its content. */
  readonly verity?: "sha256" | "sha512";
  /** fs-verity measures this SHA-256 digest (of any file). */
  readonly measured?: string;
  /** Regular files have these permission bits, however they were set: a file system that does not keep them. */
  readonly permissions?: number;
  /** The same for files of these names alone: by the end of the path. */
  readonly measuredNames?: Readonly<Record<string, string>>;
  /** The program is killed (SIGKILL) instead of the call of this number among those that change a filesystem; from 0. */
  readonly killAt?: number;
  /** A file that gets a line for each call that changes a filesystem. */
  readonly changes?: string;
  /** An empty directory, for programs with several threads: which number a call has is settled there. */
  readonly numbers?: string;
  /** A file that gets a line for each call: number, name, result. */
  readonly log?: string;
}

const ENOTBLK = 15;
const EIO = 5;
const EINVAL = 22;
const EBADF = 9;
const FS_IOC_ENABLE_VERITY = 0x40806685;
const FS_IOC_MEASURE_VERITY = 0xc0046686;
const FSCONFIG_SET_STRING = 1;
const FSCONFIG_SET_FD = 5;
const FSCONFIG_CREATE = 6;
const MOVE_MOUNT_BENEATH = 0x200;
/** What undoes, and what cannot be undone: a kernel in which these fail leaves no one a choice. */
const UNDO = new Set(["close", "umount2", "unlinkat", "exit_group"]);

/** Calls that leave something behind. openat2 and openat count where they create, ioctl where it enables fs-verity or clones. */
const CHANGING = new Set([
  "write", "unlinkat", "renameat2", "linkat", "symlinkat", "mkdirat", "mknodat", "fchmod", "fchmodat", "fchownat", "ftruncate", "copy_file_range", "setxattr", "fsync", "syncfs",
]);
const FICLONE = 0x40049409;
const CHANGING_REQUESTS = [FS_IOC_ENABLE_VERITY, FICLONE];
const READING = new Set(["read", "pread64", "copy_file_range"]);
const O_CREAT = 0o100;
const O_TMPFILE = 0o20000000;

function changes(name: string, [first, second, third]: readonly Argument[]): boolean {
  // standard output and error are no filesystem
  if (name === "write") return typeof first === "number" && first > 2;
  if (name === "ioctl") return CHANGING_REQUESTS.includes(Number(second));
  const flags = name === "openat" ? Number(third) : name === "openat2" && third instanceof Uint8Array ? new DataView(third.buffer, third.byteOffset).getUint32(0, true) : undefined;
  return flags === undefined ? CHANGING.has(name) : (flags & (O_CREAT | O_TMPFILE)) !== 0;
}

const decoder = new TextDecoder();
const text = (argument: Argument | undefined): string => (argument instanceof Uint8Array ? decoder.decode(argument.subarray(0, argument.indexOf(0))) : "");

/** Whether the descriptor's mount is attached to this namespace's tree. */
function isDetached(fd: number): boolean {
  const id = /^mnt_id:\t(\d+)$/m.exec(readFileSync(`/proc/self/fdinfo/${fd}`, "utf8"))?.[1];
  return !readFileSync("/proc/self/mountinfo", "utf8").split("\n").some((line) => line.startsWith(`${id} `));
}

/** The errno with which a kernel of this version would refuse, 0 if it would not. */
function refusedBy(kernel: NonNullable<Faults["kernel"]>, types: ReadonlyMap<number, string>, name: string, args: readonly Argument[]): number {
  const [first, second, third] = args;
  const version = Number(kernel.slice(2));
  const fd = typeof first === "number" ? first : -1;
  if (name === "fsconfig") {
    const overlay = types.get(fd) === "overlay";
    if (second === FSCONFIG_CREATE && types.get(fd) === "erofs" && version < 12 && backedByFile.has(fd)) return ENOTBLK;
    if (overlay && second === FSCONFIG_SET_FD) {
      if (version < 13) return version < 5 ? EBADF : EINVAL;
      if (version < 15 && typeof args[4] === "number" && isDetached(args[4])) return EINVAL;
    }
    if (overlay && second === FSCONFIG_SET_STRING) {
      const key = text(third);
      if (version < 7 && (key === "lowerdir+" || key === "datadir+")) return EINVAL;
      if (version < 6 && key === "verity") return EINVAL;
      if (version < 5 && key === "lowerdir" && text(args[3]).includes("::")) return EINVAL;
    }
  }
  if (name === "move_mount") {
    if (version < 5 && typeof args[4] === "number" && (args[4] & MOVE_MOUNT_BENEATH) !== 0) return EINVAL;
    if (version < 15 && typeof third === "number" && third >= 0 && isDetached(third)) return EINVAL;
  }
  return 0;
}

/** In struct statx. */
function setPermissions(statx: Uint8Array, permissions: number): void {
  const view = new DataView(statx.buffer, statx.byteOffset);
  const mode = view.getUint16(28, true);
  if (mode >> 12 === 0o10) view.setUint16(28, (mode & ~0o7777) | permissions, true);
}

/** fsopen descriptors whose source is a regular file. */
const backedByFile = new Set<number>();
/** fsopen descriptors of overlays that join image and objects, as the root's does. */
const joinsObjects = new Set<number>();
let hasLoopBacked = false;

/** Whether the descriptor's path ends so. */
function isNamed(fd: number, ends: readonly string[]): boolean {
  const path = readlinkSync(`/proc/self/fd/${fd}`);
  return ends.some((end) => path.endsWith(end));
}

/** The next number from this one on that no thread has taken. */
function takeNumber(directory: string, from: number): number {
  for (let number = from; ; number++) {
    try {
      mkdirSync(join(directory, String(number)));
      return number;
    } catch (error) {
      if (!(error instanceof Error && "code" in error && error.code === "EEXIST")) throw error;
    }
  }
}

export function underRules(real: Syscall): Syscall {
  const faults: Faults = JSON.parse(process.env["FAULTS"] ?? "{}") as Faults;
  const types = new Map<number, string>();
  let number = 0;
  let changed = 0;
  return (name, ...args) => {
    const current = number++;
    if ((faults.killAt !== undefined || faults.changes !== undefined) && changes(name, args)) {
      if (faults.numbers !== undefined) changed = takeNumber(faults.numbers, changed);
      if (faults.pause !== undefined) Bun.sleepSync(faults.pause);
      if (faults.changes !== undefined) appendFileSync(faults.changes, `${changed} ${name}${Bun.isMainThread ? "" : " in another thread"}\n`);
      if (changed++ === faults.killAt) process.kill(process.pid, "SIGKILL");
    }
    const done = (result: number, why = ""): number => {
      if (faults.log !== undefined) appendFileSync(faults.log, `${current} ${name} ${result}${why}\n`);
      return result;
    };
    if (faults.failCall === current && !UNDO.has(name)) return done(-(faults.errno ?? EINVAL), " injected");
    const { failAll } = faults;
    if (failAll !== undefined && [failAll.call].flat().includes(name) && (failAll.what === undefined || (name === "ioctl" ? args[1] : text(args[0])) === failAll.what)) return done(-(faults.errno ?? EINVAL), " injected");
    if (faults.unreadable !== undefined && (READING.has(name) || (name === "ioctl" && args[1] === FS_IOC_ENABLE_VERITY)) && isNamed(Number(args[0]), faults.unreadable)) return done(-EIO, " unreadable");
    if (name === "ioctl" && args[1] === FICLONE && faults.grown !== undefined) {
      writeFileSync(`/proc/self/fd/${Number(args[0])}`, Buffer.concat([readFileSync(`/proc/self/fd/${Number(args[2])}`), new Uint8Array(faults.grown)]));
      return done(0, " pretended");
    }
    if (faults.countsFiles === true && name === "fsconfig" && args[1] === FSCONFIG_CREATE && types.get(Number(args[0])) === "overlay" && !joinsObjects.has(Number(args[0])) && !hasLoopBacked) {
      return done(-EINVAL, " one level too many");
    }
    if (faults.kernel !== undefined) {
      // before 6.5 overlayfs takes any option while it is being configured
      const overlayOption = name === "fsconfig" && args[1] === FSCONFIG_SET_STRING && types.get(Number(args[0])) === "overlay";
      if (faults.kernel === "6.1" && overlayOption && text(args[2]) === "sealroot-probe") return done(0, " pretended");
      const refused = refusedBy(faults.kernel, types, name, args);
      if (refused !== 0) return done(-refused, ` not in ${faults.kernel}`);
    }
    if (faults.verity !== undefined && name === "ioctl" && fstatSync(Number(args[0])).isFile()) {
      if (args[1] === FS_IOC_ENABLE_VERITY) return done(0, " pretended");
      if (args[1] === FS_IOC_MEASURE_VERITY && args[2] instanceof Uint8Array) {
        const digest = fsverityDigest(readFileSync(`/proc/self/fd/${Number(args[0])}`), faults.verity);
        args[2].set([faults.verity === "sha256" ? 1 : 2, 0, digest.length, 0, ...digest]);
        return done(0, " pretended");
      }
    }
    if (faults.measured !== undefined && name === "ioctl" && args[1] === FS_IOC_MEASURE_VERITY && args[2] instanceof Uint8Array) {
      args[2].set([1, 0, 32, 0, ...Uint8Array.fromHex(faults.measured)]);
      return done(0, " pretended");
    }
    if (faults.measuredNames !== undefined && name === "ioctl" && args[1] === FS_IOC_MEASURE_VERITY && args[2] instanceof Uint8Array) {
      const path = readlinkSync(`/proc/self/fd/${Number(args[0])}`);
      const digest = Object.entries(faults.measuredNames).find(([end]) => path.endsWith(end))?.[1];
      if (digest !== undefined) {
        args[2].set([1, 0, 32, 0, ...Uint8Array.fromHex(digest)]);
        return done(0, " pretended");
      }
    }
    const result = real(name, ...args);
    if (faults.permissions !== undefined && name === "statx" && result === 0 && args[4] instanceof Uint8Array) setPermissions(args[4], faults.permissions);
    if (name === "fsopen" && result >= 0) {
      types.set(result, text(args[0]));
      backedByFile.delete(result);
      joinsObjects.delete(result);
    }
    if (name === "fsconfig" && text(args[2]) === "metacopy") joinsObjects.add(Number(args[0]));
    if (name === "fsconfig" && text(args[2]) === "source" && types.get(Number(args[0])) === "erofs") {
      if (statSync(text(args[3])).isFile()) backedByFile.add(Number(args[0]));
      else hasLoopBacked = true;
    }
    return done(result);
  };
}
