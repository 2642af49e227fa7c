/**
 * GLib's key files, as far as prepare-root.conf needs them (Desktop Entry Specification; glib/gkeyfile.c): groups, `key=value`,
 * comments on lines of their own, escapes. The last of several equal keys counts, and groups of one name are one group.
 */

import { SealrootError } from "../errors/index.ts";

export type KeyFile = ReadonlyMap<string, ReadonlyMap<string, string>>;

export const MAX_KEY_FILE_BYTES = 65536;

const refuse = (path: string, line: number | undefined, found: string): SealrootError =>
  new SealrootError("SR-E101", { details: [["file", path], ...(line === undefined ? [] : [["line", String(line)] as const]), ["found", found]] });

/** @throws SealrootError SR-E101 with file and line */
export function parseKeyFile(bytes: Uint8Array, path: string): KeyFile {
  if (bytes.byteLength > MAX_KEY_FILE_BYTES) throw refuse(path, undefined, `more than ${MAX_KEY_FILE_BYTES} bytes`);
  let text: string;
  try {
    text = new TextDecoder("utf-8", { fatal: true }).decode(bytes);
  } catch {
    throw refuse(path, undefined, "not UTF-8");
  }
  const groups = new Map<string, Map<string, string>>();
  let group: Map<string, string> | undefined;
  for (const [index, raw] of text.split("\n").entries()) {
    // GLib takes the white space before a key, not the one behind its value
    const line = raw.replace(/\r$/, "").trimStart();
    if (line === "" || line.startsWith("#")) continue;
    if (line.includes("\0")) throw refuse(path, index + 1, "a NUL byte");
    const header = /^\[([^[\]]+)\]\s*$/.exec(line);
    if (header !== null) {
      const name = header[1] ?? "";
      group = groups.get(name) ?? new Map<string, string>();
      groups.set(name, group);
      continue;
    }
    const equals = line.indexOf("=");
    if (equals < 1 || line.startsWith("[")) throw refuse(path, index + 1, `neither a group nor key=value: ${JSON.stringify(line.slice(0, 80))}`);
    if (group === undefined) throw refuse(path, index + 1, "a key before any group");
    group.set(line.slice(0, equals).trimEnd(), line.slice(equals + 1).trimStart());
  }
  return groups;
}

const ESCAPES: Readonly<Record<string, string>> = { s: " ", n: "\n", t: "\t", r: "\r", "\\": "\\" };

/** A string value with its escapes taken out. @returns undefined when there is no such key */
export function stringValue(file: KeyFile, group: string, key: string, path: string): string | undefined {
  const value = file.get(group)?.get(key);
  return value?.replace(/\\(.?)/g, (escape: string, letter: string) => {
    const replacement = ESCAPES[letter];
    if (replacement === undefined) throw refuse(path, undefined, `${group}.${key}: the escape ${JSON.stringify(escape)}`);
    return replacement;
  });
}

/** A boolean as GLib has it: true or 1, false or 0, and nothing else. */
export function booleanValue(file: KeyFile, group: string, key: string, path: string): boolean | undefined {
  const value = file.get(group)?.get(key)?.trimEnd();
  if (value === undefined) return undefined;
  if (value === "true" || value === "1") return true;
  if (value === "false" || value === "0") return false;
  throw refuse(path, undefined, `${group}.${key} = ${JSON.stringify(value)}, which is neither true nor false`);
}
