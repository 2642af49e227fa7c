/**
 * Images beside the C tools, in turn and in the same run: directories with and without a store, the largest dumpfile at hand, the digest
 * of 1 GiB. Ratios over theirs; the page cache is warm. Stores are on this machine's disk: its speed and whoever else uses it are in
 * every figure that waits for it. The parts with stores need some 20 GB. Memory is at least this program's own, which its children begin
 * with.
 *
 *   bun test/bench/images.ts [--runs=N] [--files=N] [--dumpfile=FILE] [--directory=DIR] [PART...]     parts: directory, store, import, dumpfile, digest, memory
 */

import { closeSync, existsSync, ftruncateSync, mkdirSync, mkdtempSync, openSync, readdirSync, rmSync, statSync, writeFileSync, writeSync } from "node:fs";
import { join } from "node:path";
import { parseArgs } from "node:util";
import { debianProgram } from "../support/debian-program.ts";
import { program } from "../support/program.ts";
import { hostPackages } from "../vm/lab/host.ts";
import { composefsTool } from "../vm/lab/tree.ts";

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: { runs: { type: "string", default: "3" }, files: { type: "string", default: "50000" }, dumpfile: { type: "string" }, directory: { type: "string" } },
});
const RUNS = Number(values.runs);
const wanted = (part: string): boolean => positionals.length === 0 || positionals.includes(part);

interface Sample {
  readonly wall: number;
  readonly cpu: number;
  /** MB at most. */
  readonly memory: number;
}

function measure(command: readonly string[]): Sample {
  const started = performance.now();
  const { exitCode, resourceUsage, stderr } = Bun.spawnSync([...command], { stdin: "ignore", stdout: "ignore", stderr: "pipe" });
  const wall = (performance.now() - started) / 1000;
  if (exitCode !== 0) throw new Error(`${command.slice(0, 6).join(" ")} failed: ${stderr.toString()}`);
  return { wall, cpu: Number(resourceUsage.cpuTime.total) / 1e6, memory: resourceUsage.maxRSS / (process.platform === "linux" ? 1024 * 1024 : 1) };
}

const median = (numbers: readonly number[]): number => numbers.toSorted((a, b) => a - b)[numbers.length >> 1] ?? NaN;

/** Runs both in turn and prints their medians; `between` happens before every run, unmeasured. */
function compare(what: string, theirs: () => readonly string[], ours: () => readonly string[], runs = RUNS, between: () => void = () => undefined): void {
  const samples: { theirs: Sample[]; ours: Sample[] } = { theirs: [], ours: [] };
  for (let run = 0; run < runs; run++) {
    for (const [who, command] of [["theirs", theirs], ["ours", ours]] as const) {
      between();
      samples[who].push(measure(command()));
    }
  }
  const of = (who: "theirs" | "ours", field: keyof Sample): number => median(samples[who].map((sample) => sample[field]));
  const ratio = of("theirs", "wall") / of("ours", "wall");
  console.log(
    `${what.padEnd(46)} ${of("theirs", "wall").toFixed(2).padStart(7)} s ${of("ours", "wall").toFixed(2).padStart(7)} s  ${ratio.toFixed(2).padStart(5)}x as fast   `
    + `CPU ${of("theirs", "cpu").toFixed(2).padStart(6)} ${of("ours", "cpu").toFixed(2).padStart(6)} s   memory ${of("theirs", "memory").toFixed(0).padStart(4)} ${of("ours", "memory").toFixed(0).padStart(4)} MB`);
}

/** Sizes as in a system's /usr: most of a few kilobytes, some large; contents that no two share. */
function writeTree(top: string, files: number): void {
  let seed = 12345;
  const random = (): number => (seed = (Math.imul(seed, 1103515245) + 12345) >>> 0) / 2 ** 32;
  const buffer = new Uint8Array(4 << 20);
  for (let at = 0; at < buffer.length; at += 4) new DataView(buffer.buffer).setUint32(at, Math.imul(at, 2654435761) >>> 0);
  for (let index = 0; index < files; index++) {
    const directory = join(top, `d${Math.floor(index / 1000)}`, `e${Math.floor(index / 20) % 50}`);
    if (index % 20 === 0) mkdirSync(directory, { recursive: true });
    const size = Math.min(buffer.length, Math.floor(200 * Math.exp(random() * 6.5 + (random() < 0.03 ? 3 : 0))));
    new DataView(buffer.buffer).setUint32(0, index);
    writeFileSync(join(directory, `file-${index}`), buffer.subarray(0, size));
  }
}

/** A dumpfile of so many files, each in the store. */
function writeDumpfile(path: string, files: number): void {
  const file = openSync(path, "w");
  const lines: string[] = ["/ 4096 40755 2 0 0 0 1700000000.0 - - -"];
  for (let index = 0; index < files; index++) {
    if (index % 500 === 0) lines.push(`/d${index / 500} 4096 40755 2 0 0 0 1700000000.0 - - -`);
    const digest = new Bun.CryptoHasher("sha256").update(String(index)).digest("hex");
    lines.push(`/d${Math.floor(index / 500)}/some-file-name-${index} ${1000 + index} 100644 1 0 0 0 1700000000.0 ${digest.slice(0, 2)}/${digest.slice(2)} - ${digest} security.selinux=system_u:object_r:usr_t:s0\\x00`);
    if (lines.length > 10_000) writeSync(file, `${lines.splice(0).join("\n")}\n`);
  }
  writeSync(file, `${lines.join("\n")}\n`);
  closeSync(file);
}

await hostPackages();
const mkcomposefs = await composefsTool("mkcomposefs");
const ours = program();
const work = mkdtempSync(join(process.cwd(), ".bench-"));
process.on("exit", () => rmSync(work, { recursive: true, force: true }));
console.log(`${"".padEnd(46)} C tools    ours          (medians of ${RUNS} runs in turn, load ${(await Bun.file("/proc/loadavg").text()).split(" ")[0]})`);

if (wanted("directory") || wanted("store")) {
  const tree = values.directory ?? join(work, "tree");
  if (values.directory === undefined) writeTree(tree, Number(values.files));
  const name = values.directory ?? `${values.files} files`;
  const source = [tree];
  measure([...mkcomposefs, "--print-digest-only", ...source]);
  if (wanted("directory")) compare(`digest of ${name}`, () => [...mkcomposefs, "--print-digest-only", ...source], () => [...ours, "mkcomposefs", "--print-digest-only", ...source]);
  if (wanted("store")) {
    const image = join(work, "image");
    let stores = 0;
    // none is removed before the end: ext4 looks long for an inode that was not freed just now, and what an earlier run left to be written
    // is not the next one's work
    const store = (): string => {
      Bun.spawnSync(["sync"]);
      return join(work, `store${++stores}`);
    };
    compare(`${name} into a fresh store`, () => [...mkcomposefs, `--digest-store=${store()}`, ...source, image], () => [...ours, "mkcomposefs", `--digest-store=${store()}`, ...source, image]);
    const filled = join(work, `store${stores}`);
    compare(`${name} into the filled store`, () => [...mkcomposefs, `--digest-store=${filled}`, ...source, image], () => [...ours, "mkcomposefs", `--digest-store=${filled}`, ...source, image]);
    let repositories = 0;
    const repository = (): string => {
      const path = join(work, `repository${++repositories}`);
      measure([...ours, "repo", "init", "--insecure", "--algorithm", "sha256", path]);
      Bun.spawnSync(["sync"]);
      return path;
    };
    compare(`${name}: fresh store, fresh repository`, () => [...mkcomposefs, `--digest-store=${store()}`, ...source, image], () => [...ours, "image", "create", "--recipe", "mkcomposefs", "--repo", repository(), ...source], Math.max(1, RUNS - 1));
  }
}

if (wanted("import")) {
  const tree = join(work, "imported");
  writeTree(tree, 2000);
  const image = join(work, "imported.cfs");
  const from = join(work, "imported-store");
  measure([...mkcomposefs, `--digest-store=${from}`, tree, image]);
  let places = 0;
  const place = (): string => {
    const path = join(work, `import${++places}`);
    measure([...ours, "repo", "init", "--insecure", "--algorithm", "sha256", path]);
    Bun.spawnSync(["sync"]);
    return path;
  };
  // which has no such command: what it takes to put the same objects into a store
  compare("image import with 2000 objects (they: a store)", () => [...mkcomposefs, `--digest-store=${place()}`, tree, image], () => [...ours, "image", "import", "--repo", place(), "--objects", from, image]);
}

if (wanted("dumpfile")) {
  const golden = join(import.meta.dir, "../data/golden");
  const largest = readdirSync(golden).filter((name) => name.endsWith(".dump")).map((name) => join(golden, name)).toSorted((a, b) => statSync(b).size - statSync(a).size)[0];
  const made = join(work, "112000.dump");
  writeDumpfile(made, 112_000);
  for (const path of [values.dumpfile, made, largest].filter((path) => path !== undefined && existsSync(path))) {
    const arguments_ = ["--from-file", path ?? "", join(work, "image")];
    compare(`${(path ?? "").split("/").at(-1)} (${(statSync(path ?? "").size / 1e6).toFixed(1)} MB) to an image`, () => [...mkcomposefs, ...arguments_], () => [...ours, "mkcomposefs", ...arguments_], RUNS * 2 - 1);
  }
}

if (wanted("digest")) {
  const path = join(work, "gigabyte");
  const file = openSync(path, "w");
  const portion = new Uint8Array(1 << 20);
  for (let index = 0; index < 1024; index++) {
    portion.fill(index & 0xff);
    writeSync(file, portion);
  }
  ftruncateSync(file, 1 << 30);
  closeSync(file);
  const fsverity = debianProgram("fsverity", "fsverity");
  compare("fs-verity digest of 1 GiB", () => [fsverity, "digest", path], () => [...ours, "composefs-info", "measure-file", path], RUNS * 2 - 1);
  rmSync(path);
}

if (wanted("memory")) {
  const path = join(work, "million.dump");
  writeDumpfile(path, 1_000_000);
  compare("a million inodes, dumpfile to image", () => [...mkcomposefs, "--from-file", path, join(work, "image")], () => [...ours, "mkcomposefs", "--from-file", path, join(work, "image")], 1);
  const tree = mkdtempSync("/dev/shm/sealroot-bench-");
  try {
    for (let directory = 0; directory < 1000; directory++) {
      mkdirSync(join(tree, `directory-${directory}`));
      for (let file = 0; file < 1000; file++) closeSync(openSync(join(tree, `directory-${directory}`, `some-file-name-${file}`), "w"));
    }
    compare("a million inodes, directory to image", () => [...mkcomposefs, tree, join(work, "image")], () => [...ours, "mkcomposefs", tree, join(work, "image")], 1);
  } finally {
    rmSync(tree, { recursive: true });
  }
}
