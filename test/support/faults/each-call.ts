/** Makes each system call of a boot fail once; whatever fails, the boot is whole or refused, and nothing is left behind. */

import { expect } from "bun:test";
import { readdirSync, rmSync } from "node:fs";
import { CATALOGUE, type ErrorCode } from "../../../src/errors/index.ts";
import type { Finished, Initramfs } from "../initramfs.ts";
import { expectOneBlock } from "../refusal.ts";
import type { Faults } from "./rules.ts";

export const ERRNOS = { ENOMEM: 12, EIO: 5, EINVAL: 22, EPERM: 1 } as const;

export interface EachCall {
  /** An initramfs that makes the same calls whenever it boots. */
  readonly fresh: () => Promise<Initramfs>;
  readonly run: (initramfs: Initramfs, faults: Faults) => Promise<Finished>;
  readonly errnoName: keyof typeof ERRNOS;
  /** What else has to hold after a refusal. */
  readonly checkRefused?: (initramfs: Initramfs) => void;
}

const overSysroot = (table: readonly string[]): string[] => table.filter((line) => line.startsWith("/sysroot") && line.includes(" overlay "));

const codeOf = (exit: number | null): ErrorCode | undefined =>
  Object.keys(CATALOGUE).find((candidate): candidate is ErrorCode => CATALOGUE[candidate as ErrorCode].exit === exit);

/** As many boots at once as CI machines have cores. */
const LANES = 2;

/** @returns the codes of the refusals that were seen, and "whole" where a boot did without the call */
export async function failEachCall({ fresh, run, errnoName, checkRefused }: EachCall): Promise<ReadonlySet<string>> {
  using counted = await fresh();
  expect(await run(counted, { log: "/tmp/calls" })).toMatchObject({ exit: 0 });
  const calls = counted.read("/tmp/calls").trimEnd().split("\n");
  expect(calls.length).toBeGreaterThan(50);
  const whole = overSysroot(counted.mountTable()).length;
  const outcomes = new Set<string>();

  /** @returns whether the boot was whole, so that its namespace is used up */
  const tryOne = async (initramfs: Initramfs, number: number, call: string): Promise<boolean> => {
    rmSync(initramfs.at("/run/sealroot/boot.json"), { force: true });
    const before = initramfs.mountTable();
    const done = await run(initramfs, { failCall: number, errno: ERRNOS[errnoName] });
    const where = `${call}: ${errnoName}\n${done.stdout}${done.stderr}`;
    expect(done.hung, where).toBe(false);
    expect(readdirSync(initramfs.at("/run/sealroot")).filter((file) => !file.startsWith("boot.json")), where).toEqual([]);
    if (done.exit === 0) {
      outcomes.add("whole");
      expect(overSysroot(initramfs.mountTable()).length, where).toBe(whole);
      return true;
    }
    const code = codeOf(done.exit);
    if (code === undefined || code === "SR-E900") throw new Error(where);
    outcomes.add(code);
    expectOneBlock(done.stderr, code);
    expect(initramfs.mountTable(), where).toEqual(before);
    checkRefused?.(initramfs);
    return false;
  };
  await Promise.all(Array.from({ length: LANES }, async (_, lane) => {
    let initramfs = await fresh();
    try {
      for (const [number, call] of calls.entries()) {
        if (number % LANES !== lane || !(await tryOne(initramfs, number, call))) continue;
        initramfs[Symbol.dispose]();
        initramfs = await fresh();
      }
    } finally {
      initramfs[Symbol.dispose]();
    }
  }));
  return outcomes;
}
