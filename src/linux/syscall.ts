/**
 * The way into the kernel: libc's syscall(2) wrapper through bun:ffi, and errno read through its address straight after the call
 * (before any other code of this thread can change it).
 */

import { dlopen, ptr, read } from "bun:ffi";
import { ERRNO } from "./errno.ts";
import { SYSCALL, type SyscallName } from "./syscall-numbers.ts";
import { SyscallError } from "./syscall-error.ts";

const SYMBOLS = {
  syscall: { args: ["i64", "i64", "i64", "i64", "i64", "i64", "i64"], returns: "i64" },
  __errno_location: { args: [], returns: "ptr" },
} as const;

function openLibc(): ReturnType<typeof dlopen<typeof SYMBOLS>> {
  // glibc first; the other names are musl's, whose dynamic loader is the C library.
  const names = ["libc.so.6", process.arch === "arm64" ? "libc.musl-aarch64.so.1" : "libc.musl-x86_64.so.1"];
  let first: unknown;
  for (const name of names) {
    try {
      return dlopen(name, SYMBOLS);
    } catch (error) {
      first ??= error;
    }
  }
  throw first;
}

const libc = openLibc();
const errnoAddress = libc.symbols.__errno_location()!;

/** An argument of a system call: an integer, or bytes whose address is passed. */
export type SyscallArgument = number | Uint8Array | null;

const word = (argument: SyscallArgument | undefined): number => {
  if (typeof argument === "number") return argument;
  return argument === undefined || argument === null ? 0 : ptr(argument);
};

/** The buffers of the call under way: held here so that the garbage collector cannot take what the kernel is writing to. */
export let inFlight: readonly unknown[] = [];

/**
 * Makes a system call; EINTR is retried where a signal may have come in between.
 * @returns the non-negative result, or minus the errno
 */
export function rawSyscall(name: SyscallName, a?: SyscallArgument, b?: SyscallArgument, c?: SyscallArgument, d?: SyscallArgument, e?: SyscallArgument, f?: SyscallArgument): number {
  inFlight = [a, b, c, d, e, f];
  for (;;) {
    const result = Number(libc.symbols.syscall(SYSCALL[name], word(a), word(b), word(c), word(d), word(e), word(f)));
    if (result !== -1) return result;
    const errno = read.i32(errnoAddress, 0);
    // close(2) must not be repeated: the descriptor is gone already.
    if (errno !== ERRNO.EINTR || name === "close") return -errno;
  }
}

/** Throws SyscallError for a negative result of {@link rawSyscall}; `describe` is only called then. */
export function check(result: number, describe: () => string, kernelLog?: () => readonly string[]): number {
  if (result < 0) throw new SyscallError(describe(), -result, kernelLog?.() ?? []);
  return result;
}

const encoder = new TextEncoder();

/** A NUL-terminated string; one with a NUL inside would name another file than the one that was checked. */
export function cString(text: string): Uint8Array {
  if (text.includes("\0")) throw new SyscallError(`path ${JSON.stringify(text)}`, ERRNO.EINVAL);
  return encoder.encode(`${text}\0`);
}
