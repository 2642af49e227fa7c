/** FS_IOC_ENABLE_VERITY (Documentation/filesystems/fsverity.rst; linux/fsverity.h). Apart from measuring: a boot never enables. */

import type { Descriptor } from "./descriptor.ts";
import { ERRNO } from "./errno.ts";
import { check, rawSyscall } from "./syscall.ts";

const FS_IOC_ENABLE_VERITY = 0x40806685;

export type VerityEnabling = "enabled" | "already" | "unsupported" | "busy";

/**
 * With blocks of 4096 bytes, no salt, no signature. The kernel reads and hashes the file; ext4 and f2fs write its data to the disk first.
 * @param file opened for reading only
 * @returns "unsupported" where the filesystem or the kernel has no fs-verity; "busy" while somebody has the file open for writing
 */
export function enableVerity(file: Pick<Descriptor, "fd" | "label">, algorithm: "sha256" | "sha512"): VerityEnabling {
  // struct fsverity_enable_arg: version, hash_algorithm, block_size, salt_size, and addresses that stay 0
  const argument = new Uint8Array(128);
  const view = new DataView(argument.buffer);
  view.setUint32(0, 1, true);
  view.setUint32(4, algorithm === "sha256" ? 1 : 2, true);
  view.setUint32(8, 4096, true);
  const result = rawSyscall("ioctl", file.fd, FS_IOC_ENABLE_VERITY, argument);
  if (result === -ERRNO.EEXIST) return "already";
  if (result === -ERRNO.ENOTTY || result === -ERRNO.EOPNOTSUPP) return "unsupported";
  if (result === -ERRNO.ETXTBSY) return "busy";
  check(result, () => `ioctl(${file.label}, FS_IOC_ENABLE_VERITY)`);
  return "enabled";
}
