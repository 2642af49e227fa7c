/** Looks up parameters by name among the tokens of a kernel command line. */

import type { Token } from "./split.ts";

/** Compares parameter names as the kernel and systemd do: `-` and `_` are the same letter. */
export function sameKey(a: string, b: string): boolean {
  return a === b || (a.length === b.length && a.replaceAll("-", "_") === b.replaceAll("-", "_"));
}

/** The values of every occurrence of `key`, in order; "" for one without `=`. */
export function allValues(tokens: readonly Token[], key: string): string[] {
  return tokens.filter((token) => sameKey(token.key, key)).map((token) => token.value ?? "");
}

/**
 * The value that counts where the last one wins, as in the kernel for `init=` and `root=` and in
 * systemd for `systemd.volatile=`. "" if it has no `=`, undefined if the parameter is absent.
 */
export function lastValue(tokens: readonly Token[], key: string): string | undefined {
  const last = tokens.findLast((token) => sameKey(token.key, key));
  return last === undefined ? undefined : (last.value ?? "");
}
