/**
 * Debian trees made by mmdebstrap: a small trixie system with systemd and dracut, and QEMU.
 *
 * The system tree has two uses: dracut runs in it, and it is what gets deployed as an image.
 */

import { mkdtempSync, rmSync } from "node:fs";
import { join } from "node:path";
import { acquireSettings, archiveFor, type Release, unpack, unpackSource } from "./archive.ts";
import { cached, cacheTop } from "./cache.ts";
import { hostPackages, KEYRING } from "./host.ts";
import { step } from "./progress.ts";
import { output, run } from "./run.ts";

export const SYSTEM_PACKAGES = ["systemd", "systemd-sysv", "udev", "dbus", "kmod", "e2fsprogs", "fsverity", "attr", "dracut", "zstd", "cpio", "util-linux", "mount", "procps"];

export const WITHOUT = ["man", "locale", "doc", "info", "lintian"].map((part) => `--dpkgopt=path-exclude=/usr/share/${part}/*`);

/** A Debian trixie tree: systemd, udev, dracut; no kernel. */
export function debianTree(): Promise<string> {
  const options = ["--variant=minbase", ...WITHOUT, `--include=${SYSTEM_PACKAGES.join(",")}`];
  return cached("debian", ["trixie", ...options, "1"], async (directory) => {
    await hostPackages();
    await step("Debian trixie tree (mmdebstrap)", () => bootstrap("trixie", options, join(directory, "root")));
  }).then((directory) => join(directory, "root"));
}

/** Makes a tree with mmdebstrap from the archive that this machine's apt uses. */
export async function bootstrap(release: Release, options: readonly string[], target: string): Promise<void> {
  const base = await archiveFor(release);
  await run(
    [
      "mmdebstrap",
      "--mode=root",
      "--format=directory",
      "--components=main",
      `--keyring=${KEYRING}`,
      '--aptopt=APT::Install-Recommends "false"',
      ...(await acquireSettings()).map((line) => `--aptopt=${line}`),
      ...options,
      // The address must not get into the tree that is deployed, nor any package list.
      '--customize-hook=rm -rf "$1"/etc/apt/sources.list "$1"/etc/apt/sources.list.d/* "$1"/etc/apt/apt.conf.d/99mmdebstrap "$1"/var/lib/apt/lists/* "$1"/var/cache/apt/* "$1"/var/log/*',
      release,
      target,
      base,
    ],
    { timeout: 900 },
  );
}

/** A program of a tree that is run on the host with the tree's own libraries. */
export function foreign(root: string, program: string, libraries: readonly string[] = []): readonly string[] {
  const path = [...libraries, join(root, "usr/lib/x86_64-linux-gnu")].join(":");
  return [join(root, "usr/lib64/ld-linux-x86-64.so.2"), "--library-path", path, program];
}

/** The C composefs tools (Debian forky's package), run on the host with trixie's C library. */
export async function composefsTool(name: "mkcomposefs" | "composefs-info" | "mount.composefs"): Promise<readonly string[]> {
  const directory = await composefsPackage();
  const program = join(directory, name === "mount.composefs" ? "usr/sbin" : "usr/bin", name);
  return foreign(await debianTree(), program, [join(directory, "usr/lib/x86_64-linux-gnu")]);
}

export function composefsPackage(): Promise<string> {
  return cached("composefs", ["forky", "1"], (directory) =>
    step("composefs tools", () => unpack("forky", ["composefs", "libcomposefs1"], directory)),
  );
}

/** The C tools' source with its test suite, of the version of composefsPackage(). */
export function composefsSource(): Promise<string> {
  return cached("composefs-source", ["forky", "1"], (directory) => step("composefs source and tests", () => unpackSource("forky", "composefs", directory)));
}

export interface ChrootOptions {
  /** Directories laid over the tree, the topmost first, as if packages with these files were installed. */
  readonly layers?: readonly string[];
  /** Directories of the host that appear at a path of the tree. */
  readonly binds?: readonly (readonly [from: string, to: string])[];
  /** Seconds; default 120. */
  readonly timeout?: number;
}

/** Runs a command in a tree with /proc, /sys, /dev and a /tmp of its own; what it writes to the tree is thrown away. */
export async function inTree(root: string, command: readonly string[], { layers = [], binds = [], timeout = 120 }: ChrootOptions = {}): Promise<string> {
  const scratch = mkdtempSync(join(cacheTop, `chroot-${process.pid}-`));
  const quote = (text: string): string => `'${text.replaceAll("'", "'\\''")}'`;
  const script = [
    "set -e",
    `mount -t tmpfs none ${quote(scratch)}`,
    `cd ${quote(scratch)}; mkdir upper work root`,
    `mount -t overlay -o ${quote(`lowerdir=${[...layers, root].join(":")},upperdir=upper,workdir=work`)} overlay root`,
    "mount -t proc proc root/proc; mount -t sysfs sysfs root/sys; mount --rbind /dev root/dev; mount -t tmpfs tmp root/tmp",
    ...binds.map(([from, to]) => `mkdir -p root${quote(to)}; mount --bind ${quote(from)} root${quote(to)}`),
    `exec chroot root ${command.map(quote).join(" ")}`,
  ].join("\n");
  try {
    return await output(["unshare", "--mount", "--propagation=private", "sh", "-c", script], { timeout });
  } finally {
    rmSync(scratch, { recursive: true, force: true });
  }
}
