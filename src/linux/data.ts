/** File data that moves without being read: reflinks, copies inside the kernel, holes; and what a filesystem can do. */

import { ERRNO } from "./errno.ts";
import type { Descriptor } from "./descriptor.ts";
import { check, rawSyscall } from "./syscall.ts";

type File = Pick<Descriptor, "fd" | "label">;

const FICLONE = 0x40049409;

/** ioctl FICLONE: the whole of `from` becomes the content of `to`, sharing its blocks. @returns false where that cannot be had */
export function reflink(from: File, to: File): boolean {
  const result = rawSyscall("ioctl", to.fd, FICLONE, from.fd);
  if ([ERRNO.EOPNOTSUPP, ERRNO.ENOTTY, ERRNO.EXDEV, ERRNO.EINVAL, ERRNO.ETXTBSY, ERRNO.ENOSYS, ERRNO.EPERM, ERRNO.EISDIR].some((errno) => result === -errno)) return false;
  check(result, () => `ioctl(${to.label}, FICLONE, ${from.label})`);
  return true;
}

/**
 * copy_file_range(2) from one descriptor's position to the other's.
 * @returns bytes copied, 0 at the end of the file; undefined where these two files cannot be copied that way
 */
export function copyRange(from: File, to: File, length: number): number | undefined {
  const result = rawSyscall("copy_file_range", from.fd, 0, to.fd, 0, length, 0);
  if ([ERRNO.EXDEV, ERRNO.ENOSYS, ERRNO.EINVAL, ERRNO.EOPNOTSUPP, ERRNO.EPERM, ERRNO.ETXTBSY].some((errno) => result === -errno)) return undefined;
  return check(result, () => `copy_file_range(${from.label}, ${to.label})`);
}

const SEEK = { SET: 0, END: 2, DATA: 3, HOLE: 4 } as const;

/** lseek(2). @returns the new position; undefined with DATA or HOLE when there is none from there on (ENXIO) */
export function seek(file: File, offset: number, whence: keyof typeof SEEK): number | undefined {
  const result = rawSyscall("lseek", file.fd, offset, SEEK[whence]);
  if (result === -ERRNO.ENXIO) return undefined;
  return check(result, () => `lseek(${file.label}, ${offset}, ${whence})`);
}

/** ftruncate(2): cuts, or lengthens by a hole. */
export function setSize(file: File, size: number): void {
  check(rawSyscall("ftruncate", file.fd, size), () => `ftruncate(${file.label}, ${size})`);
}

/** fchmod(2), past the umask. */
export function setPermissions(file: File, permissions: number): void {
  check(rawSyscall("fchmod", file.fd, permissions), () => `fchmod(${file.label}, 0${permissions.toString(8)})`);
}

export interface FilesystemFacts {
  /** Magic number, statfs(2). */
  readonly type: number;
  /** Bytes. */
  readonly blockSize: number;
  /** Blocks, and those free for whoever is not root. */
  readonly blocks: number;
  readonly available: number;
  /** 0 where they are made as they are needed. */
  readonly inodes: number;
  readonly freeInodes: number;
}

/** fstatfs(2). */
export function filesystemOf(file: File): FilesystemFacts {
  const buffer = new ArrayBuffer(128);
  check(rawSyscall("fstatfs", file.fd, new Uint8Array(buffer)), () => `fstatfs(${file.label})`);
  const word = (at: number): number => Number(new DataView(buffer).getBigUint64(at, true));
  return { type: word(0), blockSize: word(8), blocks: word(16), available: word(32), inodes: word(40), freeInodes: word(48) };
}

/** read(2) into the beginning of a buffer. @returns bytes, 0 at the end of the file, or minus the errno */
export const readRaw = (fd: number, buffer: Uint8Array, length: number): number => rawSyscall("read", fd, buffer, length);

/** pread64(2), the same at an offset; the descriptor's position stays. */
export const readAtRaw = (fd: number, buffer: Uint8Array, length: number, offset: number): number => rawSyscall("pread64", fd, buffer, length, offset);

/**
 * Fills a new buffer, which is all zeros, from a file's beginning, and leaves out the holes: what nobody writes to takes no memory. The
 * descriptor's position is anywhere afterwards.
 * @returns how much; less than the buffer's length only where the file ends earlier
 */
export function readData(file: File, buffer: Uint8Array): number {
  const size = Math.min(buffer.length, seek(file, 0, "END") ?? 0);
  for (let at = 0; at < size; ) {
    const start = seek(file, at, "DATA") ?? size;
    const end = Math.min(seek(file, start, "HOLE") ?? size, size);
    for (at = start; at < end; ) {
      const got = check(readAtRaw(file.fd, buffer.subarray(at, end), end - at, at), () => `pread(${file.label}) at ${at}`);
      // cut while it is read
      if (got === 0) return at;
      at += got;
    }
  }
  return size;
}
