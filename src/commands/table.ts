/** The commands: one row each. Their code is loaded only when called, so that the boot pays for nothing else. */

import type { CommandHelp } from "../terminal/index.ts";

export interface CommandModule {
  readonly help: CommandHelp;
  /** @returns the exit status; failures are thrown as SealrootError */
  run(argv: readonly string[]): number | Promise<number>;
}

export interface CommandRow {
  readonly name: string;
  readonly summary: string;
  load(): Promise<CommandModule>;
}

export const COMMANDS: readonly CommandRow[] = [
  { name: "explain", summary: "list the error codes, or explain one", load: () => import("./explain.ts") },
];
