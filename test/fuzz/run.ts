/**
 * Throws bytes at everything that reads what a disk, an initramfs or a kernel command line holds: see targets.ts. Not part of
 * `npm test`, which replays the seeds and goes on for a moment only.
 *
 *   bun --smol test/fuzz/run.ts [TARGET...] [--runs N] [--seed S] [--seeds DIRECTORY]
 *
 * Inputs are real files and the seeds of test/fuzz/seeds, changed: bits, numbers that matter to framing offsets, words of the language,
 * pieces cut out, doubled, or taken from another input. A run with the same seed makes the same inputs; runner.ts says what ends it.
 */

import { fuzz } from "./runner.ts";
import { TARGETS } from "./targets.ts";

await fuzz(TARGETS);
