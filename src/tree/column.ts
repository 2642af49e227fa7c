/**
 * Typed arrays that grow: one attribute of all inodes. In chunks, because growing by copying leaves the old copies to the garbage
 * collector, and a tree of a million files then takes three times its memory. A class for each width and not one for all: the just-in-time
 * compiler makes fast code of a function only where it sees one kind of array.
 */

const SHIFT = 12;
const CHUNK = 1 << SHIFT;
const MASK = CHUNK - 1;
/** The first chunk begins small: a small tree is to be a small thing. */
const FIRST = 64;

interface Numbers<T> {
  readonly length: number;
  set(from: T): void;
}

/** Makes the chunk that an index is in, or makes it longer. */
function makeRoom<T extends Numbers<T>>(chunks: T[], index: number, make: new (length: number) => T): T {
  const wanted = index >>> SHIFT;
  while (chunks.length < wanted) chunks.push(new make(CHUNK));
  const chunk = chunks[wanted];
  const least = (index & MASK) + 1;
  const grown = new make(wanted > 0 ? CHUNK : Math.min(CHUNK, Math.max(FIRST, (chunk?.length ?? 0) * 4, least)));
  if (chunk !== undefined) grown.set(chunk);
  chunks[wanted] = grown;
  return grown;
}

/** Of 8 bits. */
export class ByteColumn {
  readonly #chunks: Uint8Array<ArrayBuffer>[] = [];

  /** 0 where nothing was set. */
  get(index: number): number {
    return this.#chunks[index >>> SHIFT]?.[index & MASK] ?? 0;
  }

  set(index: number, value: number): void {
    const chunk = this.#chunks[index >>> SHIFT];
    if (chunk !== undefined && (index & MASK) < chunk.length) chunk[index & MASK] = value;
    else makeRoom(this.#chunks, index, Uint8Array)[index & MASK] = value;
  }
}

/** Of 16 bits. */
export class ShortColumn {
  readonly #chunks: Uint16Array<ArrayBuffer>[] = [];

  /** 0 where nothing was set. */
  get(index: number): number {
    return this.#chunks[index >>> SHIFT]?.[index & MASK] ?? 0;
  }

  set(index: number, value: number): void {
    const chunk = this.#chunks[index >>> SHIFT];
    if (chunk !== undefined && (index & MASK) < chunk.length) chunk[index & MASK] = value;
    else makeRoom(this.#chunks, index, Uint16Array)[index & MASK] = value;
  }
}

/** Of 32 bits. */
export class WordColumn {
  readonly #chunks: Uint32Array<ArrayBuffer>[] = [];

  /** 0 where nothing was set. */
  get(index: number): number {
    return this.#chunks[index >>> SHIFT]?.[index & MASK] ?? 0;
  }

  set(index: number, value: number): void {
    const chunk = this.#chunks[index >>> SHIFT];
    if (chunk !== undefined && (index & MASK) < chunk.length) chunk[index & MASK] = value;
    else makeRoom(this.#chunks, index, Uint32Array)[index & MASK] = value;
  }
}

/** Of numbers up to 2^53. */
export class DoubleColumn {
  readonly #chunks: Float64Array<ArrayBuffer>[] = [];

  /** 0 where nothing was set. */
  get(index: number): number {
    return this.#chunks[index >>> SHIFT]?.[index & MASK] ?? 0;
  }

  set(index: number, value: number): void {
    const chunk = this.#chunks[index >>> SHIFT];
    if (chunk !== undefined && (index & MASK) < chunk.length) chunk[index & MASK] = value;
    else makeRoom(this.#chunks, index, Float64Array)[index & MASK] = value;
  }
}

const NONE = new BigInt64Array();

/** The same for 64-bit seconds, which numbers cannot hold. */
export class BigColumn {
  readonly #chunks: BigInt64Array<ArrayBuffer>[] = [];
  /** The same memory in halves, the low one first, for those who ask so often that making bigints costs too much. */
  readonly #halves: Int32Array[] = [];

  high(index: number): number {
    return this.#halves[index >>> SHIFT]?.[(index & MASK) * 2 + 1] ?? 0;
  }

  low(index: number): number {
    return (this.#halves[index >>> SHIFT]?.[(index & MASK) * 2] ?? 0) >>> 0;
  }

  get(index: number): bigint {
    return this.#chunks[index >>> SHIFT]?.[index & MASK] ?? 0n;
  }

  set(index: number, value: bigint): void {
    const chunk = this.#chunks[index >>> SHIFT];
    if (chunk !== undefined && (index & MASK) < chunk.length) chunk[index & MASK] = value;
    else {
      makeRoom(this.#chunks, index, BigInt64Array)[index & MASK] = value;
      for (let at = 0; at < this.#chunks.length; at++) if (this.#halves[at]?.buffer !== this.#chunks[at]?.buffer) this.#halves[at] = new Int32Array((this.#chunks[at] ?? NONE).buffer);
    }
  }
}
