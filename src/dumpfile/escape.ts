/** Escapes of dumpfiles: `\\`, `\n`, `\r`, `\t` and `\xhh`; on the way in every byte may be escaped, on the way out only what needs it is. */

import { hexDigit } from "./object-fields.ts";
import { Problem, quote } from "./problem.ts";

const BACKSLASH = 0x5c;

const LETTERS: Readonly<Record<number, number>> = { 0x5c: 0x5c, 0x6e: 0x0a, 0x72: 0x0d, 0x74: 0x09 };

/**
 * Writes bytes[start..end) without its escapes to the beginning of `into`, which must be at least as long.
 * @returns the length there @throws Problem
 */
export function unescapeInto(into: Uint8Array, bytes: Uint8Array, start: number, end: number): number {
  let length = 0;
  for (let at = start; at < end; ) {
    const byte = bytes[at++] ?? 0;
    if (byte !== BACKSLASH) {
      into[length++] = byte;
      continue;
    }
    if (at >= end) throw new Problem("No character after escape");
    const kind = bytes[at++] ?? 0;
    if (kind === 0x78) {
      if (at + 1 >= end) throw new Problem("No hex characters after hex escape");
      const [high, low] = [hexDigit(bytes[at] ?? 0), hexDigit(bytes[at + 1] ?? 0)];
      if (high < 0 || low < 0) throw new Problem("Invalid hex characters after hex escape");
      at += 2;
      into[length++] = (high << 4) | low;
      continue;
    }
    const plain = LETTERS[kind];
    if (plain === undefined) throw new Problem(`Unsupported escape type ${quote(bytes, at - 1, at)}`);
    into[length++] = plain;
  }
  return length;
}

/** Which bytes are written as they are, beyond the printable ones of ASCII that need no escape anywhere. */
export const ESCAPE = { standard: 0, rawSpace: 1, equals: 2, loneDash: 4 } as const;

/** 0: raw; 1: as two hexadecimal digits; else: the letter after the backslash. */
const FORMS = new Uint8Array(256).map((_, byte) => {
  if (byte === 0x5c) return 0x5c;
  if (byte === 0x0a) return 0x6e;
  if (byte === 0x0d) return 0x72;
  if (byte === 0x09) return 0x74;
  return byte > 0x20 && byte < 0x7f ? 0 : 1;
});

const HEX = new TextEncoder().encode("0123456789abcdef");

/** An escaped byte takes four. */
export const LONGEST_ESCAPE = 4;

/**
 * Writes bytes[start..end) escaped to `into` from `at`; there must be LONGEST_ESCAPE times their number of room.
 * @param how bits of ESCAPE @returns where the next byte goes
 */
export function escapeInto(into: Uint8Array, at: number, bytes: Uint8Array, start: number, end: number, how: number): number {
  const dash = (how & ESCAPE.loneDash) !== 0 && end - start === 1 && bytes[start] === 0x2d;
  for (let from = start; from < end; from++) {
    const byte = bytes[from] ?? 0;
    let form = FORMS[byte] ?? 0;
    if (byte === 0x20 && (how & ESCAPE.rawSpace) !== 0) form = 0;
    else if (dash || (byte === 0x3d && (how & ESCAPE.equals) !== 0)) form = 1;
    if (form === 0) {
      into[at++] = byte;
      continue;
    }
    into[at++] = BACKSLASH;
    if (form === 1) {
      into[at++] = 0x78;
      into[at++] = HEX[byte >> 4] ?? 0;
      into[at++] = HEX[byte & 15] ?? 0;
    } else {
      into[at++] = form;
    }
  }
  return at;
}
