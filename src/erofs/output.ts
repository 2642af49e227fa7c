/** Bytes on their way out, collected into portions. Numbers are written little-endian. */

const PORTION = 1 << 18;
const LONG = 64;

export class Output {
  readonly #sink: (portion: Uint8Array) => void;
  readonly #bytes: Uint8Array;
  readonly #view: DataView;
  /** Filled of the portion. */
  #at = 0;
  #before = 0;

  /** @param length of all that will be written, at least */
  constructor(sink: (portion: Uint8Array) => void, length: number) {
    this.#sink = sink;
    this.#bytes = new Uint8Array(Math.min(PORTION, length));
    this.#view = new DataView(this.#bytes.buffer);
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
    if (length > this.#bytes.length) throw new RangeError(`${length} bytes at once`);
    if (this.#at + length > this.#bytes.length) this.flush();
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
      const part = Math.min(left, this.#bytes.length);
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
