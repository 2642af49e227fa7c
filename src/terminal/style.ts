/** Colour for people, and only for people: off in a pipe, off with NO_COLOR, off on a dumb terminal. */

export interface Style {
  bold(text: string): string;
  red(text: string): string;
  green(text: string): string;
  yellow(text: string): string;
  dim(text: string): string;
}

const paint = (on: boolean, open: number, close: number) => (text: string): string =>
  on ? `\x1b[${open}m${text}\x1b[${close}m` : text;

/** @param terminal whether the stream that will carry the text is a terminal */
export function styleFor(terminal: boolean): Style {
  const on = terminal && (process.env["NO_COLOR"] ?? "") === "" && process.env["TERM"] !== "dumb";
  return { bold: paint(on, 1, 22), red: paint(on, 31, 39), green: paint(on, 32, 39), yellow: paint(on, 33, 39), dim: paint(on, 2, 22) };
}
