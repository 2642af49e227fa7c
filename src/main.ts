/** The entry: which command (by the name we were called, or the first argument), and how its failure is told. */

import manifest from "../package.json" with { type: "json" };
import { errorStyle, print, printError, requireOutput } from "./commands/output.ts";
import { peerProgram } from "./commands/program-name.ts";
import { COMMANDS } from "./commands/table.ts";
import { SealrootError } from "./errors/index.ts";
import { asksFor, asSealrootError, renderError, renderHelp } from "./terminal/index.ts";

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

/** A command's name is one word, or two: `image ls`. */
function commandOf([first, ...rest]: readonly string[]): [name: string | undefined, rest: readonly string[]] {
  const [second, ...others] = rest;
  const two = `${first} ${second}`;
  return second !== undefined && COMMANDS.some(({ name }) => name === two) ? [two, others] : [first, rest];
}

/** The first word of commands with two is a question: which of them? */
function noCommand(name: string, [second]: readonly string[]): number {
  const rows = COMMANDS.filter((row) => row.name.startsWith(`${name} `));
  if (rows.length === 0 || (second !== undefined && second !== "--help")) throw new SealrootError("SR-E100", { summary: `there is no command "${rows.length === 0 ? name : `${name} ${second}`}"` });
  const width = Math.max(...rows.map((row) => row.name.length));
  (second === undefined ? printError : print)(["usage:", ...rows.map((row) => `  sealroot ${row.name.padEnd(width)}  ${row.summary}`), ""].join("\n"));
  return second === undefined ? 2 : 0;
}

/** What a command is doing, for the first line of its error block. */
const ACTIONS: Readonly<Record<string, string>> = { "setup-root": "cannot mount the root", "prepare-root": "cannot mount the root" };

function tellVersion(): number {
  print(`sealroot ${manifest.version}\n`);
  return 0;
}

async function main(argv: readonly string[], calledAs: string): Promise<number> {
  const peer = peerProgram(calledAs);
  const [name, rest] = commandOf(peer === undefined ? argv : [peer.command, ...argv]);
  if (name === "--version") return tellVersion();
  if (name === undefined || name === "--help" || name === "help") {
    (name === undefined ? printError : print)(overview());
    return name === undefined ? 2 : 0;
  }
  const row = COMMANDS.find((candidate) => candidate.name === name);
  if (row === undefined) return noCommand(name, rest);
  const command = await row.load();
  if (peer !== undefined && peer.exact !== true && asksFor("--version", command.help, rest)) return tellVersion();
  if (peer?.exact !== true && asksFor("--help", command.help, rest)) {
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
  const exit = await main(process.argv.slice(2), process.argv0);
  // a boot goes on without a console
  if (exit === 0 && action === undefined) requireOutput();
  process.exitCode = exit;
} catch (thrown) {
  const error = asSealrootError(thrown);
  printError(renderError(error, action, errorStyle()));
  process.exitCode = error.exit;
}
