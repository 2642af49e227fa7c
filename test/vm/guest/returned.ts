/** image create on disks whose machine loses its power the moment it has returned, and what is there when the machine is up again. */

import type { Filesystem } from "./block.ts";
import { look } from "./look.ts";
import { command, firstImages, mustRun, type Ran, rememberKept, REPOSITORY, run, SCENARIOS, TOP } from "./scenarios.ts";
import { mount, unmount } from "./system.ts";

export interface Disk {
  readonly disk: string;
  readonly filesystem: Filesystem;
  readonly secure: boolean;
}

const create = (): readonly string[] => SCENARIOS["image create"]?.().command ?? [];

/** Says so when image create has returned on each of them. Nothing is unmounted: that would write everything to the disk. */
export function returnOnAll(disks: readonly Disk[]): void {
  for (const { disk, filesystem, secure } of disks) {
    // over the one before
    mount(disk, TOP, filesystem.type, filesystem.options);
    firstImages(secure);
    rememberKept();
    mustRun(create());
  }
  console.log("ALL HAVE RETURNED");
  // the machine is about to go
  Bun.sleepSync(60_000);
}

export interface After {
  readonly problems: readonly string[];
  readonly listing: readonly string[];
  readonly fsck: Ran;
  readonly next: Ran;
  readonly left: readonly string[];
}

/** What is there on a disk after a power cut. */
export function afterwards({ disk, filesystem: { type, options }, secure }: Disk): After {
  mount(disk, TOP, type, options);
  try {
    const { wrong, broken, listing } = look(REPOSITORY, secure);
    const fsck = run(command("fsck", "--repo", REPOSITORY));
    const next = run(create());
    const left = look(REPOSITORY, secure).listing.filter((path) => /staging|\.tmp-/.test(path));
    return { problems: [...Object.entries(wrong).map(([digest, why]) => `${digest}: ${why}`), ...broken], listing, fsck, next, left };
  } finally {
    unmount(TOP);
  }
}
