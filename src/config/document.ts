/** A TOML file as bytes or text becomes a table; every way in which it can be unreadable has its error. */

import { type Detail, SealrootError } from "../errors/index.ts";
import { Beginnings, lineOfKey, lineOfSyntaxError, parseToml, type Table } from "./locate.ts";
import { MAX_CONFIG_BYTES } from "./policy.ts";

export interface Document {
  readonly path: string;
  readonly root: Table;
  /** The line that makes a key, from 1; undefined where that is not certain. Slow: only for messages. */
  lineOf(keys: readonly string[]): number | undefined;
}

/** @throws SealrootError SR-E101 if the text is too long, not UTF-8, or not TOML. */
export function readDocument(input: string | Uint8Array, path: string): Document {
  const length = typeof input === "string" && input.length <= MAX_CONFIG_BYTES ? new TextEncoder().encode(input).length : input.length;
  if (length > MAX_CONFIG_BYTES) {
    throw configError(path, undefined, "the configuration is too long", [
      ["expected", `at most ${MAX_CONFIG_BYTES} bytes`],
      ["found", `${length} bytes`],
    ]);
  }
  const text = (typeof input === "string" ? input : decode(input, path)).replace(/^\ufeff/, "");
  const nul = text.indexOf("\0");
  if (nul >= 0) {
    const line = text.slice(0, nul).split("\n").length;
    throw configError(path, line, "the configuration is not text", [["found", "a NUL byte"]]);
  }

  // An empty file is a valid configuration; then nothing is parsed at all.
  const result = text.trim() === "" ? { table: {} } : parseToml(text);
  let known: Beginnings | undefined;
  const beginnings = (): Beginnings => (known ??= new Beginnings(text));
  if ("error" in result) {
    throw configError(path, lineOfSyntaxError(beginnings(), result.error), "the configuration is not valid TOML", [["found", result.error]]);
  }
  return { path, root: result.table, lineOf: (keys) => lineOfKey(beginnings(), keys) };
}

export function configError(path: string, line: number | undefined, summary: string, details: readonly Detail[]): SealrootError {
  const where: Detail[] = line === undefined ? [["file", path]] : [["file", path], ["line", String(line)]];
  return new SealrootError("SR-E101", { summary, details: [...where, ...details] });
}

function decode(bytes: Uint8Array, path: string): string {
  try {
    return new TextDecoder("utf-8", { fatal: true }).decode(bytes);
  } catch {
    throw configError(path, lineOfBadBytes(bytes), "the configuration is not text", [["found", "bytes that are not UTF-8"]]);
  }
}

/** Lines can be decoded one by one: the byte of a line feed is never part of another character. */
function lineOfBadBytes(bytes: Uint8Array): number | undefined {
  const decoder = new TextDecoder("utf-8", { fatal: true });
  for (let line = 1, from = 0; from < bytes.length; line++) {
    const feed = bytes.indexOf(0x0a, from);
    const to = feed < 0 ? bytes.length : feed;
    try {
      decoder.decode(bytes.subarray(from, to));
    } catch {
      return line;
    }
    from = to + 1;
  }
  return undefined;
}
