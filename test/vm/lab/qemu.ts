/**
 * Boots a virtual machine under emulation and collects its console.
 *
 * One virtual CPU: with two, QEMU 7.2's emulation fails now and then before the kernel is up. Machines run side by side
 * instead, as many as there are processors.
 */

import { constants } from "node:fs";
import { appendFile, copyFile, mkdir, readFile, rm, stat, writeFile } from "node:fs/promises";
import { availableParallelism } from "node:os";
import { join } from "node:path";
import { cacheTop } from "./cache.ts";
import { hostPackages } from "./host.ts";
import type { Kernel } from "./kernel.ts";
import { qemuCommand } from "./qemu-package.ts";

export interface Disk {
  readonly path: string;
  /** qcow2 for copy-on-write files; default raw. */
  readonly format?: "raw" | "qcow2";
  /** Changes go to the file; otherwise they are thrown away with the machine, and one file can serve several disks. */
  readonly keep?: boolean;
  /** Shows in the guest as /sys/block/vdX/serial. */
  readonly serial?: string;
  /** The machine cannot write to it. */
  readonly readOnly?: boolean;
}

export interface BootOptions {
  /** The console is kept under this name in the cache's `logs`. */
  readonly name: string;
  readonly kernel: Kernel;
  /** Initramfs archives, taken one after the other as the kernel does. */
  readonly initramfs: readonly string[];
  /** Kernel arguments beside those for the console. */
  readonly cmdline: string;
  readonly disks?: readonly Disk[];
  /** MiB; default 1024. */
  readonly memory?: number;
  /** The machine is stopped when a console line matches; it ends by itself when it powers off or panics. */
  readonly until?: RegExp;
  /** Seconds that the machine may go on after `until` matched; default 0. */
  readonly linger?: number;
  /** How it is stopped then; default SIGTERM, on which QEMU still tidies up. */
  readonly signal?: "SIGTERM" | "SIGKILL";
  /** Seconds; default 120. */
  readonly timeout?: number;
  /** Called for each console line as it comes. */
  readonly onLine?: (line: ConsoleLine) => void;
}

export interface ConsoleLine {
  /** Seconds since QEMU was started. */
  readonly at: number;
  /** The line without terminal control sequences. */
  readonly text: string;
}

export interface BootResult {
  readonly lines: readonly ConsoleLine[];
  /** The whole console. */
  readonly text: string;
  /** How it ended. */
  readonly end: "power off" | "pattern" | "timeout";
  /** Seconds that it took. */
  readonly seconds: number;
}

/** What saves time under emulation without changing what is tested, and the timer check, which fails on a host that is busy; a panic ends the machine. */
const KERNEL_ARGUMENTS = "console=ttyS0 panic=-1 mitigations=off rcupdate.rcu_expedited=1 8250.nr_uarts=1 audit=0 lsm=capability no_timer_check";

let machines = 0;
let free = Math.max(1, availableParallelism());
const waiting: (() => void)[] = [];

/** Waits for a processor, boots, and returns the console. Never throws for what the guest does. */
export async function boot(options: BootOptions): Promise<BootResult> {
  await hostPackages();
  if (free > 0) free--;
  else await new Promise<void>((resolve) => waiting.push(resolve));
  try {
    return await start(options);
  } finally {
    const next = waiting.shift();
    if (next === undefined) free++;
    else next();
  }
}

async function start(options: BootOptions): Promise<BootResult> {
  const { kernel, initramfs, cmdline, disks = [], memory = 1024, until, linger = 0, signal = "SIGTERM", timeout = 120 } = options;
  const [only = ""] = initramfs;
  const joined = initramfs.length === 1 ? undefined : join(cacheTop, `initramfs-${process.pid}-${++machines}`);
  if (joined !== undefined) await concatenated(initramfs, joined);
  const initrd = joined ?? only;
  const drives = disks.flatMap((disk, index) => [
    "-drive",
    `id=d${index},if=none,cache=unsafe,format=${disk.format ?? "raw"},file=${disk.path},${keeping(disk)},file.locking=off`,
    "-device",
    `virtio-blk-pci,drive=d${index},addr=${slot(index)}${disk.serial === undefined ? "" : `,serial=${disk.serial}`}`,
  ]);
  const command = [
    ...(await qemuCommand()), "-nodefaults", "-no-user-config", "-machine", "q35,smm=off,vmport=off,sata=off", "-accel", "tcg,thread=multi", "-cpu", "max,-cx16",
    "-smp", "1", "-m", String(memory), "-display", "none", "-serial", "stdio", "-no-reboot",
    "-kernel", kernel.vmlinux, "-initrd", initrd, "-append", `${KERNEL_ARGUMENTS} ${cmdline}`,
    ...drives,
  ];
  const began = performance.now();
  const child = Bun.spawn(command, { stdin: "ignore", stdout: "pipe", stderr: "pipe", timeout: timeout * 1000, killSignal: "SIGKILL" });
  const lines: ConsoleLine[] = [];
  let matched = false;
  let rest = "";
  const decoder = new TextDecoder();
  const take = (text: string): void => {
    const line = { at: (performance.now() - began) / 1000, text: plain(text) };
    lines.push(line);
    options.onLine?.(line);
    if (matched || until === undefined || !until.test(line.text)) return;
    matched = true;
    if (linger === 0) child.kill(signal);
    else setTimeout(() => child.kill(signal), linger * 1000);
  };
  const complaints = child.stderr.text();
  for await (const chunk of child.stdout) {
    const parts = (rest + decoder.decode(chunk, { stream: true })).split("\n");
    rest = parts.pop() ?? "";
    parts.forEach(take);
  }
  if (rest !== "") take(rest);
  await child.exited;
  if (joined !== undefined) await rm(joined);
  const said = (await complaints).trim();
  if (lines.length === 0 && said !== "") throw new Error(`QEMU did not start: ${said}`);
  await writeLog(options.name, lines);
  const end = matched ? "pattern" : child.signalCode === "SIGKILL" ? "timeout" : "power off";
  return { lines, text: lines.map((line) => line.text).join("\n"), end, seconds: (performance.now() - began) / 1000 };
}

const keeping = ({ keep, readOnly }: Disk): string => (readOnly === true ? "readonly=on" : keep === true ? "snapshot=off" : "snapshot=on");

async function writeLog(name: string, lines: readonly ConsoleLine[]): Promise<void> {
  const folder = join(cacheTop, "logs");
  await mkdir(folder, { recursive: true });
  const text = lines.map((line) => `${line.at.toFixed(2).padStart(7)}  ${line.text}\n`).join("");
  await writeFile(join(folder, `${name.replaceAll(/[^A-Za-z0-9.]+/g, "-")}.log`), text);
}

/** Eight disks share a slot of the PCI bus, so that a machine can have more than there are slots. */
function slot(index: number): string {
  const function_ = index % 8;
  return `0x${(4 + Math.floor(index / 8)).toString(16)}.${function_}${function_ === 0 ? ",multifunction=on" : ""}`;
}

/** Without carriage returns and terminal control sequences. */
const plain = (text: string): string => text.replaceAll("\r", "").replaceAll(/\x1b\[[0-9;:?!]*[A-Za-z]|\x1b[=>()][A-Z0-9]?/g, "");

/** QEMU takes one file; archives may follow one another in it, each padded to four bytes. The caller removes the file. */
async function concatenated(files: readonly string[], target: string): Promise<void> {
  const [first = "", ...others] = files;
  await copyFile(first, target, constants.COPYFILE_FICLONE);
  for (const file of others) {
    const gap = (4 - ((await stat(target)).size % 4)) % 4;
    await appendFile(target, Buffer.concat([new Uint8Array(gap), await readFile(file)]));
  }
}
