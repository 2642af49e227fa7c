/** From named cases to tests: one bench machine for each kernel, started when the first of its tests runs. */

import { describe, expect, test } from "bun:test";
import { CATALOGUE, type ErrorCode } from "../../../src/errors/index.ts";
import { describeMountTable, type MountEntry, parseMountTable, topMount } from "../../support/mount-table.ts";
import { expectOneBlock } from "../../support/refusal.ts";
import { bench, type BenchCase, type CaseResult } from "./bench.ts";
import { debianDisk, type SystemDisk } from "./disks.ts";
import type { KernelSeries } from "./kernel.ts";

export interface Disks {
  readonly ext4: SystemDisk;
  readonly btrfs: SystemDisk;
  readonly sha512: SystemDisk;
}

export type CaseMaker<D = Disks> = (disks: D) => Promise<Omit<BenchCase, "name">> | Omit<BenchCase, "name">;

export interface Checked<D = Disks> {
  readonly make: CaseMaker<D>;
  readonly check: (result: CaseResult, disks: D) => void;
}

let made: Promise<Disks> | undefined;

/** The disks that all cases share. */
export function disks(): Promise<Disks> {
  return (made ??= (async () => ({
    ext4: await debianDisk({ filesystem: "ext4", algorithm: "sha256" }),
    btrfs: await debianDisk({ filesystem: "btrfs", algorithm: "sha256" }),
    sha512: await debianDisk({ filesystem: "ext4", algorithm: "sha512" }),
  }))());
}

async function runCases<D>(what: string, series: KernelSeries, cases: Readonly<Record<string, Checked<D>>>, shared: D): Promise<ReadonlyMap<string, CaseResult>> {
  return bench(what, series, await Promise.all(Object.entries(cases).map(async ([name, { make }]) => ({ ...(await make(shared)), name }))));
}

/** Of the suites of a file: their machines take turns by themselves, and one that has to wait for the others' end wastes a processor. */
const starters: (() => void)[] = [];

/** Registers a test for each case on each kernel; the machines of all kernels run side by side. */
export const onKernels = (what: string, cases: Readonly<Record<string, Checked>>, kernels: readonly KernelSeries[]): void => casesOn(what, cases, kernels, disks);

/** The same with other disks. */
export function casesOn<D>(what: string, cases: Readonly<Record<string, Checked<D>>>, kernels: readonly KernelSeries[], disks: () => Promise<D>): void {
  let machines: Map<KernelSeries, Promise<ReadonlyMap<string, CaseResult>>> | undefined;
  const start = (): void => {
    machines ??= new Map(
      kernels.map((each) => {
        const results = disks().then((shared) => runCases(what, each, cases, shared));
        results.catch(() => undefined); // each test that waits for it reports the failure
        return [each, results];
      }),
    );
  };
  starters.push(start);
  const machine = (series: KernelSeries): Promise<ReadonlyMap<string, CaseResult>> | undefined => {
    for (const each of starters) each();
    return machines?.get(series);
  };
  for (const series of kernels) {
    describe(`${what}, Linux ${series}`, () => {
      for (const [name, { check }] of Object.entries(cases)) {
        test(name, async () => {
          const result = (await machine(series))?.get(name);
          if (result === undefined) throw new Error("the case did not run");
          expect(result.log).toBe("");
          check(result, await disks());
        }, 1_800_000);
      }
    });
  }
}

/** The mounts at and below /sysroot after the case, as `[target, filesystem, source]`. */
export function newMounts(result: CaseResult): MountEntry[] {
  const before = new Set(parseMountTable(result.before).map(({ id }) => id));
  return parseMountTable(result.after).filter(({ id }) => !before.has(id));
}

/** The mount that is seen at a path after the case. */
export function mountAt(result: CaseResult, target: string): MountEntry {
  const found = topMount(parseMountTable(result.after), target);
  if (found === undefined) throw new Error(`nothing is mounted at ${target}`);
  return found;
}

/** /run/sealroot/boot.json of a case. */
export function reportOf(result: CaseResult): Record<string, unknown> {
  const report: unknown = JSON.parse(result.report ?? "null");
  if (typeof report !== "object" || report === null) throw new Error("there is no boot.json");
  return report as Record<string, unknown>;
}

/** Success: status 0, the kinds of mounts given and no other, and a report that says so. */
export function expectMounted(result: CaseResult, mounts: Readonly<Record<string, string>>): void {
  // Notes and warnings may stand there, an error may not.
  expect(result.stderr).not.toMatch(/\[SR-E\d+\]|cannot mount/);
  expect(result.exit).toBe(0);
  expect(Object.fromEntries(newMounts(result).map(({ target, filesystem, source }) => [target, `${filesystem} ${source}`]))).toEqual(mounts);
  expect(newMounts(result).length).toBe(Object.keys(mounts).length);
  expect(reportOf(result)["ok"]).toBe(true);
}

/** Refusal: code, exit status, console block, report, and the mount table as it was. */
export function expectRefused(result: CaseResult, code: ErrorCode, ...texts: readonly (string | RegExp)[]): void {
  expectOneBlock(result.stderr, code);
  for (const text of texts) expect(result.stderr).toMatch(text);
  expect(result.exit).toBe(CATALOGUE[code].exit);
  expect(result.stdout).toBe("");
  expect(describeMountTable(parseMountTable(result.after))).toEqual(describeMountTable(parseMountTable(result.before)));
  expect(reportOf(result)).toMatchObject({ ok: false, error: { code, exit: CATALOGUE[code].exit } });
  expect(result.volatileRoot).toBeUndefined();
}
