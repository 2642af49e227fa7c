/**
 * The first instructions of the executable: machine code that runs before any line of the runtime.
 *
 * Why machine code: BUN_BE_BUN, BUN_OPTIONS and their like act before the first line of our program,
 * the runtime dies without /proc, and a closed standard stream would become whatever file is opened
 * next. None of that can be mended later. The code
 *   1. blanks each environment string whose name is not allowed (its first byte becomes NUL; the
 *      pointers stay, because the C library has seen them and finds the auxiliary vector behind them),
 *   2. opens what is closed of the descriptors 0 to 2 on /dev/null, or on "/" with O_PATH where there
 *      is no /dev (every read and write then fails, and goes nowhere),
 *   3. looks whether the program is still in the file: a runtime without one is the whole bun command,
 *      which must never run as root in place of sealroot; says so in one line and exits,
 *   4. asks for memory as the runtime's compiler will, and says so when it is refused (W^X policies, a
 *      limit of the address space), since all that the program does goes through compiled code,
 *   5. without /proc says so in one line and exits,
 *   6. goes on where the file would have begun.
 * It keeps rdx (x86-64) and x0 (arm64), in which the loader hands over its exit function.
 * Source: System V ABI supplements of both processors, "Process Initialization"; syscalls(2).
 */

import { assemble } from "./assembly.ts";
import { EM_AARCH64, EM_X86_64 } from "./elf.ts";
import { arm64, patchArm64 } from "./entry-arm64.ts";
import type { EntryRequest } from "./entry-request.ts";
import { patchX64, x64 } from "./entry-x64.ts";

/** What the runtime reads first below /proc, and aborts without. */
const PROC_FILE = "/proc/self/maps";

/** The entry code as bytes; position-dependent only in the jump to `next`. */
export function entryCode(request: EntryRequest): Uint8Array {
  for (const [what, value] of Object.entries(request.program)) {
    if (!Number.isInteger(value) || value < 0 || value >= 2 ** 31) throw new Error(`entry code: ${what} ${value} is out of range`);
  }
  for (const name of request.allowed) {
    if (!/^[A-Z_][A-Z0-9_]*$/.test(name)) throw new Error(`entry code: "${name}" is not the name of a variable`);
  }
  const text = (value: string): Uint8Array => new TextEncoder().encode(`${value}\0`);
  const data = {
    allowed: text(request.allowed.map((name) => `${name}=\0`).join("")),
    null: text("/dev/null"),
    root: text("/"),
    proc: text(PROC_FILE),
    noprogram: text(request.withoutProgram.message),
    nomemory: text(request.withoutMemory.message),
    noproc: text(request.withoutProc.message),
  };
  switch (request.machine) {
    case EM_X86_64:
      return assemble(x64(request), data, request.address, request.next, patchX64);
    case EM_AARCH64:
      return assemble(arm64(request), data, request.address, request.next, patchArm64);
    default:
      throw new Error(`entry code: no code for machine ${request.machine}`);
  }
}
