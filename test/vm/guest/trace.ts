/**
 * A program that is held before each of its system calls that change a filesystem, so that it can be killed there, or the disk be looked
 * at. The shipped executable as it is, with all its threads: nothing is changed inside it (compare test/support/faults, which needs
 * the sources).
 */

import { cc, dlopen, FFIType, ptr } from "bun:ffi";
import { closeSync, openSync, readFileSync, readlinkSync } from "node:fs";

/** x86-64 numbers of everything that can leave something behind. */
const CALLS = {
  write: 1, ioctl: 16, pwrite64: 18, writev: 20, sendfile: 40, fsync: 74, fdatasync: 75, truncate: 76, ftruncate: 77, rename: 82, mkdir: 83, rmdir: 84, creat: 85, link: 86,
  unlink: 87, symlink: 88, chmod: 90, fchmod: 91, chown: 92, fchown: 93, mknod: 133, setxattr: 188, lsetxattr: 189, fsetxattr: 190, removexattr: 197, fremovexattr: 199,
  openat: 257, mkdirat: 258, mknodat: 259, fchownat: 260, unlinkat: 263, renameat: 264, linkat: 265, symlinkat: 266, fchmodat: 268, splice: 275, utimensat: 280, fallocate: 285,
  pwritev: 296, syncfs: 306, renameat2: 316, copy_file_range: 326, openat2: 437,
} as const;
type Call = keyof typeof CALLS;
const NAMES = new Map<number, Call>(Object.entries(CALLS).map(([name, number]) => [number, name as Call]));

/** Of these, the descriptor that is written to, by the number of its argument. */
const WRITES: Partial<Record<Call, number>> = { write: 0, pwrite64: 0, writev: 0, pwritev: 0, sendfile: 0, splice: 2, copy_file_range: 2 };
const REQUESTS: Readonly<Record<number, string>> = { 0x40806685: "enable fs-verity", 0x40049409: "clone" };
const [O_CREAT, O_TMPFILE] = [0o100, 0o20000000];

/** In struct user_regs_struct. */
const REGISTERS = { arguments: [14, 13, 12, 7, 9, 8], number: 15 } as const;

const { symbols } = cc({
  source: "/lab/trace.c",
  symbols: {
    trace_start: { args: [FFIType.ptr, FFIType.ptr, FFIType.i32, FFIType.i32, FFIType.ptr, FFIType.i32], returns: FFIType.i32 },
    trace_next: { args: [FFIType.ptr], returns: FFIType.i32 },
    trace_refuse: { args: [], returns: FFIType.void },
    trace_kill: { args: [], returns: FFIType.i32 },
  },
});
const { symbols: libc } = dlopen("libc.so.6", { process_vm_readv: { args: [FFIType.i32, FFIType.ptr, FFIType.u64, FFIType.ptr, FFIType.u64, FFIType.u64], returns: FFIType.i64 } });

export interface Ended {
  readonly exit: number;
  readonly killed: boolean;
  /** What it said. */
  readonly text: string;
  /** The calls that it made, or would have made next when it was killed: a name each, with what tells them apart. */
  readonly calls: readonly string[];
  /** Threads that made them. */
  readonly threads: number;
}

/** Addresses of NUL-terminated strings, and a null; the strings live as long as it does. */
function strings(texts: readonly string[]): { readonly list: BigUint64Array; readonly keep: readonly Uint8Array[] } {
  const keep = texts.map((text) => new TextEncoder().encode(`${text}\0`));
  return { list: new BigUint64Array([...keep.map((bytes) => BigInt(ptr(bytes))), 0n]), keep };
}

function memory(pid: number, address: bigint): number {
  const word = new BigUint64Array(1);
  const [local, remote] = [new BigUint64Array([BigInt(ptr(word)), 8n]), new BigUint64Array([address, 8n])];
  libc.process_vm_readv(pid, ptr(local), 1, ptr(remote), 1, 0);
  return Number(word[0] ?? 0n);
}

/** What the call changes, in a few words; undefined for one that changes nothing below `top`. */
function describeCall(pid: number, regs: BigUint64Array, top: string): string | undefined {
  const name = NAMES.get(Number(regs[REGISTERS.number]));
  if (name === undefined) return undefined;
  const argument = (index: number): bigint => regs[REGISTERS.arguments[index] ?? 0] ?? 0n;
  if (name === "ioctl") return REQUESTS[Number(argument(1) & 0xffffffffn)];
  if (name === "openat" || name === "openat2") {
    const flags = name === "openat" ? Number(argument(2)) : memory(pid, argument(2));
    return (flags & O_TMPFILE) === O_TMPFILE ? `${name} unnamed` : (flags & O_CREAT) !== 0 ? `${name} new` : undefined;
  }
  const written = WRITES[name];
  if (written !== undefined && !pathOf(pid, Number(argument(written) & 0xffffffffn)).startsWith(top)) return undefined;
  return name;
}

function pathOf(pid: number, fd: number): string {
  try {
    return readlinkSync(`/proc/${pid}/fd/${fd}`);
  } catch {
    return "";
  }
}

/**
 * Runs a program, held before each call that changes something below `top`.
 * @param before asked at each of them, by number from 0; "kill" kills it there, "refuse" makes the call fail with ENOSYS
 */
export function traced(argv: readonly string[], top: string, before: (number: number, call: string) => "go on" | "kill" | "refuse"): Ended {
  const [args, environment] = [strings(argv), strings(["PATH=/usr/sbin:/usr/bin:/sbin:/bin", "LC_ALL=C"])];
  const numbers = new Int32Array(Object.values(CALLS));
  const said = "/tmp/traced";
  const [input, output] = [openSync("/dev/null", "r"), openSync(said, "w")];
  const calls: string[] = [];
  const threads = new Set<number>();
  const end = (status: number): Ended => {
    closeSync(input);
    closeSync(output);
    return { exit: (status >> 8) & 0xff, killed: (status & 0x7f) === 9, text: readFileSync(said, "utf8"), calls, threads: threads.size };
  };
  if (symbols.trace_start(ptr(args.list), ptr(environment.list), input, output, ptr(numbers), numbers.length) < 0) throw new Error("the program cannot be traced");
  const regs = new BigUint64Array(27);
  for (;;) {
    const pid = symbols.trace_next(ptr(regs));
    if (pid < 0) throw new Error("the traced program was lost");
    if (pid === 0) return end(Number(regs[0]));
    const call = describeCall(pid, regs, top);
    if (call === undefined) continue;
    calls.push(call);
    threads.add(pid);
    const answer = before(calls.length - 1, call);
    if (answer === "kill") return end(symbols.trace_kill());
    if (answer === "refuse") symbols.trace_refuse();
  }
}
