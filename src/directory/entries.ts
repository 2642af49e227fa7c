/** The names of one directory, in one buffer however many there are, sorted: a directory of a million files is walked as well. */

import { listNames } from "../linux/names.ts";
import type { Descriptor } from "../linux/index.ts";
import { Sorter } from "../tree/index.ts";

const sorter = new Sorter();

export class DirectoryEntries {
  #bytes = new Uint8Array(4096);
  #starts = new Uint32Array(128);
  #types = new Uint8Array(128);
  #order: Uint32Array = new Uint32Array(0);
  #count = 0;

  /** Reads all names of a directory that is open for reading, sorted as bytes. */
  static read(directory: Pick<Descriptor, "fd" | "label">): DirectoryEntries {
    const entries = new DirectoryEntries();
    listNames(directory, (buffer, start, end, type) => entries.#append(buffer, start, end, type));
    entries.#sort();
    return entries;
  }

  get count(): number {
    return this.#count;
  }

  /** The name at a place in the sorted order. A view. */
  name(place: number): Uint8Array {
    const index = this.#order[place] ?? 0;
    return this.#bytes.subarray(this.#starts[index] ?? 0, this.#starts[index + 1] ?? 0);
  }

  /** d_type of getdents64(2). */
  type(place: number): number {
    return this.#types[this.#order[place] ?? 0] ?? 0;
  }

  #append(buffer: Uint8Array, start: number, end: number, type: number): void {
    const at = this.#starts[this.#count] ?? 0;
    const after = at + end - start;
    if (after > this.#bytes.length) this.#bytes = larger(this.#bytes, new Uint8Array(Math.max(after, this.#bytes.length * 2)));
    if (this.#count + 2 > this.#starts.length) {
      this.#starts = larger(this.#starts, new Uint32Array(this.#starts.length * 2));
      this.#types = larger(this.#types, new Uint8Array(this.#types.length * 2));
    }
    for (let from = start, to = at; from < end; from++, to++) this.#bytes[to] = buffer[from] ?? 0;
    this.#types[this.#count] = type;
    this.#count += 1;
    this.#starts[this.#count] = after;
  }

  #sort(): void {
    this.#order = new Uint32Array(this.#count);
    for (let index = 0; index < this.#count; index++) this.#order[index] = index;
    sorter.sort(this.#order, (a, b) => this.#compare(a, b));
  }

  #compare(a: number, b: number): number {
    const bytes = this.#bytes;
    const aStart = this.#starts[a] ?? 0;
    const bStart = this.#starts[b] ?? 0;
    const aLength = (this.#starts[a + 1] ?? 0) - aStart;
    const bLength = (this.#starts[b + 1] ?? 0) - bStart;
    const shared = aLength < bLength ? aLength : bLength;
    for (let at = 0; at < shared; at++) {
      const difference = (bytes[aStart + at] ?? 0) - (bytes[bStart + at] ?? 0);
      if (difference !== 0) return difference;
    }
    return aLength - bLength;
  }
}

function larger<T extends Uint8Array | Uint32Array>(from: T, to: T): T {
  to.set(from);
  return to;
}
