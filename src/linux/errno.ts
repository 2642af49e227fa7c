/** errno values by name (asm-generic/errno-base.h and errno.h; the same on x86-64 and arm64). */

export const ERRNO = {
  EPERM: 1, ENOENT: 2, EINTR: 4, EIO: 5, ENXIO: 6, EBADF: 9, EAGAIN: 11, ENOMEM: 12, EACCES: 13, EFAULT: 14, ENOTBLK: 15,
  EBUSY: 16, EEXIST: 17, EXDEV: 18, ENODEV: 19, ENOTDIR: 20, EISDIR: 21, EINVAL: 22, ENFILE: 23, EMFILE: 24, ENOTTY: 25,
  ETXTBSY: 26, EFBIG: 27, ENOSPC: 28, EROFS: 30, EMLINK: 31, EPIPE: 32, ERANGE: 34, ENAMETOOLONG: 36, ENOSYS: 38,
  ENOTEMPTY: 39, ELOOP: 40, ENODATA: 61, EPROTO: 71, EBADMSG: 74, EOVERFLOW: 75, EUCLEAN: 117, EMSGSIZE: 90, EOPNOTSUPP: 95,
  ECONNREFUSED: 111, ESTALE: 116, EDQUOT: 122, EKEYREJECTED: 129,
} as const;

export type ErrnoName = keyof typeof ERRNO;

const NAMES = new Map<number, ErrnoName>();
for (const [name, value] of Object.entries(ERRNO)) NAMES.set(value, name as ErrnoName);

/** "ENOENT" for 2; "errno 200" for one that is not in the table. */
export function errnoName(errno: number): string {
  return NAMES.get(errno) ?? `errno ${errno}`;
}

/** What the errno means in the words of the manual, for messages. */
const WORDS: Partial<Record<ErrnoName, string>> = {
  EPERM: "operation not permitted", ENOENT: "no such file or directory", EIO: "input/output error", EACCES: "permission denied",
  ENOTBLK: "block device required", EBUSY: "device or resource busy", EXDEV: "a link leads out of the directory", ENODEV: "no such device or driver",
  ENOTDIR: "not a directory", EINVAL: "invalid argument", ENOTTY: "not supported by this filesystem or kernel", ENOSPC: "no space left",
  EROFS: "read-only filesystem", ENOSYS: "not in this kernel", ELOOP: "a symbolic link where none is allowed, or too many",
  ENODATA: "no data", EOPNOTSUPP: "not supported", EUCLEAN: "structure needs cleaning", ENOMEM: "out of memory", EBADMSG: "bad message", EDQUOT: "quota used up",
};

export function errnoText(errno: number): string {
  const name = NAMES.get(errno);
  const words = name === undefined ? undefined : WORDS[name];
  return words === undefined ? errnoName(errno) : `${errnoName(errno)} (${words})`;
}
