/**
 * Command arguments: one specification drives parsing and `--help`. GNU's long options, `--name value` or `--name=value`; `--` ends
 * them. Not node:util's parseArgs, whose loading costs every boot a millisecond.
 */

import { SealrootError } from "../errors/index.ts";

export interface OptionSpec {
  readonly kind: "flag" | "value";
  /** What the value is called in the help, e.g. "DIR"; values only. */
  readonly value?: string;
  readonly help: string;
  /** May be given several times; values only. */
  readonly repeat?: boolean;
  /** Any bytes will do, such as those of a kernel command line: what is not UTF-8 in them is of no account. */
  readonly anyBytes?: boolean;
  /** Left out of the help; accepted all the same. */
  readonly hidden?: boolean;
}

export interface CommandHelp {
  readonly name: string;
  /** Operands as the usage line shows them, e.g. "FILE" or "[CODE]". */
  readonly operands?: string;
  /** How many operands are taken; default none. */
  readonly operandCount?: readonly [least: number, most: number];
  /** As an option's; default false. */
  readonly anyBytesInOperands?: boolean;
  readonly summary: string;
  readonly description?: string;
  readonly options: Readonly<Record<string, OptionSpec>>;
  readonly examples: readonly (readonly [command: string, what: string])[];
}

export interface ParsedArguments {
  readonly operands: readonly string[];
  flag(name: string): boolean;
  value(name: string): string | undefined;
  /** All values of an option that may be given several times, in order. */
  all(name: string): readonly string[];
}

/**
 * What the runtime puts in the place of bytes that are not UTF-8 when it makes text of the arguments. A file of that name is another
 * one than was meant, and a commit would say something that nobody wrote.
 */
const REPLACEMENT = "\ufffd";

/**
 * Parses `argv` (without program and command name) by the command's specification.
 * @throws SealrootError SR-E100 for an unknown or repeated option, a missing value, a wrong operand count, text that is not UTF-8
 */
export function parseArguments(help: CommandHelp, argv: readonly string[]): ParsedArguments {
  const refuse = (problem: string): never => {
    throw new SealrootError("SR-E100", { summary: problem, next: `see: sealroot ${help.name} --help` });
  };
  const flags = new Set<string>();
  const values = new Map<string, string[]>();
  const operands: string[] = [];
  for (let i = 0; i < argv.length; i++) {
    const argument = argv[i] ?? "";
    if (argument === "--") {
      operands.push(...argv.slice(i + 1));
      break;
    }
    if (!argument.startsWith("-") || argument === "-") {
      operands.push(argument);
      continue;
    }
    const equals = argument.indexOf("=");
    const name = argument.slice(2, equals < 0 ? undefined : equals);
    const spec = argument.startsWith("--") && Object.hasOwn(help.options, name) ? help.options[name] : undefined;
    if (spec === undefined) return refuse(`there is no option "${equals < 0 ? argument : argument.slice(0, equals)}"`);
    if (flags.has(name) || (values.has(name) && spec.repeat !== true)) refuse(`option --${name} is given twice`);
    if (spec.kind === "flag") {
      if (equals >= 0) refuse(`option --${name} takes no value`);
      flags.add(name);
      continue;
    }
    const value = equals < 0 ? argv[++i] : argument.slice(equals + 1);
    if (value === undefined) return refuse(`option --${name} lacks its ${spec.value ?? "value"}`);
    if (spec.anyBytes !== true && value.includes(REPLACEMENT)) return refuse(`the ${spec.value ?? "value"} of --${name} is not UTF-8: ${JSON.stringify(value)}`);
    values.set(name, [...(values.get(name) ?? []), value]);
  }
  const [least, most] = help.operandCount ?? [0, 0];
  if (operands.length < least) refuse(`${missing(help.operands, operands.length)} is missing`);
  if (operands.length > most) refuse(`unexpected operand "${operands[most] ?? ""}"`);
  const odd = help.anyBytesInOperands === true ? undefined : operands.find((operand) => operand.includes(REPLACEMENT));
  if (odd !== undefined) refuse(`an operand is not UTF-8: ${JSON.stringify(odd)}`);
  return { operands, flag: (name) => flags.has(name), value: (name) => values.get(name)?.[0], all: (name) => values.get(name) ?? [] };
}

/**
 * Whether `word`, such as "--help", is among the arguments as an option of its own, even beside mistakes. As with GNU's getopt_long
 * it is none where it is the value of another option, nor behind `--`.
 */
export function asksFor(word: string, { options }: CommandHelp, argv: readonly string[]): boolean {
  for (let i = 0; i < argv.length && argv[i] !== "--"; i++) {
    const argument = argv[i] ?? "";
    if (argument === word) return true;
    const name = argument.slice(2);
    if (argument.startsWith("--") && Object.hasOwn(options, name) && options[name]?.kind === "value") i++;
  }
  return false;
}

/** The first operand that was not given, where each is one word of the usage line. */
function missing(operands = "an operand", given: number): string {
  const names = operands.split(" ");
  return names.every((name) => /^[A-Z]+$/.test(name)) ? (names[given] ?? operands) : operands;
}

/** The text of `sealroot NAME --help`. */
export function renderHelp(help: CommandHelp): string {
  const rows = Object.entries(help.options)
    .filter(([, spec]) => spec.hidden !== true)
    .map(([name, spec]): [string, string] => [`--${name}${spec.kind === "value" ? ` ${spec.value ?? "VALUE"}` : ""}${spec.repeat === true ? " …" : ""}`, spec.help]);
  rows.push(["--help", "this text"]);
  const width = Math.max(...rows.map(([left]) => left.length));
  const lines = [`usage: sealroot ${help.name} [OPTIONS]${help.operands === undefined ? "" : ` ${help.operands}`}`, "", help.summary];
  if (help.description !== undefined) lines.push("", help.description);
  lines.push("", "options:", ...rows.map(([left, right]) => `  ${left.padEnd(width)}  ${right}`));
  lines.push("", "examples:");
  for (const [command, what] of help.examples) lines.push(`  ${command}`, `      ${what}`);
  return `${lines.join("\n")}\n`;
}
