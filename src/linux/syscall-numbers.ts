/**
 * System call numbers (asm/unistd_64.h for x86-64, asm-generic/unistd.h for arm64). From 403 on they are the same everywhere.
 */

const COMMON = {
  open_tree: 428, move_mount: 429, fsopen: 430, fsconfig: 431, fsmount: 432, openat2: 437, mount_setattr: 442,
} as const;

const X64 = {
  ...COMMON,
  read: 0, write: 1, close: 3, ioctl: 16, pread64: 17, socket: 41, sendto: 44, exit_group: 231, umount2: 166, mknodat: 259, mkdirat: 258, unlinkat: 263,
  symlinkat: 266, readlinkat: 267, fchmodat: 268, fchownat: 260, getxattr: 191, setxattr: 188, statx: 332, geteuid: 107, renameat2: 316,
  getdents64: 217, flock: 73, fsync: 74, syncfs: 306,
  openat: 257, linkat: 265, listxattr: 194, flistxattr: 196, fgetxattr: 193, lseek: 8, ftruncate: 77, copy_file_range: 326, fstatfs: 138, fchmod: 91,
} as const;

export type SyscallName = keyof typeof X64;

const ARM64: Readonly<Record<SyscallName, number>> = {
  ...COMMON,
  read: 63, write: 64, close: 57, ioctl: 29, pread64: 67, socket: 198, sendto: 206, exit_group: 94, umount2: 39, mknodat: 33, mkdirat: 34, unlinkat: 35,
  symlinkat: 36, readlinkat: 78, fchmodat: 53, fchownat: 54, getxattr: 8, setxattr: 5, statx: 291, geteuid: 175, renameat2: 276,
  getdents64: 61, flock: 32, fsync: 82, syncfs: 267,
  openat: 56, linkat: 37, listxattr: 11, flistxattr: 13, fgetxattr: 10, lseek: 62, ftruncate: 46, copy_file_range: 285, fstatfs: 44, fchmod: 52,
};

export const SYSCALL: Readonly<Record<SyscallName, number>> = process.arch === "arm64" ? ARM64 : X64;
