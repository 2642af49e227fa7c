/** SELinux policies: which line wins, what a line may say, what is refused; that looking only at some lines loses none. */

import { describe, expect, test } from "bun:test";
import fc from "fast-check";
import { literalPrefix, readPolicy, type SelinuxPolicy } from "../../../src/directory/selinux.ts";
import { SealrootError } from "../../../src/errors/index.ts";

const DIRECTORY = "t/contexts/files/";

function policy(lines: string, more: Readonly<Record<string, string>> = {}): SelinuxPolicy {
  const files: Readonly<Record<string, string>> = { config: "SELINUXTYPE=t", [`${DIRECTORY}file_contexts`]: lines, ...more };
  const found = readPolicy((path) => files[path]);
  if (found === undefined) throw new Error("no policy");
  return found;
}

const [FILE, FOLDER, LINK] = [8, 4, 10];
const labelOf = (found: SelinuxPolicy, path: string, type: number = FILE): string | undefined => {
  const value = found.label(path, type)?.value;
  return value === undefined ? undefined : Buffer.from(value).toString("latin1");
};
const refusal = (work: () => unknown): string => {
  try {
    work();
  } catch (error) {
    if (error instanceof SealrootError && error.code === "SR-E528") return error.details.map(([, text]) => text).join(": ");
    throw error;
  }
  return "";
};

describe("a policy", () => {
  test("the last line that matches path and type", () => {
    const found = policy("/.* any\n/usr(/.*)? usr\n/usr/bin/.* -- program\n/usr/bin/.* -l link\n/usr/bin/x <<none>>\n");
    expect([labelOf(found, "/etc"), labelOf(found, "/usr", FOLDER), labelOf(found, "/usr/bin/sh"), labelOf(found, "/usr/bin/sh", LINK), labelOf(found, "/usr/bin/sh", FOLDER), labelOf(found, "/usr/bin/x")])
      .toEqual(["any", "usr", "program", "link", "usr", undefined]);
    expect(labelOf(policy("/a x"), "/b")).toBeUndefined();
    expect(found.label("/etc", FILE)).toBe(found.label("/opt", FILE));
  });

  test("bytes, line ends in names, white space, comments", () => {
    const found = policy("  # no\n\t/a.b\t--\tx  \r\n/\xff y\n");
    expect([labelOf(found, "/a\nb"), labelOf(found, "/\xff"), labelOf(found, "/aab", FOLDER)]).toEqual(["x", "y", undefined]);
  });

  test("further files, and paths that stand for others", () => {
    const found = policy("/a x\n/home/.* h\n", { [`${DIRECTORY}file_contexts.local`]: "/a local\n", [`${DIRECTORY}file_contexts.homedirs`]: "/home/me m\n", [`${DIRECTORY}file_contexts.subs_dist`]: "/srv/home /home\n" });
    expect([labelOf(found, "/a"), labelOf(found, "/home/me"), found.substitute("/srv/home"), found.substitute("/srv/home/me")]).toEqual(["local", "m", "/home", "/srv/home/me"]);
  });

  test("is none without config, or without a type in it", () => {
    expect(readPolicy(() => undefined)).toBeUndefined();
    expect(readPolicy((path) => (path === "config" ? "# SELINUXTYPE=t\nSELINUX=disabled" : ""))).toBeUndefined();
  });

  test("is refused rather than guessed", () => {
    expect(refusal(() => readPolicy((path) => (path === "config" ? "SELINUXTYPE=../x" : "")))).toContain("SELINUXTYPE");
    expect(refusal(() => readPolicy((path) => (path === "config" ? "SELINUXTYPE=t" : undefined)))).toContain("no such file");
    for (const line of ["/a", "/a -- ", "/a -q x", "/a x y", "/a -- x y", "/(a x", "/a{2,1} x", "/(?i)a x", "/a++ x", "/\\Qa\\E x", "/[[:nothing:]] x", "/(?>a) x"]) expect(refusal(() => policy(line)), line).not.toBe("");
    expect(refusal(() => policy("", { [`${DIRECTORY}file_contexts.subs`]: "/only" }))).toContain("line 1");
  });
});

describe("looking only at lines that may match", () => {
  test("prefixes", () => {
    const cases: Readonly<Record<string, string>> = { "/usr(/.*)?": "/usr", "/a\\.b": "/a.b", "/ab?": "/a", "/ab+c": "/ab", "/a{2}": "/", "/a|/b": "", "/(a|b)": "/", "/a\\d": "/a", "[/]a|b": "", "/a\\.*": "/a" };
    for (const [pattern, prefix] of Object.entries(cases)) expect(literalPrefix(pattern), pattern).toBe(prefix);
  });

  test("finds what trying every line finds", () => {
    const part = fc.constantFrom("/usr", "/lib", "/a", "b", ".*", "(/.*)?", "[^/]*", "(a|b)", "\\.", "b?", "a+", "a{1,2}", "|", "[ab]", ".");
    const line = fc.tuple(fc.array(part, { minLength: 1, maxLength: 5 }), fc.constantFrom("", "--", "-d")).map(([parts, type]) => ({ pattern: parts.join(""), type }));
    const path = fc.array(fc.constantFrom("/usr", "/lib", "/a", "/b", "a", "b", ".", "aa"), { minLength: 1, maxLength: 5 }).map((parts) => `/${parts.join("")}`.replace("//", "/"));
    fc.assert(fc.property(fc.array(line, { maxLength: 12 }), path, fc.constantFrom(FILE, FOLDER), (lines, name, type) => {
      const usable = lines.filter(({ pattern }) => {
        try {
          return refusal(() => policy(`${pattern} x`)) === "";
        } catch {
          return false;
        }
      });
      const expected = usable.findLastIndex(({ pattern, type: code }) => new RegExp(`^(${pattern})${code === "" ? "." : code.slice(1)}$`, "s").test(`${name}${type === FILE ? "-" : "d"}`));
      expect(labelOf(policy(usable.map(({ pattern, type: code }, index) => `${pattern} ${code} label${index}`).join("\n")), name, type)).toBe(expected < 0 ? undefined : `label${expected}`);
    }), { numRuns: 500 });
  });
});
