/** fs-verity ioctls (Documentation/filesystems/fsverity.rst; linux/fsverity.h). */

import { Descriptor } from "./descriptor.ts";
import { ERRNO } from "./errno.ts";
import { check, rawSyscall } from "./syscall.ts";

const FS_IOC_MEASURE_VERITY = 0xc0046686;
const LARGEST_DIGEST = 64;
const ALGORITHMS: Readonly<Record<number, "sha256" | "sha512">> = { 1: "sha256", 2: "sha512" };

export type VerityMeasurement =
  | { readonly kind: "digest"; readonly algorithm: "sha256" | "sha512"; readonly digest: string }
  /** The filesystem has fs-verity, this file does not. */
  | { readonly kind: "no-verity" }
  /** The filesystem or the kernel has no fs-verity. */
  | { readonly kind: "unsupported"; readonly errno: string };

/** FS_IOC_MEASURE_VERITY: the digest that the kernel holds every read of this very descriptor against. */
export function measureVerity(file: Pick<Descriptor, "fd" | "label">): VerityMeasurement {
  const buffer = new Uint8Array(4 + LARGEST_DIGEST);
  const view = new DataView(buffer.buffer);
  view.setUint16(2, LARGEST_DIGEST, true);
  const result = rawSyscall("ioctl", file.fd, FS_IOC_MEASURE_VERITY, buffer);
  if (result === -ERRNO.ENODATA) return { kind: "no-verity" };
  if (result === -ERRNO.ENOTTY || result === -ERRNO.EOPNOTSUPP) return { kind: "unsupported", errno: result === -ERRNO.ENOTTY ? "ENOTTY" : "EOPNOTSUPP" };
  check(result, () => `ioctl(${file.label}, FS_IOC_MEASURE_VERITY)`);
  const algorithm = ALGORITHMS[view.getUint16(0, true)];
  const size = view.getUint16(2, true);
  // an algorithm this program does not know cannot match any argument: no better than none
  if (algorithm === undefined) return { kind: "unsupported", errno: `hash algorithm ${view.getUint16(0, true)}` };
  return { kind: "digest", algorithm, digest: buffer.subarray(4, 4 + size).toHex() };
}
