/**
 * Everything that is fuzzed: what reads bytes that nothing has authenticated, or that people write by hand. For any input there is a
 * value or one SealrootError. Run at length by run.ts, for a moment by the unit tests.
 */

import { join } from "node:path";
import { CONFIG_TARGETS } from "./config-targets.ts";
import { REPOSITORY_TARGETS } from "./repository-targets.ts";
import { SIGNED_TARGETS } from "./signed-targets.ts";
import type { Target } from "./target.ts";

export const TARGETS: Readonly<Record<string, Target>> = { ...SIGNED_TARGETS, ...CONFIG_TARGETS, ...REPOSITORY_TARGETS };

export const SEEDS = join(import.meta.dir, "seeds");
