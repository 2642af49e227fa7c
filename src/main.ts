/** The entry: which command (by the name we were called, or the first argument), and how its failure is told. */

import { basename } from "node:path";
import manifest from "../package.json" with { type: "json" };
import { COMMANDS, PEER_NAMES } from "./commands/table.ts";
import { SealrootError } from "./errors/index.ts";
import { asSealrootError, renderError, renderHelp, styleFor } from "./terminal/index.ts";

function overview(): string {
  const width = Math.max(...COMMANDS.map(({ name }) => name.length));
  return [
    "usage: sealroot COMMAND [OPTIONS]",
    "",
    "Mounts a sealed composefs image as the root of a Linux machine.",
    "",
    "commands:",
    ...COMMANDS.map(({ name, summary }) => `  ${name.padEnd(width)}  ${summary}`),
    "",
    "example:",
    "  sealroot plan --sysroot /sysroot   what would the next boot mount, and why",
    "",
    "sealroot COMMAND --help explains a command; sealroot --version prints the version.",
    "",
  ].join("\n");
}

/** What a command is doing, for the first line of its error block. */
const ACTIONS: Readonly<Record<string, string>> = { "setup-root": "cannot mount the root" };

async function main(argv: readonly string[], calledAs: string): Promise<number> {
  const peer = PEER_NAMES[basename(calledAs)];
  const [name, ...rest] = peer === undefined ? argv : [peer, ...argv];
  if (name === "--version" || (peer !== undefined && rest.includes("--version"))) {
    process.stdout.write(`sealroot ${manifest.version}\n`);
    return 0;
  }
  if (name === undefined || name === "--help" || name === "help") {
    (name === undefined ? process.stderr : process.stdout).write(overview());
    return name === undefined ? 2 : 0;
  }
  const row = COMMANDS.find((candidate) => candidate.name === name);
  if (row === undefined) throw new SealrootError("SR-E100", { summary: `there is no command "${name}"` });
  const command = await row.load();
  if (rest.includes("--help")) {
    process.stdout.write(renderHelp(command.help));
    return 0;
  }
  action = ACTIONS[name];
  return command.run(rest, calledAs);
}

let action: string | undefined;
try {
  process.exitCode = await main(process.argv.slice(2), process.argv0);
} catch (thrown) {
  const error = asSealrootError(thrown);
  process.stderr.write(renderError(error, action, styleFor(process.stderr.isTTY === true)));
  process.exitCode = error.exit;
}
