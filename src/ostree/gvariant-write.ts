/**
 * Writing GVariants, in normal form: the bytes that GLib writes for the same value.
 * Source: "GVariant Specification", sections 2.7 and 3.
 */

import { chooseOffsetSize } from "./gvariant-framing.ts";
import { alignUp, parseType, type Type, typeOf } from "./gvariant-type.ts";

/** A value with its type: what a variant holds. `serialised` is taken as it is, where bytes that were read are written again. */
export type Variant = { readonly type: string } & ({ readonly value: Plain } | { readonly serialised: Uint8Array });

/**
 * b: boolean; y n q i u h: number; x t: bigint or a safe number; d: number; s o g: string; ay: bytes;
 * arrays and tuples: a list; a dictionary entry: a pair; maybe: a list of none or one; v: a Variant.
 */
export type Plain = boolean | number | bigint | string | Uint8Array | Variant | readonly Plain[];

/** @throws RangeError when the value is not of the type */
export function write(type: Type | string, value: Plain): Uint8Array {
  const out = new Writer();
  out.value(typeof type === "string" ? typeOf(type) : type, value);
  return out.finish();
}

const LIMITS: Readonly<Record<string, readonly [least: bigint, most: bigint]>> = {
  y: [0n, 0xffn], n: [-0x8000n, 0x7fffn], q: [0n, 0xffffn], i: [-0x80000000n, 0x7fffffffn], h: [-0x80000000n, 0x7fffffffn], u: [0n, 0xffffffffn],
  x: [-(2n ** 63n), 2n ** 63n - 1n], t: [0n, 2n ** 64n - 1n],
};

class Writer {
  #bytes = new Uint8Array(256);
  #length = 0;

  finish(): Uint8Array {
    return this.#bytes.slice(0, this.#length);
  }

  #grow(by: number): void {
    const needed = this.#length + by;
    if (needed <= this.#bytes.length) return;
    const larger = new Uint8Array(Math.max(needed, this.#bytes.length * 2));
    larger.set(this.#bytes.subarray(0, this.#length));
    this.#bytes = larger;
  }

  #append(bytes: Uint8Array): void {
    this.#grow(bytes.length);
    this.#bytes.set(bytes, this.#length);
    this.#length += bytes.length;
  }

  /** Little-endian, of `size` bytes. */
  #number(value: bigint, size: number): void {
    this.#grow(size);
    for (let rest = BigInt.asUintN(8 * size, value), index = 0; index < size; index++, rest >>= 8n) this.#bytes[this.#length++] = Number(rest & 0xffn);
  }

  #align(alignment: number): void {
    const to = alignUp(this.#length, alignment);
    this.#grow(to - this.#length);
    this.#bytes.fill(0, this.#length, to);
    this.#length = to;
  }

  /** The buffer stands at a multiple of the type's alignment. */
  value(type: Type, value: Plain): void {
    switch (type.kind) {
      case "basic":
        return this.#basic(type, value);
      case "string":
        return this.#string(type, value);
      case "variant":
        return this.#variant(value);
      case "maybe":
        return this.#maybe(type.element, value);
      case "array":
        return this.#array(type.element, value);
      case "tuple":
      case "entry":
        return this.#tuple(type, type.members, value);
    }
  }

  #basic({ text, fixedSize = 0 }: Type, value: Plain): void {
    if (text === "b") {
      if (typeof value !== "boolean") throw mismatch(text);
      return this.#number(value ? 1n : 0n, 1);
    }
    if (text === "d") {
      if (typeof value !== "number") throw mismatch(text);
      const bytes = new Uint8Array(8);
      new DataView(bytes.buffer).setFloat64(0, value, true);
      return this.#append(bytes);
    }
    const [least, most] = LIMITS[text] ?? [0n, -1n];
    const whole = typeof value === "bigint" ? value : typeof value === "number" && Number.isSafeInteger(value) ? BigInt(value) : undefined;
    if (whole === undefined || whole < least || whole > most) throw mismatch(text);
    this.#number(whole, fixedSize);
  }

  #string({ text }: Type, value: Plain): void {
    if (typeof value !== "string" || value.includes("\0") || !value.isWellFormed()) throw mismatch(text);
    this.#append(new TextEncoder().encode(value));
    this.#number(0n, 1);
  }

  #variant(value: Plain): void {
    if (typeof value !== "object" || !("type" in value)) throw mismatch("v");
    const type = parseType(value.type);
    if (type === undefined) throw mismatch("v");
    if ("serialised" in value) this.#append(value.serialised);
    else this.value(type, value.value);
    this.#number(0n, 1);
    this.#append(new TextEncoder().encode(value.type));
  }

  #maybe(element: Type, value: Plain): void {
    if (!Array.isArray(value) || value.length > 1) throw mismatch(`m${element.text}`);
    for (const held of value as readonly Plain[]) {
      this.value(element, held);
      if (element.fixedSize === undefined) this.#number(0n, 1);
    }
  }

  #array(element: Type, value: Plain): void {
    if (element.text === "y" && value instanceof Uint8Array) return this.#append(value);
    if (!Array.isArray(value)) throw mismatch(`a${element.text}`);
    const start = this.#length;
    const ends: number[] = [];
    for (const item of value as readonly Plain[]) {
      this.#align(element.alignment);
      this.value(element, item);
      ends.push(this.#length - start);
    }
    if (element.fixedSize === undefined) this.#offsets(start, ends);
  }

  #tuple({ text, fixedSize }: Type, types: readonly Type[], value: Plain): void {
    if (!Array.isArray(value) || value.length !== types.length) throw mismatch(text);
    const start = this.#length;
    const ends: number[] = [];
    for (const [index, type] of types.entries()) {
      this.#align(type.alignment);
      this.value(type, (value as readonly Plain[])[index] ?? []);
      if (type.fixedSize === undefined && index !== types.length - 1) ends.push(this.#length - start);
    }
    if (fixedSize === undefined) this.#offsets(start, ends.reverse());
    else while (this.#length - start < fixedSize) this.#number(0n, 1);
  }

  #offsets(start: number, ends: readonly number[]): void {
    const size = chooseOffsetSize(this.#length - start, ends.length);
    for (const end of ends) this.#number(BigInt(end), size);
  }
}

const mismatch = (type: string): RangeError => new RangeError(`the value is not of the GVariant type ${JSON.stringify(type)}`);
