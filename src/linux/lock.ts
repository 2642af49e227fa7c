/** flock(2): advisory locks of an open file, which end with the last descriptor of it. */

import type { Descriptor } from "./descriptor.ts";
import { ERRNO } from "./errno.ts";
import { check, rawSyscall } from "./syscall.ts";

const LOCK = { shared: 1, exclusive: 2 } as const;
const LOCK_NB = 4;

/** Takes the lock, or turns the one that is held into the other kind. @returns false when somebody else holds it and `wait` is false */
export function lockFile(file: Descriptor, kind: keyof typeof LOCK, wait: boolean): boolean {
  const result = rawSyscall("flock", file.fd, LOCK[kind] | (wait ? 0 : LOCK_NB));
  if (result === -ERRNO.EAGAIN) return false;
  check(result, () => `flock(${file.label}, ${kind})`);
  return true;
}
