/** The new root while it is put together: detached where the kernel can mount into detached trees (6.15), else in the scratch. */

import {
  attachBeneath, attachMount, BENEATH_NO_LINKS, type Descriptor, detachMount, type DirectoryDescriptor, ERRNO, isErrno, O, openAt, openPath,
} from "../linux/index.ts";
import type { Scratch } from "./scratch.ts";

export type TreeRung = "detached" | "private mount point";

export class Tree {
  readonly root: Descriptor;
  readonly #scratch: Scratch;
  #attached: boolean;

  /** @param detached whether this kernel is known to build detached trees; found out by trying otherwise */
  constructor(root: Descriptor, scratch: Scratch, detached: boolean) {
    this.root = root;
    this.#scratch = scratch;
    this.#attached = false;
    if (!detached) this.#attach();
  }

  get rung(): TreeRung {
    return this.#attached ? "private mount point" : "detached";
  }

  /** Opens a directory of the new root by name: a directory itself, never through a link. */
  open(name: string): Descriptor {
    return openAt(this.root, name, O.RDONLY | O.DIRECTORY | O.NOFOLLOW, BENEATH_NO_LINKS);
  }

  /** Puts a detached mount on a directory of the new root. */
  mountOn(name: string, mount: Descriptor): void {
    using before = this.open(name);
    try {
      attachMount(mount, before);
      return;
    } catch (error) {
      if (this.#attached || !isErrno(error, ERRNO.EINVAL)) throw error;
    }
    this.#attach();
    using after = this.open(name);
    attachMount(mount, after);
  }

  #attach(): void {
    this.#scratch.attach(this.root);
    this.#attached = true;
  }
}

export type Placement = "beneath" | "on top";

/**
 * Puts the finished tree in the place of the mount at `path`. Beneath first and then uncovered (Linux 6.5), so that there is no
 * moment without a mount at `path` and nothing to undo when the kernel refuses. On older kernels it goes on top, as
 * composefs-setup-root does there; the old mount stays covered.
 */
export function replaceMount(root: Descriptor, path: string): Placement {
  using top = openPath(path, O.PATH | O.DIRECTORY);
  try {
    attachBeneath(root, top);
  } catch (error) {
    if (!isErrno(error, ERRNO.EINVAL, ERRNO.ENOSYS)) throw error;
    attachMount(root, top);
    return "on top";
  }
  // the mount that was held, not the path: that may be a link. A mount that may not be removed (MNT_LOCKED) was refused above.
  detachMount(top);
  return "beneath";
}

/** Puts the finished tree on an empty directory. */
export function placeMount(root: Descriptor, target: DirectoryDescriptor): void {
  attachMount(root, target);
}
