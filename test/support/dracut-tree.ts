/**
 * Debian trees in which dracut runs: 059 (bookworm), 106 (trixie), 112 (forky), each with its own systemd and kernel, and with
 * what dracut calls when it finds it: strip, the EFI stub. sealroot is laid over them as a package would do.
 */

import { cpSync, existsSync, mkdirSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import type { Release } from "../vm/lab/archive.ts";
import { cached, projectTop } from "../vm/lab/cache.ts";
import { hostPackages } from "../vm/lab/host.ts";
import { type Kernel, kernel } from "../vm/lab/kernel.ts";
import { step } from "../vm/lab/progress.ts";
import { output } from "../vm/lab/run.ts";
import { bootstrap, inTree } from "../vm/lab/tree.ts";

export type { Release };

const PACKAGES = ["systemd", "systemd-sysv", "udev", "dbus", "kmod", "dracut", "cpio", "util-linux", "mount", "binutils", "zstd"];
/** In the one tree that runs more than dracut: compressors, the EFI stub and what puts kernels into it, other shells. */
const MORE = ["xz-utils", "bzip2", "lz4", "lzop", "systemd-boot-efi", "systemd-ukify", "shellcheck", "busybox-static"];
const WITHOUT = ["man", "locale", "doc", "info", "lintian"].map((part) => `--dpkgopt=path-exclude=/usr/share/${part}/*`);

export interface DracutTree {
  readonly root: string;
  readonly kernel: Kernel;
}

/** Making one takes up to minutes: prepare them before the tests whose time is limited. */
export async function dracutTree(release: Release): Promise<DracutTree> {
  const packages = [...PACKAGES, ...(release === "trixie" ? MORE : [])];
  const options = ["--variant=minbase", ...WITHOUT, `--include=${packages.join(",")}`];
  const directory = await cached(`dracut-${release}`, [...options, "1"], async (draft) => {
    await hostPackages();
    // Where this machine has been told to take an archive that is not kept up, the tree is told so too.
    const dated = (await output(["apt-config", "dump", "Acquire::Check-Valid-Until"])).split("\n").filter((line) => line !== "");
    await step(`Debian ${release} tree with dracut (mmdebstrap)`, () => bootstrap(release, [...options, ...dated.map((line) => `--aptopt=${line}`)], join(draft, "root")));
  });
  return { root: join(directory, "root"), kernel: await kernel(SERIES[release]) };
}

const SERIES = { bookworm: "6.1", trixie: "6.12", forky: "7.2" } as const;

/** What a package of sealroot installs: project path to path in the system. */
const PACKAGE: Readonly<Record<string, string>> = {
  "dist/sealroot": "usr/bin/sealroot",
  "dracut/37sealroot": "usr/lib/dracut/modules.d/37sealroot",
  systemd: "usr/lib/systemd/system",
};

/** Lays sealroot's files out in `directory`, without those in `without`. */
export function layOut(directory: string, without: readonly string[] = []): void {
  if (!without.includes("dist/sealroot") && !existsSync(join(projectTop, "dist/sealroot"))) throw new Error("dist/sealroot is missing: npm run build");
  mkdirSync(directory, { recursive: true });
  for (const [from, to] of Object.entries(PACKAGE)) {
    if (without.includes(from)) continue;
    mkdirSync(dirname(join(directory, to)), { recursive: true });
    cpSync(join(projectTop, from), join(directory, to), { recursive: true });
  }
}

/** Puts files into a layer. */
export function put(directory: string, files: Readonly<Record<string, string>>): void {
  for (const [path, text] of Object.entries(files)) {
    mkdirSync(dirname(join(directory, path)), { recursive: true });
    writeFileSync(join(directory, path), text);
  }
}

/** The least that dracut can make an initramfs with systemd of; a whole one takes it several seconds. */
export const SMALL = ["--modules", "systemd-initrd systemd base fs-lib rootfs-block udev-rules sealroot", "--no-compress"] as const;

export interface DracutRun {
  /** Directories laid over the tree, the topmost first. */
  readonly layers: readonly string[];
  /** Gets the file `name`. */
  readonly directory: string;
  readonly name: string;
  readonly arguments: readonly string[];
  /** The directory of modules, in the place of the kernel's own. */
  readonly modules?: string;
  /** A shell script run instead, with dracut's command line as its arguments; /out is the output directory, /kernel/vmlinuz the kernel. */
  readonly script?: string;
}

/** Runs dracut. @returns what it printed. @throws Error when it fails, with its last lines */
export function dracut({ root, kernel: { version, modules, image } }: DracutTree, { layers, directory, name, script, ...run }: DracutRun): Promise<string> {
  const command = ["dracut", "--force", "--no-hostonly-cmdline", "--reproducible", "--tmpdir", "/tmp", "--kver", version, ...run.arguments, `/out/${name}`];
  const binds = [[run.modules ?? modules, "/usr/lib/modules"], [dirname(image), "/kernel"], [directory, "/out"]] as const;
  return inTree(root, script === undefined ? command : ["sh", "-ec", script, "sh", ...command], { layers, binds, timeout: 300 });
}
