/**
 * Throws changed images at the reader. Not part of `npm test`, which only replays the seeds and a few thousand more.
 *
 *   bun --smol test/fuzz/erofs.ts [--runs N] [--seed S] [--seeds DIRECTORY]
 */

import { ImageGenerator } from "./image-generator.ts";
import { IMAGE_TARGETS } from "./image-targets.ts";
import { fuzz } from "./runner.ts";

// most of it the garbage of trees and images; what one image can take is in test/integration/erofs.test.ts
await fuzz(IMAGE_TARGETS, (seed, corpus) => new ImageGenerator(seed, corpus), 192);
