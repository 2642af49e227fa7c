/**
 * Prints, as JSON, what a program sees of its surroundings; compiled by programs.ts.
 *   probe [wait MILLISECONDS | report FILE | code | call]
 */

import { cc, dlopen } from "bun:ffi";
import { readlinkSync, writeFileSync } from "node:fs";
import { runInThisContext } from "node:vm";

const descriptors = [0, 1, 2].map((fd) => {
  try {
    return readlinkSync(`/proc/self/fd/${fd}`);
  } catch {
    return null;
  }
});

/** Ways to bring code into a running program; each does so, or throws. */
const CODE: Readonly<Record<string, () => unknown>> = {
  eval: () => (0, eval)("1"),
  function: () => new Function("return 1")(),
  vm: () => runInThisContext("1"),
  worker: () => new Worker("data:text/javascript,1").terminate(),
  addon: () => process.dlopen({ exports: {} }, "/nonexistent.node"),
  compiler: () => cc({ source: "/nonexistent.c", symbols: {} }),
};

function refused(way: () => unknown): string {
  try {
    way();
    return "done";
  } catch (error) {
    return error instanceof Error ? `${error.name} ${"code" in error ? String(error.code) : ""}`.trim() : "thrown";
  }
}

const [verb, operand] = process.argv.slice(2);
const report = JSON.stringify({ environment: process.env, name: process.argv0, descriptors });
console.log(report);
if (verb === "code") console.log(JSON.stringify(Object.fromEntries(Object.entries(CODE).map(([name, way]) => [name, refused(way)]))));
if (verb === "call") dlopen("libc.so.6", { getpid: { args: [], returns: "i32" } }).symbols.getpid();
if (verb === "wait") await Bun.sleep(Number(operand));
if (verb === "report") writeFileSync(operand ?? "", report);
