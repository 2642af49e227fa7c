/**
 * The same random trees through our mkcomposefs and the C tool, compared byte by byte: image, digest, refusal; each image is also read
 * back and written again. Not part of `npm test`, which does it for a few hundred trees.
 *
 *   bun test/fuzz/differential.ts [--trees N] [--from SEED]
 *
 * A tree that differs is written to the directory that is named at the end, and the run has failed.
 */

import { existsSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { parseArgs } from "node:util";
import { composefsTool } from "../vm/lab/tree.ts";
import { type Case, compare, type Comparison, OPTION_SETS } from "./differential-compare.ts";
import { RandomDumpfile } from "./random-dumpfile.ts";

const BATCH = 64;
const REPORT_SECONDS = 60;

const { values } = parseArgs({ options: { trees: { type: "string", default: "1000" }, from: { type: "string", default: "1" } } });
const tool = await composefsTool("mkcomposefs");
const first = Number(values.from);
const last = first + Number(values.trees);
const counts: Record<Comparison["outcome"], number> = { equal: 0, "both refuse": 0, different: 0 };
const failures = join(tmpdir(), "sealroot-differential");
const scratch = mkdtempSync(join(existsSync("/dev/shm") ? "/dev/shm" : tmpdir(), "sealroot-differential-"));
const started = performance.now();
let bytes = 0;
let reported = started;

function told(done: number): string {
  const seconds = (performance.now() - started) / 1000;
  const outcomes = Object.entries(counts).map(([outcome, count]) => `${count} ${outcome}`).join(", ");
  return `${done} trees from seed ${first}, ${(bytes / 1e6).toFixed(0)} MB of dumpfiles, in ${seconds.toFixed(0)} s, ${(done / seconds).toFixed(0)}/s: ${outcomes}`;
}

try {
  for (let seed = first; seed < last; seed += BATCH) {
    const seeds = Array.from({ length: Math.min(BATCH, last - seed) }, (_, index) => seed + index);
    const cases = seeds.map((own): Case => ({ dumpfile: new RandomDumpfile(own).make(), options: OPTION_SETS[own % OPTION_SETS.length] ?? [] }));
    const comparisons = await compare(tool, scratch, cases);
    comparisons.forEach(({ outcome, text }, index) => {
      const { dumpfile, options } = cases[index] ?? { dumpfile: new Uint8Array(), options: [] };
      counts[outcome]++;
      bytes += dumpfile.length;
      if (outcome !== "different") return;
      mkdirSync(failures, { recursive: true });
      writeFileSync(join(failures, `${seed + index}.dump`), dumpfile);
      console.log(`seed ${seed + index} ${options.join(" ")}: ${text}`);
    });
    if (performance.now() - reported < REPORT_SECONDS * 1000) continue;
    reported = performance.now();
    console.log(told(seed + seeds.length - first));
  }
} finally {
  rmSync(scratch, { recursive: true });
}
console.log(told(last - first));
if (counts.different > 0) {
  console.log(`the trees are in ${failures}`);
  process.exit(1);
}
