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

/**
 * Values within a value, and characters of the types of its variants, that are looked at before it is taken for normal. Bytes do not bound
 * them: fifty tuples around one byte are fifty-one values. The largest real commits, with lists of packages in them, have some tens of
 * thousands; as many as this take a boot, which runs this uncompiled, a quarter of a second.
 */
export const MAX_STEPS = 2 ** 18;

/** What may still be looked at; counted down. */
export interface Steps {
  left: number;
}

export class GVariantError extends Error {
  override readonly name = "GVariantError";
}

/** Whether the bytes are in normal form was not found out: there is too much in them. */
export class TooManySteps extends GVariantError {}

/** Bytes as a value of a type, in normal form or not. @throws GVariantError for more than 1 GiB */
export function read(type: Type, bytes: Uint8Array): Value {
  if (bytes.length > MAX_BYTES) throw new GVariantError(`${bytes.length} bytes are more than can be read`);
  return { type, bytes, start: 0, end: bytes.length };
}

/** As read(), for bytes in normal form only. @throws GVariantError naming the type that the bytes are no value of; TooManySteps */
export function readNormal(type: Type, bytes: Uint8Array): Value {
  const value = read(type, bytes);
  const steps: Steps = { left: MAX_STEPS };
  const normal = isNormal(value, steps);
  if (steps.left < 0) throw new TooManySteps(`there are more than ${MAX_STEPS} values in the GVariant ${type.text}`);
  if (!normal) throw new GVariantError(`the bytes are not a GVariant ${type.text} in normal form`);
  return value;
}

/**
 * Whether a writer would write this value in these bytes, and no others.
 * @param steps that may be taken, and are taken off; where they do not suffice it is false, and what is left is below zero
 */
export const isNormal = (value: Value, steps: Steps = { left: MAX_STEPS }): boolean => normalAt(value, 0, steps);

function normalAt(value: Value, depth: number, steps: Steps): boolean {
  const { type, bytes, start, end } = value;
  if (--steps.left < 0 || depth > MAX_DEPTH) return false;
  if (type.anyBytes) return end - start === type.fixedSize;
  switch (type.kind) {
    case "basic":
      return end - start === type.fixedSize && (type.text !== "b" || (bytes[start] ?? 2) <= 1);
    case "string":
      return textOf(value) !== undefined;
    case "array":
      if (type.element.anyBytes) return elementCount(value) > 0 || start === end;
      // Their framing is all there is to look at. (A commit can hold `aay` of tens of thousands.)
      if (type.element.kind === "array" && type.element.element.fixedSize === 1 && type.element.element.anyBytes) {
        // a value takes longer
        steps.left -= elementCount(value) >> 3;
        return steps.left >= 0 && forEachElement(value);
      }
      return forEachElement(value, (element) => normalAt(element, depth + 1, steps));
    case "tuple":
    case "entry": {
      const found = members(value);
      return found.normal && found.members.every((member) => normalAt(member, depth + 1, steps));
    }
    case "maybe": {
      if (start === end) return true;
      if (type.element.fixedSize === undefined && bytes[end - 1] !== 0) return false;
      const child = just(value);
      return child !== undefined && normalAt(child, depth + 1, steps);
    }
    case "variant": {
      const child = openVariant(value);
      if (child === undefined) return false;
      steps.left -= child.type.text.length;
      return normalAt(child, depth + 1, steps);
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

const isDictionary = ({ type }: Value): boolean => type === DICTIONARY || type.text === DICTIONARY.text;

export function forEachEntry(dictionary: Value, visit: (entry: Entry) => boolean): void {
  if (!isDictionary(dictionary)) return;
  forEachElement(dictionary, (entry) => {
    const [key, value] = members(entry).members;
    return visit({ key: key === undefined ? "" : (textOf(key) ?? ""), value: value === undefined ? undefined : openVariant(value) });
  });
}

/** The value of the first entry with this key, as GLib's lookup has it. */
export function lookUp(dictionary: Value, key: string): Value | undefined {
  if (!isDictionary(dictionary)) return undefined;
  let found: Value | undefined;
  forEachElement(dictionary, (entry) => {
    const [own, value] = members(entry).members;
    if (own === undefined || textOf(own) !== key) return true;
    // only here: to read the types of all the others takes longer than the rest
    found = value === undefined ? undefined : openVariant(value);
    return false;
  });
  return found;
}

export { elementCount, forEachElement, members, type Value };
