/**
 * Where a good copy of an object may be: another repository, an object store, a directory that holds it under its digest, or any
 * directory tree that holds a file of its content. A candidate is only that: whoever takes it compares its digest.
 */

import { SealrootError } from "../errors/index.ts";
import { BENEATH, type Descriptor, ERRNO, HERE, isErrno, O, openAt, reopen, RESOLVE, statAt, SyscallError } from "../linux/index.ts";
import { directoryEntries } from "../linux/entries.ts";
import { objectPath } from "../tree/index.ts";

/** Files that are looked at for one object because they have its size. */
const MOST_OF_A_SIZE = 256;

export class ObjectSource implements Disposable {
  readonly #directory: Descriptor;
  /** Paths of regular files by size, for the sizes that were asked for. */
  #bySize: Map<number, string[]> | undefined;

  /** @throws SealrootError SR-E520 when there is no such directory */
  constructor(path: string) {
    try {
      this.#directory = openAt(HERE, path, O.RDONLY | O.DIRECTORY, 0);
    } catch (error) {
      if (!(error instanceof SyscallError)) throw error;
      throw new SealrootError("SR-E520", { summary: "the source of objects cannot be read", details: [["directory", path]], next: "give a repository, an object store, or a directory with files of that content", cause: error });
    }
  }

  [Symbol.dispose](): void {
    this.#directory.close();
  }

  /** Files that may be the object, likelier ones first; each is closed when the next is asked for. @param size of the object, where it is known */
  *candidates(id: Uint8Array, size: number | undefined, wanted: ReadonlySet<number>): Generator<Descriptor> {
    const name = objectPath(id);
    for (const path of [`objects/${name}`, `composefs/objects/${name}`, name, id.toHex()]) {
      using file = this.#open(path);
      if (file !== undefined) yield file;
    }
    if (size === undefined) return;
    this.#bySize ??= this.#index(wanted);
    for (const path of this.#bySize.get(size) ?? []) {
      using file = this.#open(path);
      if (file !== undefined) yield file;
    }
  }

  #open(path: string): Descriptor | undefined {
    try {
      using found = openAt(this.#directory, path, O.PATH | O.NOFOLLOW, BENEATH);
      if (statAt(found).type !== "regular file") return undefined;
      // the very file that was looked at: another of that name may be a FIFO by now
      return reopen(found, O.RDONLY);
    } catch (error) {
      if (error instanceof SyscallError) return undefined;
      throw error;
    }
  }

  #index(wanted: ReadonlySet<number>): Map<number, string[]> {
    const bySize = new Map<number, string[]>();
    const waiting = [""];
    for (let prefix = waiting.pop(); prefix !== undefined; prefix = waiting.pop()) {
      using directory = this.#openDirectory(prefix === "" ? "." : prefix);
      if (directory === undefined) continue;
      for (const { name, exact, type } of directoryEntries(directory)) {
        if (!exact) continue;
        const path = prefix === "" ? name : `${prefix}/${name}`;
        if (type === "directory") waiting.push(path);
        else if (type === "regular file") {
          const size = sizeOf(directory, name);
          if (size === undefined || !wanted.has(size)) continue;
          const list = bySize.get(size) ?? [];
          if (list.length === 0) bySize.set(size, list);
          if (list.length < MOST_OF_A_SIZE) list.push(path);
        }
      }
    }
    return bySize;
  }

  #openDirectory(path: string): Descriptor | undefined {
    try {
      return openAt(this.#directory, path, O.RDONLY | O.DIRECTORY | O.NOFOLLOW, BENEATH | RESOLVE.NO_XDEV);
    } catch (error) {
      if (error instanceof SyscallError) return undefined;
      throw error;
    }
  }
}

function sizeOf(directory: Descriptor, name: string): number | undefined {
  try {
    return statAt(directory, name).size;
  } catch (error) {
    if (isErrno(error, ERRNO.ENOENT, ERRNO.EACCES, ERRNO.ELOOP)) return undefined;
    throw error;
  }
}
