/**
 * Runs inside the virtual machine of signed-boot.ts, under the bare Bun: every contestant in turn, round after round, each on a freshly
 * mounted disk, and a line of JSON on the console for each.
 */

import { mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { dirname } from "node:path";
import type { Plan, Sample } from "./signed-boot.ts";

const { contestants, rounds } = JSON.parse(readFileSync("/lab/plan.json", "utf8")) as Plan;
const ENVIRONMENT = { PATH: "/usr/bin:/usr/sbin:/bin:/sbin" };

function must(...command: readonly string[]): void {
  const { exitCode, stderr } = Bun.spawnSync([...command], { env: ENVIRONMENT });
  if (exitCode !== 0) throw new Error(`${command.join(" ")}: exit ${exitCode}\n${stderr.toString()}`);
}

function disk(serial: string): string {
  const name = readdirSync("/sys/block").find((block) => block.startsWith("vd") && readFileSync(`/sys/block/${block}/serial`, "utf8").trim() === serial);
  if (name === undefined) throw new Error(`no disk ${serial}`);
  return `/dev/${name}`;
}

const mounts = (): string[] => readFileSync("/proc/self/mountinfo", "utf8").split("\n").filter((line) => / \/sysroot[ /]/.test(line));

function measure(name: string): Sample {
  const contestant = contestants.find((each) => each.name === name);
  if (contestant === undefined) throw new Error(`no ${name}`);
  for (const path of ["/etc/ostree", "/usr/lib/ostree/prepare-root.conf", "/run/ostree", "/run/ostree-booted", "/run/sealroot", "/run/systemd"]) rmSync(path, { recursive: true, force: true });
  for (const [path, content] of Object.entries(contestant.files)) {
    mkdirSync(dirname(path), { recursive: true });
    writeFileSync(path, content);
  }
  must("mount", "-t", "ext4", disk(contestant.disk), "/sysroot");
  const started = performance.now();
  const child = Bun.spawnSync([...contestant.command], { env: ENVIRONMENT, stdin: "ignore", stdout: "pipe", stderr: "pipe" });
  const wall = performance.now() - started;
  if (child.exitCode !== 0) throw new Error(`${name}: exit ${child.exitCode}\n${child.stderr.toString()}${child.stdout.toString()}`);
  const root = mounts().find((line) => / \/sysroot .* - overlay /.test(line)) ?? "";
  if (!root.includes("verity=require")) throw new Error(`${name}: what is mounted is not verified: ${mounts().join("; ")}`);
  while (mounts().length > 0) must("umount", "-R", "/sysroot");
  return { name, wall, cpu: Number(child.resourceUsage.cpuTime.total) / 1000 };
}

try {
  // the first round is not counted: it loads drivers
  for (let round = 0; round <= rounds; round++) {
    for (const { name } of contestants) {
      const sample = measure(name);
      if (round > 0) console.log(`SAMPLE ${JSON.stringify(sample)}`);
    }
  }
  console.log("BENCH DONE");
} catch (error) {
  console.log(`BENCH FAILED ${error instanceof Error ? error.message : String(error)}`);
}
