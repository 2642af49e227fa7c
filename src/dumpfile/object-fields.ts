/** What most lines say: a file whose content is an object, often under the object's own name. Read in place, without views and copies. */

import { FIELD, type Line } from "./line.ts";

const DIGITS = new Int8Array(256).fill(-1);
for (let digit = 0; digit < 16; digit++) {
  DIGITS[digit.toString(16).charCodeAt(0)] = digit;
  DIGITS[digit.toString(16).toUpperCase().charCodeAt(0)] = digit;
}

/** Longest target of a symbolic link, and longest path of an object. */
export const MAX_PAYLOAD = 4095;

const [SLASH, LETTER, LOWER_CASE] = [0x2f, 0x40, 0x20];

/** The value of a hexadecimal digit; -1 for another byte. */
export const hexDigit = (byte: number): number => DIGITS[byte] ?? -1;

/** Whether the line has a path for its payload that needs no unescaping, and neither content nor digest. */
export function hasOnlyPayload(line: Line): boolean {
  const length = line.stop(FIELD.payload) - line.start(FIELD.payload);
  return length > 0 && length <= MAX_PAYLOAD && !line.isEscaped(FIELD.payload) && !line.isAbsent(FIELD.payload) && line.isAbsent(FIELD.content) && line.isAbsent(FIELD.digest);
}

/**
 * @param digest where the digest is put; its length is what digests have
 * @returns whether the line has no content, a digest, and that digest's object path for its payload; where not, other code is to look
 */
export function readObject(line: Line, digest: Uint8Array): boolean {
  const payload = line.start(FIELD.payload);
  const text = line.start(FIELD.digest);
  const digits = digest.length * 2;
  if (line.stop(FIELD.payload) - payload !== digits + 1 || line.stop(FIELD.digest) - text !== digits || !line.isAbsent(FIELD.content)) return false;
  const { bytes } = line;
  if (bytes[payload + 2] !== SLASH) return false;
  for (let at = 0; at < digits; at += 2) {
    const first = bytes[text + at] ?? 0;
    const second = bytes[text + at + 1] ?? 0;
    const value = ((DIGITS[first] ?? -1) << 4) | (DIGITS[second] ?? -1);
    if (value < 0) return false;
    // object names have small letters
    const place = payload + at + (at === 0 ? 0 : 1);
    if (bytes[place] !== (first >= LETTER ? first | LOWER_CASE : first) || bytes[place + 1] !== (second >= LETTER ? second | LOWER_CASE : second)) return false;
    digest[at >> 1] = value;
  }
  return true;
}
