/** The environment that the program sees holds what is allowed and nothing else, whatever is put in. */

import { afterAll, expect, test } from "bun:test";
import fc from "fast-check";
import { rmSync } from "node:fs";
import { ALLOWED_ENVIRONMENT, UNIT_UNSET_ENVIRONMENT } from "../../src/build/environment.ts";
import { buildProbes, run, scratchDirectory } from "./programs.ts";

const directory = scratchDirectory();
const probes = buildProbes(directory);
afterAll(() => rmSync(directory, { recursive: true }));

function seen(program: string, environment: Readonly<Record<string, string>>): unknown {
  const { stdout } = run(program, [], { environment });
  return (JSON.parse(stdout) as { environment: unknown }).environment;
}

/** Variables that change how the loader works: it runs before any instruction of ours, so they stay out of the random ones. */
const loader = (name: string): boolean => name.startsWith("LD_") || name.startsWith("GLIBC_");

test("what is allowed passes unchanged", () => {
  const environment = Object.fromEntries(ALLOWED_ENVIRONMENT.map((name) => [name, `value of ${name}=1`]));
  expect(seen(probes.finished, environment)).toEqual(environment);
});

test("a control passes everything", () => {
  expect(seen(probes.plain, { TERMINAL: "x", T: "y" })).toEqual({ TERMINAL: "x", T: "y" });
});

test("every name on the unit's list that the loader leaves to us is gone", () => {
  const names = UNIT_UNSET_ENVIRONMENT.filter((name) => !loader(name));
  expect(seen(probes.finished, Object.fromEntries(names.map((name) => [name, "x"])))).toEqual({});
});

test("names that begin or end like an allowed one are gone", () => {
  const names = ALLOWED_ENVIRONMENT.flatMap((name) => [`${name}X`, `X${name}`, name.slice(0, -1), name.slice(1), name.toLowerCase(), `${name} `]);
  expect(seen(probes.finished, Object.fromEntries(names.map((name) => [name, "x"])))).toEqual({});
});

test("any environment: only the allowed names are left, with their values", () => {
  const text = fc.string({ unit: fc.constantFrom(..."ABETRMNOCL_=x \u00e9"), minLength: 1, maxLength: 12 });
  const name = fc.oneof(text, fc.constantFrom<string>(...ALLOWED_ENVIRONMENT), fc.string({ minLength: 1, maxLength: 40, unit: "grapheme" }))
    .filter((candidate) => !candidate.slice(1).includes("=") && !candidate.startsWith("=") && !candidate.includes("\0") && !loader(candidate) && candidate.isWellFormed());
  const value = fc.string({ maxLength: 60, unit: "grapheme" }).filter((candidate) => !candidate.includes("\0") && candidate.isWellFormed());
  fc.assert(
    fc.property(fc.dictionary(name, value, { maxKeys: 40, noNullPrototype: true }), (environment) => {
      const allowed = new Set<string>(ALLOWED_ENVIRONMENT);
      const expected = Object.fromEntries(Object.entries(environment).filter(([key]) => allowed.has(key)));
      expect(seen(probes.finished, environment)).toEqual(expected);
    }),
    { numRuns: 60 },
  );
});

test("ten thousand variables", () => {
  const environment: Record<string, string> = { TERM: "dumb" };
  for (let index = 0; index < 10_000; index++) environment[`BUN_OPTIONS${index}`] = "x".repeat(20);
  expect(seen(probes.finished, environment)).toEqual({ TERM: "dumb" });
});
