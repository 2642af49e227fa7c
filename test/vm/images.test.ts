/** A repository and an image made where the kernel has fs-verity, then booted: digests come from the kernel, every object has verity. */

import { expect } from "bun:test";
import type { SystemDisk } from "./lab/disks.ts";
import { type Checked, mountAt, onKernels, reportOf } from "./lab/suite.ts";

/** The smallest tree that passes for a bootable system, from what the initramfs has; two names of one file, a hole, a large file. */
const TREE = `mkdir rootfs && cd rootfs
mkdir -p usr/lib/systemd usr/bin usr/lib64 etc var sysroot run/left proc sys dev tmp boot/left
cp /usr/lib/systemd/systemd usr/lib/systemd/systemd
cp /lib64/ld-linux-x86-64.so.2 usr/lib64/
dd if=/usr/bin/sealroot of=usr/bin/large bs=65536 count=200 2> /dev/null
ln usr/lib/systemd/systemd usr/bin/again
truncate -s 8M usr/lib/hole
ln -s usr/lib64 lib64
echo sealed > etc/hostname
cd ..`;

/** Keeps what the program prints for the facts, which are gathered later. */
const CREATE = `mv composefs composefs.old
{ sealroot repo init --algorithm sha256 composefs
sealroot image create --repo composefs --name os/1 --threads 3 --json rootfs
sealroot image create --repo composefs --json rootfs
sealroot fsck --repo composefs
sealroot image create --digest-only --algorithm sha256 --print-karg rootfs; } > /run/made 2>&1
karg=$(grep ^composefs.digest= /run/made)
echo "quiet $karg" > "$CASE/cmdline"
digest=$(echo "$karg" | sed "s,.*:,,")
mkdir -p state/deploy/$digest/etc/upper state/deploy/$digest/etc/work state/deploy/$digest/var
ls composefs/sealroot >> /run/made`;

const FACTS = `cat /run/made; cat /sysroot/etc/hostname; head -c 13107200 /usr/bin/sealroot | cmp - /sysroot/usr/bin/large && echo same; ls /sysroot/boot /sysroot/run`;

function made(disk: (disks: { ext4: SystemDisk; btrfs: SystemDisk }) => SystemDisk, filesystem: "ext4" | "btrfs"): Checked {
  return {
    make: (disks) => ({ disk: disk(disks).path, filesystem, cmdline: "quiet", prepare: `${TREE}\n${CREATE}`, facts: FACTS }),
    check: (result) => {
      expect(result.stderr).not.toMatch(/\[SR-E\d+\]/);
      const facts = result.facts;
      expect(result.exit).toBe(0);
      expect(facts).toContain("fs-verity required");
      const created = [...facts.matchAll(/\{\n[\s\S]*?\n\}/g)].map(([text]) => JSON.parse(text) as { digest: string; karg: string; secure: boolean; objects: Record<string, number> });
      const digest = created[0]?.digest ?? "";
      expect(created.map(({ secure, objects }) => [secure, objects["replaced"]])).toEqual([[true, 0], [true, 0]]);
      // the program, the interpreter, the large file, the hole, the image; then all of them once more
      expect(created.map(({ objects }) => [objects["written"], objects["present"]])).toEqual([[5, 0], [0, 5]]);
      expect(facts).toContain("the repository is whole");
      // computed without storing, in user space
      expect(facts).toContain(`\ncomposefs.digest=v1-sha256-12:${digest}\n`);
      expect(mountAt(result, "/sysroot")).toMatchObject({ source: `composefs:${digest}` });
      expect(reportOf(result)).toMatchObject({ level: "verity", enforced: true, image: { digest }, measured: { kind: "digest", digest } });
      // nothing of ours is left but the recipe
      expect(facts).toEndWith("recipes\nsealed\nsame\n/sysroot/boot:\n\n/sysroot/run:\n");
    },
  };
}

const cases: Record<string, Checked> = {
  "made and booted on ext4": made(({ ext4 }) => ext4, "ext4"),
  "made and booted on btrfs, which shares the files' blocks": made(({ btrfs }) => btrfs, "btrfs"),
};

onKernels("images", cases, ["6.12"]);
