/** The one error class: facts recorded where they are known, words taken from the catalogue. */

import { CATALOGUE, type CatalogueEntry, type ErrorCode } from "./catalogue.ts";

/** A labelled fact of a failure, in the order in which a person should read it. */
export type Detail = readonly [label: string, text: string];

export interface ErrorFacts {
  /** Replaces the catalogue's title where the case at hand allows a more exact one. */
  readonly summary?: string;
  readonly details?: readonly Detail[];
  /** Replaces the catalogue's meaning. */
  readonly meaning?: string;
  /** Replaces the catalogue's next step. */
  readonly next?: string;
  readonly cause?: unknown;
}

export class SealrootError extends Error {
  override readonly name = "SealrootError";
  readonly code: ErrorCode;
  readonly details: readonly Detail[];
  readonly meaning: string;
  readonly next: string;

  constructor(code: ErrorCode, facts: ErrorFacts = {}) {
    const entry: CatalogueEntry = CATALOGUE[code];
    super(facts.summary ?? entry.title, facts.cause === undefined ? undefined : { cause: facts.cause });
    this.code = code;
    this.details = facts.details ?? [];
    this.meaning = facts.meaning ?? entry.meaning;
    this.next = facts.next ?? entry.next;
  }

  get exit(): number {
    return CATALOGUE[this.code].exit;
  }
}

/** Joins an error and its causes into one line; never empty, never a stack trace. */
export function describeCause(error: unknown): string {
  const parts: string[] = [];
  let current: unknown = error;
  for (let depth = 0; current !== undefined && depth < 8; depth++) {
    if (!(current instanceof Error)) {
      parts.push(String(current));
      break;
    }
    parts.push(current.message === "" ? current.name : current.message);
    current = current.cause;
  }
  return parts.join(": ");
}
