/** `sealroot explain [CODE]`: what a code on the console means and what to do. */

import { CATALOGUE, type ErrorCode, SealrootError } from "../errors/index.ts";
import { type CommandHelp, parseArguments } from "../terminal/index.ts";
import { outputStyle, print, printJson } from "./output.ts";

export const help: CommandHelp = {
  name: "explain",
  operands: "[CODE]",
  operandCount: [0, 1],
  summary: "List the error codes with their exit statuses, or explain one of them.",
  options: { json: { kind: "flag", help: "print JSON" } },
  examples: [
    ["sealroot explain", "all codes, a line each"],
    ["sealroot explain SR-E210", "one code: meaning and next step"],
  ],
};

const isCode = (text: string): text is ErrorCode => Object.hasOwn(CATALOGUE, text);

/** Accepts "SR-E210", "e210" and "210" alike: people type codes from a screen. */
function findCode(text: string): ErrorCode {
  const code = `SR-E${text.toUpperCase().replace(/^(SR-)?E?/, "")}`;
  if (!isCode(code)) throw new SealrootError("SR-E702", { details: [["asked", text]] });
  return code;
}

export function run(argv: readonly string[]): number {
  const parsed = parseArguments(help, argv);
  const style = outputStyle();
  const wanted = parsed.operands[0];
  const codes = wanted === undefined ? (Object.keys(CATALOGUE).filter(isCode)) : [findCode(wanted)];
  if (parsed.flag("json")) {
    printJson(codes.map((code) => ({ code, ...CATALOGUE[code] })));
  } else if (wanted === undefined) {
    print(`${style.bold("code      exit  what")}\n`);
    for (const code of codes) print(`${code}  ${String(CATALOGUE[code].exit).padStart(4)}  ${CATALOGUE[code].title}\n`);
  } else {
    for (const code of codes) {
      const { exit, title, meaning, next } = CATALOGUE[code];
      print(`${style.bold(`${code}  ${title}`)}\n  meaning  ${meaning}\n  next     ${next}\n  exit     ${exit}\n`);
    }
  }
  return 0;
}
