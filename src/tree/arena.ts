/**
 * Many short byte strings in a few large buffers. A tree of a million files has a million names: as arrays of their own they would
 * take ten times their length.
 */

const CHUNK = 1 << 20;
/** The first chunk begins small and grows: most trees of tests, and many images, are. */
const FIRST = 1 << 13;
/** Longest item: an xattr value, the longest thing that a tree keeps, is shorter. */
export const MAX_ITEM = 1 << 17;
const SHORT = 32;

export class Arena {
  readonly #chunks: Uint8Array[] = [];
  /** Free from here in the last chunk. */
  #free = CHUNK;

  /** Keeps a copy of bytes[start..end). @returns where: a number that at() takes @throws RangeError for more than MAX_ITEM bytes, and beyond 4 GiB */
  add(bytes: Uint8Array, start = 0, end = bytes.length): number {
    const length = end - start;
    if (length > MAX_ITEM) throw new RangeError(`an item of ${length} bytes`);
    if (this.#free + length > CHUNK) {
      if (this.#chunks.length === 4096) throw new RangeError("a tree with more than 4 GiB of names");
      this.#chunks.push(new Uint8Array(this.#chunks.length === 0 ? Math.max(FIRST, length) : CHUNK));
      this.#free = 0;
    }
    const last = this.#chunks.length - 1;
    let chunk = this.#chunks[last] ?? EMPTY;
    if (this.#free + length > chunk.length) {
      const grown = new Uint8Array(Math.min(CHUNK, Math.max(chunk.length * 4, this.#free + length)));
      grown.set(chunk);
      this.#chunks[last] = grown;
      chunk = grown;
    }
    const at = last * CHUNK + this.#free;
    // a view of a part costs more than a loop over as much as names are
    if (length <= SHORT) for (let from = start, to = this.#free; from < end; from++, to++) chunk[to] = bytes[from] ?? 0;
    else chunk.set(length === bytes.length ? bytes : bytes.subarray(start, end), this.#free);
    this.#free += length;
    return at;
  }

  /** A view, not a copy: not to be written to. */
  at(position: number, length: number): Uint8Array {
    const chunk = this.#chunks[Math.floor(position / CHUNK)];
    const start = position % CHUNK;
    return chunk === undefined ? EMPTY : chunk.subarray(start, start + length);
  }

  /** Whether the item at `position` has the bytes[start..end), of the same length, without a view of it. */
  equals(position: number, bytes: Uint8Array, start: number, end: number): boolean {
    const chunk = this.#chunks[Math.floor(position / CHUNK)] ?? EMPTY;
    for (let at = start, own = position % CHUNK; at < end; at++, own++) if (chunk[own] !== bytes[at]) return false;
    return true;
  }

  /** compareBytes() of the item at `position` and bytes[start..end), without a view. */
  compareTo(position: number, length: number, bytes: Uint8Array, start: number, end: number): number {
    const chunk = this.#chunks[Math.floor(position / CHUNK)] ?? EMPTY;
    const stop = Math.min(end, start + length);
    for (let at = start, own = position % CHUNK; at < stop; at++, own++) {
      const difference = (chunk[own] ?? 0) - (bytes[at] ?? 0);
      if (difference !== 0) return difference;
    }
    return length - (end - start);
  }

  /** Multiply-shift hash of an item by secrets, one for each four bytes and one more: its upper bits are evenly spread whatever the bytes. */
  hash(position: number, length: number, secrets: Uint32Array): number {
    return hashBytes(this.#chunks[Math.floor(position / CHUNK)] ?? EMPTY, position % CHUNK, length, secrets);
  }

  /** One byte of an item. */
  byte(position: number): number {
    return this.#chunks[Math.floor(position / CHUNK)]?.[position % CHUNK] ?? 0;
  }

  /** Copies an item, or a part of it, without a view of it: image writers ask this millions of times. */
  copy(position: number, length: number, target: Uint8Array, at: number): void {
    const chunk = this.#chunks[Math.floor(position / CHUNK)] ?? EMPTY;
    const start = position % CHUNK;
    for (let index = 0; index < length; index++) target[at + index] = chunk[start + index] ?? 0;
  }

  /** compareBytes() of two items without views of them, for sorting. */
  compare(a: number, aLength: number, b: number, bLength: number): number {
    const left = this.#chunks[Math.floor(a / CHUNK)] ?? EMPTY;
    const right = this.#chunks[Math.floor(b / CHUNK)] ?? EMPTY;
    // no destructuring: it makes an array for each of some twenty million comparisons
    const leftStart = a % CHUNK;
    const rightStart = b % CHUNK;
    const shared = Math.min(aLength, bLength);
    for (let at = 0; at < shared; at++) {
      const difference = (left[leftStart + at] ?? 0) - (right[rightStart + at] ?? 0);
      if (difference !== 0) return difference;
    }
    return aLength - bLength;
  }
}

const EMPTY = new Uint8Array();

/** Arena.hash() of bytes that are in no arena. */
export function hashBytes(bytes: Uint8Array, start: number, length: number, secrets: Uint32Array): number {
  let sum = Math.imul(length, secrets[secrets.length - 1] ?? 1);
  const end = start + length;
  let at = start;
  let index = 0;
  for (; at + 4 <= end; at += 4) {
    const word = (bytes[at] ?? 0) | ((bytes[at + 1] ?? 0) << 8) | ((bytes[at + 2] ?? 0) << 16) | ((bytes[at + 3] ?? 0) << 24);
    sum = (sum + Math.imul(word, secrets[index++] ?? 1)) | 0;
  }
  if (at < end) {
    const word = (bytes[at] ?? 0) | (at + 1 < end ? (bytes[at + 1] ?? 0) << 8 : 0) | (at + 2 < end ? (bytes[at + 2] ?? 0) << 16 : 0);
    sum = (sum + Math.imul(word, secrets[index] ?? 1)) | 0;
  }
  return sum >>> 0;
}
