/** Arguments as the GNU C library takes them; beside the library itself they are in test/integration/peer-tools.test.ts. */

import { expect, test } from "bun:test";
import { getopt } from "../../../src/terminal/index.ts";

const LONG = [{ name: "print-digest", value: false }, { name: "print-digest-only", value: false }, { name: "min-version", value: true }, { name: "max-version", value: true }];
const parse = (argv: readonly string[], ordered = false): string[] =>
  [...getopt(argv, "ht:", LONG, ordered)].map((argument) => {
    if (argument.kind === "operand") return argument.value;
    if (argument.kind === "complaint") return `! ${argument.text}`;
    return argument.value === undefined ? `-${argument.name}` : `-${argument.name}=${argument.value}`;
  });

test("options and operands mix, two dashes end options, one is an operand", () => {
  expect(parse(["a", "--print-digest", "-", "-h", "b", "--", "-h", "--"])).toEqual(["a", "-print-digest", "-", "-h", "b", "-h", "--"]);
  expect(parse(["-h", "a", "-h"], true)).toEqual(["-h", "a", "-h"]);
  expect(parse(["-h", "--", "a", "--"], true)).toEqual(["-h", "a", "--"]);
});

test("long names may be shortened, an exact one is itself", () => {
  expect(parse(["--mi", "1", "--max=2", "--print-digest", "--print-digest-"])).toEqual(["-min-version=1", "-max-version=2", "-print-digest", "-print-digest-only"]);
  expect(parse(["--m=1"])).toEqual(["! option '--m=1' is ambiguous; possibilities: '--min-version' '--max-version'"]);
  expect(parse(["--print"])).toEqual(["! option '--print' is ambiguous; possibilities: '--print-digest' '--print-digest-only'"]);
});

test("values", () => {
  expect(parse(["--min-version", "--print-digest", "--max-version=", "-t", "-h", "-tx", "-ht=x"])).toEqual(["-min-version=--print-digest", "-max-version=", "-t=-h", "-t=x", "-h", "-t==x"]);
  expect(parse(["--min-version"])).toEqual(["! option '--min-version' requires an argument"]);
  expect(parse(["-t"])).toEqual(["! option requires an argument -- 't'"]);
  expect(parse(["--print-digest=x"])).toEqual(["! option '--print-digest' doesn't allow an argument"]);
});

test("what is no option", () => {
  expect(parse(["--nothing=1", "-xh", "-:"])).toEqual(["! unrecognized option '--nothing=1'", "! invalid option -- 'x'", "-h", "! invalid option -- ':'"]);
  expect([...getopt(["--help"], "h", [])].map((argument) => (argument.kind === "complaint" ? argument.text : argument.kind))).toEqual(["invalid option -- '-'", "option", "invalid option -- 'e'", "invalid option -- 'l'", "invalid option -- 'p'"]);
});
