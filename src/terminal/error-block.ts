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
 * screen or forge lines) are shown as escapes.
 */
export function printable(text: string): string {
  // oxlint-disable-next-line no-control-regex
  return text.replace(/[\x00-\x08\x0b-\x1f\x7f-\x9f\u2028\u2029\u202a-\u202e\u2066-\u2069]/g, (c) => `\\x${c.charCodeAt(0).toString(16).padStart(2, "0")}`);
}

/** The block, with a final newline. `action` is what was being done, e.g. "cannot mount the root". */
export function renderError(error: SealrootError, action: string | undefined, style: Style = PLAIN): string {
  const rows: (readonly [string, string])[] = [...error.details];
  if (error.cause !== undefined && !rows.some(([label]) => label === "cause")) rows.push(["cause", describeCause(error.cause)]);
  rows.push(["meaning", error.meaning], ["next", error.next]);
  const width = Math.max(...rows.map(([label]) => label.length));
  const head = `sealroot: ${action === undefined ? "" : `${action}: `}${printable(error.message)}`;
  const lines = [`${style.bold(style.red(head.padEnd(CODE_COLUMN)))}  [${error.code}]`];
  for (const [label, text] of rows) {
    const [first, ...more] = printable(text).split("\n");
    lines.push(`  ${style.dim(label.padEnd(width))}  ${first ?? ""}`);
    for (const line of more) lines.push(`  ${" ".repeat(width)}  ${line}`);
  }
  return `${lines.join("\n")}\n`;
}

/** The same facts for programs. */
export function errorRecord(error: SealrootError): Record<string, unknown> {
  return {
    code: error.code,
    exit: error.exit,
    message: error.message,
    details: Object.fromEntries(error.details),
    ...(error.cause === undefined ? {} : { cause: describeCause(error.cause) }),
    meaning: error.meaning,
    next: error.next,
  };
}
