import { describe, expect, test } from "bun:test";
import fc from "fast-check";
import { DEFAULT_POLICY, MAX_CONFIG_BYTES, parseSetupRootConfig } from "../../../src/config/index.ts";
import { SealrootError } from "../../../src/errors/index.ts";

const PATH = "/usr/lib/composefs/setup-root-conf.toml";
const parse = (text: string | Uint8Array) => parseSetupRootConfig(text, PATH);
const policy = (text: string) => {
  const { policy: result, warnings } = parse(text);
  expect(warnings).toEqual([]);
  return result;
};

/** The error as a record: summary and details. */
function failure(text: string | Uint8Array): Record<string, string> {
  try {
    parse(text);
  } catch (error) {
    if (!(error instanceof SealrootError)) throw error;
    expect(error.code).toBe("SR-E101");
    return { summary: error.message, ...Object.fromEntries(error.details) };
  }
  throw new Error(`accepted: ${String(text)}`);
}

describe("defaults", () => {
  test.each(["", "\n", "\ufeff", "# nothing\n", "[root]\n[etc]\n[var]\n", "\r\n"])("%j is the default policy", (text) => {
    expect(policy(text)).toEqual(DEFAULT_POLICY);
    expect(policy(text).trust).toBeUndefined();
  });
});

describe("what composefs-setup-root and bootc read", () => {
  test.each([
    ["none", "none"], ["bind", "bind"], ["overlay", "overlay"], ["transient", "transient"],
    ["root", "none"], ["volatile", "transient"],
  ] as const)("mount = %j", (written, mount) => {
    for (const name of ["etc", "var"] as const) {
      expect(policy(`[${name}]\nmount = "${written}"\n`)[name].mount).toBe(mount);
      expect(policy(`${name}.mount = '${written}'`)[name].mount).toBe(mount);
      expect(policy(`${name} = { mount = "${written}", transient = true }`)[name].mount).toBe(mount);
    }
  });

  test("transient = true is mount = transient, false is as if it were not there", () => {
    expect(policy("[etc]\ntransient = true").etc.mount).toBe("transient");
    expect(policy("[etc]\ntransient = false").etc.mount).toBeUndefined();
    expect(policy("[var]\ntransient = true").etc.mount).toBeUndefined();
  });

  test("[root] transient", () => {
    expect(policy("[root]\ntransient = true").root).toMatchObject({ transient: true, readOnly: false });
    expect(policy("[root]\ntransient = false").root).toEqual(DEFAULT_POLICY.root);
  });

  test("a file with all of it, with Windows line ends and a byte order mark", () => {
    const text = "\ufeff# site\r\n[root]\r\ntransient = true\r\n\r\n[etc]\r\nmount = \"none\"\r\n[var]\r\nmount = \"bind\"\r\n";
    expect(policy(text)).toMatchObject({ root: { transient: true }, etc: { mount: "none" }, var: { mount: "bind" }, trust: undefined });
    expect(parse(new TextEncoder().encode(text))).toEqual(parse(text));
  });
});

describe("our additions", () => {
  test.each([
    ["4096", "4096"], ['"4096"', "4096"], ['"512M"', "536870912"], ['"1g"', "1073741824"], ['"2K"', "2048"], ['"1T"', "1099511627776"],
    ['"20%"', "20%"], ['"100%"', "100%"], ['"007%"', "7%"], ["1_000_000", "1000000"], ["0x1000", "4096"],
  ])("size = %s", (written, size) => {
    expect(policy(`[root]\ntransient = true\nsize = ${written}`).root.limits.size).toBe(size);
    expect(policy(`[var]\nmount = "transient"\nsize = ${written}`).var.limits.size).toBe(size);
    expect(policy(`[etc]\ntransient = true\nsize = ${written}`).etc.limits.size).toBe(size);
  });

  test.each([
    "0", "-1", "1.5", "true", "inf", "nan", "9007199254740991.5", '""', '"0"', '"0%"', '"101%"', '"1000%"', '"12.5%"', '"5 M"', '"512MB"', '"-1M"', '"M"', '"%"',
    '"1e9"', '"0x10"', '"99999999T"', '"512M,mode=777"', '"20%\\n"', "[]", "[512]", "{}", "2026-01-01",
  ])("size = %s is refused", (written) => {
    expect(failure(`[root]\ntransient = true\nsize = ${written}`)).toMatchObject({ line: "3", key: "root.size" });
  });

  test("inodes", () => {
    expect(policy("[etc]\ntransient = true\ninodes = 5000").etc.limits).toEqual({ size: undefined, inodes: 5000 });
    for (const wrong of ["0", "-5", '"5000"', "1.5", "true", "nan"]) {
      expect(failure(`[etc]\ntransient = true\ninodes = ${wrong}`)).toMatchObject({ line: "3", key: "etc.inodes" });
    }
  });

  test("transient-ro is a transient root that is mounted read-only; not both", () => {
    expect(policy("[root]\ntransient-ro = true").root).toMatchObject({ transient: true, readOnly: true });
    expect(policy("[root]\ntransient = false\ntransient-ro = true").root).toMatchObject({ transient: true, readOnly: true });
    expect(failure("[root]\ntransient = true\ntransient-ro = true")).toMatchObject({ line: "3", key: "root.transient-ro" });
  });

  test("limits where nothing is transient are warned about", () => {
    const { warnings } = parse('[root]\nsize = "1M"\n[etc]\nmount = "bind"\ninodes = 5\ntransient = true');
    expect(warnings).toEqual([
      { path: PATH, line: 2, key: "root.size", message: "has no effect: the root is not transient" },
      { path: PATH, line: 5, key: "etc.inodes", message: "has no effect: /etc is not transient" },
    ]);
  });
});

describe("unknown keys are warned about", () => {
  test("with their line and what was meant", () => {
    const { policy: result, warnings } = parse('# x\n[etc]\nmuont = "bind"\n[sysroot]\nreadonly = true\n[roto]\n"a b" = 1\n[root]\n\n__proto__ = 5\n');
    expect(result).toEqual(DEFAULT_POLICY);
    expect(warnings).toEqual([
      { path: PATH, line: 10, key: "root.__proto__", message: "not known, ignored" },
      { path: PATH, line: 3, key: "etc.muont", message: 'not known, ignored (did you mean "mount"?)' },
      { path: PATH, line: 4, key: "sysroot", message: "not known, ignored" },
      { path: PATH, line: 6, key: "roto", message: 'not known, ignored (did you mean "root"?)' },
    ]);
  });

  test("names of JavaScript's own properties are names like others", () => {
    for (const name of ["__proto__", "constructor", "toString", "hasOwnProperty"]) {
      for (const text of [`[${name}]\ntransient = true`, `[root]\n${name}.transient = true`, `${name} = 1`, `[etc.${name}]\nmount = "transient"`]) {
        expect(parse(text).policy).toEqual(DEFAULT_POLICY);
        expect(parse(text).warnings).toHaveLength(1);
      }
      expect(failure(`[etc]\nmount = "${name}"`)).toMatchObject({ key: "etc.mount" });
    }
    expect(({} as Record<string, unknown>)["transient"]).toBeUndefined();
  });

  test("a file full of them gives a short list, soon", () => {
    const { warnings } = parse(`[root]\n${Array.from({ length: 3000 }, (_, i) => `k${i} = 1\n`).join("")}`);
    expect(warnings).toHaveLength(20);
    expect(warnings[19]).toMatchObject({ key: "root.k19", line: 21 });
  });
});

describe("wrong types name file, line, key, expectation and finding", () => {
  test.each([
    ["[etc]\n\nmount = 5", "3", "etc.mount", "the number 5"],
    ['[etc]\nmount = "Bind"', "2", "etc.mount", 'the string "Bind"'],
    ['[etc]\nmount = ""', "2", "etc.mount", 'the string ""'],
    ["[etc]\nmount = true", "2", "etc.mount", "true"],
    ['[etc]\nmount = ["bind"]', "2", "etc.mount", "an array"],
    ['# mount = 1\n[var]\n# mount\nmount = "bindd" # mount', "4", "var.mount", 'the string "bindd"'],
    ['[root]\ntransient = "true"', "2", "root.transient", 'the string "true"'],
    ["[root]\ntransient = 1", "2", "root.transient", "the number 1"],
    ["[root]\ntransient-ro = 2026-01-01", "2", "root.transient-ro", "the date or time 2026-01-01"],
    ["x = 1\netc.transient = 1", "2", "etc.transient", "the number 1"],
    ['x = """\n[etc]\ntransient = 1\n"""\n[etc]\ntransient = [\n1,\n2\n]', "6", "etc.transient", "an array"],
    ["etc = { mount = 1 }", "1", "etc.mount", "the number 1"],
    ["\netc = 1", "2", "etc", "the number 1"],
    ["[[var]]\nmount = 'bind'", "1", "var", "an array of tables"],
    ["root = []", "1", "root", "an array"],
    ["trust = 'verity'", "1", "trust", "the string \"verity\""],
    ["[[trust]]\nlevel = 'verity'", "1", "trust", "an array of tables"],
  ])("%j", (text, line, key, found) => {
    const error = failure(text);
    expect(error).toMatchObject({ file: PATH, line, key, found });
    expect(error["expected"]).toBeTruthy();
  });

  test("a near miss is named", () => {
    expect(failure('[etc]\nmount = "transiant"')["expected"]).toBe('"none", "bind", "overlay", "transient" (did you mean "transient"?)');
  });

  test("a key written in a way that the search cannot see is an error without a line", () => {
    const error = failure('[etc]\n"m\\u006funt" = 5');
    expect(error).toMatchObject({ key: "etc.mount", found: "the number 5" });
    expect(error).not.toHaveProperty("line");
  });
});

describe("what is no TOML", () => {
  test.each([
    ["[etc]\nmount = bind\n", "2", 'Strings must be quoted: "bind"'],
    ["[etc]\n\n[etc]\n", "3", "Cannot redefine table 'etc'"],
    ["[etc]\nmount='bind'\nmount='none'\n[var]\n", "3", "Cannot redefine key 'mount'"],
    ['[etc]\nmount = "bind\n[var]\n', "2", "Unterminated string; newlines must be escaped in basic strings"],
    ["a = [\n1,\n2\n]\nb = [\n1,\n", "5", "Unterminated array; expected ']'"],
    ['a = """\nx\n"""\nb = """\n[etc]\nmount = 1\n', "4", "Unterminated string"],
    ["a = [\n1,\ntru,\n]\n", "3", undefined],
    ["[etc\nmount = 1", "1", undefined],
    ["x = 99999999999999999999", "1", "Integer is outside the 64-bit signed range"],
    [`ok = 1\nx = ${"[".repeat(60000)}`, "2", "nested too deeply"],
  ])("%#", (text, line, found) => {
    expect(failure(text)).toMatchObject({ summary: "the configuration is not valid TOML", file: PATH, line, ...(found === undefined ? {} : { found }) });
  });

  test("a NUL, bytes that are no UTF-8, too much of it", () => {
    expect(failure("[etc]\nmount = 'bind'\0")).toMatchObject({ line: "2", found: "a NUL byte" });
    expect(failure(Uint8Array.from([0x61, 0x3d, 0x31, 0x0a, 0x0a, 0x23, 0xff, 0x0a]))).toMatchObject({ line: "3", found: "bytes that are not UTF-8" });
    expect(failure(new TextEncoder().encode(`#${"x".repeat(MAX_CONFIG_BYTES)}`))).toMatchObject({ found: "65537 bytes" });
    expect(failure("#ä".repeat(MAX_CONFIG_BYTES / 2))["found"]).toBe("98304 bytes");
    expect(policy(`#${"x".repeat(MAX_CONFIG_BYTES - 1)}`)).toEqual(DEFAULT_POLICY);
  });

  test("any bytes give a policy or this one error", () => {
    const piece = fc.constantFrom("[", "]", "root", "etc", "trust", ".", "=", '"', "'", "\n", "mount", "transient", "true", "1", "level", "verity", "{", "}", "#", " ", "\0", "size", "20%", ",");
    const text = fc.oneof(fc.array(piece, { maxLength: 30 }).map((list) => list.join("")), fc.string({ maxLength: 80 }));
    const input = fc.oneof(text, fc.uint8Array({ maxLength: 80 }));
    fc.assert(fc.property(input, (bytes) => {
      try {
        parse(bytes);
      } catch (error) {
        expect(error).toBeInstanceOf(SealrootError);
        expect((error as SealrootError).code).toBe("SR-E101");
      }
    }), { numRuns: 2000 });
  });
});
