/**
 * The same random trees through sealroot's writer and the real mkcomposefs, compared byte by byte; each image is also read back and
 * written again. Not part of `npm test`, which does it for a few hundred trees.
 *
 *   bun test/fuzz/differential.ts [--trees N] [--from SEED] [--jobs N]
 *
 * A tree that differs is written to the directory that is named at the end, and the run has failed.
 */

import { mkdirSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { parseArgs } from "node:util";
import { composefsTool } from "../vm/lab/tree.ts";
import { compare, type Comparison, OPTION_SETS } from "./differential-compare.ts";
import { RandomDumpfile } from "./random-dumpfile.ts";

const { values } = parseArgs({ options: { trees: { type: "string", default: "1000" }, from: { type: "string", default: "1" }, jobs: { type: "string", default: "2" } } });
const tool = await composefsTool("mkcomposefs");
const first = Number(values.from);
const last = first + Number(values.trees);
const counts: Record<Comparison["outcome"], number> = { equal: 0, "both refuse": 0, "only mkcomposefs refuses": 0, different: 0 };
const failures = join(tmpdir(), "sealroot-differential");
const started = performance.now();
let seed = first;

async function work(): Promise<void> {
  while (seed < last) {
    const own = seed++;
    const dumpfile = new RandomDumpfile(own).make();
    const options = OPTION_SETS[own % OPTION_SETS.length] ?? [];
    const { outcome, text } = await compare(tool, dumpfile, options);
    counts[outcome]++;
    if (outcome === "different") {
      mkdirSync(failures, { recursive: true });
      writeFileSync(join(failures, `${own}.dump`), dumpfile);
      console.log(`seed ${own} ${options.join(" ")}: ${outcome}: ${text}`);
    }
    if (own % 5000 === 0) console.log(`${own - first} trees, ${((performance.now() - started) / 1000).toFixed(0)} s, ${JSON.stringify(counts)}`);
  }
}

await Promise.all(Array.from({ length: Number(values.jobs) }, work));
const seconds = (performance.now() - started) / 1000;
console.log(`${last - first} trees in ${seconds.toFixed(0)} s, ${((last - first) / seconds).toFixed(0)}/s: ${Object.entries(counts).map(([outcome, count]) => `${count} ${outcome}`).join(", ")}`);
if (counts.different > 0) {
  console.log(`the trees are in ${failures}`);
  process.exit(1);
}
