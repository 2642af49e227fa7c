/**
 * What the tools by their known names have in common: they are other programs' interface, so they complain in one line, as the C tools
 * do, and end with status 1, whatever went wrong. Everything else about an error is for our own commands.
 */

import { SealrootError } from "../errors/index.ts";
import { isTerminal, strerror, SyscallError } from "../linux/index.ts";
import { printable } from "../terminal/index.ts";
import { printError } from "./output.ts";

/** Ends the program with what it has to say on standard error, as it is. */
export class ToolExit extends Error {
  readonly said: string;
  readonly status: number;

  constructor(said: string, status = 1) {
    super(said);
    this.said = said;
    this.status = status;
  }
}

/** The errno of a failed system call, ours or the runtime's; undefined for another error. */
export function errnoOf(error: unknown): number | undefined {
  if (error instanceof SyscallError) return error.errno;
  return error instanceof Error && "errno" in error && typeof error.errno === "number" ? Math.abs(error.errno) : undefined;
}

/** What the C library says of an error; for one that is none of a system call, its own words. */
export function reasonOf(error: unknown): string {
  const errno = errnoOf(error);
  if (errno !== undefined) return strerror(errno);
  return error instanceof Error ? error.message : String(error);
}

export interface Tool {
  /** The name without directories: what errors begin with. */
  readonly shortName: string;
  /** The name as it was called. */
  readonly calledAs: string;
}

/** To the byte as the C tools do, for programs; on a terminal the names in it must not move the cursor. */
function tell(text: string): void {
  printError(isTerminal(2) ? text.replace(/[^\n\t]+/g, printable) : text);
}

/**
 * Runs a tool and tells how it failed.
 * @param calledAs argv[0] where the tool was called by its name; anything else for `sealroot NAME`
 */
export async function runTool(name: string, calledAs: string | undefined, body: (tool: Tool) => number | Promise<number>): Promise<number> {
  const short = calledAs?.slice(calledAs.lastIndexOf("/") + 1);
  const tool: Tool = short === name && calledAs !== undefined ? { shortName: short, calledAs } : { shortName: name, calledAs: name };
  try {
    return await body(tool);
  } catch (error) {
    if (error instanceof ToolExit) {
      tell(error.said);
      return error.status;
    }
    // as errx(3) and err(3)
    if (error instanceof SealrootError || errnoOf(error) !== undefined) {
      tell(`${tool.shortName}: ${reasonOf(error)}\n`);
      return 1;
    }
    throw error;
  }
}

/** errx(3) */
export const fail = (tool: Tool, message: string): never => {
  throw new ToolExit(`${tool.shortName}: ${message}\n`);
};

/** err(3) */
export const failFor = (tool: Tool, message: string, error: unknown): never => fail(tool, `${message}: ${reasonOf(error)}`);

/** Does something whose failure is told with these words before the reason. */
export function or<T>(tool: Tool, message: string, work: () => T): T {
  try {
    return work();
  } catch (error) {
    if (error instanceof ToolExit) throw error;
    return failFor(tool, message, error);
  }
}
