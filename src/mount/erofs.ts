/**
 * The image as an EROFS mount. The descriptor that was measured is the one that is mounted: the source names it through /proc,
 * or the loop device is given it.
 *
 * rung         calls
 * file         fsopen erofs, source=/proc/self/fd/N, create      Linux 6.12 (ENOTBLK before, and without CONFIG_EROFS_FS_BACKED_BY_FILE)
 * loop device  LOOP_CTL_GET_FREE, LOOP_CONFIGURE, then as above
 */

import { attachLoop, type Descriptor, ERRNO, FilesystemContext } from "../linux/index.ts";
import { climb, type Climbed } from "./ladder.ts";
import type { Scratch } from "./scratch.ts";

/** @returns a detached, read-only mount */
export function mountImage(image: Descriptor, scratch: Scratch): Climbed<Descriptor> {
  return climb(
    [
      { name: "file", climb: () => mountFrom(image.path, image.label) },
      {
        name: "loop device",
        climb: () => {
          using loop = attachLoop(image, () => scratch.path);
          return mountFrom(loop.path, image.label);
        },
      },
    ],
    [ERRNO.ENOTBLK],
  );
}

function mountFrom(source: string, label: string): Descriptor {
  using context = new FilesystemContext("erofs");
  context.setFlag("ro");
  context.setString("source", source);
  return context.mount(0, label);
}
