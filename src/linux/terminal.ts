/** Facts about a terminal. */

import { rawSyscall } from "./syscall.ts";

const TIOCGWINSZ = 0x5413;

/** Characters in a line of the terminal, undefined where it does not say (TIOCGWINSZ; 0 on a serial line). */
export function terminalColumns(fd: number): number | undefined {
  const size = new Uint8Array(8);
  if (rawSyscall("ioctl", fd, TIOCGWINSZ, size) < 0) return undefined;
  const columns = new DataView(size.buffer).getUint16(2, true);
  return columns === 0 ? undefined : columns;
}
