/**
 * Throws changed images at the reader. Not part of `npm test`, which only replays the seeds and a few thousand more.
 *
 *   bun --smol test/fuzz/erofs.ts [--runs N] [--seed S] [--seeds DIRECTORY]
 */

import { IMAGE_TARGETS, ImageGenerator } from "./image-targets.ts";
import { fuzz } from "./runner.ts";

fuzz(IMAGE_TARGETS, (seed, corpus) => new ImageGenerator(seed, corpus));
