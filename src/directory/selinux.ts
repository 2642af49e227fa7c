/**
 * SELinux labels by the policy that lies in the tree (selinux_config(5), file_contexts(5), file_contexts.subs), as composefs-rs gives
 * them to a system that boots (composefs-boot, selabel.rs): the last line that matches a path and its type wins. Pure.
 *
 * Lines hold regular expressions over bytes, of a size that one after the other would take minutes for a system: each is looked at only
 * for paths that begin with the characters that it begins with. What this runtime's expressions do not know is refused, not guessed.
 */

import { SealrootError } from "../errors/index.ts";
import { bytesOf, type Xattr } from "../tree/index.ts";

export const SELINUX = "security.selinux";

/** A file of the policy below etc/selinux; undefined where there is none. Text of one character a byte. */
export type ReadPolicyFile = (path: string) => string | undefined;

interface Line {
  readonly order: number;
  readonly expression: RegExp;
  readonly context: string;
}

const NONE = "<<none>>";
const TYPES: Readonly<Record<number, string>> = { 1: "p", 2: "c", 4: "d", 6: "b", 8: "-", 10: "l", 12: "s" };
const TYPE_CODES = ["b", "c", "d", "p", "l", "s", "-"];

export class SelinuxPolicy {
  readonly #byPrefix = new Map<string, Line[]>();
  readonly #lengths: readonly number[];
  readonly #substitutes: ReadonlyMap<string, string>;
  readonly #labels = new Map<string, Xattr>();

  constructor(lines: readonly (readonly [prefix: string, line: Line])[], substitutes: ReadonlyMap<string, string>) {
    for (const [prefix, line] of lines) {
      const known = this.#byPrefix.get(prefix);
      if (known === undefined) this.#byPrefix.set(prefix, [line]);
      else known.push(line);
    }
    // the last line of the files first
    for (const known of this.#byPrefix.values()) known.sort((a, b) => b.order - a.order);
    this.#lengths = [...new Set([...this.#byPrefix.keys()].map(({ length }) => length))].sort((a, b) => a - b);
    this.#substitutes = substitutes;
  }

  /** The path under which an entry, and all below it, is looked up. @param path one character a byte */
  substitute(path: string): string {
    return this.#substitutes.get(path) ?? path;
  }

  /** @param path as substitute() gave it @param type st_mode's type bits shifted by 12 @returns undefined where the policy has no label */
  label(path: string, type: number): Xattr | undefined {
    const key = `${path}${TYPES[type] ?? ""}`;
    let best: Line | undefined;
    for (const length of this.#lengths) {
      if (length > path.length) break;
      for (const line of this.#byPrefix.get(path.slice(0, length)) ?? []) {
        if (best !== undefined && line.order < best.order) break;
        if (!line.expression.test(key)) continue;
        best = line;
        break;
      }
    }
    return best === undefined || best.context === NONE ? undefined : this.#xattr(best.context);
  }

  #xattr(context: string): Xattr {
    const known = this.#labels.get(context);
    if (known !== undefined) return known;
    const made = { name: SELINUX, value: bytesOf(context) };
    this.#labels.set(context, made);
    return made;
  }
}

const refuse = (file: string, found: string): SealrootError => new SealrootError("SR-E528", { details: [["file", `etc/selinux/${file}`], ["found", found]] });

/** @returns undefined where the tree has no policy @throws SealrootError SR-E528 */
export function readPolicy(read: ReadPolicyFile): SelinuxPolicy | undefined {
  const name = policyName(read("config"));
  if (name === undefined) return undefined;
  // it becomes a part of a path
  if (name === "" || name === "." || name === ".." || /[/\0]/.test(name)) throw refuse("config", `SELINUXTYPE=${JSON.stringify(name)}`);
  const directory = `${name}/contexts/files/file_contexts`;
  const lines: (readonly [string, Line])[] = [];
  for (const suffix of ["", ".local", ".homedirs"]) {
    const file = `${directory}${suffix}`;
    const text = read(file);
    if (text === undefined && suffix === "") throw refuse(file, "no such file");
    for (const { fields, number } of fieldsOf(text ?? "")) lines.push(parseLine(fields, lines.length, file, number));
  }
  const substitutes = new Map<string, string>();
  for (const suffix of [".subs", ".subs_dist"]) {
    const file = `${directory}${suffix}`;
    for (const { fields, number } of fieldsOf(read(file) ?? "")) {
      const [alias = "", original, more] = fields;
      if (original === undefined || more !== undefined) throw refuse(file, `line ${number}: not two paths`);
      substitutes.set(alias, original);
    }
  }
  return new SelinuxPolicy(lines, substitutes);
}

function policyName(config: string | undefined): string | undefined {
  for (const line of config?.split("\n") ?? []) {
    const equals = line.indexOf("=");
    if (equals >= 0 && line.slice(0, equals).trim().toUpperCase() === "SELINUXTYPE") return line.slice(equals + 1).trim();
  }
  return undefined;
}

function* fieldsOf(text: string): Generator<{ readonly fields: readonly string[]; readonly number: number }> {
  let number = 0;
  for (const line of text.split("\n")) {
    number += 1;
    const fields = line.split(/[ \t\r\v\f]+/).filter((field) => field !== "");
    if (fields[0] !== undefined && !fields[0].startsWith("#")) yield { fields, number };
  }
}

function parseLine(fields: readonly string[], order: number, file: string, number: number): readonly [prefix: string, line: Line] {
  const [pattern = "", second, third, ...more] = fields;
  const typed = second?.startsWith("-") === true;
  const context = typed ? third : second;
  if (context === undefined || more.length > 0 || (!typed && third !== undefined)) throw refuse(file, `line ${number}: not an expression, a type and a context`);
  const code = typed ? second.slice(1) : undefined;
  if (code !== undefined && !TYPE_CODES.includes(code)) throw refuse(file, `line ${number}: no type of file: ${JSON.stringify(second)}`);
  try {
    return [literalPrefix(pattern), { order, context, expression: new RegExp(`^(${translate(pattern)})${code ?? "."}$`, "s") }];
  } catch (error) {
    if (!(error instanceof SyntaxError)) throw error;
    throw refuse(file, `line ${number}: an expression that cannot be read here: ${pattern.slice(0, 80)}`);
  }
}

/** Where PCRE writes what this runtime's expressions write differently, over bytes. */
const CLASSES: Readonly<Record<string, string>> = {
  alpha: "A-Za-z", digit: "0-9", alnum: "A-Za-z0-9", upper: "A-Z", lower: "a-z", space: "\\t-\\r ", blank: " \\t", punct: "!-\\/:-@\\[-`{-~", xdigit: "0-9A-Fa-f", word: "A-Za-z0-9_",
};

function translate(pattern: string): string {
  // what means something else, or is taken for letters here
  if (/\(\?[^:=!<]|\\[AZzGQEKXRhHNpPgk]|[*+?}]\+/.test(pattern)) throw new SyntaxError("not known here");
  return pattern.replace(/\[:(\^?)(\w+):\]/g, (_, not: string, name: string) => {
    const found = CLASSES[name];
    if (found === undefined || not !== "") throw new SyntaxError("not known here");
    return found;
  }).replaceAll("\\s", "[\\t-\\r ]").replaceAll("\\S", "[^\\t-\\r ]");
}

/** The characters that every match begins with. */
export function literalPrefix(pattern: string): string {
  if (pattern.includes("|")) {
    // an alternative at the top has a beginning of its own
    let depth = 0;
    for (let at = 0; at < pattern.length; at++) {
      const character = pattern[at];
      if (character === "\\") at += 1;
      else if (character === "(") depth += 1;
      else if (character === ")") depth -= 1;
      else if (character === "|" && depth <= 0) return "";
      else if (character === "[") return "";
    }
  }
  let prefix = "";
  for (let at = 0; at < pattern.length; ) {
    let character = pattern[at] ?? "";
    let length = 1;
    if (character === "\\") {
      character = pattern[at + 1] ?? "";
      length = 2;
      if (/[A-Za-z0-9]/.test(character) || character === "") break;
    } else if (/[.^$()[\]{}*+?|]/.test(character)) break;
    // one that may be missing, or of which there may be several
    const next = pattern[at + length] ?? "";
    if (next === "?" || next === "*" || next === "{") break;
    prefix += character;
    at += length;
    if (next === "+") break;
  }
  return prefix;
}
