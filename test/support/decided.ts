/**
 * Run in a namespace by a test: decides on a boot, lets a shell script do to the disk what an attacker could do at that moment, and then
 * performs what was decided. Prints the plan as JSON. Argument: JSON of {@link Decided}.
 */

import { decide, DEFAULT_CONFIG, DEFAULT_SYSROOT } from "../../src/boot/index.ts";
import { perform } from "../../src/boot/perform.ts";
import { computeDigest } from "../../src/commands/image-digest.ts";

export interface Decided {
  readonly cmdline: string;
  /** Between the decision and its performance; without it nothing is mounted, and a digest is computed where the kernel has none. */
  readonly meanwhile?: string;
}

if (import.meta.main) {
  const { cmdline, meanwhile } = JSON.parse(process.argv[2] ?? "") as Decided;
  const base = { sysroot: DEFAULT_SYSROOT, config: DEFAULT_CONFIG, cmdline, target: undefined, rootFs: undefined, layout: "composefs" } as const;
  using decision = decide(meanwhile === undefined ? { ...base, computeDigest, trustComputed: "always" } : base);
  if (meanwhile !== undefined) {
    const done = Bun.spawnSync(["bash", "-ec", meanwhile]);
    if (done.exitCode !== 0) throw new Error(done.stderr.toString());
    perform(decision);
  }
  process.stdout.write(JSON.stringify(decision.plan));
}
