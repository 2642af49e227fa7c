/** The commands: one row each. Their code is loaded only when called, so that the boot pays for nothing else. */

import type { CommandHelp } from "../terminal/index.ts";

export interface CommandModule {
  readonly help: CommandHelp;
  /** @returns the exit status; failures are thrown as SealrootError */
  run(argv: readonly string[], calledAs?: string): number | Promise<number>;
}

export interface CommandRow {
  readonly name: string;
  readonly summary: string;
  load(): Promise<CommandModule>;
}

export const programName = (calledAs: string): string => calledAs.slice(calledAs.lastIndexOf("/") + 1);

/** Names of programs whose place sealroot takes when it is called by them. */
export const PEER_NAMES: Readonly<Record<string, string>> = {
  "composefs-setup-root": "setup-root",
  // bootc's /usr/lib/bootc/initramfs-setup
  "initramfs-setup": "setup-root",
};

export const COMMANDS: readonly CommandRow[] = [
  { name: "setup-root", summary: "mount the image that the kernel command line names as the root", load: () => import("./setup-root.ts") },
  { name: "plan", summary: "print what setup-root would do, without mounting", load: () => import("./plan.ts") },
  { name: "status", summary: "what is booted and how it was verified", load: () => import("./status.ts") },
  { name: "explain", summary: "list the error codes, or explain one", load: () => import("./explain.ts") },
];
