/** An error as people read it: one block, aligned, with cause and next step. The same facts as JSON. */

import { describeCause, SealrootError } from "../errors/index.ts";
import { type Style, styleFor } from "./style.ts";

const PLAIN = styleFor(false);
/** Where the code stands on the first line, so that blocks of several boots line up on a console of 80 columns or more. */
const CODE_COLUMN = 70;

/** Anything thrown, as a SealrootError; what is not one is our own failure (SR-E900). */
export function asSealrootError(error: unknown): SealrootError {
  if (error instanceof SealrootError) return error;
  return new SealrootError("SR-E900", { details: [["cause", describeCause(error)]], cause: error });
}

/**
 * Text from disks, command lines and kernels reaches a console here, so control characters (which could redraw the
 * screen or forge lines) are shown as escapes. Line breaks too: whoever allows them splits the text first.
 */
export function printable(text: string): string {
  // oxlint-disable-next-line no-control-regex
  return text.replace(/[\x00-\x1f\x7f-\x9f\u061c\u200b-\u200f\u2028-\u202e\u2060-\u2069\ufeff]/g, (c) => `\\x${c.charCodeAt(0).toString(16).padStart(2, "0")}`);
}

/**
 * Ed25519 private keys as text: PEM; the base64 of PKCS#8, of either version (RFC 8410); OSTree's base64 of 64 bytes, which is that of a
 * signature as well. Somebody may give one where a name is expected, and what is printed is kept in logs.
 */
const PEM = /-----BEGIN [A-Z ]*PRIVATE KEY-----[\s\S]*?(?:-----END [A-Z ]*PRIVATE KEY-----|$)/g;
/** Whole runs, so that no text takes long. */
const BASE64 = /[A-Za-z0-9+/]+={0,2}/g;
const PKCS8 = /M(?:C4CAQAw|F[EM]CAQEw)BQYDK2VwBCIEI/;
const NOT_SHOWN = "(not shown: it may be a private key)";

const withoutSecrets = (text: string): string =>
  text.replace(PEM, NOT_SHOWN).replace(BASE64, (run) => (run.length >= 64 && (PKCS8.test(run) || (run.length >= 88 && run.endsWith("=="))) ? NOT_SHOWN : run));

/** A console shows 25 lines, and a serial one sends 10 KB a second; the JSON and the journal have everything. */
const MOST_LINES = 12;
const LONGEST_LINE = 1000;

const clip = (text: string): string => (text.length > LONGEST_LINE ? `${text.slice(0, LONGEST_LINE)}… (${text.length - LONGEST_LINE} more)` : text);

/** The first of a long list, and how many more there are. */
export function fewLines(lines: readonly string[]): readonly string[] {
  return lines.length <= MOST_LINES ? lines : [...lines.slice(0, MOST_LINES), `and ${lines.length - MOST_LINES} more`];
}

/** The block, with a final newline. `action` is what was being done, e.g. "cannot mount the root". */
export function renderError(error: SealrootError, action: string | undefined, style: Style = PLAIN): string {
  const rows = error.details.slice(0, MOST_LINES).map(([label, text]): readonly [string, string] => [label, withoutSecrets(text)]);
  if (error.details.length > MOST_LINES) rows.push(["…", `and ${error.details.length - MOST_LINES} more`]);
  if (error.cause !== undefined && !error.details.some(([label]) => label === "cause")) rows.push(["cause", withoutSecrets(describeCause(error.cause))]);
  rows.push(["meaning", error.meaning], ["next", error.next]);
  const width = Math.max(...rows.map(([label]) => label.length));
  const head = `sealroot: ${action === undefined ? "" : `${action}: `}${printable(clip(withoutSecrets(error.message)))}`;
  const lines = [`${style.bold(style.red(head.padEnd(CODE_COLUMN)))}  [${error.code}]`];
  for (const [label, text] of rows) {
    const [first = "", ...more] = fewLines(text.split("\n")).map((line) => printable(clip(line)));
    lines.push(`  ${style.dim(label.padEnd(width))}  ${first}`);
    for (const line of more) lines.push(`  ${" ".repeat(width)}  ${line}`);
  }
  return `${lines.join("\n")}\n`;
}

/** A label that stands for several facts becomes a list of them. */
function detailRecord(error: SealrootError): Record<string, string | string[]> {
  const record = new Map<string, string[]>();
  for (const [label, text] of error.details) record.set(label, [...(record.get(label) ?? []), withoutSecrets(text)]);
  return Object.fromEntries([...record].map(([label, [first = "", ...more]]) => [label, more.length === 0 ? first : [first, ...more]]));
}

/** The same facts for programs. */
export function errorRecord(error: SealrootError): Record<string, unknown> {
  return {
    code: error.code,
    exit: error.exit,
    message: withoutSecrets(error.message),
    details: detailRecord(error),
    ...(error.cause === undefined ? {} : { cause: withoutSecrets(describeCause(error.cause)) }),
    meaning: error.meaning,
    next: error.next,
  };
}
