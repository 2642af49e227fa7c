/**
 * `sealroot setup-root` beside mount.composefs, and beside composefs-setup-root where one is given, on the same image in one run.
 *
 *   npm run bench [-- --runs N] [--peer /path/to/composefs-setup-root] [--json]
 *
 * The programs run in turn (A B C A B C …), so that a drift of the machine's speed meets all of them. This machine's kernel may
 * have no fs-verity: the image is mounted with `?`, which leaves out one ioctl and one mount option. Needs root.
 */

import { existsSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { parseArgs } from "node:util";
import { composefsRepository } from "../vm/lab/deployment.ts";
import { composefsTool, debianTree } from "../vm/lab/tree.ts";

const IN_NAMESPACE = "SEALROOT_BENCH_NAMESPACE";
const top = `${import.meta.dir}/../..`;

const { values } = parseArgs({
  args: process.argv.slice(2),
  options: { runs: { type: "string", default: "40" }, peer: { type: "string" }, json: { type: "boolean", default: false } },
});

if (process.env[IN_NAMESPACE] === undefined) {
  const again = Bun.spawnSync(["unshare", "--mount", "--propagation=private", process.execPath, import.meta.path, ...process.argv.slice(2)], {
    stdio: ["ignore", "inherit", "inherit"],
    env: { ...process.env, [IN_NAMESPACE]: "1" },
  });
  process.exit(again.exitCode);
}

interface Sample {
  readonly wall: number;
  readonly withUmount: number;
  readonly cpu: number;
}

interface Contestant {
  readonly name: string;
  readonly command: readonly string[];
  readonly mountPoint: string;
  prepare?(): void;
  readonly samples: Sample[];
}

function must(command: readonly string[]): void {
  const { exitCode, stderr } = Bun.spawnSync([...command]);
  if (exitCode !== 0) throw new Error(`${command.join(" ")}: exit ${exitCode}\n${stderr.toString()}`);
}

const median = (numbers: number[]): number => numbers.toSorted((a, b) => a - b)[numbers.length >> 1] ?? NaN;

function measure({ command, mountPoint, prepare }: Contestant): Sample {
  prepare?.();
  const start = performance.now();
  const child = Bun.spawnSync([...command], { stdout: "ignore", stderr: "pipe" });
  const mounted = performance.now();
  if (child.exitCode !== 0) throw new Error(`${command.join(" ")}: exit ${child.exitCode}\n${child.stderr.toString()}`);
  const beforeUmount = performance.now();
  must(["umount", "-R", mountPoint]);
  const wall = mounted - start;
  return {
    wall,
    withUmount: wall + performance.now() - beforeUmount,
    cpu: Number(child.resourceUsage.cpuTime.total) / 1000,
  };
}

/** Peak memory in MiB, by GNU time: a child of this process would be counted with this process's own memory. */
function peakMemory({ command, mountPoint, prepare }: Contestant): number {
  prepare?.();
  const child = Bun.spawnSync(["time", "--format=%M", ...command], { stdout: "ignore", stderr: "pipe" });
  must(["umount", "-R", mountPoint]);
  return Number(child.stderr.toString().trim().split("\n").at(-1)) / 1024;
}

async function contestants(work: string): Promise<Contestant[]> {
  const physical = join(work, "physical");
  const mountPoint = join(work, "mnt");
  for (const folder of [physical, mountPoint]) mkdirSync(folder, { recursive: true });
  const tree = await debianTree();
  const digest = await composefsRepository(tree, physical);
  writeFileSync(join(physical, "composefs/meta.json"), '{"version":1,"algorithm":"fsverity-sha256-12","features":{"compatible":[],"read-only-compatible":["v1_erofs"],"incompatible":[]}}\n');
  for (const folder of ["etc/upper", "etc/work", "var"]) mkdirSync(join(physical, "state/deploy", digest, folder), { recursive: true });
  const bare = join(work, "bare.toml");
  writeFileSync(bare, '[etc]\nmount = "none"\n[var]\nmount = "none"\n');
  const none = join(work, "none.toml");
  const argument = `composefs.digest=?v1-sha256-12:${digest}`;
  const sealroot = [join(top, "dist/sealroot"), "setup-root", "--sysroot", physical, "--target", mountPoint, "--cmdline", argument];
  const list: Contestant[] = [
    { name: "sealroot, root only", command: [...sealroot, "--config", bare], mountPoint, samples: [] },
    { name: "sealroot, with etc and var", command: [...sealroot, "--config", none], mountPoint, samples: [] },
    {
      name: "mount.composefs",
      command: [...(await composefsTool("mount.composefs")), "-o", `basedir=${physical}/composefs/objects`, join(physical, "composefs/images", digest), mountPoint],
      mountPoint,
      samples: [],
    },
  ];
  if (values.peer !== undefined) {
    if (!existsSync(values.peer)) throw new Error(`there is no ${values.peer}`);
    const sysroot = join(work, "sysroot");
    mkdirSync(sysroot);
    list.push({
      name: "composefs-setup-root",
      command: [values.peer, "--sysroot", sysroot, "--config", none, "--cmdline", argument],
      mountPoint: sysroot,
      prepare: () => must(["mount", "--bind", physical, sysroot]),
      samples: [],
    });
  }
  return list;
}

if (Bun.which("time") === null) must(["apt-get", "install", "-y", "-q", "time"]);
const work = mkdtempSync(join(tmpdir(), "sealroot-bench-"));
try {
  if (!existsSync(join(top, "dist/sealroot"))) throw new Error("there is no dist/sealroot: npm run build");
  const list = await contestants(work);
  for (const contestant of list) measure(contestant);
  for (let run = 0; run < Number(values.runs); run++) for (const contestant of list) contestant.samples.push(measure(contestant));
  const base = list.find(({ name }) => name === "mount.composefs");
  const rows = list.map((contestant) => {
    const { name, samples } = contestant;
    const figure = (key: keyof Sample) => ({ median: median(samples.map((sample) => sample[key])), ratio: median(samples.map((sample, i) => sample[key] / (base?.samples[i]?.[key] ?? NaN))) });
    return { name, wall: figure("wall"), withUmount: figure("withUmount"), cpu: figure("cpu"), memory: peakMemory(contestant) };
  });
  if (values.json) console.log(JSON.stringify({ runs: Number(values.runs), rows }, null, 2));
  else {
    console.log(`medians of ${values.runs} runs in turn; in brackets the median ratio to mount.composefs, run by run\n`);
    console.log(`${"".padEnd(28)}${["wall ms", "with umount ms", "cpu ms"].map((title) => title.padStart(18)).join("")}${"memory MiB".padStart(14)}`);
    for (const row of rows) {
      const cells = [row.wall, row.withUmount, row.cpu].map(({ median: value, ratio }) => `${value.toFixed(1)} (${ratio.toFixed(2)})`.padStart(18));
      console.log(`${row.name.padEnd(28)}${cells.join("")}${row.memory.toFixed(1).padStart(14)}`);
    }
  }
} finally {
  // the peer leaves the old sysroot mounted under the new one
  while (Bun.spawnSync(["umount", "-R", join(work, "sysroot")]).exitCode === 0);
  rmSync(work, { recursive: true, force: true });
}
