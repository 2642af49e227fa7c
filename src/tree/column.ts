/**
 * Typed arrays that grow: one attribute of all inodes. In chunks, because growing by copying leaves the old copies to the garbage
 * collector, and a tree of a million files then takes three times its memory.
 */

type Numbers = Uint8Array<ArrayBuffer> | Uint16Array<ArrayBuffer> | Uint32Array<ArrayBuffer> | Float64Array<ArrayBuffer>;

const SHIFT = 12;
const CHUNK = 1 << SHIFT;

export class Column<T extends Numbers> {
  readonly #chunks: T[] = [];
  readonly #make: new (length: number) => T;

  constructor(make: new (length: number) => T) {
    this.#make = make;
  }

  /** 0 where nothing was set. */
  get(index: number): number {
    return this.#chunks[index >>> SHIFT]?.[index & (CHUNK - 1)] ?? 0;
  }

  set(index: number, value: number): void {
    while (this.#chunks.length <= index >>> SHIFT) this.#chunks.push(new this.#make(CHUNK));
    const chunk = this.#chunks[index >>> SHIFT];
    if (chunk !== undefined) chunk[index & (CHUNK - 1)] = value;
  }
}

/** The same for 64-bit seconds, which numbers cannot hold. */
export class BigColumn {
  readonly #chunks: BigInt64Array[] = [];
  /** The same memory in halves, the low one first, for those who ask so often that making bigints costs too much. */
  readonly #halves: Int32Array[] = [];

  high(index: number): number {
    return this.#halves[index >>> SHIFT]?.[(index & (CHUNK - 1)) * 2 + 1] ?? 0;
  }

  low(index: number): number {
    return (this.#halves[index >>> SHIFT]?.[(index & (CHUNK - 1)) * 2] ?? 0) >>> 0;
  }

  get(index: number): bigint {
    return this.#chunks[index >>> SHIFT]?.[index & (CHUNK - 1)] ?? 0n;
  }

  set(index: number, value: bigint): void {
    while (this.#chunks.length <= index >>> SHIFT) {
      const chunk = new BigInt64Array(CHUNK);
      this.#chunks.push(chunk);
      this.#halves.push(new Int32Array(chunk.buffer));
    }
    const chunk = this.#chunks[index >>> SHIFT];
    if (chunk !== undefined) chunk[index & (CHUNK - 1)] = value;
  }
}
