/** Our executable by the names of the C composefs tools, and the C tools themselves, each in a directory that can stand in PATH. */

import { chmodSync, mkdirSync, symlinkSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { hostPackages } from "../vm/lab/host.ts";
import { composefsTool } from "../vm/lab/tree.ts";
import { program } from "./program.ts";

export const TOOLS = ["mkcomposefs", "composefs-info", "composefs-dump", "mount.composefs"] as const;
export type ToolName = (typeof TOOLS)[number];
/** Debian's package has no composefs-dump. */
export const C_TOOLS = ["mkcomposefs", "composefs-info", "mount.composefs"] as const;

/** Fills a directory with ours: links to the executable, as a package would have them. */
export function ourTools(directory: string): string {
  mkdirSync(directory, { recursive: true });
  const command = program();
  for (const name of TOOLS) {
    const path = join(directory, name);
    const [executable] = command;
    if (command.length === 1 && executable !== undefined) symlinkSync(executable, path);
    else script(path, [...program(path)]);
  }
  return directory;
}

/** Fills a directory with scripts that run Debian's, under the very names of the scripts. */
export async function cTools(directory: string): Promise<string> {
  await hostPackages();
  mkdirSync(directory, { recursive: true });
  for (const name of C_TOOLS) {
    const [loader = "", ...rest] = await composefsTool(name);
    const path = join(directory, name);
    script(path, [loader, "--argv0", path, ...rest]);
  }
  return directory;
}

function script(path: string, command: readonly string[]): void {
  const quoted = command.map((word) => `'${word.replaceAll("'", `'\\''`)}'`).join(" ");
  writeFileSync(path, `#!/bin/bash\nexec ${quoted} "$@"\n`);
  chmodSync(path, 0o755);
}
