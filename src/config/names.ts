/** Misspelt names: which known one was meant. */

const fold = (name: string): string => name.trim().toLowerCase().replaceAll("_", "-");

/** Levenshtein distance, case and `-`/`_` aside; anything above `limit` counts as limit + 1. */
export function distance(left: string, right: string, limit: number): number {
  const a = fold(left);
  const b = fold(right);
  if (Math.abs(a.length - b.length) > limit) return limit + 1;
  let row = Array.from({ length: b.length + 1 }, (_, j) => j);
  for (let i = 1; i <= a.length; i++) {
    const next = [i];
    for (let j = 1; j <= b.length; j++) {
      const swap = (row[j - 1] ?? 0) + (a[i - 1] === b[j - 1] ? 0 : 1);
      next.push(Math.min(swap, (row[j] ?? 0) + 1, (next[j - 1] ?? 0) + 1));
    }
    row = next;
  }
  return Math.min(row[b.length] ?? 0, limit + 1);
}

/** The known name closest to `name`, if it is no more than two letters away. */
export function nearest(name: string, known: readonly string[]): string | undefined {
  const ranked = known.map((candidate) => ({ candidate, far: distance(name, candidate, 2) })).sort((x, y) => x.far - y.far);
  return ranked[0] !== undefined && ranked[0].far <= 2 ? ranked[0].candidate : undefined;
}

/** ` (did you mean "x"?)`, or nothing. */
export function suggestion(name: string, known: readonly string[]): string {
  const meant = nearest(name, known);
  return meant === undefined ? "" : ` (did you mean ${JSON.stringify(meant)}?)`;
}
