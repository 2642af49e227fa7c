/** How much there is below a directory: what progress counts towards. Names and sizes only, a fraction of the work of reading. */

import { Descriptor, O } from "../linux/index.ts";
import { closeRaw, FileStatus, listNames, openNameRaw, statNameRaw } from "../linux/names.ts";
import type { Recipe } from "./recipe.ts";

/** d_type of getdents64(2). */
const UNKNOWN = 0;
const DIRECTORY = 4;
const REGULAR = 8;
/** Enough for a person to see how far it is; a deeper tree is counted that far. */
const DEEPEST = 256;

/**
 * Names, and bytes in files: as the recipe has them, a file with several names once. A file that cannot be looked at counts nothing:
 * whoever reads it says what is wrong.
 * @param source opened for reading; its own listing is not used up @param found hears of each name
 */
export function countSource(source: Pick<Descriptor, "fd">, { emptied, inlineLimit }: Pick<Recipe, "emptied" | "inlineLimit">, found: () => void = () => undefined): { readonly items: number; readonly bytes: number } {
  return new Counter(new Set(emptied.map(({ name }) => name)), inlineLimit, found).count(source.fd);
}

class Counter {
  readonly #emptied: ReadonlySet<string>;
  readonly #inlineLimit: number;
  readonly #found: () => void;
  readonly #status = new FileStatus();
  /** Files with several names that were met. */
  readonly #linked = new Set<string>();
  #items = 0;
  #bytes = 0;

  constructor(emptied: ReadonlySet<string>, inlineLimit: number, found: () => void) {
    this.#emptied = emptied;
    this.#found = found;
    this.#inlineLimit = inlineLimit;
  }

  count(fd: number): { readonly items: number; readonly bytes: number } {
    this.#directory(fd, new Uint8Array([0x2e]), 0);
    return { items: this.#items, bytes: this.#bytes };
  }

  #directory(parent: number, name: Uint8Array, depth: number): void {
    const fd = openNameRaw(parent, name, O.RDONLY | O.DIRECTORY);
    if (fd < 0) return;
    const directories: Uint8Array[] = [];
    try {
      listNames({ fd, label: "" }, (buffer, start, end, type) => {
        this.#items += 1;
        this.#found();
        if (type === DIRECTORY) directories.push(buffer.slice(start, end));
        else if (type === REGULAR || type === UNKNOWN) this.#file(fd, buffer.subarray(start, end));
      });
      if (depth === DEEPEST) return;
      for (const directory of directories) if (depth > 0 || !this.#emptied.has(new TextDecoder().decode(directory))) this.#directory(fd, directory, depth + 1);
    } catch {
      // whoever reads the directory says what is wrong with it
    } finally {
      closeRaw(fd);
    }
  }

  #file(directory: number, name: Uint8Array): void {
    const status = this.#status;
    if (statNameRaw(directory, name, status) < 0 || status.mode >> 12 !== REGULAR || status.size <= this.#inlineLimit) return;
    if (status.nlink > 1) {
      const key = `${status.deviceMajor}:${status.deviceMinor}:${status.inode}`;
      if (this.#linked.has(key)) return;
      this.#linked.add(key);
    }
    this.#bytes += status.size;
  }
}
