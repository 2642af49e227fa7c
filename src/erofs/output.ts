/** Bytes on their way out, collected into portions. Numbers are written little-endian. */

const PORTION = 1 << 18;
const LONG = 64;

export class Output {
  readonly #sink: (portion: Uint8Array) => void;
  readonly #bytes = new Uint8Array(PORTION);
  readonly #view = new DataView(this.#bytes.buffer);
  /** Filled of the portion. */
  #at = 0;
  #before = 0;

  constructor(sink: (portion: Uint8Array) => void) {
    this.#sink = sink;
  }

  /** Bytes written so far. */
  get position(): number {
    return this.#before + this.#at;
  }

  /**
   * Room for the next `length` bytes, all zero, counted as written.
   * @returns where they begin in `bytes` and `view`, until the next call @throws RangeError for more than a portion
   */
  take(length: number): number {
    if (length > PORTION) throw new RangeError(`${length} bytes at once`);
    if (this.#at + length > PORTION) this.flush();
    const start = this.#at;
    this.#at = start + length;
    return start;
  }

  get bytes(): Uint8Array {
    return this.#bytes;
  }

  get view(): DataView {
    return this.#view;
  }

  put(bytes: Uint8Array): void {
    const start = this.take(bytes.length);
    // a loop: most are short, and a call of set() takes longer than they do
    if (bytes.length > LONG) this.#bytes.set(bytes, start);
    else for (let at = 0; at < bytes.length; at++) this.#bytes[start + at] = bytes[at] ?? 0;
  }

  u32(value: number): void {
    this.#view.setUint32(this.take(4), value, true);
  }

  /** Zeros up to a position. */
  padTo(position: number): void {
    for (let left = position - this.position; left > 0;) {
      const part = Math.min(left, PORTION);
      this.take(part);
      left -= part;
    }
  }

  flush(): void {
    if (this.#at === 0) return;
    this.#sink(this.#bytes.subarray(0, this.#at));
    this.#bytes.fill(0, 0, this.#at);
    this.#before += this.#at;
    this.#at = 0;
  }
}
