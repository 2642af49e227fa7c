/**
 * A btrfs disk with fs-verity on every object. btrfs keeps Merkle trees as items of its own trees, so nothing but a kernel can
 * write them: mkfs.btrfs fills the disk on the host, and a virtual machine with a kernel that has fs-verity enables it.
 */

import { readFileSync, truncateSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { projectTop } from "./cache.ts";
import { extraArchive } from "./extra-archive.ts";
import { plainInitramfs } from "./initramfs.ts";
import { boot } from "./qemu.ts";
import { output, run } from "./run.ts";

const INIT = `#!/bin/sh
export PATH=/usr/bin:/usr/sbin:/bin:/sbin
mount -t proc proc /proc; mount -t sysfs sys /sys; mount -t devtmpfs dev /dev; mkdir -p /mnt
modprobe -a virtio_pci virtio_blk btrfs sha256_ssse3
for i in 1 2 3 4 5 6 7 8 9 10; do [ -b /dev/vda ] && break; sleep 0.2; done
mount -t btrfs /dev/vda /mnt && /lab/bun /lab/enable-verity.ts /mnt/composefs/objects /mnt/composefs/meta.json && umount /mnt && echo DISK COMPLETE
echo o > /proc/sysrq-trigger
sleep 10
`;

/** Makes a btrfs image of the directory `stage` with fs-verity on `composefs/meta.json` and everything below `composefs/objects`. */
export async function btrfsDisk(stage: string, target: string, label: string): Promise<void> {
  const used = Number((await output(["du", "-sm", stage])).split("\t")[0]);
  writeFileSync(target, "");
  truncateSync(target, (used * 2 + 256) * 2 ** 20);
  await run(["mkfs.btrfs", "-q", "-f", "-L", label, "--rootdir", stage, target]);
  const { kernel, initramfs } = await plainInitramfs("6.12");
  const archive = extraArchive({
    "lab/init": { content: INIT, mode: 0o755 },
    "lab/bun": { content: readFileSync(process.execPath), mode: 0o755 },
    "lab/enable-verity.ts": { content: readFileSync(join(projectTop, "test/vm/lab/enable-verity.ts")) },
  });
  const machine = await boot({ kernel, initramfs: [initramfs, archive], cmdline: "rdinit=/lab/init quiet", disks: [{ path: target, keep: true }], memory: 1536, timeout: 300 });
  if (!machine.text.includes("DISK COMPLETE")) throw new Error(`fs-verity could not be enabled on btrfs (${machine.end}):\n${machine.lines.slice(-30).map(({ text }) => text).join("\n")}`);
}
