/**
 * A directory of our own beside the objects, for what is not finished: locked while its owner lives, so that whoever comes next knows
 * what an interrupted run left behind, and takes it away.
 */

import { Descriptor, ERRNO, makeDirectory, O, removeDirectory, SyscallError } from "../linux/index.ts";
import { directoryEntries } from "../linux/entries.ts";
import { lockFile } from "../linux/lock.ts";
import { openName, openNameRaw, statName, unlinkRaw } from "../linux/names.ts";
import { eachLeftover, STAGING_PERMISSIONS } from "./leftovers.ts";

type Directory = Pick<Descriptor, "fd" | "label">;

const ATTEMPTS = 20;

/** Letters and digits, as many as composefs-rs takes for such names. */
export const randomName = (): string => Buffer.from(crypto.getRandomValues(new Uint8Array(9))).toString("base64").replace(/[^0-9A-Za-z]/g, "x");

export class Staging implements Disposable {
  readonly directory: Descriptor;
  readonly #parent: Directory;
  readonly #name: string;

  private constructor(parent: Directory, name: string, directory: Descriptor) {
    this.#parent = parent;
    this.#name = name;
    this.directory = directory;
  }

  /** @param prefix what its name begins with; cleanStaging() finds it by that */
  static make(parent: Directory, prefix: string): Staging {
    for (let attempt = 0; attempt < ATTEMPTS; attempt++) {
      const name = `${prefix}${randomName().slice(0, 6)}`;
      if (!makeDirectory(parent, name, STAGING_PERMISSIONS)) continue;
      const directory = openLocked(parent, name);
      if (directory !== undefined) return new Staging(parent, name, directory);
    }
    throw new SyscallError(`mkdirat(${parent.label}, ${prefix}…)`, ERRNO.EEXIST);
  }

  /** Takes it away, with whatever is left in it. What cannot be taken away the next run finds: it hides no error, and is none. */
  [Symbol.dispose](): void {
    try {
      removeWith(this.#parent, this.#name, this.directory);
    } catch (error) {
      if (!(error instanceof SyscallError)) throw error;
    } finally {
      this.directory.close();
    }
  }
}

/** Somebody who cleans up may have come between making and locking. */
function openLocked(parent: Directory, name: string): Descriptor | undefined {
  const fd = openNameRaw(parent.fd, name, O.RDONLY | O.DIRECTORY);
  if (fd < 0) return undefined;
  using directory = new Descriptor(fd, name);
  if (!lockFile(directory, "shared", false) || statName(directory).nlink === 0) return undefined;
  return directory.take();
}

function removeWith(parent: Directory, name: string, directory: Descriptor): void {
  // a second listing of the same descriptor would go on where the first ended
  using listed = openName(directory, ".", O.RDONLY | O.DIRECTORY);
  for (const entry of directoryEntries(listed)) {
    if (!removeBelow(directory, entry.name)) unlinkRaw(directory.fd, entry.name);
  }
  removeDirectory(parent, name);
}

/** A directory of staged objects: of files, nothing deeper. @returns false when it is none */
function removeBelow(parent: Directory, name: string): boolean {
  const fd = openNameRaw(parent.fd, name, O.RDONLY | O.DIRECTORY);
  if (fd < 0) return false;
  using directory = new Descriptor(fd, name);
  for (const entry of directoryEntries(directory)) unlinkRaw(fd, entry.name);
  removeDirectory(parent, name);
  return true;
}

/** Removes what interrupted runs left below `parent`, and nothing that is not all theirs. @returns how many such directories there were */
export function cleanStaging(parent: Directory, prefix: string): number {
  let cleaned = 0;
  eachLeftover(parent, prefix, ({ name, directory }) => {
    try {
      removeWith(parent, name, directory);
      cleaned += 1;
    } catch (error) {
      // somebody else was quicker, or has put something there meanwhile
      if (!(error instanceof SyscallError)) throw error;
    }
  });
  return cleaned;
}
