import { describe, expect, test } from "bun:test";
import { parseSetupRootConfig, type TrustTable } from "../../../src/config/index.ts";
import { SealrootError } from "../../../src/errors/index.ts";
import { keyId } from "../../../src/ostree/index.ts";

const LEVELS = ["none", "verity", "signed"] as const;
/** Of 32 bytes. */
const KEY = new Uint8Array(32).fill(7).toBase64();
const parse = (text: string) => parseSetupRootConfig(text, "conf.toml");
const trust = (lines: string): TrustTable | undefined => parse(`[trust]\n${lines}\n`).policy.trust;

function failure(text: string): Record<string, string> {
  try {
    parse(text);
  } catch (error) {
    if (!(error instanceof SealrootError)) throw error;
    return { code: error.code, summary: error.message, ...Object.fromEntries(error.details) };
  }
  throw new Error(`accepted: ${text}`);
}

describe("[trust]", () => {
  test("the level is all it takes; what is not said stays unsaid", () => {
    const rest = { keys: [], threshold: 1, revoked: [], notBefore: undefined, insecureArgument: undefined };
    for (const level of LEVELS) expect(trust(`level = "${level}"`)).toEqual({ level, ...rest });
  });

  test('not-before = "build" is what the dracut module fills in; nothing near it is', () => {
    expect(trust('level = "signed"\nnot-before = "build"')?.notBefore).toBe("build");
    for (const text of ["Build", "built", "", "now", "2026-11-01T00:00:00Z"]) expect(() => trust(`level = "signed"\nnot-before = ${JSON.stringify(text)}`)).toThrow(expect.objectContaining({ code: "SR-E101" }));
  });

  test("everything", () => {
    const text = `level = "signed"\nkeys = ["/etc/a.pem", "/bbb"]\nthreshold = 2\nrevoked = ["${"CC".repeat(32)}", "${KEY}"]\nnot-before = 2026-11-01T02:00:00+02:00\ninsecure-argument = false`;
    expect(trust(text)).toEqual({
      level: "signed", keys: ["/etc/a.pem", "/bbb"], threshold: 2, revoked: ["cc".repeat(32), keyId(Uint8Array.fromBase64(KEY))], notBefore: Date.UTC(2026, 10, 1) / 1000, insecureArgument: false,
    });
    expect(trust('level = "verity"\nnot-before = 1793491200')?.notBefore).toBe(Date.UTC(2026, 10, 1) / 1000);
    expect(trust('level = "verity"\nnot-before = 1970-01-01T00:00:00.999Z')?.notBefore).toBe(0);
    expect(trust('level = "verity"\ninsecure-argument = true')?.insecureArgument).toBe(true);
    expect(trust('level = "none"\ninsecure-argument = false')?.insecureArgument).toBe(false);
  });

  test.each([
    ["level", 'level = "Verity"', "2"],
    ["level", 'level = "verify"', "2"],
    ["level", 'level = ""', "2"],
    ["level", "level = true", "2"],
    ["level", "level = 1", "2"],
    ["level", 'level = ["verity"]', "2"],
    ["keys", 'level = "verity"\nkeys = 5', "3"],
    ["keys", 'level = "verity"\nkeys = ["a", 5]', "3"],
    ["keys", 'level = "verity"\nkeys = ["a", ""]', "3"],
    ["keys", 'level = "verity"\nkeys = "a\\nb"', "3"],
    ["revoked", 'level = "verity"\nrevoked = {a = 1}', "3"],
    ...LEVELS.flatMap((level): [string, string, string][] => [
      ["revoked", `level = "${level}"\nrevoked = ["x"]`, "3"],
      ["revoked", `level = "${level}"\nrevoked = ["${"ab".repeat(32)}", "${"ab".repeat(31)}"]`, "3"],
      ["revoked", `level = "${level}"\nrevoked = "${KEY.slice(0, -1)}"`, "3"],
    ]),
    ["threshold", 'level = "verity"\nthreshold = 0', "3"],
    ["threshold", 'level = "verity"\nthreshold = -1', "3"],
    ["threshold", 'level = "verity"\nthreshold = "2"', "3"],
    ["threshold", 'level = "verity"\nthreshold = 1.5', "3"],
    ["threshold", 'level = "verity"\nthreshold = inf', "3"],
    ["not-before", 'level = "verity"\nnot-before = "2026-11-01"', "3"],
    ["not-before", 'level = "verity"\nnot-before = 2026-11-01', "3"],
    ["not-before", 'level = "verity"\nnot-before = 2026-11-01T00:00:00', "3"],
    ["not-before", 'level = "verity"\nnot-before = -1', "3"],
    ["not-before", 'level = "verity"\nnot-before = 1793491200000', "3"],
    ["not-before", 'level = "verity"\nnot-before = 1969-12-31T23:59:59Z', "3"],
    ["insecure-argument", 'level = "verity"\ninsecure-argument = "no"', "3"],
    ["insecure-argument", 'level = "signed"\ninsecure-argument = true', "3"],
  ])("a wrong %s is an error: %j", (key, lines, line) => {
    expect(failure(`[trust]\n${lines}\n`)).toMatchObject({ code: "SR-E101", file: "conf.toml", line, key: `trust.${key}` });
  });

  test("a table without a level is an error, empty or not", () => {
    expect(failure("[etc]\n[trust]\n")).toMatchObject({ line: "2", key: "trust", summary: "[trust] says no level" });
    expect(failure('[trust]\nkeys = "a"\n')).toMatchObject({ line: "1", key: "trust" });
    expect(failure("trust = {}")).toMatchObject({ line: "1", key: "trust" });
  });
});

describe("a slip of the pen does not lower the level", () => {
  test.each(["treshold = 2", 'Level = "signed"', 'revoke = "x"', "not_before = 5", "insecure_argument = false", "x = 1", "__proto__ = 1"])(
    "an unknown key in [trust] is an error: %s",
    (line) => expect(failure(`[trust]\nlevel = "verity"\n${line}\n`)).toMatchObject({ code: "SR-E101", line: "3" }),
  );

  test("and the right one is named", () => {
    expect(failure('[trust]\nlevel = "signed"\ntreshold = 2\n')["expected"]).toContain('(did you mean "threshold"?)');
  });

  test.each(["Trust", "TRUST", "turst", "trsut", "truts", "trus", "rust", "trusts", "thrust", "trust "])("a table called %j is an error", (name) => {
    expect(failure(`[etc]\n["${name}"]\nlevel = "verity"\n`)).toMatchObject({ code: "SR-E101", line: "2" });
  });

  test.each(['level = "verity"\n[root]\n', '[root]\nlevel = "verity"\n', '[etc]\nmount = "bind"\ninsecure-argument = false\n', '[root]\nnot_before = 5\n', '[var.trust]\nlevel = "verity"\n'])(
    "a key of [trust] in another place is an error: %j",
    (text) => expect(failure(text)["code"]).toBe("SR-E101"),
  );

  test.each([
    ['[security.trust]\nlevel = "signed"\n', "1", "security.trust"],
    ['[policy]\nlevel = "signed"\nkeys = ["/a"]\n', "2", "policy.level"],
    ['[policy]\nkeys = ["/a"]\n', "2", "policy.keys"],
    ['[boot]\nx = 1\n[boot.image.check]\nrevoked = []\n', "4", "boot.image.check.revoked"],
    ['[[policy]]\nx = 1\n[[policy]]\nthreshold = 2\n', "4", "policy.threshold"],
    ['policy = [[{ not_before = 1 }]]\n', undefined, "policy.not_before"],
    ['[etc]\nmount = "bind"\n[etc.security]\nturst = 1\n', "4", "etc.security.turst"],
    ['[etc]\nx = [{ y = { insecure-argument = true } }]\n', "2", "etc.x.y.insecure-argument"],
    ['a.b.c.d.level = "signed"\n', "1", "a.b.c.d.level"],
  ])("and within tables that nothing here knows: %j", (text, line, key) => {
    const { code, key: found, line: where } = failure(text);
    expect({ code, found, where }).toEqual({ code: "SR-E101", found: key, where: line });
  });

  test("thousands of tables in each other take no long time", () => {
    const deep = `${"a.".repeat(4000)}b = 1\n`;
    expect(parse(deep).warnings).toHaveLength(1);
    expect(failure(`${"a.".repeat(4000)}level = 1\n`)["code"]).toBe("SR-E101");
  });

  test.each(["tree", "storage", "sysroot", "composefs", "usr"])("a table called %s is only warned about", (name) => {
    expect(parse(`[${name}]\nx = 1\n`).warnings).toHaveLength(1);
  });
});
