/**
 * The image as an EROFS mount. The descriptor that was measured is the one that is mounted: the source names it through /proc,
 * or the loop device is given it.
 *
 * rung         calls
 * file         fsopen erofs, source=/proc/self/fd/N, create      Linux 6.12 (ENOTBLK before, and without CONFIG_EROFS_FS_BACKED_BY_FILE)
 * loop device  LOOP_CTL_GET_FREE, LOOP_CONFIGURE, then as above
 */

import { SealrootError } from "../errors/index.ts";
import { attachLoop, type Descriptor, ERRNO, FilesystemContext, isErrno } from "../linux/index.ts";
import { climb, type Climbed } from "./ladder.ts";
import type { Scratch } from "./scratch.ts";

/** @param flags further mount options without a value, e.g. `noacl` @returns a detached, read-only mount */
export function mountImage(image: Descriptor, scratch: Scratch, flags: readonly string[] = []): Climbed<Descriptor> {
  return climb(
    [
      { name: "file", climb: () => mountFrom(image.path, image.label, flags) },
      { name: "loop device", climb: () => mountImageByLoop(image, scratch, flags) },
    ],
    [ERRNO.ENOTBLK],
  );
}

/** By a loop device only: that is no level of stacking, where a file-backed image is one on some kernels. */
export function mountImageByLoop(image: Descriptor, scratch: Scratch, flags: readonly string[] = []): Descriptor {
  using loop = loopDevice(image, scratch);
  return mountFrom(loop.path, image.label, flags);
}

/** What is missing here is not EROFS, and the catalogue's words for a missing driver would send a person after that. */
function loopDevice(image: Descriptor, scratch: Scratch): Descriptor {
  try {
    return attachLoop(image, () => scratch.path);
  } catch (error) {
    if (!isErrno(error, ERRNO.ENODEV, ERRNO.ENXIO, ERRNO.ENOENT)) throw error;
    throw new SealrootError("SR-E300", {
      summary: "the kernel has no loop devices",
      details: [["cause", error.message]],
      meaning: "EROFS before Linux 6.12, and on some filesystems, mounts an image by a loop device; the loop driver is not in the kernel or not in the initramfs",
      next: "rebuild the initramfs with the loop module: sealroot check-initramfs",
      cause: error,
    });
  }
}

function mountFrom(source: string, label: string, flags: readonly string[]): Descriptor {
  using context = new FilesystemContext("erofs");
  context.setFlag("ro");
  for (const flag of flags) context.setFlag(flag);
  context.setString("source", source);
  return context.mount(0, label);
}
