/**
 * Finds the line that an error or a warning is about. Bun.TOML.parse gives no positions, so the parser
 * is asked about the beginnings of the text: the line with which a key first exists is the line that
 * makes it. Nothing here decides a value, and where the answer is not certain there is none.
 */

export type Table = Readonly<Record<string, unknown>>;

export function isTable(value: unknown): value is Table {
  // Dates are objects as well, but carry a tag of their own.
  return typeof value === "object" && value !== null && Object.prototype.toString.call(value) === "[object Object]";
}

/** Attempts for one answer; a configuration written by people needs a handful. */
const MAX_ATTEMPTS = 64;
/** Nobody has written more. The parser's time grows with the square of the tables: the line of an error behind 5000 of them took half a second. */
const MAX_LINES = 1000;

type Beginning = { readonly table: Table } | { readonly error: string };

/** The text's beginnings, whole lines each: beginning(n) is lines 1 to n, parsed. */
export class Beginnings {
  readonly #text: string;
  readonly #ends: readonly number[];
  readonly #parsed = new Map<number, Beginning>();

  constructor(text: string) {
    this.#text = text;
    const ends = [0];
    for (let at = text.indexOf("\n"); at >= 0; at = text.indexOf("\n", at + 1)) ends.push(at + 1);
    if (ends.at(-1) !== text.length) ends.push(text.length);
    this.#ends = ends;
  }

  get lines(): number {
    return this.#ends.length - 1;
  }

  line(number: number): string {
    return this.#text.slice(this.#ends[number - 1], this.#ends[number]);
  }

  parse(lines: number): Beginning {
    let found = this.#parsed.get(lines);
    if (found === undefined) {
      found = parseToml(this.#text.slice(0, this.#ends[lines]));
      this.#parsed.set(lines, found);
    }
    return found;
  }
}

/** Bun.TOML.parse with its exceptions made values. Its stack is exhausted by nesting thousands deep. */
export function parseToml(text: string): Beginning {
  try {
    const table: unknown = Bun.TOML.parse(text);
    return isTable(table) ? { table } : { error: "not a table" };
  } catch (error) {
    if (error instanceof RangeError) return { error: "nested too deeply" };
    return { error: (error instanceof Error ? error.message : String(error)).replace(/^TOML Parse error: /, "") };
  }
}

/** The line on which the statement begins that makes the key at `path`, from 1. */
export function lineOfKey(text: Beginnings, path: readonly string[]): number | undefined {
  const name = path.at(-1) ?? "";
  let attempts = 0;
  for (let line = 1; line <= Math.min(text.lines, MAX_LINES) && attempts < MAX_ATTEMPTS; line++) {
    if (!text.line(line).includes(name)) continue;
    attempts++;
    const before = text.parse(line - 1);
    if ("error" in before || has(before.table, path)) continue;
    // A value over several lines: the beginnings in between do not parse.
    for (let to = line; to <= text.lines && to < line + MAX_ATTEMPTS; to++) {
      const after = text.parse(to);
      if ("error" in after) continue;
      if (has(after.table, path)) return line;
      break;
    }
  }
  return undefined;
}

function has(table: Table, path: readonly string[]): boolean {
  let current: unknown = table;
  for (const key of path) {
    if (Array.isArray(current)) current = current.at(-1);
    if (!isTable(current) || !Object.hasOwn(current, key)) return false;
    current = current[key];
  }
  return true;
}

/**
 * The line of a syntax error. The parser reads from left to right and stops at the first error, so
 * every beginning that contains the error fails with the same words and no shorter one does; except
 * for errors seen at the end of the text only, where the line that opens what stays open is given.
 */
export function lineOfSyntaxError(text: Beginnings, message: string): number | undefined {
  if (text.lines > MAX_LINES) return undefined;
  const fails = (lines: number): boolean => {
    const result = text.parse(lines);
    return "error" in result && result.error === message;
  };
  let good = 0;
  let bad = text.lines;
  if (!fails(bad) || fails(good)) return undefined;
  const seenAtEnd = /^Unterminated (array|inline table|string$)/.test(message);
  if (seenAtEnd) {
    // Something closed further up may have stood open for a while too: walk back instead of halving.
    for (let attempts = 0; attempts < MAX_ATTEMPTS && fails(bad - 1); attempts++) bad--;
    return "table" in text.parse(bad - 1) ? bad : undefined;
  }
  while (bad - good > 1) {
    const middle = (good + bad) >> 1;
    if (fails(middle)) bad = middle;
    else good = middle;
  }
  return bad;
}
