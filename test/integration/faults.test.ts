/**
 * Every system call of a boot is made to fail once, by a kernel that is otherwise the real one. Whatever fails, and wherever: the
 * boot is whole, or it is refused with a code of its own and nothing is left behind.
 */

import { describe, expect, test } from "bun:test";
import { readdirSync, rmSync } from "node:fs";
import { CATALOGUE, type ErrorCode } from "../../src/errors/index.ts";
import { image } from "../support/images.ts";
import type { Finished } from "../support/initramfs.ts";
import { Initramfs } from "../support/initramfs.ts";
import { type DiskKind, physicalRoot } from "../support/physical-root.ts";
import type { Faults } from "../support/faults/rules.ts";
import { faultyCommand, unverified } from "../support/program.ts";
import { expectOneBlock } from "../support/refusal.ts";

interface Scenario {
  readonly kind: DiskKind;
  readonly config?: string;
  readonly faults?: Faults;
  readonly args?: readonly string[];
  /** By name; what each stands for: memory, a disk, "try the next rung", privilege. */
  readonly errnos: readonly (keyof typeof ERRNOS)[];
}

const ERRNOS = { ENOMEM: 12, EIO: 5, EINVAL: 22, EPERM: 1 } as const;

const SCENARIOS: Readonly<Record<string, Scenario>> = {
  plain: { kind: "ext4", errnos: ["EIO", "EINVAL"] },
  "everything transient": { kind: "ext4", config: '[root]\ntransient = true\n[etc]\nmount = "transient"\n[var]\nmount = "transient"\nsize = "1M"\n', errnos: ["EINVAL"] },
  "an old kernel": { kind: "ext4", config: "[root]\ntransient = true\n", faults: { kernel: "6.1" }, errnos: ["EPERM"] },
  "a loop device": { kind: "tmpfs", args: ["--layout", "bootc"], errnos: ["ENOMEM"] },
};

async function fresh({ kind, config = "" }: Scenario, digest: string): Promise<Initramfs> {
  const initramfs = await Initramfs.create();
  await physicalRoot(initramfs, { kind, state: [digest] });
  initramfs.write("/etc/conf.toml", config);
  // layers are made once and then stay: without them each run would make other calls than the first
  initramfs.shell(`mkdir -p /sysroot/state/deploy/${digest}/etc/upper /sysroot/state/deploy/${digest}/etc/work/work /run/sealroot`);
  return initramfs;
}

const overSysroot = (table: readonly string[]): string[] => table.filter((line) => line.startsWith("/sysroot") && line.includes(" overlay "));

const codeOf = (exit: number | null): ErrorCode | undefined =>
  Object.keys(CATALOGUE).find((candidate): candidate is ErrorCode => CATALOGUE[candidate as ErrorCode].exit === exit);

/** As many boots at once as CI machines have cores. */
const LANES = 2;

describe("a boot whose nth system call fails", () => {
  for (const [name, scenario] of Object.entries(SCENARIOS)) {
    for (const errnoName of scenario.errnos) {
      test(`${name}: ${errnoName}`, async () => {
        const digest = await image();
        const run = (initramfs: Initramfs, faults: Faults): Promise<Finished> =>
          initramfs.start(...faultyCommand({ ...scenario.faults, ...faults }, unverified(digest), "--config", "/etc/conf.toml", ...(scenario.args ?? [])));

        using counted = await fresh(scenario, digest);
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
          return false;
        };
        await Promise.all(Array.from({ length: LANES }, async (_, lane) => {
          let initramfs = await fresh(scenario, digest);
          try {
            for (const [number, call] of calls.entries()) {
              if (number % LANES !== lane || !(await tryOne(initramfs, number, call))) continue;
              initramfs[Symbol.dispose]();
              initramfs = await fresh(scenario, digest);
            }
          } finally {
            initramfs[Symbol.dispose]();
          }
        }));
        expect(outcomes.size).toBeGreaterThan(3);
      }, 300_000);
    }
  }
});
