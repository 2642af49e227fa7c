/** A detached copy of a directory's mount, for the new root. */

import { cloneMount, type Descriptor, type DirectoryDescriptor, setMountAttributes } from "../linux/index.ts";

/**
 * The copy is taken out of the original's peer group. systemd makes the mounts of an initramfs shared, and a copy that stayed a
 * peer would be given what is mounted on the original later: the new root, put on the old one, would appear on the copy at
 * `<new root>/sysroot` as well and hide the repository.
 */
export function cloneDirectory(directory: DirectoryDescriptor): Descriptor {
  using clone = cloneMount(directory, "");
  setMountAttributes(clone, 0, true);
  return clone.take();
}
