/** Whole boots: dracut's initramfs with systemd, the units and the guard, a Debian system as the image, to multi-user or to a stop. */

import { describe, expect, test } from "bun:test";
import { CATALOGUE, type ErrorCode } from "../../src/errors/index.ts";
import { parseMountTable, topMount } from "../support/mount-table.ts";
import { REPORT_BEGIN, REPORT_END } from "./lab/deployment.ts";
import { debianDisk, LABEL, type SystemDisk } from "./lab/disks.ts";
import { withConfig } from "./lab/extra-archive.ts";
import { damagedDisk, flippedByte, onDisk } from "./lab/faults.ts";
import { type BootFiles, bootFiles, executable } from "./lab/initramfs.ts";
import type { KernelSeries } from "./lab/kernel.ts";
import { boot, type BootResult } from "./lab/qemu.ts";
import { type SignedDisk, signedBootFiles, signedDisk } from "./lab/signed-initramfs.ts";
import { disks } from "./lab/suite.ts";

/** What ends a boot that was refused. */
const STOPPED = /You are in emergency mode|Entering emergency mode|Kernel panic|Reached target emergency\.target/;

interface Wanted {
  readonly kernel: KernelSeries;
  readonly disk: () => Promise<{ readonly path: string; readonly argument: string }>;
  /** Arguments beside root=; default the disk's image. */
  readonly arguments?: (argument: string) => string;
  readonly config?: string;
  /** Default: no policy. */
  readonly files?: (series: KernelSeries) => Promise<BootFiles>;
}

async function start(name: string, { kernel, disk, config, files: make = bootFiles, ...wanted }: Wanted): Promise<BootResult> {
  const [files, { path, argument }] = [await make(kernel), await disk()];
  return boot({
    name,
    kernel: files.kernel,
    initramfs: [files.initramfs, ...(config === undefined ? [] : [withConfig(config)])],
    cmdline: `root=LABEL=${LABEL} rw ${(wanted.arguments ?? ((text) => text))(argument)}`,
    disks: [{ path }],
    until: STOPPED,
    linger: 1,
    timeout: 300, // a quiet machine needs fifteen; what matters is that a hang ends
  });
}

const tail = (result: BootResult): string => result.lines.slice(-40).map(({ text }) => text).join("\n");

/** The lines that the booted system printed about itself. */
function report(result: BootResult): readonly string[] {
  const texts = result.lines.map(({ text }) => text);
  const [begin, end] = [texts.findIndex((text) => text.includes(REPORT_BEGIN)), texts.indexOf(REPORT_END)];
  if (begin < 0 || end < 0) throw new Error(`the system did not come up (${result.end}):\n${tail(result)}`);
  return texts.slice(begin + 1, end);
}

/** Values of the report's lines that begin with a word. */
const values = (lines: readonly string[], word: string): string[] => lines.filter((line) => line.startsWith(`${word} `)).map((line) => line.slice(word.length + 1));

function expectRunning(result: BootResult, disk: SystemDisk): readonly string[] {
  const lines = report(result);
  expect(values(lines, "failed")).toEqual([]);
  expect(values(lines, "state")).toEqual(["running"]);
  const table = parseMountTable(values(lines, "mountinfo").join("\n"));
  expect(topMount(table, "/")).toMatchObject({ filesystem: "overlay" });
  expect(topMount(table, "/")?.source).toEndWith(disk.digest);
  // The repository is to be seen, and nothing of the new root a second time.
  expect(topMount(table, "/sysroot")?.filesystem).not.toBe("overlay");
  expect(table.filter(({ target }) => target.startsWith("/sysroot")).length).toBe(1);
  expect(table.filter(({ target }) => target === "/etc" || target === "/var").length).toBe(2);
  return lines;
}

const verified = (lines: readonly string[]): boolean => values(lines, "mountinfo").some((line) => / \/ \/ .* - overlay .*verity=require/.test(line));

/** The console shows the block, the boot stops, and no part of the disk's system runs. */
function expectStopped(result: BootResult, code: ErrorCode, ...texts: readonly RegExp[]): void {
  expect(result.text).toContain(`[${code}]`);
  for (const label of ["meaning", "next"]) expect(result.text).toMatch(new RegExp(`(sealroot|guard).*: {3}${label} `));
  for (const text of texts) expect(result.text).toMatch(text);
  expect(result.text).toMatch(STOPPED);
  expect(result.text).not.toContain(REPORT_BEGIN);
  expect(result.text).not.toMatch(/Welcome to .*trixie|Switching root/);
  expect(result.text).not.toMatch(/^\s+at .*\.ts:\d+/m);
}

/** With sealroot in the image, for `sealroot status`; found once, so that a build during the tests does not exchange it. */
let withProgram: Promise<SystemDisk> | undefined;
const complete = (): Promise<SystemDisk> => (withProgram ??= debianDisk({ filesystem: "ext4", algorithm: "sha256", executable: executable() }));
const ext4 = async (): Promise<SystemDisk> => (await disks()).ext4;
/** With a commit for the image, signed by the key in the initramfs. */
let withCommit: Promise<SignedDisk> | undefined;
const signed = (): Promise<SignedDisk> => (withCommit ??= complete().then((disk) => signedDisk("signed", disk)));

interface Case {
  readonly wanted: Wanted;
  readonly check: (result: BootResult) => Promise<void> | void;
}

const cases: Readonly<Record<string, Case>> = {
  "6.12: to multi-user, verified": {
    wanted: { kernel: "6.12", disk: complete },
    check: async (result) => {
      const lines = expectRunning(result, await complete());
      expect(verified(lines)).toBe(true);
      expect(values(lines, "write")).toEqual(["/usr no", "/etc yes", "/var yes", "/ no"]);
      expect(values(lines, "volatile-root")[0]).toMatch(/^\/dev\/block\/\d+:\d+$/);
      const status = values(lines, "status:");
      expect(status.join("\n")).toContain("every read, by the kernel (verity=require)");
      expect(status.at(-1)).toBe("status-exit 0");
    },
  },
  "6.12: to multi-user, signed": {
    wanted: { kernel: "6.12", disk: signed, files: signedBootFiles, arguments: (text) => `${text} lab.proof` },
    check: async (result) => {
      const { digest, commit, key, ...disk } = await signed();
      const lines = expectRunning(result, { digest, ...disk });
      expect(verified(lines)).toBe(true);
      const booted = JSON.parse(values(lines, "boot.json").join("\n")) as Record<string, unknown>;
      expect(booted).toMatchObject({ ok: true, level: "signed", enforced: true, image: { digest }, signed: { commit: commit.id, keys: [key.id] } });
      const status = values(lines, "status:");
      expect(status.join("\n")).toContain(key.id);
      expect(status.at(-1)).toBe("status-exit 0");
    },
  },
  "6.12: the same machine without the signature is refused": {
    wanted: { kernel: "6.12", disk: async () => signedDisk("unsigned", await complete(), { signed: false }), files: signedBootFiles },
    check: (result) => expectStopped(result, "SR-E220", /commitmeta/),
  },
  "6.12: the same machine refuses a signed release that is older than its initramfs": {
    wanted: { kernel: "6.12", disk: async () => signedDisk("old", await complete(), { time: "2020-01-01T00:00:00Z" }), files: signedBootFiles, arguments: (text) => `${text} ostree.prepare-root.composefs=0 quiet` },
    check: (result) => expectStopped(result, "SR-E228", /2020-01-01/),
  },
  "7.2: to multi-user, verified": {
    wanted: { kernel: "7.2", disk: ext4 },
    check: async (result) => expect(verified(expectRunning(result, await ext4()))).toBe(true),
  },
  "6.1: to multi-user with a ?": {
    wanted: { kernel: "6.1", disk: ext4, arguments: (text) => text.replace("=", "=?") },
    check: async (result) => {
      expect(verified(expectRunning(result, await ext4()))).toBe(false);
      expect(result.text).toContain("NOT VERIFIED");
    },
  },
  "6.1: refused without a ?": {
    wanted: { kernel: "6.1", disk: ext4, arguments: (text) => `${text} quiet` },
    check: (result) => expectStopped(result, "SR-E302", /6\.6/),
  },
  "6.12: an image with a flipped byte is refused, on a quiet console as well": {
    wanted: {
      kernel: "6.12",
      disk: async () => {
        const disk = await ext4();
        return { path: await damagedDisk("test", disk.path, [await flippedByte(disk.path, onDisk(disk.digest), 1200)]), argument: `${disk.argument} quiet` };
      },
    },
    check: (result) => expectStopped(result, "SR-E214", /EIO/),
  },
  "6.12: no argument and a policy": {
    wanted: { kernel: "6.12", disk: ext4, arguments: () => "", config: '[trust]\nlevel = "verity"\n' },
    check: (result) => expectStopped(result, "SR-E102"),
  },
  "6.12: the unit masked on the kernel command line; the guard": {
    wanted: { kernel: "6.12", disk: ext4, arguments: (text) => `${text} rd.systemd.mask=sealroot-setup-root.service` },
    check: (result) => expectStopped(result, "SR-E610", /did not run/),
  },
  "6.12: unit and guard masked on the kernel command line": {
    wanted: { kernel: "6.12", disk: ext4, arguments: (text) => `${text} rd.systemd.mask=sealroot-setup-root.service rd.systemd.mask=sealroot-guard.service` },
    check: (result) => expectStopped(result, "SR-E610"),
  },
  "6.12: transient root": {
    wanted: { kernel: "6.12", disk: ext4, config: "[root]\ntransient = true\n" },
    check: async (result) => {
      const lines = expectRunning(result, await ext4());
      expect(verified(lines)).toBe(true);
      expect(values(lines, "write")).toEqual(["/usr yes", "/etc yes", "/var yes", "/ yes"]);
    },
  },
  "6.12: a repository on btrfs": {
    wanted: { kernel: "6.12", disk: async () => (await disks()).btrfs },
    check: async (result) => {
      const lines = expectRunning(result, (await disks()).btrfs);
      expect(verified(lines)).toBe(true);
      expect(values(lines, "volatile-root")[0]).toMatch(/^\/dev\/block\/[1-9]\d*:\d+$/);
    },
  },
  "7.2: objects by SHA-512": {
    wanted: { kernel: "7.2", disk: async () => (await disks()).sha512 },
    check: async (result) => expect(verified(expectRunning(result, (await disks()).sha512))).toBe(true),
  },
};

describe("boots", () => {
  const running = new Map<string, Promise<BootResult>>();
  /** All boots are started with the first test; the lab keeps as many machines running as there are processors. */
  const result = (name: string): Promise<BootResult> | undefined => {
    if (running.size === 0) {
      for (const [each, { wanted }] of Object.entries(cases)) {
        const machine = start(each, wanted);
        machine.catch(() => undefined); // the test that waits for it reports the failure
        running.set(each, machine);
      }
    }
    return running.get(name);
  };
  for (const [name, { check }] of Object.entries(cases)) {
    test(name, async () => {
      const machine = await result(name);
      if (machine === undefined) throw new Error("the machine was not started");
      await check(machine);
    }, 1_800_000);
  }

  test("codes of the console are in the catalogue", () => {
    expect(CATALOGUE["SR-E610"].exit).toBe(75);
  });
});
