/**
 * A private place to attach mounts that older kernels (before 6.15) cannot use while detached. It is a tmpfs of our own below
 * /run, taken out of propagation, so that what is built in it is seen by nobody and goes away whole.
 */

import {
  attachMount, BENEATH, type Descriptor, detachMount, ERRNO, FilesystemContext, HERE, isErrno, makeDirectory, O, openAt, openPath, removeDirectory, setMountAttributes,
} from "../linux/index.ts";

/** Also home of the boot report. */
export const RUN_DIRECTORY = "/run/sealroot";

export class Scratch implements Disposable {
  #mount: Descriptor | undefined;
  #place: string | undefined;
  readonly #attached = new Set<Descriptor>();

  /** A directory of ours for temporary device nodes and mounts; made at the first call. */
  get path(): string {
    this.#open();
    return this.#place ?? "";
  }

  /** Attaches a detached mount here, once; descriptors of it and below it stay valid. */
  attach(mount: Descriptor): void {
    if (this.#attached.has(mount)) return;
    const home = this.#open();
    const name = `m${this.#attached.size}`;
    makeDirectory(home, name, 0o700);
    using point = openAt(home, name, O.PATH | O.DIRECTORY | O.NOFOLLOW, BENEATH);
    attachMount(mount, point);
    this.#attached.add(mount);
  }

  [Symbol.dispose](): void {
    if (this.#place === undefined) return;
    if (this.#mount !== undefined) detachMount(this.#place);
    this.#mount?.close();
    try {
      removeDirectory(HERE, this.#place);
    } catch (error) {
      // an empty directory on a tmpfs: no reason to call a mounted root a failure
      if (!isErrno(error, ERRNO.EBUSY, ERRNO.ENOENT)) throw error;
    }
    this.#place = undefined;
  }

  #open(): Descriptor {
    if (this.#mount !== undefined) return this.#mount;
    makeDirectory(HERE, RUN_DIRECTORY, 0o755);
    const place = `${RUN_DIRECTORY}/mount.${process.pid}`;
    makeDirectory(HERE, place, 0o700);
    // from here on there is something to remove
    this.#place = place;
    using context = new FilesystemContext("tmpfs");
    context.setString("mode", "0700");
    context.setString("size", "1m");
    using draft = context.mount(0, place);
    using point = openPath(place, O.PATH | O.DIRECTORY | O.NOFOLLOW);
    attachMount(draft, point);
    const mount = draft.take();
    this.#mount = mount;
    setMountAttributes(mount, 0, true);
    return mount;
  }
}
