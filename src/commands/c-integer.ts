/** Numbers as strtol(3) takes them and an `int` keeps them, for the options of the tools by their known names. */

const [LEAST, MOST] = [-(2n ** 63n), 2n ** 63n - 1n];

/** @returns undefined when it is no number from its first to its last character */
export function parseLong(text: string): bigint | undefined {
  const match = /^[\t\n\v\f\r ]*([+-]?)([0-9]+)$/.exec(text);
  if (match === null) return undefined;
  const value = BigInt(match[2] ?? "") * (match[1] === "-" ? -1n : 1n);
  return value < LEAST ? LEAST : value > MOST ? MOST : value;
}

export const toInt = (value: bigint): number => Number(BigInt.asIntN(32, value));
