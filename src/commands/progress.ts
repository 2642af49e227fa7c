/** Progress where a person looks: standard error, if it is a terminal that can draw over a line. */

import { isTerminal } from "../linux/index.ts";
import { terminalColumns } from "../linux/terminal.ts";
import { Progress } from "../terminal/progress.ts";
import { printError } from "./output.ts";

const STANDARD_ERROR = 2;

/** To be held with `using`, so that its line is gone before an error or a result is printed. */
export function openProgress(): Progress {
  if (!isTerminal(STANDARD_ERROR) || process.env["TERM"] === "dumb") return new Progress(undefined);
  return new Progress({ write: printError, columns: () => terminalColumns(STANDARD_ERROR) ?? 80, now: () => performance.now() });
}
