/**
 * Reading serialised GVariants. Total: any bytes are some value, or one error when the reader asks for normal form.
 *
 * Normal form is what a correct writer makes, and the only form in which different readers are certain to see the same
 * value. Bytes that a signature covers are read in normal form only (readNormal); unsigned bytes may be read as GLib reads
 * them, with defaults in the place of what is broken.
 * Source: "GVariant Specification", sections 2.7 and 3; D-Bus specification for object paths and signatures.
 */

import { elementCount, forEachElement, members, type Value } from "./gvariant-framing.ts";
import { MAX_DEPTH, parseType, type Type, typeOf } from "./gvariant-type.ts";

/** Positions are kept in 31 bits; callers allow far less. */
const MAX_BYTES = 2 ** 30;

export class GVariantError extends Error {
  override readonly name = "GVariantError";
}

/** Bytes as a value of a type, in normal form or not. @throws GVariantError for more than 1 GiB */
export function read(type: Type, bytes: Uint8Array): Value {
  if (bytes.length > MAX_BYTES) throw new GVariantError(`${bytes.length} bytes are more than can be read`);
  return { type, bytes, start: 0, end: bytes.length };
}

/** As read(), for bytes in normal form only. @throws GVariantError naming the type that the bytes are no value of */
export function readNormal(type: Type, bytes: Uint8Array): Value {
  const value = read(type, bytes);
  if (!isNormal(value)) throw new GVariantError(`the bytes are not a GVariant ${type.text} in normal form`);
  return value;
}

/** Whether a writer would write this value in these bytes, and no others. Takes time in proportion to its size. */
export const isNormal = (value: Value): boolean => normalAt(value, 0);

function normalAt(value: Value, depth: number): boolean {
  const { type, bytes, start, end } = value;
  if (depth > MAX_DEPTH) return false;
  switch (type.kind) {
    case "basic":
      return end - start === type.fixedSize && (type.text !== "b" || (bytes[start] ?? 2) <= 1);
    case "string":
      return textOf(value) !== undefined;
    case "array":
      // Any byte is a normal one. (A commit can hold `aay` of tens of thousands, and a boot runs this uncompiled.)
      if (type.text === "ay") return true;
      if (type.text === "aay") return forEachElement(value);
      return forEachElement(value, (element) => normalAt(element, depth + 1));
    case "tuple":
    case "entry": {
      const found = members(value);
      return found.normal && found.members.every((member) => normalAt(member, depth + 1));
    }
    case "maybe": {
      if (start === end) return true;
      if (type.element.fixedSize === undefined && bytes[end - 1] !== 0) return false;
      const child = just(value);
      return child !== undefined && normalAt(child, depth + 1);
    }
    case "variant": {
      const child = openVariant(value);
      return child !== undefined && normalAt(child, depth + 1);
    }
  }
}

/** What a maybe holds; undefined for nothing. */
export function just({ type, bytes, start, end }: Value): Value | undefined {
  if (type.kind !== "maybe" || start === end) return undefined;
  return { type: type.element, bytes, start, end: type.element.fixedSize === undefined ? end - 1 : end };
}

/** What a variant holds; undefined when its type is none, which GLib reads as the empty tuple. */
export function openVariant({ type, bytes, start, end }: Value): Value | undefined {
  if (type.kind !== "variant" || start === end) return undefined;
  const last = bytes.subarray(start, end).lastIndexOf(0);
  if (last < 0) return undefined;
  const nul = start + last;
  const held = parseType(latin1(bytes, nul + 1, end));
  return held === undefined ? undefined : { type: held, bytes, start, end: nul };
}

function latin1(bytes: Uint8Array, from: number, to: number): string {
  // A longer one is no type.
  const stop = Math.min(to, from + 2048);
  let text = "";
  for (let at = from; at < stop; at++) text += String.fromCharCode(bytes[at] ?? 0);
  return text;
}

const UTF8 = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true });

/** The characters of a string, object path or signature; undefined when the bytes are not one. */
export function textOf({ type, bytes, start, end }: Value): string | undefined {
  if (type.kind !== "string") return undefined;
  const own = bytes.subarray(start, end);
  if (own.length === 0 || own.indexOf(0) !== own.length - 1) return undefined;
  let text: string;
  try {
    text = UTF8.decode(own.subarray(0, -1));
  } catch {
    return undefined;
  }
  if (type.text === "o" && !/^\/(?:[A-Za-z0-9_]+(?:\/[A-Za-z0-9_]+)*)?$/.test(text)) return undefined;
  if (type.text === "g" && !isSignature(text)) return undefined;
  return text;
}

/** A D-Bus signature: types one after another, as many as there are. */
function isSignature(text: string): boolean {
  return text.length <= 255 && parseType(`(${text})`) !== undefined;
}

/** The bytes of an `ay`, not copied. */
export const bytesOf = ({ bytes, start, end }: Value): Uint8Array => bytes.subarray(start, end);

/** A whole number of a fixed-size type; 0 when the bytes are not as many as it takes. */
export function integerOf({ type, bytes, start, end }: Value): bigint {
  if (type.kind !== "basic" || end - start !== type.fixedSize) return 0n;
  let value = 0n;
  for (let at = end - 1; at >= start; at--) value = value * 256n + BigInt(bytes[at] ?? 0);
  return "nixh".includes(type.text) ? BigInt.asIntN(8 * type.fixedSize, value) : value;
}

const DICTIONARY = typeOf("a{sv}");

/** What the entries of an `a{sv}` are, to whoever walks through them. `value` is undefined for a variant of no type. */
export interface Entry {
  readonly key: string;
  readonly value: Value | undefined;
}

export function forEachEntry(dictionary: Value, visit: (entry: Entry) => boolean): void {
  if (dictionary.type !== DICTIONARY && dictionary.type.text !== DICTIONARY.text) return;
  forEachElement(dictionary, (entry) => {
    const [key, value] = members(entry).members;
    return visit({ key: key === undefined ? "" : (textOf(key) ?? ""), value: value === undefined ? undefined : openVariant(value) });
  });
}

/** The value of the first entry with this key, as GLib's lookup has it. */
export function lookUp(dictionary: Value, key: string): Value | undefined {
  let found: Value | undefined;
  forEachEntry(dictionary, (entry) => {
    if (entry.key !== key) return true;
    found = entry.value;
    return false;
  });
  return found;
}

export { elementCount, forEachElement, members, type Value };
