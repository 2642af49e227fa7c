/**
 * Prints, as JSON, what a program sees of its surroundings; compiled by programs.ts.
 *   probe [wait MILLISECONDS | report FILE]
 */

import { readlinkSync, writeFileSync } from "node:fs";

const descriptors = [0, 1, 2].map((fd) => {
  try {
    return readlinkSync(`/proc/self/fd/${fd}`);
  } catch {
    return null;
  }
});

const [verb, operand] = process.argv.slice(2);
const report = JSON.stringify({ environment: process.env, name: process.argv0, descriptors });
console.log(report);
if (verb === "wait") await Bun.sleep(Number(operand));
if (verb === "report") writeFileSync(operand ?? "", report);
