/** The seeds of test/fuzz, and a moment of fuzzing. `bun --smol test/fuzz/run.ts` is the long run. */

import { describe, expect, test } from "bun:test";
import { join } from "node:path";
import { Generator } from "../fuzz/generator.ts";
import { files } from "../fuzz/target.ts";
import { SEEDS, TARGETS } from "../fuzz/targets.ts";

describe.each(Object.entries(TARGETS))("%s", (name, target) => {
  const corpus = [...target.corpus(), ...files(join(SEEDS, name))];

  test("the files and the seeds", () => {
    const generator = new Generator(1, corpus);
    for (const input of corpus) target.try(input, generator);
    expect(corpus.length).toBeGreaterThan(10);
  });

  test("and changes to them", () => {
    const generator = new Generator(Number(process.env["SEALROOT_FUZZ_SEED"] ?? 7), corpus, target.words);
    for (let run = 0; run < (name === "verdict" ? 300 : 3000); run++) target.try(generator.next(), generator);
  });
});
