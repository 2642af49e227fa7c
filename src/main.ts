/** The entry: which command (by the name we were called, or the first argument), and how its failure is told. */

import { COMMANDS } from "./commands/table.ts";
import { asSealrootError, renderError, renderHelp, styleFor } from "./terminal/index.ts";
import { SealrootError } from "./errors/index.ts";

async function main(argv: readonly string[]): Promise<number> {
  const [name, ...rest] = argv;
  const row = COMMANDS.find((candidate) => candidate.name === name);
  if (row === undefined) throw new SealrootError("SR-E100", { summary: `there is no command "${name ?? ""}"` });
  const command = await row.load();
  if (rest.includes("--help")) {
    process.stdout.write(renderHelp(command.help));
    return 0;
  }
  return command.run(rest);
}

try {
  process.exitCode = await main(process.argv.slice(2));
} catch (thrown) {
  const error = asSealrootError(thrown);
  process.stderr.write(renderError(error, undefined, styleFor(process.stderr.isTTY === true)));
  process.exitCode = error.exit;
}
