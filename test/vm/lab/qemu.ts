/**
 * Boots a virtual machine under emulation and collects its console.
 *
 * One virtual CPU: with two, QEMU 7.2's emulation fails now and then before the kernel is up. Machines run side by side
 * instead, as many as there are processors.
 */

import { availableParallelism } from "node:os";
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
}

export interface BootOptions {
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
  const { kernel, initramfs, cmdline, disks = [], memory = 1024, until, linger = 0, timeout = 120 } = options;
  const initrd = await concatenated(initramfs);
  const drives = disks.flatMap((disk, index) => [
    "-drive",
    `id=d${index},if=none,cache=unsafe,format=${disk.format ?? "raw"},file=${disk.path},${disk.keep === true ? "" : "snapshot=on,"}file.locking=off`,
    "-device",
    `virtio-blk-pci,drive=d${index},addr=${slot(index)}${disk.serial === undefined ? "" : `,serial=${disk.serial}`}`,
  ]);
  const command = [
    ...(await qemuCommand()), "-nodefaults", "-no-user-config", "-machine", process.env["QM"] ?? "q35,smm=off,vmport=off,sata=off", "-accel", "tcg,thread=multi", "-cpu", process.env["QCPU"] ?? "max,-cx16",
    "-smp", process.env["QSMP"] ?? "1", "-m", String(memory), "-display", "none", "-serial", "stdio", "-no-reboot",
    "-kernel", kernel.vmlinux, "-initrd", initrd, "-append", `console=ttyS0 panic=-1 ${process.env["QA"] ?? ""} ${cmdline}`,
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
    setTimeout(() => child.kill("SIGTERM"), linger * 1000);
  };
  const complaints = child.stderr.text();
  for await (const chunk of child.stdout) {
    const parts = (rest + decoder.decode(chunk, { stream: true })).split("\n");
    rest = parts.pop() ?? "";
    parts.forEach(take);
  }
  if (rest !== "") take(rest);
  await child.exited;
  const said = (await complaints).trim();
  if (lines.length === 0 && said !== "") throw new Error(`QEMU did not start: ${said}`);
  const end = matched ? "pattern" : child.signalCode === "SIGKILL" ? "timeout" : "power off";
  return { lines, text: lines.map((line) => line.text).join("\n"), end, seconds: (performance.now() - began) / 1000 };
}

/** Eight disks share a slot of the PCI bus, so that a machine can have more than there are slots. */
function slot(index: number): string {
  const function_ = index % 8;
  return `0x${(4 + Math.floor(index / 8)).toString(16)}.${function_}${function_ === 0 ? ",multifunction=on" : ""}`;
}

const plain = (text: string): string => text.replaceAll("\r", "").replaceAll(/\x1b\[[0-9;:?]*[A-Za-z]|\x1b[=>()][A-Z0-9]?/g, "");

/** QEMU takes one file; archives may follow one another in it, each padded to four bytes. */
async function concatenated(files: readonly string[]): Promise<string> {
  const [first = ""] = files;
  if (files.length < 2) return first;
  const name = `${first}+${Bun.hash(files.join("\n")).toString(16)}`;
  const parts: (Uint8Array<ArrayBuffer> | Bun.BunFile)[] = [];
  for (const file of files) {
    const part = Bun.file(file);
    parts.push(part, new Uint8Array((4 - (part.size % 4)) % 4));
  }
  await Bun.write(name, new Response(new Blob(parts)));
  return name;
}
