/**
 * What is wrong with a dumpfile, in the words of the C composefs tools: scripts and people search for them. What is quoted from the
 * file is made harmless for a terminal.
 */

import { SealrootError } from "../errors/index.ts";

/** Longest quotation, in characters. */
const MAX_QUOTATION = 4096;

/** A refused dumpfile, before it is known in which line. */
export class Problem extends Error {
  override readonly name = "Problem";

  /** @param line number of the line, from 1; 0 where it is no single line */
  toSealrootError(line: number): SealrootError {
    return new SealrootError("SR-E510", { summary: this.message, details: line === 0 ? [] : [["line", String(line)]] });
  }
}

const strict = new TextDecoder("utf-8", { fatal: true });
const hex = (value: number): string => `\\x${value.toString(16).padStart(2, "0")}`;

/** Bytes of the file as text: UTF-8 where they are that, control characters and anything else as `\xhh`. */
export function quote(bytes: Uint8Array, start = 0, end = bytes.length): string {
  const part = bytes.subarray(start, Math.min(end, start + MAX_QUOTATION));
  let text: string;
  try {
    text = strict.decode(part);
  } catch {
    text = Array.from(part, (byte) => (byte < 0x80 ? String.fromCharCode(byte) : hex(byte))).join("");
  }
  // C0 and C1 control characters
  return text.replace(/[\u0000-\u001f\u007f-\u009f]/g, (character) => hex(character.charCodeAt(0))) + (end - start > MAX_QUOTATION ? "…" : "");
}
