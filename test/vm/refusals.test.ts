/** What must not boot, on real fs-verity: each refusal with its code, its console block, and a mount table that is as it was. */

import { expect } from "bun:test";
import { fsverityDigest } from "../../src/fsverity/index.ts";
import { readFileSync, statSync } from "node:fs";
import { join } from "node:path";
import type { SystemDisk } from "./lab/disks.ts";
import { descriptorPosition, flippedByte, onDisk, type Patch } from "./lab/faults.ts";
import { type Checked, expectMounted, expectRefused, mountAt, onKernels, reportOf } from "./lab/suite.ts";
import type { ErrorCode } from "../../src/errors/index.ts";

const ABSENT = "0".repeat(64);
const INIT = "usr/lib/systemd/systemd";
/** Something that is not read before the switch to the new root. */
const OTHER = "usr/bin/find";

/** The object of a file of the deployed tree. */
const objectOf = (disk: SystemDisk, file: string): string => fsverityDigest(readFileSync(join(disk.tree, file)), disk.algorithm).toHex();
const sizeOf = (disk: SystemDisk, file: string): number => statSync(join(disk.tree, file)).size;
const flip = (disk: SystemDisk, digest: string, position: number): Promise<Patch> => flippedByte(disk.path, onDisk(digest), position);
/** Shell: replaces a file by a copy, which has no fs-verity. */
const withoutVerity = (path: string): string => `file=$(readlink -f ${path}); cp -a "$file" copy; mv -f copy "$file"`;

type Change = Awaited<ReturnType<Checked["make"]>>;

function ext4(change: (disk: SystemDisk) => Promise<Partial<Change>> | Partial<Change>, check: Checked["check"]): Checked {
  return { make: async ({ ext4: disk }) => ({ disk: disk.path, cmdline: `quiet ${disk.argument}`, ...(await change(disk)) }), check };
}

/** A case on the ext4 disk that must be refused. */
function refused(code: ErrorCode, texts: readonly (string | RegExp)[], change: (disk: SystemDisk) => Promise<Partial<Change>> | Partial<Change>): Checked {
  return ext4(change, (result) => expectRefused(result, code, ...texts));
}

/** Mounted all the same: the damage lies where only a later reader meets it, and that reader gets an error. */
function laterReader(position: (disk: SystemDisk) => Promise<Patch>): Checked {
  return ext4(
    async (disk) => ({ patches: [await position(disk)], facts: `cat /sysroot/${OTHER} | wc -c; cat /sysroot/usr/bin/env > /dev/null && echo others are fine` }),
    (result, { ext4: disk }) => {
      expect(result.exit).toBe(0);
      expect(mountAt(result, "/sysroot")).toMatchObject({ source: `composefs:${disk.digest}` });
      expect(reportOf(result)).toMatchObject({ level: "verity", enforced: true });
      expect(result.facts).toContain("Input/output error");
      expect(result.facts).toContain("others are fine");
      expect(result.dmesg).toContain("FILE CORRUPTED");
    },
  );
}

const cases: Record<string, Checked> = {
  // First, as long as the driver is not loaded yet.
  "kernel: no overlay driver": refused("SR-E301", ["overlay"], () => withoutModule("overlay")),
  "kernel: no EROFS driver": refused("SR-E300", ["erofs"], () => withoutModule("erofs")),

  "image: a byte of the superblock flipped": refused("SR-E214", [/EIO/, /composefs\/images/], async (disk) => ({ patches: [await flip(disk, disk.digest, 1200)] })),
  "image: a byte of the Merkle tree flipped": refused("SR-E214", [], async (disk) => ({
    patches: [await flip(disk, disk.digest, Math.ceil(imageSize(disk) / 65536) * 65536 + 7)],
  })),
  "image: a byte of the descriptor flipped": refused("SR-E210", ["expected", "found"], async (disk) => ({ patches: [await flip(disk, disk.digest, descriptorPosition(imageSize(disk)) + 20)] })),
  "image: another one under its name": refused("SR-E210", [/expected +sha256:/, /found +sha256:/], (disk) => {
    const other = objectOf(disk, INIT);
    return { prepare: `ln -sfn ../objects/${other.slice(0, 2)}/${other.slice(2)} composefs/images/${disk.digest}` };
  }),
  "image: another one under its name, and a ?": refused("SR-E210", [], (disk) => {
    const other = objectOf(disk, INIT);
    return { cmdline: disk.argument.replace("=", "=?"), prepare: `ln -sfn ../objects/${other.slice(0, 2)}/${other.slice(2)} composefs/images/${disk.digest}` };
  }),
  "image: without fs-verity": refused("SR-E211", ["no fs-verity"], (disk) => ({ prepare: withoutVerity(`composefs/images/${disk.digest}`) })),
  "image: without fs-verity, in a repository that claims to have none": refused("SR-E211", ["no fs-verity"], (disk) => ({
    prepare: `${withoutVerity(`composefs/images/${disk.digest}`)}; ${withoutVerity("composefs/meta.json")}`,
  })),
  "image: without fs-verity, in a repository without meta.json": refused("SR-E211", ["no fs-verity"], (disk) => ({
    prepare: `${withoutVerity(`composefs/images/${disk.digest}`)}; rm composefs/meta.json`,
  })),
  "image: without fs-verity, and a ? that the policy does not allow": refused("SR-E106", ["`?`"], (disk) => ({
    cmdline: disk.argument.replace("=", "=?"), config: '[trust]\nlevel = "verity"\n', prepare: withoutVerity(`composefs/images/${disk.digest}`),
  })),
  "image: absent": refused("SR-E203", [ABSENT], () => ({ cmdline: `composefs.digest=v1-sha256-12:${ABSENT}` })),
  "image: its object is gone": refused("SR-E203", [], (disk) => ({ prepare: `rm $(readlink -f composefs/images/${disk.digest})` })),
  "image: a link out of the repository": refused("SR-E204", [], (disk) => ({
    prepare: `mv $(readlink -f composefs/images/${disk.digest}) elsewhere; ln -sfn ../../elsewhere composefs/images/${disk.digest}`,
  })),
  "image: a link out of the disk": refused("SR-E204", [], (disk) => ({ prepare: `ln -sfn /proc/self/exe composefs/images/${disk.digest}` })),
  "image: no EROFS in it": refused("SR-E213", [], (disk) => {
    const other = objectOf(disk, INIT);
    return { cmdline: `composefs.digest=v1-sha256-12:${other}`, prepare: `ln -sfn ../objects/${other.slice(0, 2)}/${other.slice(2)} composefs/images/${other}; cp -a state/deploy/${disk.digest} state/deploy/${other}` };
  }),

  "init: a byte of its data flipped": refused("SR-E400", [`/${INIT}`], async (disk) => ({ patches: [await flip(disk, objectOf(disk, INIT), sizeOf(disk, INIT) - 5)] })),
  "init: a byte of its Merkle tree flipped": refused("SR-E400", [`/${INIT}`], async (disk) => ({
    patches: [await flip(disk, objectOf(disk, INIT), Math.ceil(sizeOf(disk, INIT) / 65536) * 65536 + 5)],
  })),
  "init: its object without fs-verity": refused("SR-E400", [`/${INIT}`], (disk) => ({ prepare: withoutVerity(`composefs${onDisk(objectOf(disk, INIT)).slice("/composefs".length)}`) })),
  "init: its object is another's": refused("SR-E400", [`/${INIT}`], (disk) => {
    const [init, other] = [objectOf(disk, INIT), objectOf(disk, OTHER)].map((digest) => onDisk(digest).slice(1));
    return { prepare: `ln -f ${other} ${init}` };
  }),
  "init: its object is gone": refused("SR-E400", [`/${INIT}`], (disk) => ({ prepare: `rm ${onDisk(objectOf(disk, INIT)).slice(1)}` })),
  "init: a program that the image lacks": refused("SR-E401", ["/sbin/no-such-init"], (disk) => ({ cmdline: `${disk.argument} init=/sbin/no-such-init` })),

  "repository: absent": refused("SR-E201", [], () => ({ prepare: "mv composefs elsewhere" })),
  "repository: a newer version": refused("SR-E202", [/version/], () => ({ prepare: `rm composefs/meta.json; echo '{"version": 7, "algorithm": "fsverity-sha256-12"}' > composefs/meta.json` })),
  "repository: a feature that is not known": refused("SR-E202", ["time-travel"], () => ({
    prepare: `rm composefs/meta.json; echo '{"version": 1, "algorithm": "fsverity-sha256-12", "features": {"incompatible": ["time-travel"]}}' > composefs/meta.json`,
  })),
  "state: absent": refused("SR-E305", [/state\/deploy/], () => ({ prepare: "rm -rf state/deploy" })),
  "state: /var absent": refused("SR-E306", [/var/], (disk) => ({ prepare: `rm -rf state/deploy/${disk.digest}/var` })),
  "state: /var a link out of the disk": refused("SR-E204", [/var/], (disk) => ({ prepare: `rm -rf state/deploy/${disk.digest}/var; ln -s ../../../../proc state/deploy/${disk.digest}/var` })),

  "argument: none": refused("SR-E102", [], () => ({ cmdline: "quiet root=/dev/vda" })),
  "argument: none, and a policy": refused("SR-E102", ["verity"], () => ({ cmdline: "quiet root=/dev/vda", arguments: ["setup-root", "--if-named"], config: '[trust]\nlevel = "verity"\n' })),
  "argument: none that can be read": refused("SR-E103", ["v9-blake3-12:00", "v1-sha256-12:12"], () => ({ cmdline: "composefs.digest=v9-blake3-12:00 composefs.digest=v1-sha256-12:12" })),
  "policy: signed, and no keys": refused("SR-E231", [], () => ({ config: '[trust]\nlevel = "signed"\n' })),
  "policy: not valid": refused("SR-E101", [/line +2/], () => ({ config: "[root]\ntransient = 7\n" })),
  "object: a byte of its data flipped, met by the first reader": laterReader((disk) => flip(disk, objectOf(disk, OTHER), 1000)),
  "object: a byte of its Merkle tree flipped, met by the first reader": laterReader((disk) => flip(disk, objectOf(disk, OTHER), Math.ceil(sizeOf(disk, OTHER) / 65536) * 65536 + 5)),
  "image: a byte in its middle flipped, met by the first reader": ext4(
    async (disk) => ({
      patches: [await flip(disk, disk.digest, positionInImage(disk, objectOf(disk, OTHER)))],
      facts: `cat /sysroot/${OTHER} > /dev/null && echo read; cat /sysroot/usr/bin/bash > /dev/null && echo others are fine`,
    }),
    (result, { ext4: disk }) => {
      expect(result.exit).toBe(0);
      expect(mountAt(result, "/sysroot")).toMatchObject({ source: `composefs:${disk.digest}` });
      expect(result.facts).toContain("Input/output error");
      expect(result.facts).not.toMatch(/^read$/m);
      expect(result.dmesg).toContain("FILE CORRUPTED");
    },
  ),
};

const imageSize = (disk: SystemDisk): number => statSync(disk.image).size;

/** Where the image says which object a file has: the text of the redirect attribute. */
function positionInImage(disk: SystemDisk, digest: string): number {
  const at = readFileSync(disk.image).indexOf(`/${digest.slice(0, 2)}/${digest.slice(2)}`);
  if (at < 0) throw new Error(`the image does not mention ${digest}`);
  return at + 10;
}

/** As if a kernel module were not in the initramfs, for the length of a case. The kernel runs modprobe outside of the case's namespace. */
function withoutModule(name: string): Partial<Change> {
  const file = "/etc/modprobe.d/lab.conf";
  return { setup: `mkdir -p /etc/modprobe.d; echo "install ${name} /bin/false" > ${file}`, facts: `rm ${file}` };
}

onKernels("refusals", cases, ["6.12", "7.2"]);

/** Linux 6.1: overlayfs has no verity=, so nothing there is verified byte by byte. */
onKernels(
  "without verity in overlayfs",
  {
    "verity asked for": refused("SR-E302", [/6\.6/], () => ({})),
    "verity asked for by the policy": refused("SR-E302", [], () => ({ config: '[trust]\nlevel = "verity"\n' })),
    "a ?": ext4((disk) => ({ cmdline: disk.argument.replace("=", "=?"), facts: `cat /sysroot/etc/hostname; cat /sysroot/${INIT} | wc -c` }), (result, { ext4: disk }) => {
      const device = `ext4 ${mountAt(result, "/sysroot/sysroot").source}`;
      expectMounted(result, { "/sysroot": `overlay composefs:${disk.digest}`, "/sysroot/sysroot": device, "/sysroot/etc": "overlay overlay", "/sysroot/var": device });
      expect(reportOf(result)).toMatchObject({ level: "none", enforced: false, rungs: { image: "loop device" } });
      expect(result.stderr).toContain("NOT VERIFIED");
      expect(result.facts).toBe(`sealed\n${sizeOf(disk, INIT)}\n`);
    }),
    "a ?, and the image is another": refused("SR-E210", [], (disk) => {
      const other = objectOf(disk, INIT);
      return { cmdline: disk.argument.replace("=", "=?"), prepare: `ln -sfn ../objects/${other.slice(0, 2)}/${other.slice(2)} composefs/images/${disk.digest}` };
    }),
    "a ?, transient root": ext4((disk) => ({ cmdline: disk.argument.replace("=", "=?"), config: "[root]\ntransient = true\n", facts: "touch /sysroot/usr/new && echo written" }), (result, { ext4: disk }) => {
      expect(mountAt(result, "/sysroot").source).toBe(`transient:composefs=${disk.digest}`);
      expect(result.facts).toBe("written\n");
    }),
    "no argument": refused("SR-E102", [], () => ({ cmdline: "quiet" })),
  },
  ["6.1"],
);
