/**
 * A "bench" machine: one boot in which many cases run one after the other, so that each costs a second and not a boot.
 *
 * It boots the same initramfs as the full boots do, with another init, so kernel modules, libraries and executable are those
 * that dracut put there. Each case has a copy-on-write disk of its own and a mount namespace of its own.
 */

import { readFileSync, rmSync, truncateSync, writeFileSync } from "node:fs";
import { mkdir } from "node:fs/promises";
import { join } from "node:path";
import { cacheTop } from "./cache.ts";
import type { ArchiveFile } from "./cpio.ts";
import type { Patch } from "./faults.ts";
import { extraArchive } from "./extra-archive.ts";
import { bootFiles } from "./initramfs.ts";
import type { KernelSeries } from "./kernel.ts";
import { say } from "./progress.ts";
import { boot, type Disk } from "./qemu.ts";

export interface BenchCase {
  readonly name: string;
  /** A raw disk image with the physical root. */
  readonly disk: string;
  readonly filesystem?: "ext4" | "btrfs";
  /** Mount options of the physical root; default "rw". */
  readonly mode?: string;
  /** The medium itself is read-only. */
  readonly readOnlyDisk?: boolean;
  /** What stands for the kernel command line. */
  readonly cmdline: string;
  /** setup-root-conf.toml; default none. */
  readonly config?: string;
  /** Arguments; default `setup-root`. */
  readonly arguments?: readonly string[];
  /** Another name for the executable, as a path. */
  readonly program?: string;
  /** Changes of the raw disk. */
  readonly patches?: readonly Patch[];
  /** Files that are put on the disk beforehand, by path without leading slash. */
  readonly files?: Readonly<Record<string, string | Uint8Array>>;
  /** Shell, run in the writable physical root after that. */
  readonly prepare?: string;
  /** Shell, run just before the program. */
  readonly setup?: string;
  /** Shell, run afterwards; what it prints is the result's `facts`. */
  readonly facts?: string;
}

export interface CaseResult {
  readonly exit: number;
  readonly stdout: string;
  readonly stderr: string;
  /** /proc/self/mountinfo. */
  readonly before: string;
  readonly after: string;
  readonly facts: string;
  /** /run/sealroot/boot.json. */
  readonly report: string | undefined;
  readonly volatileRoot: string | undefined;
  /** Kernel messages of the case. */
  readonly dmesg: string;
  /** What the lab's own steps said; empty when all went well. */
  readonly log: string;
}

/** Bytes of the results disk for each case. */
const SLOT = 8 * 65536;

/** Runs all cases on one machine. @throws Error with the console's end when the machine did not finish */
export async function bench(what: string, series: KernelSeries, cases: readonly BenchCase[]): Promise<ReadonlyMap<string, CaseResult>> {
  const { kernel, initramfs } = await bootFiles(series);
  const folder = join(cacheTop, "cases");
  await mkdir(folder, { recursive: true });
  const results = join(folder, `results-${process.pid}-${what.replaceAll(" ", "-")}-${series}`);
  writeFileSync(results, "");
  truncateSync(results, SLOT * cases.length + 65536);
  const disks: Disk[] = cases.map(({ disk, readOnlyDisk = false }, index) => ({ path: disk, serial: `case${index}`, readOnly: readOnlyDisk }));
  disks.push({ path: results, serial: "results", keep: true });
  const archive = extraArchive(files(cases));
  const machine = await boot({
    name: `bench ${what} ${series}`,
    kernel,
    initramfs: [initramfs, archive],
    cmdline: "rdinit=/lab/init quiet",
    disks,
    timeout: 120 + 5 * cases.length,
  });
  rmSync(archive, { force: true });
  if (!machine.text.includes("CASES DONE")) throw new Error(`the bench machine of ${series} did not finish (${machine.end} after ${machine.seconds.toFixed(0)} s):\n${machine.lines.slice(-40).map(({ text }) => text).join("\n")}`);
  say(`${cases.length} cases on ${series}: ${machine.seconds.toFixed(1)} s`);
  const bytes = readFileSync(results);
  rmSync(results);
  return new Map(cases.map(({ name }, index) => [name, read(bytes.subarray(index * SLOT, (index + 1) * SLOT), name)]));
}

function files(cases: readonly BenchCase[]): Record<string, ArchiveFile> {
  const script = (name: string): string => readFileSync(join(import.meta.dir, name), "utf8");
  const all: Record<string, ArchiveFile> = {
    "lab/init": { content: script("bench-init.sh"), mode: 0o755 },
    "lab/run-case": { content: script("run-case.sh") },
    "lab/functions": { content: script("functions.sh") },
    "lab/busybox": { content: readFileSync(Bun.which("busybox") ?? "/bin/busybox"), mode: 0o755 },
  };
  cases.forEach((one, index) => {
    const at = (name: string): string => `lab/cases/${String(index).padStart(3, "0")}/${name}`;
    const put = (name: string, content: string | undefined): void => {
      if (content !== undefined) all[at(name)] = { content };
    };
    put("name", one.name);
    put("serial", `case${index}`);
    put("filesystem", one.filesystem ?? "ext4");
    put("mode", one.mode ?? "rw");
    put("cmdline", one.cmdline);
    put("arguments", (one.arguments ?? ["setup-root"]).map((argument) => `${argument}\n`).join(""));
    put("config", one.config);
    put("program", one.program);
    put("prepare", one.prepare);
    put("setup", one.setup);
    put("facts", one.facts);
    for (const [path, content] of Object.entries(one.files ?? {})) all[at(`files/${path}`)] = { content };
    for (const { offset, bytes } of one.patches ?? []) all[at(`patch-${offset}`)] = { content: bytes };
  });
  return all;
}

/** Takes apart what bench-init.sh wrote: a line `FILE name size` before each file, `END` after the last. */
function read(slot: Buffer, name: string): CaseResult {
  const found = new Map<string, string>();
  for (let at = 0; ; ) {
    const end = slot.indexOf("\n", at);
    const [word, file = "", size = ""] = slot.toString("utf8", at, end).split(" ");
    if (word !== "FILE") break;
    found.set(file, slot.toString("utf8", end + 1, end + 1 + Number(size)));
    at = end + 1 + Number(size);
  }
  const log = found.get("log") ?? "";
  if (!found.has("exit")) throw new Error(`case ${name} came to no result: ${log}`);
  const text = (file: string): string => found.get(file) ?? "";
  return {
    exit: Number(text("exit")),
    stdout: text("stdout"),
    stderr: text("stderr"),
    before: text("before"),
    after: text("after"),
    facts: text("facts"),
    report: found.get("boot.json"),
    volatileRoot: found.get("volatile-root")?.trim(),
    dmesg: text("dmesg"),
    log,
  };
}
