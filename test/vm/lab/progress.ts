/** Tells a waiting person what the lab is doing, one line a step, with the seconds it took. */

const started = performance.now();

const seconds = (since: number): string => `${((performance.now() - since) / 1000).toFixed(1)} s`;

/** Runs one step of work and says so on stderr; nested steps are allowed. */
export async function step<T>(what: string, work: () => Promise<T>): Promise<T> {
  const begin = performance.now();
  say(what);
  const result = await work();
  if (performance.now() - begin > 2000) say(`${what}: ${seconds(begin)}`);
  return result;
}

/** One line of progress on stderr, with the seconds since the start of the program. */
export function say(text: string): void {
  process.stderr.write(`lab ${((performance.now() - started) / 1000).toFixed(1).padStart(6)} s  ${text}\n`);
}
