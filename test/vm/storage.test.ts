/**
 * What `image create`, `image import`, `gc` and `fsck --repair` leave behind when they are cut off, where the kernel has fs-verity: by
 * kill -9 before every call that changes the disk, and by a power cut after every write that lasts. Then other filesystems, damaged
 * objects, and the C tools beside ours.
 */

import { beforeAll, describe, expect, test } from "bun:test";
import { mkdirSync } from "node:fs";
import { join } from "node:path";
import { CATALOGUE } from "../../src/errors/index.ts";
import type { Job } from "./guest/main.ts";
import type { Found } from "./guest/elsewhere.ts";
import type { Treated } from "./guest/damaged.ts";
import type { Outcome } from "./guest/killed.ts";
import type { After, Disk } from "./guest/returned.ts";
import type { Told } from "./guest/tools.ts";
import { cacheTop } from "./lab/cache.ts";
import type { KernelSeries } from "./lab/kernel.ts";
import { run } from "./lab/run.ts";
import { type EmptyKind, emptyDisk, storageMachine } from "./lab/storage.ts";

type Results = ReadonlyMap<string, Record<string, unknown>>;

interface Machine {
  readonly series: KernelSeries;
  readonly disks: readonly EmptyKind[];
  readonly jobs: readonly Job[];
}

const typeOf = (kind: EmptyKind): string => kind.replace(/ .*/, "");
const on = (index: number, kind: EmptyKind, options = "") => ({ disk: `/dev/vd${"abcdefgh"[index] ?? ""}`, filesystem: { type: typeOf(kind), options } });

/** Jobs of one disk: each of these scenarios cut off in each of these ways. */
const cutOff = (index: number, kind: EmptyKind, secure: boolean, what: readonly ("killed" | "power cut" | "power cut, eager")[], scenarios: readonly string[], options = ""): Job[] =>
  scenarios.flatMap((scenario) => what.map((how) => ({ name: `${how}, ${kind}${options === "" ? "" : ` ${options}`}: ${scenario}`, ...on(index, kind, options), secure, what: how, scenario })));

const MACHINES = {
  killed: { series: "6.12", disks: ["ext4 verity"], jobs: cutOff(0, "ext4 verity", true, ["killed"], ["image create", "fsck --repair"]) },
  "killed, more": { series: "6.12", disks: ["ext4 verity"], jobs: cutOff(0, "ext4 verity", true, ["killed"], ["image import", "gc", "image create, several threads"]) },
  "killed, newest": { series: "7.2", disks: ["ext4 verity"], jobs: cutOff(0, "ext4 verity", true, ["killed"], ["image create, no unnamed files"]) },
  "power cut": {
    series: "6.12", disks: ["ext4 verity", "ext4", "btrfs"],
    jobs: [
      ...cutOff(0, "ext4 verity", true, ["power cut, eager"], ["image create", "image import", "gc", "fsck --repair"]),
      ...cutOff(0, "ext4 verity", true, ["power cut"], ["image create"]),
      ...cutOff(1, "ext4", false, ["power cut, eager"], ["image create"]),
      ...cutOff(2, "btrfs", true, ["power cut", "power cut, eager"], ["image create"]),
    ],
  },
  others: {
    series: "7.2", disks: ["xfs", "vfat", "btrfs", "ext4 verity", "ext4"],
    jobs: [
      ...(["xfs", "vfat", "btrfs", "ext4 verity", "ext4"] as const).map((kind, index): Job => ({ name: kind, ...on(index, kind), what: "elsewhere" })),
      { name: "tmpfs", disk: "tmpfs", filesystem: { type: "tmpfs", options: "" }, what: "elsewhere" },
      { name: "overlay", disk: "overlay", filesystem: { type: "overlay", options: "lowerdir=/run/overlay/lower,upperdir=/run/overlay/upper,workdir=/run/overlay/work" }, what: "elsewhere" },
      { name: "damaged", ...on(3, "ext4 verity"), what: "damaged" },
      { name: "tools", ...on(3, "ext4 verity"), what: "tools" },
    ],
  },
} as const satisfies Record<string, Machine>;

/** All machines side by side, as far as there are processors. */
let running: Map<string, Promise<Results>> | undefined;
function start(): Map<string, Promise<Results>> {
  return (running ??= new Map(
    Object.entries(MACHINES).map(([name, { series, disks, jobs }]: [string, Machine]) => {
      const results = Promise.all(disks.map(emptyDisk)).then((paths) => storageMachine({ name, series, disks: paths.map((path) => ({ path })), jobs, timeout: 1500 }));
      results.catch(() => undefined); // each test that waits for it reports the failure
      return [name, results];
    }),
  ));
}

async function done<T>(machine: keyof typeof MACHINES, job: string): Promise<T> {
  const result = (await start().get(machine))?.get(job);
  if (result?.["done"] === undefined) throw new Error(String(result?.["error"] ?? "the job did not run"));
  return result["done"] as T;
}

beforeAll(() => void start());
const LIMIT = 1_800_000;

describe("cut off", () => {
  for (const [machine, { jobs }] of Object.entries(MACHINES)) {
    for (const job of jobs) {
      if (!("scenario" in job)) continue;
      test(`${job.name}, Linux ${MACHINES[machine as keyof typeof MACHINES].series}`, async () => {
        const { problems, tried, calls, states, threads } = await done<Outcome>(machine as keyof typeof MACHINES, job.name);
        expect(problems).toEqual([]);
        expect(calls).toContain(/gc/.test(job.scenario) ? "unlinkat" : job.secure ? "enable fs-verity" : "symlinkat");
        expect(tried).toBeGreaterThanOrEqual(8);
        expect(states).toBeGreaterThanOrEqual(4);
        if (job.scenario.includes("threads")) expect(threads).toBeGreaterThanOrEqual(2);
      }, LIMIT);
    }
  }
});

describe("the machine is killed when image create has returned", () => {
  const KINDS = ["btrfs", "ext4", "ext4 verity"] as const;
  test("the image is there, and everything that it needs", async () => {
    const paths = await Promise.all(KINDS.map(async (kind) => {
      const copy = join(cacheTop, "cases", `power-${kind.replace(" ", "-")}`);
      mkdirSync(join(cacheTop, "cases"), { recursive: true });
      await run(["cp", "--sparse=always", await emptyDisk(kind), copy]);
      return copy;
    }));
    const disks: Disk[] = KINDS.map((kind, index) => ({ ...on(index, kind), secure: kind !== "ext4" }));
    const machine = { series: "6.12" as const, disks: paths.map((path) => ({ path, keep: true })), timeout: 1500 };
    await storageMachine({ ...machine, name: "power fails", jobs: [{ name: "power", what: "until the power fails", disks }], killAt: /ALL HAVE RETURNED/ });
    const results = await storageMachine({ ...machine, name: "power is back", jobs: [{ name: "power", what: "after it failed", disks }] });
    const found = results.get("power")?.["done"] as After[];
    for (const { problems, listing, fsck, next, left } of found) {
      expect(problems).toEqual([]);
      expect(listing.filter((path) => path.startsWith("images/refs/")).map((path) => path.replace(/ ->.*/, ""))).toEqual(["images/refs/kept", "images/refs/system/a"]);
      expect(fsck).toMatchObject({ exit: 0 });
      expect(next).toMatchObject({ exit: 0 });
      expect(left).toEqual([]);
    }
    expect(found.length).toBe(KINDS.length);
  }, LIMIT);
});

describe("what the filesystem can", () => {
  test.each(["btrfs", "ext4 verity"] as const)("%s: fs-verity", async (kind) => {
    const found = await done<Found>("others", kind);
    expect(found).toMatchObject({ init: { exit: 0 }, metaHasVerity: true, create: { exit: 0 }, wrong: [], fsck: 0 });
    expect(found.calls?.["enable fs-verity"]).toBeGreaterThanOrEqual(4);
  }, LIMIT);

  test.each(["xfs", "ext4", "tmpfs", "overlay"] as const)("%s: none, which has to be said, and is written down", async (kind) => {
    const found = await done<Found>("others", kind);
    expect(found.init.exit).toBe(CATALOGUE["SR-E524"].exit);
    expect(found).toMatchObject({ insecure: { exit: 0 }, metaHasVerity: false, create: { exit: 0 }, wrong: [], fsck: 0 });
    expect(found.create?.text).toContain("does not require fs-verity");
  }, LIMIT);

  test.each(["xfs", "btrfs"] as const)("%s: the object shares the blocks of the file", async (kind) => {
    const found = await done<Found>("others", kind);
    expect(found.shared).toBe(true);
    expect(found.calls?.["copy_file_range"]).toBeUndefined();
  }, LIMIT);

  test("ext4: copied inside the kernel", async () => {
    const found = await done<Found>("others", "ext4 verity");
    expect(found.shared).toBe(false);
    expect(found.calls?.["copy_file_range"]).toBeGreaterThanOrEqual(2);
  }, LIMIT);

  test("vfat: refused, since it has no links", async () => {
    const found = await done<Found>("others", "vfat");
    // no unnamed files either: everything was written, and nothing is published
    expect(found).toMatchObject({ insecure: { exit: 0 }, create: { exit: CATALOGUE["SR-E525"].exit }, wrong: [] });
    expect(found.listing?.filter((path) => /^images|staging|\.tmp-/.test(path))).toEqual([]);
  }, LIMIT);
});

const DAMAGED = CATALOGUE["SR-E540"].exit;
describe("an object that is not what its name says, on ext4 with fs-verity", () => {
  const REPLACED = ["other content, with fs-verity", "other content of the same size, with fs-verity", "other content of the same size, without fs-verity", "missing"];
  test.each(REPLACED)("%s: image create puts the object there, and so does fsck --repair", async (name) => {
    const found = (await done<Record<string, Treated>>("others", "damaged"))[name];
    expect(found).toMatchObject({ fsck: DAMAGED, create: { exit: 0 }, afterCreate: [], repair: { exit: 0 }, afterRepair: [] });
  }, LIMIT);

  test("the right content without fs-verity: it is enabled", async () => {
    const found = (await done<Record<string, Treated>>("others", "damaged"))["the right content, without fs-verity"];
    expect(found).toMatchObject({ fsck: DAMAGED, create: { exit: 0 }, afterCreate: [], repair: { exit: 0 }, afterRepair: [] });
  }, LIMIT);

  test("a link to the right content: image create puts the object there; fsck leaves alone what is no file", async () => {
    const found = (await done<Record<string, Treated>>("others", "damaged"))["a link to the right content"];
    expect(found).toMatchObject({ fsck: DAMAGED, create: { exit: 0 }, afterCreate: [], repair: { exit: CATALOGUE["SR-E541"].exit } });
  }, LIMIT);

  test("a directory: refused", async () => {
    const found = (await done<Record<string, Treated>>("others", "damaged"))["an empty directory"];
    expect(found).toMatchObject({ fsck: DAMAGED, repair: { exit: CATALOGUE["SR-E541"].exit } });
    expect(found?.create.exit).not.toBe(0);
  }, LIMIT);

  test("a byte flipped below fs-verity: reading fails, fsck finds it, and --repair has it right", async () => {
    const found = (await done<Record<string, Treated>>("others", "damaged"))["a byte flipped on the disk, below fs-verity"];
    expect(found).toMatchObject({ fsck: DAMAGED, repair: { exit: 0 }, afterRepair: [] });
  }, LIMIT);
});

describe("under the names of the C tools, beside them", () => {
  const found = (): Promise<Record<string, Record<"ours" | "theirs", Told>>> => done("others", "tools");

  test("the same output, status and mount", async () => {
    for (const [name, { ours, theirs }] of Object.entries(await found())) if (!name.startsWith("image mount")) expect(ours, name).toEqual(theirs);
  }, LIMIT);

  test("what they show is what was asked for", async () => {
    const results = await found();
    const status = (name: string): number | undefined => results[name]?.theirs.exit;
    for (const name of ["mount", "with verity", "with tryverity", "with the digest", "with a digest and no verity"]) expect([name, status(name)]).toEqual([name, 0]);
    for (const name of ["with another digest", "with half of the digest", "an image without fs-verity, with its digest"]) expect([name, status(name)]).toEqual([name, 1]);
    expect(results["with the digest"]?.theirs).toMatchObject({ options: expect.arrayContaining(["verity=require"]), read: { common: "right", kept: "right", "d/large": "right" } });
    expect(results["damaged objects, with verity"]?.theirs.read).toEqual({ common: "right", kept: "EIO", "d/large": "EIO" });
    expect(results["damaged objects, without"]?.theirs.read).toEqual({ common: "right", kept: "wrong", "d/large": "right" });
  }, LIMIT);

  test("image mount does what mount.composefs does with the digest", async () => {
    const results = await found();
    for (const name of ["image mount", "image mount, damaged objects"]) {
      const { ours, theirs } = results[name] ?? {};
      expect(ours?.exit).toBe(0);
      expect([ours?.options, ours?.read]).toEqual([theirs?.options, theirs?.read]);
    }
  }, LIMIT);
});
