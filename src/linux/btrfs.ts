/** The block device behind a btrfs mount, whose st_dev is anonymous (linux/btrfs.h). */

import { Descriptor } from "./descriptor.ts";
import { ERRNO } from "./errno.ts";
import { type DeviceNumber, HERE, statAt } from "./files.ts";
import { check, rawSyscall } from "./syscall.ts";

const BTRFS_IOC_FS_INFO = 0x8400941f;
const BTRFS_IOC_DEV_INFO = 0xd000941e;
const DEV_INFO_SIZE = 4096;
const PATH_OFFSET = 3072;
/** Device ids are handed out in order and never reused; a filesystem with gaps beyond this is nobody's root. */
const LARGEST_DEVICE_ID = 1024n;

/**
 * @param directory opened for reading (not O_PATH)
 * @returns undefined when it is not btrfs, or has several devices, so that no single one stands for it
 */
export function btrfsDevice(directory: Descriptor): DeviceNumber | undefined {
  const info = new Uint8Array(1024);
  const result = rawSyscall("ioctl", directory.fd, BTRFS_IOC_FS_INFO, info);
  if (result === -ERRNO.ENOTTY || result === -ERRNO.EINVAL || result === -ERRNO.EOPNOTSUPP) return undefined;
  check(result, () => `ioctl(${directory.label}, BTRFS_IOC_FS_INFO)`);
  const facts = new DataView(info.buffer);
  const largestId = facts.getBigUint64(0, true);
  if (facts.getBigUint64(8, true) !== 1n) return undefined;
  for (let id = 1n; id <= largestId && id <= LARGEST_DEVICE_ID; id++) {
    const device = new Uint8Array(DEV_INFO_SIZE);
    new DataView(device.buffer).setBigUint64(0, id, true);
    const answer = rawSyscall("ioctl", directory.fd, BTRFS_IOC_DEV_INFO, device);
    if (answer === -ERRNO.ENODEV) continue;
    check(answer, () => `ioctl(${directory.label}, BTRFS_IOC_DEV_INFO, ${id})`);
    const path = device.subarray(PATH_OFFSET);
    const end = path.indexOf(0);
    const facts = statAt(HERE, new TextDecoder().decode(path.subarray(0, end < 0 ? path.length : end)));
    return facts.type === "block device" ? facts.represents : undefined;
  }
  return undefined;
}
