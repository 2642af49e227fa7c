/**
 * Throws bytes at everything that reads what a disk or an initramfs holds at level "signed": GVariant, commits, detached
 * metadata, key files, and the verdict as a whole. Not part of `npm test`, which only replays the seeds.
 *
 *   bun --smol test/fuzz/ostree.ts [TARGET...] [--runs N] [--seed S] [--seeds DIRECTORY]
 *
 * Inputs are the real files of test/data/ostree and the seeds of test/fuzz/seeds, changed: bits, numbers that matter to framing
 * offsets, pieces cut out, doubled, or taken from another input. A run with the same seed makes the same inputs; runner.ts says what
 * ends it.
 */

import { fuzz } from "./runner.ts";
import { TARGETS } from "./targets.ts";

fuzz(TARGETS);
