/**
 * /run/systemd/volatile-root: how systemd finds the block device behind an overlay root (its blockdev_get_root()); without it
 * there is no ESP automount, no boot counting, no repart. Always /dev/block/MAJ:MIN, since systemd never looks at the node.
 */

import { btrfsDevice, type Descriptor, type DeviceNumber, ERRNO, HERE, isErrno, makeDirectory, makeSymlink, statAt } from "../linux/index.ts";

const LINK = "/run/systemd/volatile-root";

/** The device of the discoverable root partition, else the one behind the physical root; undefined when no single one is. */
export function backingDevice(sysroot: Descriptor): DeviceNumber | undefined {
  try {
    const auto = statAt(HERE, "/dev/gpt-auto-root");
    if (auto.type === "block device") return auto.represents;
  } catch (error) {
    if (!isErrno(error, ERRNO.ENOENT, ERRNO.ENOTDIR)) throw error;
  }
  const { device } = statAt(sysroot);
  return device.major > 0 ? device : btrfsDevice(sysroot);
}

/** @returns what was linked, for the report; a link that somebody made before us stays */
export function linkVolatileRoot(sysroot: Descriptor): string | undefined {
  const device = backingDevice(sysroot);
  if (device === undefined) return undefined;
  makeDirectory(HERE, "/run/systemd", 0o755);
  const target = `/dev/block/${device.major}:${device.minor}`;
  return makeSymlink(target, HERE, LINK) ? target : undefined;
}
