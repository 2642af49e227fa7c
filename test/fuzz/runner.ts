/**
 * The long run of fuzzing, for every set of targets: seeds first, then changed inputs. What breaks a rule or takes more than a tenth
 * of a second is written to the seeds and ends the run; taking 64 MiB, or what is said to be the most, fails it.
 */

import { mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { parseArgs } from "node:util";
import { Generator } from "./generator.ts";
import { files, type Target } from "./target.ts";
import { SEEDS } from "./targets.ts";

const SLOWEST_MS = 100;
const MOST_MIB = 64;
const TURN = 256;
const PROGRESS_SECONDS = 60;

/** The most memory that this process ever had, in bytes: also what an input took between two looks. */
const peakMemory = (): number => Number(/VmHWM:\s+(\d+)/.exec(readFileSync("/proc/self/status", "utf8"))?.[1]) * 1024;

export type MakeGenerator = (seed: number, corpus: readonly Uint8Array[], words?: readonly string[]) => Generator;

/** Reads the command line: [TARGET...] [--runs N] [--seed S] [--seeds DIRECTORY]. @param mostMib memory above that of the start, garbage included */
export async function fuzz(targets: Readonly<Record<string, Target>>, make: MakeGenerator = (seed, corpus, words) => new Generator(seed, corpus, words), mostMib = MOST_MIB): Promise<void> {
  const { values, positionals } = parseArgs({ allowPositionals: true, options: { runs: { type: "string", default: "1000000" }, seed: { type: "string", default: "1" }, seeds: { type: "string", default: SEEDS } } });
  const runs = Number(values.runs);
  const rss = (): number => process.memoryUsage.rss();
  for (const name of positionals.length > 0 ? positionals : Object.keys(targets)) {
    const target = targets[name];
    if (target === undefined) throw new Error(`no target ${name}; there are: ${Object.keys(targets).join(", ")}`);
    const seeds = join(values.seeds, name);
    const generator = make(Number(values.seed), [...target.corpus(), ...files(seeds)], target.words);
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
    let slowest = 0;
    const started = performance.now();
    let told = started;
    for (let run = 1; run <= runs; run++) {
      const took = attempt(generator.next(), run);
      if (took > slowest) slowest = took;
      if (run % TURN !== 0) continue;
      const now = performance.now();
      if (now - told > PROGRESS_SECONDS * 1000) {
        told = now;
        console.log(`${name.padEnd(11)} ${run} inputs so far, ${((now - started) / 1000).toFixed(0)} s`);
      }
      if (target.turns !== true) continue;
      Bun.gc(true);
      await Bun.sleep(0);
    }
    const peak = Math.max(before, peakMemory());
    const seconds = (performance.now() - started) / 1000;
    console.log(`${name.padEnd(11)} ${runs} inputs  ${seconds.toFixed(1)} s  ${Math.round(runs / seconds)}/s  slowest ${slowest.toFixed(1)} ms  peak ${(peak / 2 ** 20).toFixed(0)} MiB, ${((peak - before) / 2 ** 20).toFixed(0)} MiB above the start`);
    if (target.report !== undefined) console.log(target.report());
    if (peak - before > mostMib * 2 ** 20) throw new Error(`${name}: the run took ${peak - before} bytes`);
  }
}

/** Milliseconds of the processor for one more attempt. */
function cpuOf(target: Target, input: Uint8Array, generator: Generator): number {
  const before = process.cpuUsage();
  target.try(input, generator);
  const { user, system } = process.cpuUsage(before);
  return (user + system) / 1000;
}
