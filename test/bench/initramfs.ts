/**
 * What sealroot costs an initramfs: the bytes that the executable adds at zstd -19, and, in a booting VM, the time from the start
 * of its service's process to the mounted root (boot.json's own clock; under emulation, so a figure to compare and no more).
 *
 *   npm run bench:initramfs [-- --boots N]
 */

import { statSync } from "node:fs";
import { join } from "node:path";
import { parseArgs } from "node:util";
import { debianDisk, LABEL } from "../vm/lab/disks.ts";
import { bootFiles, executable } from "../vm/lab/initramfs.ts";
import { boot } from "../vm/lab/qemu.ts";
import { output } from "../vm/lab/run.ts";

const { values } = parseArgs({ args: process.argv.slice(2), options: { boots: { type: "string", default: "3" } } });
const program = executable();
const compressed = async (level: string): Promise<number> => Number(await output(["sh", "-c", `zstd -q ${level} -T0 -c "$1" | wc -c`, "sh", program]));
const megabytes = (bytes: number): string => `${(bytes / 1e6).toFixed(1)} MB`;

console.log(`${program.slice(join(import.meta.dir, "../..").length + 1)}: ${megabytes(statSync(program).size)}; zstd -19 ${megabytes(await compressed("-19"))}; zstd -3 ${megabytes(await compressed("-3"))}`);

const disk = await debianDisk({ filesystem: "ext4", algorithm: "sha256" });
const files = await bootFiles("6.12");
const times: number[] = [];
for (let run = 0; run < Number(values.boots); run++) {
  const { text, end } = await boot({
    name: "bench initramfs",
    kernel: files.kernel,
    initramfs: [files.initramfs],
    cmdline: `root=LABEL=${LABEL} rw ${disk.argument} lab.proof`,
    disks: [{ path: disk.path }],
    timeout: 240,
  });
  const milliseconds = Number(/boot\.json\s+"milliseconds": ([0-9.]+)/.exec(text)?.[1] ?? NaN);
  if (Number.isNaN(milliseconds)) throw new Error(`the system did not report (${end})`);
  times.push(milliseconds);
}
const sorted = times.toSorted((a, b) => a - b);
console.log(`process start to root mounted, Linux 6.12 under TCG, ${times.length} boots: ${sorted.map((time) => time.toFixed(0)).join(", ")} ms`);
