/** What people see: arguments and help, errors, colour. */
export { asksFor, type CommandHelp, type OptionSpec, parseArguments, type ParsedArguments, renderHelp } from "./arguments.ts";
export { asSealrootError, errorRecord, fewLines, printable, renderError } from "./error-block.ts";
export { type Argument, getopt, type LongOption } from "./getopt.ts";
export { type Style, styleFor } from "./style.ts";
