/** Lines, base64 and PEM (RFC 7468), read strictly and without ever repeating what a line says: it may be secret. */

/** What is wrong, in which line. */
export class TextProblem extends Error {
  override readonly name = "TextProblem";
  readonly line: number;

  constructor(line: number, message: string) {
    super(message);
    this.line = line;
  }
}

export interface Line {
  readonly text: string;
  /** Counted from 1. */
  readonly line: number;
}

/** Lines of ASCII text, without "\n" and "\r\n". @throws TextProblem for other bytes */
export function textLines(bytes: Uint8Array): Line[] {
  const lines: Line[] = [];
  let start = 0;
  while (start <= bytes.length) {
    const found = bytes.indexOf(0x0a, start);
    const end = found < 0 ? bytes.length : found;
    const own = bytes.subarray(start, end);
    const line = lines.length + 1;
    if (own.some((byte) => (byte < 0x20 && byte !== 0x09 && byte !== 0x0d) || byte > 0x7e)) throw new TextProblem(line, "a byte that is not printable ASCII");
    const text = String.fromCharCode(...own.subarray(0, MAX_LINE));
    if (own.length > MAX_LINE) throw new TextProblem(line, "a line that is too long");
    // A last line without an end is one; nothing after the last end is none.
    if (found >= 0 || own.length > 0) lines.push({ text: found >= 0 && text.endsWith("\r") ? text.slice(0, -1) : text, line });
    start = end + 1;
  }
  return lines;
}

const MAX_LINE = 1024;

/** Standard base64 with its padding, and nothing else: each value has one spelling. @throws TextProblem */
export function base64(text: string, line: number): Uint8Array {
  let bytes: Uint8Array | undefined;
  try {
    bytes = Uint8Array.fromBase64(text, { alphabet: "base64", lastChunkHandling: "strict" });
  } catch {
    // below
  }
  // fromBase64() skips white space; a key is one word.
  if (bytes === undefined || /\s/.test(text) || bytes.length === 0) throw new TextProblem(line, "something that is not base64");
  return bytes;
}

export interface PemBlock {
  readonly label: string;
  readonly der: Uint8Array;
  /** Where it begins. */
  readonly line: number;
}

/** The blocks of a PEM file; between them only empty lines. @throws TextProblem */
export function pemBlocks(lines: readonly Line[]): PemBlock[] {
  const blocks: PemBlock[] = [];
  let open: { label: string; line: number; text: string } | undefined;
  for (const { text: raw, line } of lines) {
    const text = raw.trimEnd();
    const [, edge, label] = /^-----(BEGIN|END) ([A-Z0-9 ]{1,64})-----$/.exec(text) ?? [];
    if (open === undefined) {
      if (edge === "BEGIN" && label !== undefined) open = { label, line, text: "" };
      else if (text !== "") throw new TextProblem(line, "something outside the PEM blocks");
    } else if (edge === "END" && label === open.label) {
      blocks.push({ label, der: base64(open.text, open.line), line: open.line });
      open = undefined;
    } else if (edge !== undefined || text === "") {
      throw new TextProblem(line, "a PEM block that is not closed");
    } else {
      open.text += text;
    }
  }
  if (open !== undefined) throw new TextProblem(open.line, "a PEM block that is not closed");
  return blocks;
}
