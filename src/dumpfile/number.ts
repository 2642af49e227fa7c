/**
 * Numbers of dumpfiles: strtoull(3) over the whole field. White space and a sign may come first, a negative number counts down from
 * 2^64, and one that is too large is 2^64 - 1.
 */

import { Problem, quote } from "./problem.ts";

const TWO_32 = 2 ** 32;
const LARGEST = 2n ** 64n - 1n;
/** So many decimal or octal digits are exact as a number. */
const EXACT_DIGITS = 15;

/** Plain digits, which is what numbers are; -1 for anything else. */
function plain(bytes: Uint8Array, start: number, end: number, base: number): number {
  if (start === end || end - start > EXACT_DIGITS) return -1;
  let value = 0;
  for (let at = start; at < end; at++) {
    const digit = (bytes[at] ?? 0) - 0x30;
    if (digit < 0 || digit >= base) return -1;
    value = value * base + digit;
  }
  return value;
}

/** All that strtoull(3) takes, 0 to 2^64 - 1. @throws Problem */
function exact(bytes: Uint8Array, start: number, end: number, base: 8 | 10): bigint {
  // longer than any number that is meant as one; leading zeros are still read
  const text = Buffer.from(bytes.buffer, bytes.byteOffset + start, end - start).toString("latin1");
  const match = /^[\t\v\f\r]*([+-]?)0*([0-9]*)$/.exec(text);
  const digits = match?.[2] ?? "";
  if (match === null || !/[0-9]$/.test(text) || (base === 8 && /[89]/.test(digits))) throw new Problem(`Invalid integer ${quote(bytes, start, end)}`);
  // 2^64 has 20 decimal and 22 octal digits
  const size = digits.length > 22 ? LARGEST + 1n : BigInt(`${base === 8 ? "0o" : ""}${digits === "" ? "0" : digits}`);
  // beyond the range the sign does not count
  if (size > LARGEST) return LARGEST;
  return match[1] === "-" ? BigInt.asUintN(64, -size) : size;
}

/** Cut to 32 bits. @throws Problem */
export function uint32(bytes: Uint8Array, start: number, end: number, base: 8 | 10 = 10): number {
  const value = plain(bytes, start, end, base);
  if (value >= 0) return value < TWO_32 ? value : value % TWO_32;
  return Number(BigInt.asUintN(32, exact(bytes, start, end, base)));
}

/** Exact up to 2^53; beyond that rounded, but never down to it. @throws Problem */
export function uint64(bytes: Uint8Array, start: number, end: number): number {
  const value = plain(bytes, start, end, 10);
  if (value >= 0) return value;
  const wide = exact(bytes, start, end, 10);
  return wide > 2n ** 53n ? Math.max(Number(wide), 2 ** 53 + 2) : Number(wide);
}

/** Taken as signed. @throws Problem */
export function int64(bytes: Uint8Array, start: number, end: number): bigint {
  const value = plain(bytes, start, end, 10);
  return value >= 0 ? BigInt(value) : BigInt.asIntN(64, exact(bytes, start, end, 10));
}
