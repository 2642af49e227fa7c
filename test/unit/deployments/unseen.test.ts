/** Boot partitions that nobody looked at, by tables of mounts that machines of tests cannot have: FAT, autofs. */

import { expect, test } from "bun:test";
import { mkdirSync, writeFileSync } from "node:fs";
import type { MountEntry } from "../../../src/deployments/mount-table.ts";
import { unseenPartitions } from "../../../src/deployments/unseen.ts";
import { O, openPath } from "../../../src/linux/index.ts";
import { TemporaryDirectory } from "../../support/temporary.ts";

/** @returns what is not seen of a physical root with these mounts, their numbers as ids, of which the first was looked at */
function unseen(fstab: string, directories: readonly string[], ...mounts: readonly (readonly [path: string, filesystem: string])[]): number {
  using files = new TemporaryDirectory();
  mkdirSync(`${files.path}/etc`);
  writeFileSync(`${files.path}/etc/fstab`, fstab);
  for (const path of directories) mkdirSync(`${files.path}/${path}`);
  using top = openPath(files.path, O.RDONLY | O.DIRECTORY);
  const entries = mounts.map(([path, filesystem], id): MountEntry => ({ id, path: `${files.path}${path}`, device: "0:1", filesystem, source: "x", options: [] }));
  return unseenPartitions({ top, running: false, deployments: [], lookedAt: new Set([0]), mounts: entries }).length;
}

test("an empty mount point tells nothing where a FAT filesystem was looked at", () => {
  expect(unseen("", ["efi"], ["/boot", "vfat"])).toBe(0);
  expect(unseen("", ["efi"], ["/boot", "ext4"])).toBe(1);
  expect(unseen("", ["efi"], ["/boot", "ext4"], ["/elsewhere", "vfat"])).toBe(1);
});

test("what autofs waits for is not mounted", () => {
  const fstab = "UUID=1 /efi vfat defaults 0 0\n";
  expect(unseen(fstab, [], ["/boot", "ext4"])).toBe(1);
  expect(unseen(fstab, [], ["/boot", "ext4"], ["/efi", "autofs"])).toBe(1);
  expect(unseen(fstab, [], ["/boot", "ext4"], ["/efi", "autofs"], ["/efi", "vfat"])).toBe(0);
});
