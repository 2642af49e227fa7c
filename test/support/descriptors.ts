/** Run as a program: a boot within this process, and then which descriptors it has left open. @see test/integration/devices.test.ts */

import { readdirSync, readlinkSync } from "node:fs";
import { DEFAULT_CONFIG, DEFAULT_SYSROOT, setupRoot } from "../../src/boot/index.ts";
import { SealrootError } from "../../src/errors/index.ts";

function open(): Map<string, string> {
  const found = new Map<string, string>();
  for (const fd of readdirSync("/proc/self/fd")) {
    try {
      found.set(fd, readlinkSync(`/proc/self/fd/${fd}`));
    } catch {
      // the descriptor of this very listing
    }
  }
  return found;
}

const before = open();
let code: string | null = null;
try {
  setupRoot({ sysroot: DEFAULT_SYSROOT, config: DEFAULT_CONFIG, cmdline: process.argv[2], target: undefined, rootFs: undefined, layout: "composefs" });
} catch (error) {
  code = error instanceof SealrootError ? error.code : String(error);
}
const left = [...open()].filter(([fd, path]) => before.get(fd) !== path).map(([, path]) => path);
console.log(JSON.stringify({ code, left }));
