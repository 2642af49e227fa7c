/**
 * Throws bytes at everything that reads what a disk, an initramfs or a kernel command line holds: see targets.ts. Not part of
 * `npm test`, which replays the seeds and goes on for a moment only.
 *
 *   bun --smol test/fuzz/run.ts [TARGET...] [--runs N] [--seed S] [--seeds DIRECTORY]
 *
 * Inputs are real files and the seeds of test/fuzz/seeds, changed: bits, numbers that matter to framing offsets, words of the language,
 * pieces cut out, doubled, or taken from another input. A run with the same seed makes the same inputs. What breaks a rule of a
 * target, or takes more than a tenth of a second, is written to the seeds and ends the run; so does taking 64 MiB.
 */

import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { parseArgs } from "node:util";
import { Generator } from "./generator.ts";
import { files, type Target } from "./target.ts";
import { SEEDS, TARGETS } from "./targets.ts";

const SLOWEST_MS = 100;
const MOST_BYTES = 64 * 2 ** 20;
const TURN = 256;

const { values, positionals } = parseArgs({ allowPositionals: true, options: { runs: { type: "string", default: "1000000" }, seed: { type: "string", default: "1" }, seeds: { type: "string", default: SEEDS } } });
const runs = Number(values.runs);
const rss = (): number => process.memoryUsage.rss();

for (const name of positionals.length > 0 ? positionals : Object.keys(TARGETS)) {
  const target = TARGETS[name];
  if (target === undefined) throw new Error(`no target ${name}; there are: ${Object.keys(TARGETS).join(", ")}`);
  const seeds = join(values.seeds, name);
  const generator = new Generator(Number(values.seed), [...target.corpus(), ...files(seeds)], target.words);
  const attempt = (input: Uint8Array, run: number): number => {
    const started = performance.now();
    try {
      target.try(input, generator);
      const took = performance.now() - started;
      // a busy machine takes its time as well: what counts is the processor's
      if (took > SLOWEST_MS && cpuOf(target, input, generator) > SLOWEST_MS) throw new Error(`${took.toFixed(0)} ms`);
      return took;
    } catch (error) {
      mkdirSync(seeds, { recursive: true });
      const path = join(seeds, `${values.seed}-${run}`);
      writeFileSync(path, input);
      throw new Error(`${name}: run ${run}: ${error instanceof Error ? error.message : String(error)}; the input is in ${path}`, { cause: error });
    }
  };
  for (const input of generator.corpus) attempt(input, 0);
  Bun.gc(true);
  const before = rss();
  let peak = before;
  let slowest = 0;
  const started = performance.now();
  for (let run = 1; run <= runs; run++) {
    const took = attempt(generator.next(), run);
    if (took > slowest) slowest = took;
    if (run % TURN !== 0) continue;
    peak = Math.max(peak, rss());
    if (target.turns !== true) continue;
    Bun.gc(true);
    await Bun.sleep(0);
  }
  const seconds = (performance.now() - started) / 1000;
  console.log(`${name.padEnd(11)} ${runs} inputs  ${seconds.toFixed(1)} s  ${Math.round(runs / seconds)}/s  slowest ${slowest.toFixed(1)} ms  peak ${(peak / 2 ** 20).toFixed(0)} MiB, ${((peak - before) / 2 ** 20).toFixed(0)} MiB above the start`);
  if (peak - before > MOST_BYTES) throw new Error(`${name}: the run took ${peak - before} bytes`);
}

/** Milliseconds of the processor for one more attempt. */
function cpuOf(target: Target, input: Uint8Array, generator: Generator): number {
  const before = process.cpuUsage();
  target.try(input, generator);
  const { user, system } = process.cpuUsage(before);
  return (user + system) / 1000;
}
