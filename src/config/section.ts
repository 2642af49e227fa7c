/** One table of the configuration: typed access to its keys, and the errors and warnings about them. */

import { SealrootError } from "../errors/index.ts";
import { configError, type Document } from "./document.ts";
import { isTable, type Table } from "./locate.ts";
import { suggestion } from "./names.ts";
import type { ConfigWarning } from "./policy.ts";

export class Section {
  readonly #document: Document;
  readonly #name: string;
  readonly #table: Table;
  readonly #warnings: ConfigWarning[];

  /** @throws SealrootError SR-E101 if `name` is there and not a table. Absent is the same as empty. */
  constructor(document: Document, name: string, warnings: ConfigWarning[]) {
    this.#document = document;
    this.#name = name;
    this.#warnings = warnings;
    this.#table = {};
    if (!Object.hasOwn(document.root, name)) return;
    const table = document.root[name];
    if (!isTable(table)) throw this.#problem([name], `${name} has the wrong type`, `a table, [${name}]`, describe(table));
    this.#table = table;
  }

  has(key: string): boolean {
    return Object.hasOwn(this.#table, key);
  }

  value(key: string): unknown {
    return this.has(key) ? this.#table[key] : undefined;
  }

  boolean(key: string): boolean | undefined {
    const value = this.value(key);
    if (value !== undefined && typeof value !== "boolean") throw this.wrong(key, "true or false");
    return value;
  }

  /** A whole number; TOML's 2.0 cannot be told from 2 here and is taken as 2. */
  integer(key: string, least: number, most: number, meaning: string): number | undefined {
    const value = this.value(key);
    if (value === undefined) return undefined;
    if (typeof value !== "number" || !Number.isInteger(value) || value < least || value > most) throw this.wrong(key, meaning);
    return value;
  }

  /** One of `names`, or one of `aliases`, which stands for a name. */
  choice<T extends string>(key: string, names: readonly T[], aliases: Readonly<Record<string, T>> = {}): T | undefined {
    const value = this.value(key);
    if (value === undefined) return undefined;
    const found = names.find((name) => name === value) ?? (typeof value === "string" && Object.hasOwn(aliases, value) ? aliases[value] : undefined);
    if (found !== undefined) return found;
    const list = names.map((name) => JSON.stringify(name)).join(", ");
    throw this.wrong(key, typeof value === "string" ? `${list}${suggestion(value, names)}` : list);
  }

  /** A string or an array of strings; none of them empty or with control characters in it. */
  strings(key: string): readonly string[] | undefined {
    const value = this.value(key);
    if (value === undefined) return undefined;
    const list: readonly unknown[] = Array.isArray(value) ? value : [value];
    return list.map((item, index) => {
      if (typeof item === "string" && item.trim() !== "" && !/\p{Cc}/u.test(item)) return item;
      throw this.wrong(key, "a string or an array of strings, not empty and without control characters", Array.isArray(value) ? `${describe(item)} as number ${index + 1}` : undefined);
    });
  }

  unknownKeys(known: readonly string[]): string[] {
    return Object.keys(this.#table).filter((key) => !known.includes(key));
  }

  warn(key: string, message: string): void {
    this.#warnings.push(warning(this.#document, [this.#name, key], message));
  }

  /** An error to throw: the value of `key` is not what is expected. */
  wrong(key: string, expected: string, found: string = describe(this.value(key))): SealrootError {
    return this.#problem([this.#name, key], `${dotted([this.#name, key])} has a wrong value`, expected, found);
  }

  /** An error to throw: `key` may not be there (or, with no key, the table is at fault). */
  refuse(key: string | undefined, summary: string, expected: string): SealrootError {
    const path = key === undefined ? [this.#name] : [this.#name, key];
    return this.#problem(path, summary, expected, undefined);
  }

  #problem(path: readonly string[], summary: string, expected: string, found: string | undefined): SealrootError {
    return problem(this.#document, path, summary, expected, found);
  }
}

export function problem(document: Document, path: readonly string[], summary: string, expected: string, found?: string): SealrootError {
  return configError(document.path, document.lineOf(path), summary, [
    ["key", dotted(path)],
    ["expected", expected],
    ...(found === undefined ? [] : [["found", found] as const]),
  ]);
}

export function warning(document: Document, path: readonly string[], message: string): ConfigWarning {
  return { path: document.path, line: document.lineOf(path), key: dotted(path), message };
}

/** A key path as TOML writes it. */
export const dotted = (path: readonly string[]): string =>
  path.map((key) => (/^[A-Za-z0-9_-]+$/.test(key) ? key : JSON.stringify(key))).join(".");

/** A value with its TOML type, short. */
export function describe(value: unknown): string {
  if (typeof value === "string") return `the string ${JSON.stringify(value.length > 60 ? `${value.slice(0, 60)}…` : value)}`;
  if (typeof value === "number") return `the number ${value}`;
  if (typeof value === "boolean") return String(value);
  if (Array.isArray(value)) return value.length > 0 && value.every(isTable) ? "an array of tables" : "an array";
  return isTable(value) ? "a table" : `the date or time ${String(value)}`;
}
