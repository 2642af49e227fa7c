/**
 * Files by descriptor. Every lookup is openat2(2) below a directory that is held open, so that the disk cannot send us elsewhere.
 */

import { ERRNO } from "./errno.ts";
import { Descriptor } from "./descriptor.ts";
import { check, cString, rawSyscall } from "./syscall.ts";

export const AT_FDCWD = -100;
export const AT_EMPTY_PATH = 0x1000;

// include/uapi/asm-generic/fcntl.h; the two directory flags differ on arm64
const ARM = process.arch === "arm64";
export const O = {
  RDONLY: 0, WRONLY: 1, RDWR: 2, CREAT: 0o100, EXCL: 0o200, NOCTTY: 0o400, TRUNC: 0o1000, NONBLOCK: 0o4000, CLOEXEC: 0o2000000, PATH: 0o10000000,
  DIRECTORY: ARM ? 0o40000 : 0o200000, NOFOLLOW: ARM ? 0o100000 : 0o400000, TMPFILE: 0o20000000 | (ARM ? 0o40000 : 0o200000),
} as const;

// include/uapi/linux/openat2.h
export const RESOLVE = { NO_XDEV: 1, NO_MAGICLINKS: 2, NO_SYMLINKS: 4, BENEATH: 8, IN_ROOT: 16 } as const;

/** Lookups that somebody else's disk cannot lead out of the directory: links within it are followed, others are an error. */
export const BENEATH = RESOLVE.BENEATH | RESOLVE.NO_MAGICLINKS;
/** The same, and no link is followed. */
export const BENEATH_NO_LINKS = RESOLVE.BENEATH | RESOLVE.NO_SYMLINKS;
/** Links are followed as if the directory were the root. */
export const IN_ROOT = RESOLVE.IN_ROOT | RESOLVE.NO_MAGICLINKS;

const DIRFD_HERE = { fd: AT_FDCWD, label: "." } as const;
export type DirectoryDescriptor = Pick<Descriptor, "fd" | "label">;
export const HERE: DirectoryDescriptor = DIRFD_HERE;

/** struct open_how: three 64-bit words, flags, mode, resolve */
function openHow(flags: number, resolve: number, mode: number): Uint8Array {
  const how = new BigUint64Array(3);
  how[0] = BigInt(flags | O.CLOEXEC);
  how[1] = BigInt(mode);
  how[2] = BigInt(resolve);
  return new Uint8Array(how.buffer);
}

/** openat2(2). EAGAIN (a rename raced with the lookup) is retried a few times, as the manual advises. */
export function openAt(directory: DirectoryDescriptor, path: string, flags: number, resolve: number, mode = 0): Descriptor {
  const name = cString(path);
  const how = openHow(flags, resolve, mode);
  let result = 0;
  for (let attempt = 0; attempt < 16; attempt++) {
    result = rawSyscall("openat2", directory.fd, name, how, how.byteLength);
    if (result !== -ERRNO.EAGAIN) break;
  }
  check(result, () => `openat2(${directory.label}, ${JSON.stringify(path)})`);
  return new Descriptor(result, directory.fd === AT_FDCWD ? path : `${directory.label === "/" ? "" : directory.label}/${path}`);
}

/** Opens a path of the running system (not of the disk): options and fixed places only. */
export function openPath(path: string, flags: number): Descriptor {
  return openAt(HERE, path, flags, 0);
}

/**
 * Opens for use the very file that an O_PATH descriptor holds: so that the type of a file from the disk is known before anything
 * is opened that acts when it is opened (a device), or waits (a FIFO).
 */
export function reopen(file: Descriptor, flags: number): Descriptor {
  const how = openHow(flags, 0, 0);
  return new Descriptor(check(rawSyscall("openat2", AT_FDCWD, cString(file.path), how, how.byteLength), () => `open(${file.label})`), file.label);
}

export interface FileFacts {
  readonly type: "regular file" | "directory" | "symbolic link" | "block device" | "character device" | "FIFO" | "socket" | "file of unknown type";
  /** Permission bits with set-id and sticky, 0o7777. */
  readonly permissions: number;
  readonly uid: number;
  readonly gid: number;
  readonly size: number;
  readonly inode: number;
  /** The filesystem's device. */
  readonly device: DeviceNumber;
  /** The device that a device node stands for. */
  readonly represents: DeviceNumber;
  readonly mountId: number;
}

export interface DeviceNumber {
  readonly major: number;
  readonly minor: number;
}

const TYPES: Readonly<Record<number, FileFacts["type"]>> = {
  0o1: "FIFO", 0o2: "character device", 0o4: "directory", 0o6: "block device", 0o10: "regular file", 0o12: "symbolic link", 0o14: "socket",
};
const STATX_BASIC_AND_MOUNT_ID = 0x17ff;

/** statx(2) of `path` below `directory`, or of the descriptor itself with an empty path. Symbolic links are followed unless it is empty. */
export function statAt(directory: DirectoryDescriptor, path = ""): FileFacts {
  const buffer = new Uint8Array(256);
  check(rawSyscall("statx", directory.fd, cString(path), path === "" ? AT_EMPTY_PATH : 0, STATX_BASIC_AND_MOUNT_ID, buffer), () => `statx(${directory.label}${path === "" ? "" : `, ${JSON.stringify(path)}`})`);
  const view = new DataView(buffer.buffer);
  const mode = view.getUint16(28, true);
  return {
    type: TYPES[mode >> 12] ?? "file of unknown type",
    permissions: mode & 0o7777,
    uid: view.getUint32(20, true),
    gid: view.getUint32(24, true),
    inode: Number(view.getBigUint64(32, true)),
    size: Number(view.getBigUint64(40, true)),
    represents: { major: view.getUint32(128, true), minor: view.getUint32(132, true) },
    device: { major: view.getUint32(136, true), minor: view.getUint32(140, true) },
    mountId: Number(view.getBigUint64(144, true)),
  };
}

/** Fills `buffer` from the descriptor's position. @returns how much; less than its length only at the end of the file */
export function readInto(file: Descriptor, buffer: Uint8Array): number {
  let length = 0;
  while (length < buffer.byteLength) {
    const part = buffer.subarray(length);
    const got = check(rawSyscall("read", file.fd, part, part.byteLength), () => `read(${file.label}) at ${length}`);
    if (got === 0) break;
    length += got;
  }
  return length;
}

/** Reads at most `limit` bytes from the descriptor's position. The result is shorter only at the end of the file. */
export function readUpTo(file: Descriptor, limit: number): Uint8Array {
  // most files here are small, and the runtime pays for every page of a large buffer
  let buffer = new Uint8Array(Math.min(limit, 4096));
  let length = readInto(file, buffer);
  while (length === buffer.byteLength && length < limit) {
    const larger = new Uint8Array(Math.min(limit, length * 4));
    larger.set(buffer);
    length += readInto(file, larger.subarray(length));
    buffer = larger;
  }
  return buffer.subarray(0, length);
}

/** pread(2): `length` bytes from `offset`; fewer only at the end of the file. The descriptor's position stays. */
export function readAt(file: Descriptor, offset: number, length: number): Uint8Array {
  const buffer = new Uint8Array(length);
  let done = 0;
  while (done < length) {
    const part = buffer.subarray(done);
    const got = check(rawSyscall("pread64", file.fd, part, part.byteLength, offset + done), () => `pread(${file.label}, ${length} bytes at ${offset})`);
    if (got === 0) break;
    done += got;
  }
  return buffer.subarray(0, done);
}

/** Writes all of `bytes`, from the descriptor's position. */
export function writeAll(file: Pick<Descriptor, "fd" | "label">, bytes: Uint8Array): void {
  for (let done = 0; done < bytes.byteLength; ) {
    const part = bytes.subarray(done);
    done += check(rawSyscall("write", file.fd, part, part.byteLength), () => `write(${file.label})`);
  }
}

/** Replaces the file at `path` in one step, so that no reader sees half of it. A fixed place of the running system only. */
export function replaceFile(path: string, bytes: Uint8Array, mode: number): void {
  const temporary = `${path}.new`;
  {
    using file = openAt(HERE, temporary, O.WRONLY | O.CREAT | O.TRUNC | O.NOFOLLOW, 0, mode);
    writeAll(file, bytes);
  }
  check(rawSyscall("renameat2", AT_FDCWD, cString(temporary), AT_FDCWD, cString(path), 0), () => `rename(${JSON.stringify(temporary)})`);
}

/**
 * renameat2(2) with RENAME_NOREPLACE: gives a file another name unless something has that name.
 * @throws SyscallError EEXIST when there is something; EINVAL where the file system does not know this, ENOSYS where the kernel does not
 */
export function renameNoReplace(from: string, to: string): void {
  const RENAME_NOREPLACE = 1;
  check(rawSyscall("renameat2", AT_FDCWD, cString(from), AT_FDCWD, cString(to), RENAME_NOREPLACE), () => `rename(${JSON.stringify(from)}, ${JSON.stringify(to)})`);
}

/** flock(2), exclusive, without waiting; gone when the descriptor is closed. @returns false while another one holds it */
export function tryLock(file: Descriptor): boolean {
  const [LOCK_EX, LOCK_NB] = [2, 4];
  const result = rawSyscall("flock", file.fd, LOCK_EX | LOCK_NB);
  if (result === -ERRNO.EAGAIN) return false;
  check(result, () => `flock(${file.label})`);
  return true;
}

/** readlinkat(2): the text of a symbolic link. */
export function readLink(path: string): string {
  const buffer = new Uint8Array(4096);
  const length = check(rawSyscall("readlinkat", AT_FDCWD, cString(path), buffer, buffer.byteLength), () => `readlink(${JSON.stringify(path)})`);
  return new TextDecoder().decode(buffer.subarray(0, length));
}

/** Whether a symbolic link stands at `path`, wherever it leads. */
export function isLink(path: string): boolean {
  try {
    readLink(path);
    return true;
  } catch {
    return false;
  }
}

/** Whether the descriptor is a terminal (TCGETS). */
export function isTerminal(fd: number): boolean {
  const TCGETS = 0x5401;
  return rawSyscall("ioctl", fd, TCGETS, new Uint8Array(64)) >= 0;
}

/** mkdirat(2). @returns false when it was there already */
export function makeDirectory(directory: DirectoryDescriptor, name: string, permissions: number): boolean {
  const result = rawSyscall("mkdirat", directory.fd, cString(name), permissions);
  if (result === -ERRNO.EEXIST) return false;
  check(result, () => `mkdirat(${directory.label}, ${JSON.stringify(name)})`);
  return true;
}

export function removeDirectory(directory: DirectoryDescriptor, name: string): void {
  const AT_REMOVEDIR = 0x200;
  check(rawSyscall("unlinkat", directory.fd, cString(name), AT_REMOVEDIR), () => `rmdir(${directory.label}, ${JSON.stringify(name)})`);
}

/** unlinkat(2) of a fixed place of the running system. */
export function removeFile(path: string): void {
  check(rawSyscall("unlinkat", AT_FDCWD, cString(path), 0), () => `unlink(${JSON.stringify(path)})`);
}

/** symlinkat(2). @returns false when something of that name was there already */
export function makeSymlink(target: string, directory: DirectoryDescriptor, name: string): boolean {
  const result = rawSyscall("symlinkat", cString(target), directory.fd, cString(name));
  if (result === -ERRNO.EEXIST) return false;
  check(result, () => `symlinkat(${JSON.stringify(target)}, ${directory.label}, ${JSON.stringify(name)})`);
  return true;
}

/** mknodat(2) of a character device. @returns false when the name was there already */
export function makeCharacterDevice(path: string, device: DeviceNumber): boolean {
  const S_IFCHR = 0o20000;
  const result = rawSyscall("mknodat", AT_FDCWD, cString(path), S_IFCHR | 0o600, (device.major << 8) | device.minor);
  if (result === -ERRNO.EEXIST) return false;
  check(result, () => `mknod(${JSON.stringify(path)}, c ${device.major}:${device.minor})`);
  return true;
}

/** Gives an open directory an owner and permission bits. Through /proc, since O_PATH descriptors refuse fchmod. */
export function setOwnerAndPermissions(directory: Descriptor, facts: Pick<FileFacts, "uid" | "gid" | "permissions">): void {
  const path = cString(directory.path);
  check(rawSyscall("fchownat", AT_FDCWD, path, facts.uid, facts.gid, 0), () => `chown(${directory.label}, ${facts.uid}:${facts.gid})`);
  check(rawSyscall("fchmodat", AT_FDCWD, path, facts.permissions), () => `chmod(${directory.label}, 0${facts.permissions.toString(8)})`);
}

/** An extended attribute's value, or undefined where there is none (or the filesystem has none at all). */
export function getXattr(file: Descriptor, name: string): Uint8Array | undefined {
  const value = new Uint8Array(4096);
  const result = rawSyscall("getxattr", cString(file.path), cString(name), value, value.byteLength);
  if (result === -ERRNO.ENODATA || result === -ERRNO.EOPNOTSUPP) return undefined;
  return value.subarray(0, check(result, () => `getxattr(${file.label}, ${name})`));
}

export function setXattr(file: Descriptor, name: string, value: Uint8Array): void {
  check(rawSyscall("setxattr", cString(file.path), cString(name), value, value.byteLength, 0), () => `setxattr(${file.label}, ${name})`);
}
