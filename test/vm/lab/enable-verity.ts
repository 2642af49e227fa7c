/**
 * Runs inside a virtual machine, under the bare Bun: enables fs-verity (SHA-256) on every file below the directories given.
 * Source: Linux include/uapi/linux/fsverity.h, struct fsverity_enable_arg.
 */

import { dlopen, FFIType } from "bun:ffi";
import { closeSync, openSync, readdirSync } from "node:fs";
import { join } from "node:path";

const FS_IOC_ENABLE_VERITY = 0x40806685;
const argument = new Uint8Array(128);
const view = new DataView(argument.buffer);
view.setUint32(0, 1, true); // version
view.setUint32(4, 1, true); // SHA-256
view.setUint32(8, 4096, true); // block size

const { symbols } = dlopen("libc.so.6", { ioctl: { args: [FFIType.i32, FFIType.u64, FFIType.ptr], returns: FFIType.i32 } });
let count = 0;

function enable(path: string): void {
  const file = openSync(path, "r");
  if (symbols.ioctl(file, FS_IOC_ENABLE_VERITY, argument) !== 0) throw new Error(`fs-verity cannot be enabled on ${path}`);
  closeSync(file);
  count++;
}

function walk(path: string): void {
  for (const entry of readdirSync(path, { withFileTypes: true })) {
    if (entry.isDirectory()) walk(join(path, entry.name));
    else if (entry.isFile()) enable(join(path, entry.name));
  }
}

for (const path of process.argv.slice(2)) {
  if (path.endsWith(".json")) enable(path);
  else walk(path);
}
console.log(`VERITY ENABLED ${count}`);
