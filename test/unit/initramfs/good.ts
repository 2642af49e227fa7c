/** A small initramfs in which nothing is missing: our own units, and programs that only look like programs. */

import { readFileSync } from "node:fs";
import { join as joinPath } from "node:path";
import { bytes, cpio, elf, type Entry, uki, withDirectories, zstd } from "./build.ts";

const TOP = joinPath(import.meta.dir, "../../..");
const source = (path: string): Uint8Array => Uint8Array.from(readFileSync(joinPath(TOP, path)));

export const RELEASE = "6.12.9-test";
export const UNITS = "usr/lib/systemd/system";
export const MODULES = `usr/lib/modules/${RELEASE}`;
export const CONFIG = "usr/lib/composefs/setup-root-conf.toml";
export const DIGEST = "3d".repeat(32);

/** What check-initramfs takes for sealroot: a program that knows its code. */
export const sealrootProgram = (machine = 62): Uint8Array => elf({ machine, needed: ["libc.so.6", "libm.so.6"], payload: "SR-E610" });

const FILES: readonly Entry[] = [
  { path: "init", kind: "symlink", data: "usr/lib/systemd/systemd" },
  { path: "bin", kind: "symlink", data: "usr/bin" },
  { path: "sbin", kind: "symlink", data: "usr/bin" },
  { path: "lib", kind: "symlink", data: "usr/lib" },
  { path: "lib64", kind: "symlink", data: "usr/lib64" },
  { path: "etc/initrd-release", data: "NAME=test\n" },
  { path: "usr/lib/systemd/systemd", data: elf(), mode: 0o755 },
  { path: "usr/bin/sh", data: elf(), mode: 0o755 },
  { path: "usr/bin/modprobe", data: elf(), mode: 0o755 },
  { path: "usr/bin/sealroot", data: sealrootProgram(), mode: 0o755 },
  { path: "usr/bin/composefs-setup-root", kind: "symlink", data: "sealroot" },
  { path: "usr/lib64/ld-linux-x86-64.so.2", data: elf({ needed: [] }), mode: 0o755 },
  { path: "usr/lib/x86_64-linux-gnu/libc.so.6", data: elf({ needed: [] }) },
  { path: "usr/lib/x86_64-linux-gnu/libm.so.6", data: elf({ needed: [] }) },
  { path: "usr/lib/sealroot/guard", data: source("dracut/37sealroot/guard.sh"), mode: 0o755 },
  { path: `${UNITS}/sealroot-setup-root.service`, data: source("systemd/sealroot-setup-root.service") },
  { path: `${UNITS}/composefs-setup-root.service`, kind: "symlink", data: "sealroot-setup-root.service" },
  { path: `${UNITS}/sealroot-guard.service`, data: source("systemd/sealroot-guard.service") },
  { path: `${UNITS}/initrd-switch-root.service`, data: "[Service]\nType=oneshot\nExecStart=systemctl --no-block switch-root\n" },
  { path: `${UNITS}/initrd-switch-root.service.d/sealroot.conf`, data: source("systemd/initrd-switch-root.service.d/sealroot.conf") },
  { path: `${UNITS}/initrd-root-fs.target.wants/sealroot-setup-root.service`, kind: "symlink", data: "../sealroot-setup-root.service" },
  { path: `${UNITS}/initrd-root-fs.target.wants/sealroot-guard.service`, kind: "symlink", data: "../sealroot-guard.service" },
  { path: `${MODULES}/kernel/fs/erofs/erofs.ko.xz`, data: "module" },
  { path: `${MODULES}/kernel/fs/netfs/netfs.ko.zst`, data: "module" },
  { path: `${MODULES}/kernel/fs/overlayfs/overlay.ko`, data: "module" },
  { path: `${MODULES}/kernel/drivers/block/loop.ko.gz`, data: "module" },
  { path: `${MODULES}/modules.builtin`, data: "kernel/fs/ext4/ext4.ko\nkernel/lib/crc32c-lib.ko\n" },
  { path: `${MODULES}/modules.dep`, data: "kernel/fs/erofs/erofs.ko.xz: kernel/fs/netfs/netfs.ko.zst kernel/lib/crc32c-lib.ko\nkernel/fs/overlayfs/overlay.ko:\n" },
];

export interface Changes {
  /** Paths to leave out, with what is below them. */
  readonly without?: readonly string[];
  /** Entries to add, or to take in the place of others. */
  readonly with?: readonly Entry[];
}

export function goodEntries(changes: Changes = {}): readonly Entry[] {
  const { without = [], with: added = [] } = changes;
  const replaced = new Set(added.map(({ path }) => path));
  const kept = FILES.filter(({ path }) => !replaced.has(path) && !without.some((gone) => path === gone || path.startsWith(`${gone}/`)));
  return [...kept, ...added];
}

export const goodInitramfs = (changes: Changes = {}): Uint8Array => zstd(cpio(withDirectories(goodEntries(changes))));

export const COMMAND_LINE = `console=ttyS0 root=LABEL=disk composefs.digest=v1-sha256-12:${DIGEST} rw`;

export function goodUki(commandLine: string | undefined, changes: Changes = {}, release = RELEASE): Uint8Array {
  return uki([
    [".linux", bytes("kernel")],
    [".uname", release],
    ...(commandLine === undefined ? [] : [[".cmdline", commandLine] as const]),
    [".initrd", goodInitramfs(changes)],
  ]);
}
