/**
 * Typed arrays that grow: one attribute of all inodes. In chunks, because growing by copying leaves the old copies to the garbage
 * collector, and a tree of a million files then takes three times its memory. A class for each width and not one for all: the just-in-time
 * compiler makes fast code of a function only where it sees one kind of array.
 */

const SHIFT = 12;
const CHUNK = 1 << SHIFT;
const MASK = CHUNK - 1;

/** Of 8 bits. */
export class ByteColumn {
  readonly #chunks: Uint8Array[] = [];

  /** 0 where nothing was set. */
  get(index: number): number {
    return this.#chunks[index >>> SHIFT]?.[index & MASK] ?? 0;
  }

  set(index: number, value: number): void {
    while (this.#chunks.length <= index >>> SHIFT) this.#chunks.push(new Uint8Array(CHUNK));
    const chunk = this.#chunks[index >>> SHIFT];
    if (chunk !== undefined) chunk[index & MASK] = value;
  }
}

/** Of 16 bits. */
export class ShortColumn {
  readonly #chunks: Uint16Array[] = [];

  /** 0 where nothing was set. */
  get(index: number): number {
    return this.#chunks[index >>> SHIFT]?.[index & MASK] ?? 0;
  }

  set(index: number, value: number): void {
    while (this.#chunks.length <= index >>> SHIFT) this.#chunks.push(new Uint16Array(CHUNK));
    const chunk = this.#chunks[index >>> SHIFT];
    if (chunk !== undefined) chunk[index & MASK] = value;
  }
}

/** Of 32 bits. */
export class WordColumn {
  readonly #chunks: Uint32Array[] = [];

  /** 0 where nothing was set. */
  get(index: number): number {
    return this.#chunks[index >>> SHIFT]?.[index & MASK] ?? 0;
  }

  set(index: number, value: number): void {
    while (this.#chunks.length <= index >>> SHIFT) this.#chunks.push(new Uint32Array(CHUNK));
    const chunk = this.#chunks[index >>> SHIFT];
    if (chunk !== undefined) chunk[index & MASK] = value;
  }
}

/** Of numbers up to 2^53. */
export class DoubleColumn {
  readonly #chunks: Float64Array[] = [];

  /** 0 where nothing was set. */
  get(index: number): number {
    return this.#chunks[index >>> SHIFT]?.[index & MASK] ?? 0;
  }

  set(index: number, value: number): void {
    while (this.#chunks.length <= index >>> SHIFT) this.#chunks.push(new Float64Array(CHUNK));
    const chunk = this.#chunks[index >>> SHIFT];
    if (chunk !== undefined) chunk[index & MASK] = value;
  }
}

/** The same for 64-bit seconds, which numbers cannot hold. */
export class BigColumn {
  readonly #chunks: BigInt64Array[] = [];
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
    while (this.#chunks.length <= index >>> SHIFT) {
      const chunk = new BigInt64Array(CHUNK);
      this.#chunks.push(chunk);
      this.#halves.push(new Int32Array(chunk.buffer));
    }
    const chunk = this.#chunks[index >>> SHIFT];
    if (chunk !== undefined) chunk[index & MASK] = value;
  }
}
