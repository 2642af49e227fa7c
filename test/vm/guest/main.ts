/** Runs in the guest: the jobs of /lab/jobs.json, one after the other; prints a line of JSON for each. */

import { mkdirSync, readFileSync } from "node:fs";
import { Content, contentOf, type Filesystem, Loop, on } from "./block.ts";
import { damaged } from "./damaged.ts";
import { elsewhere } from "./elsewhere.ts";
import { killEverywhere } from "./killed.ts";
import { cutEverywhere } from "./power-cut.ts";
import { firstImages, rememberKept, SCENARIOS, TOP } from "./scenarios.ts";
import { afterwards, type Disk, returnOnAll } from "./returned.ts";
import { tools } from "./tools.ts";

interface OnDisk {
  readonly name: string;
  /** Block device with an empty filesystem. */
  readonly disk: string;
  readonly filesystem: Filesystem;
}
interface CutOff extends OnDisk {
  readonly what: "killed" | "power cut" | "power cut, eager";
  /** fs-verity is required. */
  readonly secure: boolean;
  /** Of SCENARIOS. */
  readonly scenario: string;
}
interface Whole extends OnDisk {
  readonly what: "elsewhere" | "damaged" | "tools";
}
interface PowerLoss {
  readonly name: string;
  readonly what: "until the power fails" | "after it failed";
  readonly disks: readonly Disk[];
}
export type Job = CutOff | Whole | PowerLoss;

const LOG_SIZE = 256 * 2 ** 20;
mkdirSync(TOP, { recursive: true });
const prepared = new Map<string, { readonly loop: Loop; readonly start: Content }>();

/** The filesystem with the first images in it, on a device that can be put back to that. */
function ready(disk: string, filesystem: Filesystem, secure: boolean): { readonly loop: Loop; readonly start: Content } {
  const known = prepared.get(disk);
  if (known !== undefined) return known;
  const empty = Content.of(disk, Number(readFileSync(`/sys/class/block/${disk.replace("/dev/", "")}/size`, "utf8")) * 512);
  const loop = new Loop(prepared.size + 1, empty.size);
  on(loop, empty, filesystem, TOP, () => {
    firstImages(secure);
    rememberKept();
  });
  const made = { loop, start: contentOf(loop) };
  prepared.set(disk, made);
  return made;
}

function cutOff({ disk, filesystem, secure, what, scenario: name }: CutOff): object {
  const { loop, start } = ready(disk, filesystem, secure);
  const make = SCENARIOS[name];
  if (make === undefined) throw new Error(`there is no scenario ${name}`);
  const scenario = make();
  const { prepare } = scenario;
  let from = start;
  if (prepare !== undefined) {
    on(loop, start, filesystem, TOP, () => prepare(secure));
    from = contentOf(loop);
  }
  if (what === "killed") return killEverywhere(loop, from, filesystem, secure, scenario);
  const log = new Loop(0, LOG_SIZE);
  try {
    return cutEverywhere(loop, log, from, filesystem, secure, scenario, what === "power cut, eager");
  } finally {
    log.detach();
  }
}

function perform(job: Job): object {
  if ("scenario" in job) return cutOff(job);
  if ("disks" in job) {
    if (job.what === "until the power fails") returnOnAll(job.disks);
    return job.disks.map(afterwards);
  }
  if (job.what === "elsewhere") return elsewhere(job.disk, job.filesystem);
  const { loop, start } = ready(job.disk, job.filesystem, true);
  return job.what === "damaged" ? damaged(loop, start, job.filesystem) : on(loop, start, job.filesystem, TOP, tools);
}

for (const job of JSON.parse(readFileSync("/lab/jobs.json", "utf8")) as Job[]) {
  const began = performance.now();
  let result: object;
  try {
    result = { done: perform(job) };
  } catch (error) {
    result = { error: error instanceof Error ? `${error.message}\n${error.stack ?? ""}` : String(error) };
  }
  console.log(`RESULT ${JSON.stringify({ name: job.name, seconds: Math.round((performance.now() - began) / 100) / 10, ...result })}`);
}
