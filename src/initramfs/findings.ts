/** What check-initramfs has to say: one finding a check, in the order in which a boot needs them. */

/** error: it will not boot a sealed root; warning: it will, but not as it should; note: worth knowing. */
export type Verdict = "ok" | "note" | "warning" | "error";

export interface Finding {
  /** What was looked at, one or two words. */
  readonly check: string;
  readonly verdict: Verdict;
  /** What was found. */
  readonly text: string;
  /** What to do about it. */
  readonly next?: string;
  /** Of an image with several profiles, the one that this is about. */
  readonly profile?: string;
}

/** Collects findings under one profile. */
export class Findings {
  readonly list: Finding[] = [];
  readonly #profile: string | undefined;

  constructor(profile?: string) {
    this.#profile = profile;
  }

  add(verdict: Verdict, check: string, text: string, next?: string): void {
    this.list.push({ check, verdict, text, ...(next === undefined ? {} : { next }), ...(this.#profile === undefined ? {} : { profile: this.#profile }) });
  }

  /** Findings under the same profile, for another place in the list. */
  aside(): Findings {
    return new Findings(this.#profile);
  }

  ok(check: string, text: string): void {
    this.add("ok", check, text);
  }

  error(check: string, text: string, next?: string): void {
    this.add("error", check, text, next);
  }

  warning(check: string, text: string, next?: string): void {
    this.add("warning", check, text, next);
  }

  note(check: string, text: string): void {
    this.add("note", check, text);
  }
}
