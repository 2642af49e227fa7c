/** The objects that are in a repository, by id: how large each is and whether it is known to be bad. For millions of them. */

import { BENEATH, ERRNO, type FileFacts, isErrno, O, openAt, statAt, SyscallError } from "../linux/index.ts";
import type { CheckedObject, ObjectFault } from "./check-object.ts";
import type { Foreign, RepositoryContents } from "./contents.ts";
import { IdSet } from "./id-set.ts";

export interface BadObject {
  readonly fault: ObjectFault | "missing" | "size";
  readonly found: string;
}

export class ObjectTable {
  readonly present: IdSet;
  /** Bytes, by the number of the id. */
  readonly #sizes: number[] = [];
  /** By id in hexadecimal digits. */
  readonly bad = new Map<string, BadObject>();
  /** Bytes that an image says a bad or missing object has; by id in hexadecimal digits. */
  readonly wanted = new Map<string, number>();
  readonly temporary: string[] = [];
  readonly foreign: Foreign[] = [];
  bytes = 0;
  readonly #contents: RepositoryContents;

  constructor(contents: RepositoryContents, advance: (items: number) => void) {
    this.#contents = contents;
    this.present = new IdSet(contents.idLength);
    const others = contents.otherObjectEntries();
    this.temporary.push(...others.temporary, ...contents.temporaryEntries());
    this.foreign.push(...others.foreign);
    for (const prefix of contents.objectDirectories()) {
      using directory = contents.openObjectDirectory(prefix);
      if (directory === undefined) continue;
      const found = contents.objectsIn(prefix, directory);
      for (const { name, id, type } of found.objects) this.#add(directory, name, id, type);
      this.temporary.push(...found.temporary);
      this.foreign.push(...found.foreign);
      advance(1);
    }
  }

  #add(directory: { readonly fd: number; readonly label: string }, name: string, id: Uint8Array, type: FileFacts["type"]): void {
    if (type !== "regular file") {
      this.bad.set(id.toHex(), { fault: "type", found: `a ${type}` });
      this.put(id, 0);
      return;
    }
    try {
      this.put(id, statAt(directory, name).size);
    } catch (error) {
      this.#unreadable(id, error);
    }
  }

  #unreadable(id: Uint8Array, error: unknown): void {
    if (!(error instanceof SyscallError)) throw error;
    this.bad.set(id.toHex(), { fault: "unreadable", found: error.message });
    this.put(id, 0);
  }

  /** The object is there now. */
  put(id: Uint8Array, size: number): void {
    this.present.add(id);
    const number = this.present.numberOf(id);
    this.bytes += size - (this.#sizes[number] ?? 0);
    this.#sizes[number] = size;
  }

  /** Bytes; undefined where there is no such object. */
  size(id: Uint8Array): number | undefined {
    const number = this.present.numberOf(id);
    return number < 0 ? undefined : this.#sizes[number];
  }

  /** Looks for one that was not there: whoever adds an image needs no more than the lock that a check has. @returns bytes, undefined where there is none */
  look(id: Uint8Array): number | undefined {
    const hex = id.toHex();
    using directory = this.#contents.openObjectDirectory(hex.slice(0, 2));
    if (directory === undefined) return undefined;
    try {
      using file = openAt(directory, hex.slice(2), O.PATH | O.NOFOLLOW, BENEATH);
      this.#add(directory, hex.slice(2), id, statAt(file).type);
    } catch (error) {
      if (!isErrno(error, ERRNO.ENOENT)) this.#unreadable(id, error);
    }
    return this.size(id);
  }

  checked(hex: string, { fault, found }: Pick<CheckedObject, "fault" | "found">): void {
    if (fault !== undefined) this.bad.set(hex, { fault, found });
  }
}
