/**
 * Initramfs images as data: unpacked in memory from what a build made, and judged whether they can boot a sealed root. Pure:
 * nothing that is found in one is ever run, and no byte of it reaches the disk.
 */
export { type CheckOptions, checkInitramfs, type CheckReport, DEFAULT_LIMIT } from "./check.ts";
export type { PolicyReader } from "./check-policy.ts";
export type { Finding, Verdict } from "./findings.ts";
export { openInitramfs } from "./open.ts";
export type { Tree } from "./tree.ts";
export type { Segment } from "./unpack.ts";
