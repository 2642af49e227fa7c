/**
 * The kernel is asked, not assumed: each step has rungs, best first. A rung that fails with an errno meaning "not in this kernel"
 * hands over to the next; the first such error is kept, since it names what the best kernel would have refused.
 */

import { isErrno } from "../linux/index.ts";

export interface Rung<T> {
  /** As the report and `sealroot status` show it. */
  readonly name: string;
  climb(): T;
}

export interface Climbed<T> {
  readonly value: T;
  readonly rung: string;
}

/** @param notHere errno values that mean "try the next rung"; every other failure is thrown at once */
export function climb<T>(rungs: readonly Rung<T>[], notHere: readonly number[]): Climbed<T> {
  let first: unknown;
  for (const rung of rungs) {
    try {
      return { value: rung.climb(), rung: rung.name };
    } catch (error) {
      if (!isErrno(error, ...notHere)) throw error;
      first ??= error;
    }
  }
  throw first ?? new Error("a ladder without rungs");
}
