/** Turns a failed system call of a step into the error that a person reads: the step's code, unless the errno says more. */

import { type ErrorCode, type ErrorFacts, SealrootError } from "../errors/index.ts";
import { ERRNO, SyscallError } from "../linux/index.ts";

export interface Step {
  /** What was being done, e.g. "mount the image". */
  readonly name: string;
  readonly code: ErrorCode;
  /** The code where the driver is not in the kernel (ENODEV). */
  readonly noDriver?: ErrorCode;
  /** The code where a read failed (EIO, EBADMSG, EUCLEAN): under fs-verity, changed bytes. */
  readonly unreadable?: ErrorCode;
}

/** The initramfs mounts the physical root read-only unless the command line has `rw`: more often the cause than a medium that is. */
const READ_ONLY: ErrorFacts = {
  meaning: "the physical root is mounted read-only, and a directory on it is to take changes",
  next: 'add rw to the kernel command line; or, for a read-only medium, set mount = "transient" for etc and var',
};

function codeFor(step: Step, error: SyscallError): ErrorCode {
  if (error.errno === ERRNO.EPERM) return "SR-E105";
  if (error.errno === ERRNO.ENODEV && step.noDriver !== undefined) return step.noDriver;
  if ((error.errno === ERRNO.EIO || error.errno === ERRNO.EBADMSG || error.errno === ERRNO.EUCLEAN) && step.unreadable !== undefined) return step.unreadable;
  return step.code;
}

/** Runs a step; what it throws names the step, the system call, the errno and the kernel's own words. */
export function during<T>(step: Step, act: () => T): T {
  try {
    return act();
  } catch (error) {
    if (!(error instanceof SyscallError)) throw error;
    const facts: ErrorFacts = { details: [["step", step.name], ["cause", error.message]], cause: error };
    throw new SealrootError(codeFor(step, error), error.errno === ERRNO.EROFS ? { ...facts, ...READ_ONLY } : facts);
  }
}
