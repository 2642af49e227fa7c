/** The seeds of test/fuzz for images, and a moment of fuzzing. `bun --smol test/fuzz/erofs.ts` is the long run. */

import { expect, test } from "bun:test";
import { join } from "node:path";
import { ImageGenerator } from "../../fuzz/image-generator.ts";
import { IMAGE_TARGETS } from "../../fuzz/image-targets.ts";
import { RandomDumpfile } from "../../fuzz/random-dumpfile.ts";
import { isLossy, parseDumpfile, rewrite } from "../../fuzz/differential-compare.ts";
import { files } from "../../fuzz/target.ts";
import { SEEDS } from "../../fuzz/targets.ts";
import { writeImageBytes } from "../../../src/erofs/index.ts";

const { image } = IMAGE_TARGETS;
const corpus = [...(image?.corpus() ?? []), ...files(join(SEEDS, "image"))];

test("the seeds", () => {
  const generator = new ImageGenerator(1, corpus);
  for (const input of corpus) image?.try(input, generator);
  expect(corpus.length).toBeGreaterThan(5);
});

test("and changes to them", () => {
  const generator = new ImageGenerator(Number(process.env["SEALROOT_FUZZ_SEED"] ?? 7), corpus);
  for (let run = 0; run < 1500; run++) image?.try(generator.next(), generator);
});

test("random trees come back as they were", () => {
  for (let seed = 1; seed <= 40; seed++) {
    const dumpfile = new RandomDumpfile(seed).make();
    const written = writeImageBytes(parseDumpfile(dumpfile), { format: seed % 2 === 0 ? "v0" : "v1" });
    const difference = rewrite(written);
    if (!isLossy(dumpfile)) expect([seed, difference]).toEqual([seed, undefined]);
  }
});
