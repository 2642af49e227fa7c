/** Command arguments: one specification drives parsing and `--help`. Parsing itself is node:util's. */

import { parseArgs } from "node:util";
import { SealrootError } from "../errors/index.ts";

export interface OptionSpec {
  readonly kind: "flag" | "value";
  /** What the value is called in the help, e.g. "DIR"; values only. */
  readonly value?: string;
  readonly help: string;
  /** Left out of the help; accepted all the same. */
  readonly hidden?: boolean;
}

export interface CommandHelp {
  readonly name: string;
  /** Operands as the usage line shows them, e.g. "FILE" or "[CODE]". */
  readonly operands?: string;
  /** How many operands are taken; default none. */
  readonly operandCount?: readonly [least: number, most: number];
  readonly summary: string;
  readonly description?: string;
  readonly options: Readonly<Record<string, OptionSpec>>;
  readonly examples: readonly (readonly [command: string, what: string])[];
}

export interface ParsedArguments {
  readonly operands: readonly string[];
  flag(name: string): boolean;
  value(name: string): string | undefined;
}

/**
 * Parses `argv` (without program and command name) by the command's specification.
 * @throws SealrootError SR-E100 for an unknown or repeated option, a missing value, a wrong operand count
 */
export function parseArguments(help: CommandHelp, argv: readonly string[]): ParsedArguments {
  const refuse = (problem: string): never => {
    throw new SealrootError("SR-E100", { summary: problem, next: `see: sealroot ${help.name} --help` });
  };
  const options: Record<string, { type: "boolean" | "string" }> = {};
  for (const [name, spec] of Object.entries(help.options)) options[name] = { type: spec.kind === "flag" ? "boolean" : "string" };
  let parsed;
  try {
    parsed = parseArgs({ args: [...argv], options, strict: true, allowPositionals: true, tokens: true });
  } catch (error) {
    return refuse(error instanceof Error ? (error.message.split("\n")[0] ?? "").replace(/\. To specify.*$/, "") : String(error));
  }
  const seen = new Set<string>();
  for (const token of parsed.tokens) {
    if (token.kind !== "option") continue;
    if (seen.has(token.name)) refuse(`option --${token.name} is given twice`);
    seen.add(token.name);
  }
  const [least, most] = help.operandCount ?? [0, 0];
  const operands = parsed.positionals;
  if (operands.length < least) refuse(`${help.operands ?? "an operand"} is missing`);
  if (operands.length > most) refuse(`unexpected operand "${operands[most] ?? ""}"`);
  const values: Record<string, unknown> = parsed.values;
  return {
    operands,
    flag: (name) => values[name] === true,
    value: (name) => {
      const value = values[name];
      return typeof value === "string" ? value : undefined;
    },
  };
}

/** The text of `sealroot NAME --help`. */
export function renderHelp(help: CommandHelp): string {
  const rows = Object.entries(help.options)
    .filter(([, spec]) => spec.hidden !== true)
    .map(([name, spec]): [string, string] => [`--${name}${spec.kind === "value" ? ` ${spec.value ?? "VALUE"}` : ""}`, spec.help]);
  rows.push(["--help", "this text"]);
  const width = Math.max(...rows.map(([left]) => left.length));
  const lines = [`usage: sealroot ${help.name} [OPTIONS]${help.operands === undefined ? "" : ` ${help.operands}`}`, "", help.summary];
  if (help.description !== undefined) lines.push("", help.description);
  lines.push("", "options:", ...rows.map(([left, right]) => `  ${left.padEnd(width)}  ${right}`));
  lines.push("", "examples:");
  for (const [command, what] of help.examples) lines.push(`  ${command}`, `      ${what}`);
  return `${lines.join("\n")}\n`;
}
