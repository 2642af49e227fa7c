/** The disk of a test: a filesystem of its own on the namespace's /sysroot, with the store's images and a state directory. */

import { mkdirSync, symlinkSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { run } from "../vm/lab/run.ts";
import { metaJson } from "../vm/lab/deployment.ts";
import { storePath } from "./images.ts";
import type { Initramfs } from "./initramfs.ts";

export type DiskKind = "tmpfs" | "ext4" | "btrfs";

export interface PhysicalRootOptions {
  /** tmpfs is the quickest, and EROFS cannot mount a file of it without a loop device; default tmpfs. */
  readonly kind?: DiskKind;
  /** false: a repository without meta.json; text: this one. Default: as composefs-rs writes it. */
  readonly meta?: boolean | string;
  /** Digests that get a state directory. */
  readonly state?: readonly string[];
  readonly target?: string;
  /** Files that stand for devices; the default is one for ext4 and btrfs. */
  readonly devices?: number;
}

const MAKE: Readonly<Record<Exclude<DiskKind, "tmpfs">, readonly string[]>> = {
  ext4: ["mkfs.ext4", "-q", "-F", "-O", "^has_journal"],
  btrfs: ["mkfs.btrfs", "-q", "-f"],
};
const SIZE: Readonly<Record<DiskKind, string>> = { tmpfs: "64m", ext4: "48m", btrfs: "120m" };

/** Mounts a disk in the namespace and fills it. */
export async function physicalRoot(initramfs: Initramfs, options: PhysicalRootOptions = {}): Promise<void> {
  const { kind = "tmpfs", target = "/sysroot", devices = 1 } = options;
  if (kind === "tmpfs") {
    initramfs.shell(`mount -t tmpfs -o size=${SIZE.tmpfs} disk ${target}`);
  } else {
    const files = Array.from({ length: devices }, (_, index) => initramfs.at(`/tmp/disk${index}`));
    for (const file of files) await run(["truncate", "-s", SIZE[kind], file]);
    await run([...MAKE[kind], ...files]);
    const names = files.map((_, index) => `$(losetup -f --show /tmp/disk${index})`);
    // autoclear: the loop devices are gone with the mount
    initramfs.shell(`set -- ${names.join(" ")}; ${devices > 1 ? "btrfs device scan $@ > /dev/null;" : ""} mount $1 ${target}; losetup -d $@`);
  }
  fill(initramfs.at(target), options);
  await run(["cp", "-a", join(storePath, "composefs"), initramfs.at(target)]);
}

function fill(top: string, { meta = true, state = [] }: PhysicalRootOptions): void {
  mkdirSync(join(top, "composefs"));
  if (meta !== false) writeFileSync(join(top, "composefs/meta.json"), meta === true ? metaJson("sha256") : meta);
  for (const digest of state) {
    const directory = join(top, "state/deploy", digest);
    for (const name of ["etc", "var/log"]) mkdirSync(join(directory, name), { recursive: true });
    writeFileSync(join(directory, "var/log/kept"), "from the deployment\n");
    writeFileSync(join(directory, "etc/mine"), "from the deployment\n");
  }
}

/** Makes `state/deploy/<digest>/var` a link to a directory shared by all deployments, as bootc has it. */
export function shareVar(top: string, digest: string): void {
  mkdirSync(join(top, "state/os/default/var/log"), { recursive: true });
  writeFileSync(join(top, "state/os/default/var/log/kept"), "shared\n");
  symlinkSync("../../os/default/var", join(top, "state/deploy", digest, "var"));
}
