/** Splits a kernel command line into arguments exactly as lib/cmdline.c next_arg() does. */

/** Bytes at most. The kernel's own limit is 2048 on x86-64 and arm64; this leaves room for those that allow more. */
export const MAX_COMMAND_LINE = 65536;

export interface Token {
  /** The argument as written, quotes included. Bytes that are not UTF-8 show as U+FFFD. */
  readonly raw: string;
  /** Where `raw` begins, in bytes from the start of the command line. */
  readonly offset: number;
  /** Length of `raw` in bytes. */
  readonly length: number;
  /** What stands before the first `=`, without the quote that may open the whole argument. */
  readonly key: string;
  /** What stands after the first `=`, without quotes around it; undefined where there is no `=`. */
  readonly value: string | undefined;
  /** True for arguments after `--`, which the kernel passes to init unread. */
  readonly afterDashes: boolean;
  /** True if a double quote is open to the end of the command line. */
  readonly openQuote: boolean;
}

const QUOTE = 0x22;
const EQUALS = 0x3d;

/** The kernel's isspace() (lib/ctype.c, Latin-1): HT LF VT FF CR, space, and no-break space. */
const isKernelSpace = (byte: number): boolean => (byte >= 0x09 && byte <= 0x0d) || byte === 0x20 || byte === 0xa0;

const encoder = new TextEncoder();
// ignoreBOM: otherwise the bytes EF BB BF before a key would vanish and make it another key.
const decoder = new TextDecoder("utf-8", { ignoreBOM: true });

/**
 * Every argument, in order, repeats included; a `--` is a token of its own. Total on any bytes and
 * linear in their number. A NUL ends the command line, as in the kernel; a string counts as UTF-8.
 *
 * The rule: white space separates except between double quotes; there is no escape. A value that
 * begins with a quote loses it, and a quote at its end; so does an argument that begins with one.
 * An `=` in first place does not end a key. The kernel splits at byte 0xa0 even inside a UTF-8
 * character (`à` is c3 a0), so this does too.
 *
 * @throws RangeError if the input is longer than MAX_COMMAND_LINE bytes: cutting it could cut off
 *   the argument that matters.
 */
export function splitCommandLine(input: string | Uint8Array): Token[] {
  // A UTF-16 unit is at least one byte: too long is known before the text is encoded.
  if (input.length > MAX_COMMAND_LINE) throw tooLong(input.length);
  const bytes = typeof input === "string" ? encoder.encode(input) : input;
  if (bytes.length > MAX_COMMAND_LINE) throw tooLong(bytes.length);
  const nul = bytes.indexOf(0);
  const end = nul < 0 ? bytes.length : nul;
  const text = (from: number, to: number): string => (from < to ? decoder.decode(bytes.subarray(from, to)) : "");

  const tokens: Token[] = [];
  let afterDashes = false;
  let at = 0;
  for (;;) {
    while (at < end && isKernelSpace(bytes[at] ?? 0)) at++;
    if (at >= end) return tokens;

    const offset = at;
    const quoted = bytes[at] === QUOTE;
    const start = quoted ? at + 1 : at;
    let inQuote = quoted;
    let equals = 0; // its position; at `start` it does not count, just as in the kernel
    for (at = start; at < end; at++) {
      const byte = bytes[at] ?? 0;
      if (!inQuote && isKernelSpace(byte)) break;
      if (byte === EQUALS && equals === 0 && at > start) equals = at;
      if (byte === QUOTE) inQuote = !inQuote;
    }

    let stop = at;
    let valueStart = equals + 1;
    let dropLast = quoted && stop > start;
    if (equals > 0 && valueStart < stop && bytes[valueStart] === QUOTE) {
      valueStart++;
      dropLast = true;
    }
    // Only one quote is dropped from the end, even where both the argument and its value began with one.
    if (dropLast && bytes[stop - 1] === QUOTE) stop--;

    const key = text(start, equals > 0 ? equals : stop);
    const value = equals > 0 ? text(valueStart, stop) : undefined;
    tokens.push({ raw: text(offset, at), offset, length: at - offset, key, value, afterDashes, openQuote: inQuote });
    if (key === "--" && value === undefined) afterDashes = true;
  }
}

const tooLong = (length: number): RangeError =>
  new RangeError(`the kernel command line has ${length} bytes or more; at most ${MAX_COMMAND_LINE} are read`);
