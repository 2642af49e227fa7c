/**
 * Writable layers for an overlay: on a tmpfs of their own (gone at power off), or in the deployment's state directory.
 *
 * The merged directory takes its permissions, owner and label from the upper directory, so the upper directory takes them from
 * what it covers: anything narrower locks unprivileged services out of the root.
 */

import {
  BENEATH_NO_LINKS, Descriptor, ERRNO, FilesystemContext, getXattr, isErrno, makeDirectory, O, openAt, setOwnerAndPermissions, setXattr, statAt,
} from "../linux/index.ts";

export interface TmpfsLimits {
  /** As the tmpfs option wants it: bytes, a number with K, M or G, or a share of memory with %. */
  readonly size: string | undefined;
  readonly inodes: number | undefined;
}

export interface WritableLayer extends Disposable {
  readonly upper: Descriptor;
  readonly work: Descriptor;
  /** The tmpfs as a detached mount; absent when the layer is on disk. */
  readonly mount?: Descriptor;
}

const SELINUX_LABEL = "security.selinux";

/** A filesystem that keeps no labels cannot take one, and whoever mounted it so expects none. */
function copyLabel(from: Descriptor, to: Descriptor): void {
  const label = getXattr(from, SELINUX_LABEL);
  if (label === undefined) return;
  try {
    setXattr(to, SELINUX_LABEL, label);
  } catch (error) {
    if (!isErrno(error, ERRNO.EOPNOTSUPP)) throw error;
  }
}

/** upper and work below `base`, made where they are missing. @param covered the directory that will be covered */
function makeLayer(base: Descriptor, covered: Descriptor, mount?: Descriptor): WritableLayer {
  const isNew = makeDirectory(base, "upper", 0o755);
  // work is the kernel's own and never visible
  makeDirectory(base, "work", 0o700);
  const flags = O.RDONLY | O.DIRECTORY | O.NOFOLLOW;
  const resolve = BENEATH_NO_LINKS;
  using upper = openAt(base, "upper", flags, resolve);
  using work = openAt(base, "work", flags, resolve);
  if (isNew) {
    setOwnerAndPermissions(upper, statAt(covered));
    copyLabel(covered, upper);
  }
  const owned = { upper: upper.take(), work: work.take() };
  return {
    ...owned,
    ...(mount === undefined ? {} : { mount }),
    [Symbol.dispose]: () => {
      owned.upper.close();
      owned.work.close();
      mount?.close();
    },
  };
}

/** A writable layer on a new tmpfs, not attached anywhere. */
export function transientLayer(covered: Descriptor, limits: TmpfsLimits): WritableLayer {
  using context = new FilesystemContext("tmpfs");
  context.setString("mode", "0755");
  if (limits.size !== undefined) context.setString("size", limits.size);
  if (limits.inodes !== undefined) context.setString("nr_inodes", String(limits.inodes));
  using mount = context.mount(0, "tmpfs");
  const layer = makeLayer(mount, covered, new Descriptor(mount.fd, mount.label));
  mount.take();
  return layer;
}

/** A writable layer in a directory on disk that survives the boot. */
export function persistentLayer(directory: Descriptor, covered: Descriptor): WritableLayer {
  return makeLayer(directory, covered);
}

