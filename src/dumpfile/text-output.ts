/** Collects text as bytes and hands it on in portions. */

import { escapeInto, LONGEST_ESCAPE } from "./escape.ts";

const PORTION = 1 << 16;
const HEX = new TextEncoder().encode("0123456789abcdef");
const MOST_DIGITS = 24;

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
    for (let at = 0; at < text.length; at++) this.#buffer[this.#length++] = text.charCodeAt(at);
  }

  /** A whole number, not negative. No string is made of it: of a million lines they would be a gigabyte before they are collected. */
  number(value: number, base: 8 | 10 = 10): void {
    if (value > Number.MAX_SAFE_INTEGER) {
      // nothing has such a size but what has none
      this.text(String(BigInt(value)));
      return;
    }
    this.#room(MOST_DIGITS);
    const start = this.#length;
    let rest = value;
    do {
      const left = Math.floor(rest / base);
      this.#buffer[this.#length++] = 0x30 + (rest - left * base);
      rest = left;
    } while (rest > 0);
    for (let low = start, high = this.#length - 1; low < high; low++, high--) {
      const digit = this.#buffer[low] ?? 0;
      this.#buffer[low] = this.#buffer[high] ?? 0;
      this.#buffer[high] = digit;
    }
  }

  /** bytes[from..to) in lower-case hexadecimal digits. */
  hex(bytes: Uint8Array, from = 0, to = bytes.length): void {
    this.#room((to - from) * 2);
    for (let at = from; at < to; at++) {
      const byte = bytes[at] ?? 0;
      this.#buffer[this.#length++] = HEX[byte >> 4] ?? 0;
      this.#buffer[this.#length++] = HEX[byte & 15] ?? 0;
    }
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
