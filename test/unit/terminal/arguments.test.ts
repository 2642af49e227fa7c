/** Command arguments: every mistake is SR-E100 with the offending text, and no name of JavaScript's own is an option. */

import { describe, expect, test } from "bun:test";
import fc from "fast-check";
import { SealrootError } from "../../../src/errors/index.ts";
import { asksFor, type CommandHelp, parseArguments, renderHelp } from "../../../src/terminal/index.ts";

const HELP: CommandHelp = {
  name: "demo",
  operands: "[FILE]",
  operandCount: [0, 1],
  summary: "A command for tests.",
  options: {
    sysroot: { kind: "value", value: "DIR", help: "a directory" },
    json: { kind: "flag", help: "print JSON" },
    secret: { kind: "flag", help: "not shown", hidden: true },
  },
  examples: [["sealroot demo", "what it does"]],
};

const parse = (...argv: readonly string[]) => parseArguments(HELP, argv);

function refusal(...argv: readonly string[]): string {
  try {
    parse(...argv);
  } catch (error) {
    if (!(error instanceof SealrootError)) throw error;
    expect(error.code).toBe("SR-E100");
    expect(error.next).toBe("see: sealroot demo --help");
    return error.message;
  }
  throw new Error("accepted");
}

describe("accepted", () => {
  test("nothing", () => {
    const parsed = parse();
    expect([parsed.flag("json"), parsed.value("sysroot"), parsed.operands]).toEqual([false, undefined, []]);
  });
  test("a value in both spellings, empty or with = in it", () => {
    expect(parse("--sysroot", "/a").value("sysroot")).toBe("/a");
    expect(parse("--sysroot=/a=b").value("sysroot")).toBe("/a=b");
    expect(parse("--sysroot=").value("sysroot")).toBe("");
    expect(parse("--sysroot", "--json").value("sysroot")).toBe("--json");
    expect(parse("--sysroot", "--").value("sysroot")).toBe("--");
  });
  test("operands anywhere; - is one; -- ends the options", () => {
    expect(parse("file", "--json").operands).toEqual(["file"]);
    expect(parse("-").operands).toEqual(["-"]);
    expect(parse("--json", "--", "--sysroot").operands).toEqual(["--sysroot"]);
    expect(parse("--", "--").operands).toEqual(["--"]);
  });
  test("a hidden option", () => expect(parse("--secret").flag("secret")).toBe(true));
});

describe("refused", () => {
  const cases: readonly (readonly [readonly string[], string])[] = [
    [["--sysrot"], 'there is no option "--sysrot"'],
    [["--sysrot=/x"], 'there is no option "--sysrot"'],
    [["-j"], 'there is no option "-j"'],
    [["-json"], 'there is no option "-json"'],
    [["---json"], 'there is no option "---json"'],
    [["--="], 'there is no option "--"'],
    [["--=x"], 'there is no option "--"'],
    [["--JSON"], 'there is no option "--JSON"'],
    [["--js"], 'there is no option "--js"'],
    [["--no-json"], 'there is no option "--no-json"'],
    [["--json", "--json"], "option --json is given twice"],
    [["--sysroot=a", "--sysroot", "b"], "option --sysroot is given twice"],
    [["--sysroot"], "option --sysroot lacks its DIR"],
    [["--json=true"], "option --json takes no value"],
    [["--json="], "option --json takes no value"],
    [["a", "b"], 'unexpected operand "b"'],
    [["--", "a", "b"], 'unexpected operand "b"'],
  ];
  for (const [argv, message] of cases) test(argv.join(" "), () => expect(refusal(...argv)).toBe(message));

  test("JavaScript's own names", () => {
    for (const name of ["constructor", "__proto__", "toString", "hasOwnProperty", "prototype", "valueOf", "length"]) {
      expect(refusal(`--${name}`)).toBe(`there is no option "--${name}"`);
      expect(refusal(`--${name}=x`)).toBe(`there is no option "--${name}"`);
    }
    const parsed = parse("--sysroot", "__proto__");
    expect(parsed.flag("constructor")).toBe(false);
    expect(parsed.value("__proto__")).toBeUndefined();
  });

  test("what was not UTF-8 before the runtime made text of it, but for a kernel command line", () => {
    const demo: CommandHelp = { ...HELP, options: { ...HELP.options, cmdline: { kind: "value", value: "TEXT", help: "", anyBytes: true } } };
    expect(refusal("--sysroot", "/a\ufffd")).toBe('the DIR of --sysroot is not UTF-8: "/a\ufffd"');
    expect(refusal("a\ufffd")).toBe('an operand is not UTF-8: "a\ufffd"');
    expect(parseArguments(demo, ["--cmdline", "a\ufffd"]).value("cmdline")).toBe("a\ufffd");
    expect(parseArguments({ ...demo, anyBytesInOperands: true }, ["a\ufffd"]).operands).toEqual(["a\ufffd"]);
  });

  test("too few operands", () => {
    expect(() => parseArguments({ ...HELP, operands: "FILE", operandCount: [1, 1] }, [])).toThrow("FILE is missing");
    expect(() => parseArguments({ name: "x", summary: "", options: {}, examples: [] }, ["a"])).toThrow('unexpected operand "a"');
  });
});

test("any arguments are parsed or refused, nothing else", () => {
  const word = fc.oneof(fc.string(), fc.constantFrom("--", "-", "--json", "--sysroot", "--sysroot=x", "--__proto__", "--json=1"));
  fc.assert(fc.property(fc.array(word, { maxLength: 6 }), (argv) => {
    try {
      parseArguments(HELP, argv);
    } catch (error) {
      if (!(error instanceof SealrootError)) throw error;
    }
  }));
});

describe("a request for help", () => {
  const asks = (...argv: readonly string[]): boolean => asksFor("--help", HELP, argv);
  test("wherever it stands as an option, beside mistakes too", () => {
    for (const argv of [["--help"], ["file", "--help"], ["--json", "--help"], ["--sysroot", "/x", "--help"], ["--sysroot=/x", "--help"], ["--unknown", "--help"], ["--sysroot", "--", "--help"]]) expect(asks(...argv)).toBe(true);
  });
  test("not as the value of an option, nor behind --, as with GNU's programs", () => {
    for (const argv of [[], ["--sysroot", "--help"], ["--", "--help"], ["--json", "--", "--help"], ["--sysroot=--help"], ["--help="], ["-help"], ["help"]]) expect(asks(...argv)).toBe(false);
    expect(parse("--sysroot", "--help").value("sysroot")).toBe("--help");
    expect(refusal("--help=yes")).toBe('there is no option "--help"');
  });
  test("JavaScript's own names take no value", () => expect(asks("--constructor", "--help")).toBe(true));
});

test("help: usage, aligned options, an example; what is hidden stays so", () => {
  const text = renderHelp(HELP);
  expect(text).toStartWith("usage: sealroot demo [OPTIONS] [FILE]\n");
  expect(text).toContain("  --sysroot DIR  a directory\n");
  expect(text).toContain("  --json         print JSON\n");
  expect(text).toContain("  --help         this text\n");
  expect(text).toContain("examples:\n  sealroot demo\n");
  expect(text).not.toContain("secret");
});
