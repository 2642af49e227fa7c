/** Collects text as bytes and hands it on in portions. */

import { escapeInto, LONGEST_ESCAPE } from "./escape.ts";

const PORTION = 1 << 16;
const encoder = new TextEncoder();

export class TextOutput {
  readonly #sink: (bytes: Uint8Array) => void;
  readonly #buffer = new Uint8Array(PORTION);
  #length = 0;

  /** @param sink gets the portions in order; each is valid only during the call */
  constructor(sink: (bytes: Uint8Array) => void) {
    this.#sink = sink;
  }

  /** Text of ASCII characters. */
  text(text: string): void {
    this.#room(text.length);
    this.#length += encoder.encodeInto(text, this.#buffer.subarray(this.#length)).written;
  }

  /** One byte. */
  byte(byte: number): void {
    this.#room(1);
    this.#buffer[this.#length++] = byte;
  }

  /** bytes[0..length) as they are. */
  raw(bytes: Uint8Array, length = bytes.length): void {
    for (let at = 0; at < length; ) {
      this.#room(1);
      const part = Math.min(length - at, PORTION - this.#length);
      this.#buffer.set(bytes.subarray(at, at + part), this.#length);
      this.#length += part;
      at += part;
    }
  }

  /** bytes[0..length) escaped. @param how bits of ESCAPE */
  escaped(bytes: Uint8Array, length: number, how: number): void {
    // a part of one byte is no lone dash unless it is all there is
    if (length * LONGEST_ESCAPE <= PORTION) {
      this.#room(length * LONGEST_ESCAPE);
      this.#length = escapeInto(this.#buffer, this.#length, bytes, 0, length, how);
      return;
    }
    const most = PORTION / LONGEST_ESCAPE - 1;
    for (let at = 0; at < length; ) {
      let end = Math.min(length, at + most);
      if (length - end === 1) end--;
      this.#room((end - at) * LONGEST_ESCAPE);
      this.#length = escapeInto(this.#buffer, this.#length, bytes, at, end, how);
      at = end;
    }
  }

  /** Hands on what is left. */
  flush(): void {
    if (this.#length > 0) this.#sink(this.#buffer.subarray(0, this.#length));
    this.#length = 0;
  }

  #room(size: number): void {
    if (this.#length + size > PORTION) this.flush();
  }
}
