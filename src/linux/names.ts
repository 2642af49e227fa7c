/**
 * System calls on names as the kernel has them: bytes of no encoding, single components below an open directory. Buffers are kept from
 * call to call, since a directory of a hundred thousand files makes a million of these calls; results are copied out.
 */

import { ptr } from "bun:ffi";
import { Descriptor } from "./descriptor.ts";
import { ERRNO } from "./errno.ts";
import { AT_EMPTY_PATH, AT_FDCWD, type DirectoryDescriptor, O } from "./files.ts";
import { check, cString, rawSyscall } from "./syscall.ts";
import { SyscallError } from "./syscall-error.ts";

const NAME_ROOM = 4096;
const DIRENT_BUFFER = 65536;
const XATTR_ROOM = 65536;
const AT_SYMLINK_NOFOLLOW = 0x100;
const AT_SYMLINK_FOLLOW = 0x400;

/** A buffer outside of the garbage collector's own cells, and its address. */
function room(size: number): { readonly bytes: Uint8Array<ArrayBuffer>; readonly view: DataView; readonly address: number } {
  const buffer = new ArrayBuffer(size);
  const bytes = new Uint8Array(buffer);
  return { bytes, view: new DataView(buffer), address: ptr(bytes) };
}

const nameRoom = room(NAME_ROOM + 1);
/** For calls with a second name. */
const otherRoom = room(NAME_ROOM + 1);
const listRoom = room(XATTR_ROOM);
const valueRoom = room(XATTR_ROOM);
const statRoom = room(4096);
const direntRoom = room(DIRENT_BUFFER);

/** A name, or a short path, as bytes without a NUL. */
export type Name = Uint8Array | string;

/** For messages: bytes that are not UTF-8 are replaced. */
const shown = (name: Name): string => JSON.stringify(typeof name === "string" ? name : new TextDecoder().decode(name));
const below = (directory: DirectoryDescriptor, name: Name): string => `${directory.label === "/" ? "" : directory.label}/${typeof name === "string" ? name : new TextDecoder().decode(name)}`;

/** Puts a name into a kept buffer as a C string. @returns its address */
function placed(name: Name, { bytes, address } = nameRoom): number {
  if (typeof name === "string") {
    const encoded = cString(name);
    if (encoded.length > NAME_ROOM) throw new SyscallError(`path ${shown(name)}`, ERRNO.ENAMETOOLONG);
    bytes.set(encoded);
    return address;
  }
  if (name.length >= NAME_ROOM) throw new SyscallError(`path ${shown(name)}`, ERRNO.ENAMETOOLONG);
  if (name.includes(0)) throw new SyscallError(`path ${shown(name)}`, ERRNO.EINVAL);
  bytes.set(name);
  bytes[name.length] = 0;
  return address;
}

/** openat(2) of one name, never through a symbolic link there. @returns the number, which the caller closes, or minus the errno */
export function openNameRaw(directory: number, name: Name, flags: number, mode = 0): number {
  return rawSyscall("openat", directory, placed(name), flags | O.NOFOLLOW | O.CLOEXEC, mode);
}

/** open(2) of the very file that a descriptor holds, with other flags. @returns as openNameRaw() */
export const reopenRaw = (fd: number, flags: number): number => rawSyscall("openat", AT_FDCWD, placed(`/proc/self/fd/${fd}`), flags | O.CLOEXEC, 0);

/** The same as openNameRaw(), as an owned descriptor. @throws SyscallError */
export function openName(directory: DirectoryDescriptor, name: Name, flags: number, mode = 0): Descriptor {
  return new Descriptor(check(openNameRaw(directory.fd, name, flags, mode), () => `openat(${directory.label}, ${shown(name)})`), below(directory, name));
}

export const closeRaw = (fd: number): void => void rawSyscall("close", fd);

/** What statx(2) says of a file, in one object that is filled again and again. */
export class FileStatus {
  /** Full st_mode. */
  mode = 0;
  nlink = 0;
  uid = 0;
  gid = 0;
  /** Linux's 32-bit encoding of the device that a device node stands for. */
  rdev = 0;
  /** Bytes; exact up to 2^53. */
  size = 0;
  /** Units of 512 bytes that are allocated. */
  blocks = 0;
  inode = 0n;
  deviceMajor = 0;
  deviceMinor = 0;
  seconds = 0n;
  nanoseconds = 0;
  changeSeconds = 0n;
  changeNanoseconds = 0;
}

const STATX_BASIC = 0x7ff;

/** makedev(3) as the kernel stores it in 32 bits: 12 bits of major, 20 of minor (new_encode_dev). */
const encodeDevice = (major: number, minor: number): number => ((minor & 0xff) | (major << 8) | ((minor & ~0xff) << 12)) >>> 0;

/**
 * statx(2) of a name below a directory, not followed; or of the descriptor itself with an empty name.
 * @returns 0 or minus the errno; `into` is filled only with 0
 */
export function statNameRaw(directory: number, name: Name, into: FileStatus): number {
  const { view, address } = statRoom;
  const result = rawSyscall("statx", directory, placed(name), AT_SYMLINK_NOFOLLOW | (name.length === 0 ? AT_EMPTY_PATH : 0), STATX_BASIC, address);
  if (result < 0) return result;
  into.nlink = view.getUint32(16, true);
  into.uid = view.getUint32(20, true);
  into.gid = view.getUint32(24, true);
  into.mode = view.getUint16(28, true);
  into.inode = view.getBigUint64(32, true);
  into.size = view.getUint32(40, true) + view.getUint32(44, true) * 0x1_0000_0000;
  into.blocks = view.getUint32(48, true) + view.getUint32(52, true) * 0x1_0000_0000;
  into.changeSeconds = view.getBigInt64(96, true);
  into.changeNanoseconds = view.getUint32(104, true);
  into.seconds = view.getBigInt64(112, true);
  into.nanoseconds = view.getUint32(120, true);
  into.rdev = encodeDevice(view.getUint32(128, true), view.getUint32(132, true));
  into.deviceMajor = view.getUint32(136, true);
  into.deviceMinor = view.getUint32(140, true);
  return 0;
}

/** The same, made anew. @throws SyscallError */
export function statName(directory: DirectoryDescriptor, name: Name = ""): FileStatus {
  const status = new FileStatus();
  check(statNameRaw(directory.fd, name, status), () => `statx(${directory.label}${name.length === 0 ? "" : `, ${shown(name)}`})`);
  return status;
}

/** d_type of getdents64(2): st_mode's type bits shifted by 12; 0 where the filesystem does not say. */
export type EntryType = number;

/** struct linux_dirent64: inode and offset (8 bytes each), length of the record (2), type (1), name with its NUL. */
const LENGTH_AT = 16;
const TYPE_AT = 18;
const NAME_AT = 19;
const DOT = 0x2e;

/**
 * All names in a directory but `.` and `..`, in the kernel's order. @param directory opened for reading, not listed before
 * @param each the name is buffer[start..end), until the call returns
 */
export function listNames(directory: Pick<Descriptor, "fd" | "label">, each: (buffer: Uint8Array, start: number, end: number, type: EntryType) => void): void {
  const { bytes, view, address } = direntRoom;
  for (;;) {
    const filled = check(rawSyscall("getdents64", directory.fd, address, DIRENT_BUFFER), () => `getdents64(${directory.label})`);
    if (filled === 0) return;
    for (let at = 0; at + NAME_AT < filled; ) {
      const length = view.getUint16(at + LENGTH_AT, true);
      const start = at + NAME_AT;
      const end = bytes.indexOf(0, start);
      const dots = bytes[start] === DOT && (end - start === 1 || (end - start === 2 && bytes[start + 1] === DOT));
      if (!dots) each(bytes, start, end, bytes[at + TYPE_AT] ?? 0);
      at += Math.max(length, NAME_AT + 1);
    }
  }
}

/** readlinkat(2) of the symbolic link that an O_PATH descriptor holds. @returns minus the errno, or the target, copied */
export function readLinkOf(fd: number): Uint8Array<ArrayBuffer> | number {
  const result = rawSyscall("readlinkat", fd, placed(""), valueRoom.address, XATTR_ROOM);
  return result < 0 ? result : valueRoom.bytes.slice(0, result);
}

/**
 * Extended attributes, for two kinds of descriptors: opened for reading (the f- calls), and O_PATH ones of symbolic links and devices,
 * for which the kernel takes only a path: /proc/self/fd leads to the file itself, also where that is a link.
 * @returns the names, each ended by a NUL; a view until the next call; or minus the errno
 */
export function listXattrsRaw(fd: number, opened: "for reading" | "as a path"): Uint8Array<ArrayBuffer> | number {
  const { address } = listRoom;
  const result = opened === "for reading" ? rawSyscall("flistxattr", fd, address, XATTR_ROOM) : rawSyscall("listxattr", placed(`/proc/self/fd/${fd}`), address, XATTR_ROOM);
  if (result === -ERRNO.EOPNOTSUPP) return NOTHING;
  return result < 0 ? result : listRoom.bytes.subarray(0, result);
}

const NOTHING = new Uint8Array(0);
/** @param name as listXattrsRaw() has it, without the NUL @returns the value, copied, or minus the errno */
export function getXattrRaw(fd: number, opened: "for reading" | "as a path", name: Uint8Array): Uint8Array<ArrayBuffer> | number {
  let result: number;
  if (opened === "for reading") result = rawSyscall("fgetxattr", fd, placed(name), valueRoom.address, XATTR_ROOM);
  else {
    result = rawSyscall("getxattr", placed(`/proc/self/fd/${fd}`, otherRoom), placed(name), valueRoom.address, XATTR_ROOM);
  }
  return result < 0 ? result : valueRoom.bytes.slice(0, result);
}

/** linkat(2) of an open file (O_TMPFILE or not) to a name. Through /proc, which needs no privilege. @returns 0 or minus the errno */
export function linkDescriptorRaw(fd: number, directory: number, name: Name): number {
  return rawSyscall("linkat", AT_FDCWD, placed(`/proc/self/fd/${fd}`, otherRoom), directory, placed(name), AT_SYMLINK_FOLLOW);
}

const RENAME_NOREPLACE = 1;

/** renameat2(2). @param replace whether a file of the new name gives way; otherwise EEXIST @returns 0 or minus the errno */
export function renameRaw(fromDirectory: number, from: Name, toDirectory: number, to: Name, replace: boolean): number {
  return rawSyscall("renameat2", fromDirectory, placed(from, otherRoom), toDirectory, placed(to), replace ? 0 : RENAME_NOREPLACE);
}

/** unlinkat(2) of a name that is no directory. @returns 0 or minus the errno */
export const unlinkRaw = (directory: number, name: Name): number => rawSyscall("unlinkat", directory, placed(name), 0);
