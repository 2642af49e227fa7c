/** Objects that are not finished: files without a name, where they have one in our own directory, and where a sparse file has data. */

import { readFileSync } from "node:fs";
import { seek, setPermissions } from "../linux/data.ts";
import { enableVerity, type VerityEnabling } from "../linux/enable-verity.ts";
import { Descriptor, ERRNO, O, SyscallError } from "../linux/index.ts";
import { openNameRaw, reopenRaw, unlinkRaw } from "../linux/names.ts";
import { randomName } from "./staging.ts";

const PERMISSIONS = 0o644;

export class Drafts {
  readonly #staging: number;
  /** The umask would keep objects from others: they are for everybody to read, as mkcomposefs leaves them too. */
  readonly #masked = (umask() & PERMISSIONS) !== 0;
  /** False once the filesystem has refused. */
  #unnamed = true;

  /** @param staging descriptor of the directory that they lie in */
  constructor(staging: number) {
    this.#staging = staging;
  }

  /** An unnamed file; one named as composefs-rs names it where the filesystem has no unnamed ones. @throws SyscallError */
  make(): Draft {
    const draft = this.#make();
    if (this.#masked) setPermissions(draft.file, PERMISSIONS);
    return draft;
  }

  /** A file that has its name from the beginning. @returns undefined where there is one of that name @throws SyscallError */
  create(directory: number, name: string): Descriptor | undefined {
    const fd = openNameRaw(directory, name, O.RDWR | O.CREAT | O.EXCL, PERMISSIONS);
    if (fd === -ERRNO.EEXIST) return undefined;
    if (fd < 0) throw new SyscallError(`openat(${name})`, -fd);
    const file = new Descriptor(fd, "a new object");
    if (this.#masked) setPermissions(file, PERMISSIONS);
    return file;
  }

  #make(): Draft {
    if (this.#unnamed) {
      const fd = openNameRaw(this.#staging, ".", O.RDWR | O.TMPFILE, PERMISSIONS);
      if (fd >= 0) return draftOf(new Descriptor(fd, "a new object"), undefined, this.#staging);
      if (![ERRNO.EOPNOTSUPP, ERRNO.ENOSYS, ERRNO.EISDIR, ERRNO.ENOENT].some((errno) => fd === -errno)) throw new SyscallError("openat(O_TMPFILE)", -fd);
      this.#unnamed = false;
    }
    for (;;) {
      const name = `.tmp-object-${randomName()}`;
      const fd = openNameRaw(this.#staging, name, O.RDWR | O.CREAT | O.EXCL, PERMISSIONS);
      if (fd >= 0) return draftOf(new Descriptor(fd, "a new object"), name, this.#staging);
      if (fd !== -ERRNO.EEXIST) throw new SyscallError(`openat(${name})`, -fd);
    }
  }
}

/** process.umask() sets it to read it: between threads, it could stay what one of them has set. All of it where /proc does not tell. */
function umask(): number {
  try {
    return Number.parseInt(/^Umask:\s*([0-7]+)$/m.exec(readFileSync("/proc/self/status", "latin1"))?.[1] ?? "777", 8);
  } catch {
    return 0o777;
  }
}

export interface Draft extends Disposable {
  readonly file: Descriptor;
  /** In the staging directory, where it has a name. */
  name: string | undefined;
}

function draftOf(file: Descriptor, name: string | undefined, staging: number): Draft {
  const draft: Draft = {
    file, name,
    [Symbol.dispose]: () => {
      file.close();
      if (draft.name !== undefined) unlinkRaw(staging, draft.name);
    },
  };
  return draft;
}

/** The same file without the right to write to it, which enabling verity asks for: nobody may have that. */
export function openReadOnly({ file }: Draft): Descriptor {
  const fd = reopenRaw(file.fd, O.RDONLY);
  file.close();
  if (fd < 0) throw new SyscallError("open", -fd);
  return new Descriptor(fd, "a new object");
}

const ATTEMPTS = 5;

/** Enables fs-verity of a file that nobody is to have open for writing. @param file opened for reading only @throws SyscallError, ETXTBSY when somebody has */
export function seal(file: Descriptor, algorithm: "sha256" | "sha512"): Exclude<VerityEnabling, "busy"> {
  for (let attempt = 1; ; attempt++) {
    const enabled = enableVerity(file, algorithm);
    if (enabled !== "busy") return enabled;
    // a process that is being started may hold a copy of our descriptor for a moment
    if (attempt === ATTEMPTS) throw new SyscallError("ioctl(FS_IOC_ENABLE_VERITY)", ERRNO.ETXTBSY);
    Bun.sleepSync(attempt);
  }
}

interface Extent {
  readonly start: number;
  readonly end: number;
}

/** Where a sparse file has data, in order; the whole file for one that is not sparse. */
export function* extents(source: { readonly fd: number; readonly label: string }, size: number, sparse: boolean): Generator<Extent> {
  if (!sparse) {
    yield { start: 0, end: size };
    return;
  }
  for (let at = 0; at < size; ) {
    const start = seek(source, at, "DATA");
    if (start === undefined || start >= size) return;
    const end = Math.min(seek(source, start, "HOLE") ?? size, size);
    yield { start, end };
    at = end;
  }
}
