/**
 * Arguments as getopt_long(3) of the GNU C library takes them, with its messages: options and operands in any order, long names
 * shortened to what is unambiguous. For the programs whose place we take; our own commands have arguments.ts.
 */

export interface LongOption {
  readonly name: string;
  readonly value: boolean;
}

export type Argument =
  | { readonly kind: "option"; readonly name: string; readonly value: string | undefined }
  /** Not understood: the library's own complaint, without the program's name and the end of the line. */
  | { readonly kind: "complaint"; readonly lacksValue: boolean; readonly text: string }
  | { readonly kind: "operand"; readonly value: string };

/**
 * Goes through the arguments in order; operands come when they are met, which is where the library would move them from.
 * @param short as in getopt(3), without a leading colon: `t:` takes a value
 * @param ordered the environment has POSIXLY_CORRECT: the first operand ends the options
 */
export function* getopt(argv: readonly string[], short: string, long: readonly LongOption[], ordered = false): Generator<Argument, void, undefined> {
  for (let at = 0; at < argv.length; at++) {
    const argument = argv[at] ?? "";
    if (argument === "--" || (ordered && !isOption(argument))) {
      for (const value of argv.slice(argument === "--" ? at + 1 : at)) yield { kind: "operand", value };
      return;
    }
    if (!isOption(argument)) {
      yield { kind: "operand", value: argument };
      continue;
    }
    if (argument.startsWith("--") && long.length > 0) {
      const found = longOption(argument.slice(2), long);
      if (found.kind === "complaint") yield found;
      else if (!found.takesNext) yield { kind: "option", name: found.name, value: found.value };
      else if (at + 1 < argv.length) yield { kind: "option", name: found.name, value: argv[++at] };
      else yield { kind: "complaint", lacksValue: true, text: `option '--${found.name}' requires an argument` };
      continue;
    }
    for (let letter = 1; letter < argument.length; letter++) {
      const name = argument[letter] ?? "";
      const place = name === ":" || name === ";" ? -1 : short.indexOf(name);
      if (place < 0) {
        yield { kind: "complaint", lacksValue: false, text: `invalid option -- '${name}'` };
        continue;
      }
      if (short[place + 1] !== ":") {
        yield { kind: "option", name, value: undefined };
        continue;
      }
      const rest = argument.slice(letter + 1);
      if (rest !== "") yield { kind: "option", name, value: rest };
      else if (at + 1 < argv.length) yield { kind: "option", name, value: argv[++at] };
      else yield { kind: "complaint", lacksValue: true, text: `option requires an argument -- '${name}'` };
      break;
    }
  }
}

const isOption = (argument: string): boolean => argument.length > 1 && argument.startsWith("-");

type Found = { readonly kind: "found"; readonly name: string; readonly value: string | undefined; readonly takesNext: boolean } | (Argument & { readonly kind: "complaint" });

/** @param text what follows the two dashes */
function longOption(text: string, long: readonly LongOption[]): Found {
  const equals = text.indexOf("=");
  const name = equals < 0 ? text : text.slice(0, equals);
  const exact = long.find((option) => option.name === name);
  const matches = exact === undefined ? long.filter((option) => option.name.startsWith(name)) : [exact];
  const [option] = matches;
  const complaint = (complaintText: string): Found => ({ kind: "complaint", lacksValue: false, text: complaintText });
  if (option === undefined) return complaint(`unrecognized option '--${text}'`);
  if (matches.length > 1) return complaint(`option '--${text}' is ambiguous; possibilities:${matches.map((match) => ` '--${match.name}'`).join("")}`);
  if (equals >= 0 && !option.value) return complaint(`option '--${option.name}' doesn't allow an argument`);
  return { kind: "found", name: option.name, value: equals < 0 ? undefined : text.slice(equals + 1), takesNext: option.value && equals < 0 };
}
