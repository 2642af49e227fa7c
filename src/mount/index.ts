/** What a composefs mount needs of the kernel, each step with the rungs that older kernels fall back to. */
export { cloneDirectory } from "./clone.ts";
export { mountImage, mountImageByLoop } from "./erofs.ts";
export { type OverlayFeatures, overlayFeatures } from "./kernel.ts";
export type { Climbed } from "./ladder.ts";
export { DETACHED_RUNG, mountOverlay, type OverlayLayers } from "./overlay.ts";
export { RUN_DIRECTORY, Scratch } from "./scratch.ts";
export { type Placement, placeMount, replaceMount, Tree, type TreeRung } from "./tree.ts";
export { persistentLayer, type TmpfsLimits, transientLayer, type WritableLayer } from "./writable.ts";
