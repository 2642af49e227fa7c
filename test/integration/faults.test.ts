/**
 * Every system call of a boot is made to fail once, by a kernel that is otherwise the real one. Whatever fails, and wherever: the
 * boot is whole, or it is refused with a code of its own and nothing is left behind.
 */

import { describe, expect, test } from "bun:test";
import { image } from "../support/images.ts";
import type { Finished } from "../support/initramfs.ts";
import { Initramfs } from "../support/initramfs.ts";
import { type DiskKind, physicalRoot } from "../support/physical-root.ts";
import { type ERRNOS, failEachCall } from "../support/faults/each-call.ts";
import type { Faults } from "../support/faults/rules.ts";
import { faultyCommand, unverified } from "../support/program.ts";

interface Scenario {
  readonly kind: DiskKind;
  readonly config?: string;
  readonly faults?: Faults;
  readonly args?: readonly string[];
  /** By name; what each stands for: memory, a disk, "try the next rung", privilege. */
  readonly errnos: readonly (keyof typeof ERRNOS)[];
}

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

describe("a boot whose nth system call fails", () => {
  for (const [name, scenario] of Object.entries(SCENARIOS)) {
    for (const errnoName of scenario.errnos) {
      test(`${name}: ${errnoName}`, async () => {
        const digest = await image();
        const run = (initramfs: Initramfs, faults: Faults): Promise<Finished> =>
          initramfs.start(...faultyCommand({ ...scenario.faults, ...faults }, unverified(digest), "--config", "/etc/conf.toml", ...(scenario.args ?? [])));

        const outcomes = await failEachCall({ fresh: () => fresh(scenario, digest), run, errnoName });
        expect(outcomes.size).toBeGreaterThan(3);
      }, 300_000);
    }
  }
});
