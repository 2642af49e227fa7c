/** The entry: which command (by the name we were called, or the first argument), and how its failure is told. */

import manifest from "../package.json" with { type: "json" };
import { errorStyle, print, printError } from "./commands/output.ts";
import { peerProgram } from "./commands/program-name.ts";
import { COMMANDS } from "./commands/table.ts";
import { SealrootError } from "./errors/index.ts";
import { asSealrootError, renderError, renderHelp } from "./terminal/index.ts";

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
const ACTIONS: Readonly<Record<string, string>> = { "setup-root": "cannot mount the root", "prepare-root": "cannot mount the root" };

async function main(argv: readonly string[], calledAs: string): Promise<number> {
  const peer = peerProgram(calledAs);
  const [name, ...rest] = peer === undefined ? argv : [peer.command, ...argv];
  if (name === "--version" || (peer !== undefined && peer.exact !== true && rest.includes("--version"))) {
    print(`sealroot ${manifest.version}\n`);
    return 0;
  }
  if (name === undefined || name === "--help" || name === "help") {
    (name === undefined ? printError : print)(overview());
    return name === undefined ? 2 : 0;
  }
  const row = COMMANDS.find((candidate) => candidate.name === name);
  if (row === undefined) throw new SealrootError("SR-E100", { summary: `there is no command "${name}"` });
  const command = await row.load();
  if (peer?.exact !== true && rest.includes("--help")) {
    print(renderHelp(command.help));
    return 0;
  }
  action = ACTIONS[name];
  // the executable starts with the machine code compiler all but off, which suits a boot and nothing that works for long
  if (name !== "setup-root") Bun.unsafe.setJITPolicy(1);
  return command.run(rest, calledAs);
}

let action: string | undefined;
try {
  process.exitCode = await main(process.argv.slice(2), process.argv0);
} catch (thrown) {
  const error = asSealrootError(thrown);
  printError(renderError(error, action, errorStyle()));
  process.exitCode = error.exit;
}
