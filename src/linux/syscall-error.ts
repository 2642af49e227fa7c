/** A failed system call: which one, on what, why, and what the kernel said about it. */

import { errnoName, errnoText } from "./errno.ts";

export class SyscallError extends Error {
  override readonly name = "SyscallError";
  readonly call: string;
  readonly errno: number;
  /** The messages that the kernel left in the filesystem context (`read` on an fsopen descriptor), oldest first. */
  readonly kernelLog: readonly string[];

  /** @param call the system call with its arguments as text, e.g. `openat2(3, "images/ab…", O_RDONLY)` */
  constructor(call: string, errno: number, kernelLog: readonly string[] = []) {
    super(`${call}: ${errnoText(errno)}${kernelLog.length === 0 ? "" : ` [kernel: ${kernelLog.join("; ")}]`}`);
    this.call = call;
    this.errno = errno;
    this.kernelLog = kernelLog;
  }

  get errnoName(): string {
    return errnoName(this.errno);
  }
}

/** Whether `error` is a failed system call with one of these errno values. */
export function isErrno(error: unknown, ...errnos: readonly number[]): error is SyscallError {
  return error instanceof SyscallError && errnos.includes(error.errno);
}
