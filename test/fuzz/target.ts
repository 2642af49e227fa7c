/** What a target of the fuzzing is, and how it says what must hold. */

import { existsSync, readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { SealrootError } from "../../src/errors/index.ts";
import type { Generator } from "./generator.ts";

export interface Target {
  readonly corpus: () => Uint8Array[];
  /** Words of the language, put in here and there. */
  readonly words?: readonly string[];
  /** What is garbage is collected now and then, and turns of the event loop are made: only between them the runtime frees what its decoders held. */
  readonly turns?: true;
  /** What became of the inputs so far, in lines; for targets that refuse most of them. */
  readonly report?: () => string;
  /** Throws when a rule is broken. */
  readonly try: (input: Uint8Array, generator: Generator) => void;
}

/** Of all files in these folders; a folder that is not there has none. */
export const files = (...folders: string[]): Uint8Array[] =>
  folders.flatMap((folder) => (existsSync(folder) ? readdirSync(folder).toSorted().map((name) => new Uint8Array(readFileSync(join(folder, name)))) : []));

/** The code of the one error that there may be; undefined when there was none. */
export function refusal(action: () => unknown): string | undefined {
  try {
    action();
    return undefined;
  } catch (error) {
    if (error instanceof SealrootError) return error.code;
    throw error;
  }
}

export function must(holds: boolean, rule: string): void {
  if (!holds) throw new Error(rule);
}

export const same = (a: Uint8Array, b: Uint8Array): boolean => Buffer.compare(a, b) === 0;
