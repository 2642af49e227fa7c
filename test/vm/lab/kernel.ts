/** Debian's cloud kernels: 6.1 cannot enforce verity, 6.12 mounts EROFS from files, 7.2 has the newest mount interface. */

import { readdirSync } from "node:fs";
import { mkdir, rename, rm } from "node:fs/promises";
import { join } from "node:path";
import { dependencies, type Release, unpack } from "./archive.ts";
import { cached } from "./cache.ts";
import { hostPackages } from "./host.ts";
import { step } from "./progress.ts";
import { run } from "./run.ts";
import { vmlinux } from "./vmlinux.ts";

export type KernelSeries = "6.1" | "6.12" | "7.2";

const RELEASES: Readonly<Record<KernelSeries, Release>> = { "6.1": "bookworm", "6.12": "trixie", "7.2": "forky" };

export interface Kernel {
  readonly series: KernelSeries;
  /** `uname -r`, and the name of the directory of modules. */
  readonly version: string;
  /** The boot image as the distribution ships it. */
  readonly image: string;
  /** The same kernel uncompressed: QEMU starts it a second sooner under emulation. */
  readonly vmlinux: string;
  /** The directory whose only entry is named by the version. */
  readonly modules: string;
}

/** A kernel with its modules, `depmod` done. */
export async function kernel(series: KernelSeries): Promise<Kernel> {
  const directory = await cached(`kernel-${series}`, [RELEASES[series], "2"], (draft) => step(`kernel ${series}`, () => fetchKernel(series, draft)));
  const modules = join(directory, "modules");
  const version = readdirSync(modules)[0] ?? "";
  return { series, version, image: join(directory, "vmlinuz"), vmlinux: join(directory, "vmlinux"), modules };
}

async function fetchKernel(series: KernelSeries, directory: string): Promise<void> {
  await hostPackages();
  const release = RELEASES[series];
  // The packages were split in forky: image, binary, modules and base are then packages of their own.
  const names = await dependencies(release, "linux-image-cloud-amd64", /^linux-(image|binary|modules|base)-\d/);
  if (!names.some((name) => name.includes(`-${series}.`))) throw new Error(`Debian ${release} has no kernel ${series} any more: it has ${names.join(", ")}`);
  const files = join(directory, "files");
  await mkdir(files);
  await unpack(release, names, files);
  const first = (...patterns: readonly string[]): string | undefined => patterns.flatMap((pattern) => [...new Bun.Glob(pattern).scanSync({ cwd: files })])[0];
  const found = first("boot/vmlinuz*", "usr/lib/modules/*/vmlinuz");
  const modules = first("lib/modules/*/modules.builtin", "usr/lib/modules/*/modules.builtin");
  if (found === undefined || modules === undefined) throw new Error(`the packages of kernel ${series} hold no kernel or no modules: ${names.join(", ")}`);
  await rename(join(files, found), join(directory, "vmlinuz"));
  // depmod insists on lib/modules below its base directory.
  const base = join(directory, "base");
  await mkdir(join(base, "lib"), { recursive: true });
  await rename(join(files, modules, "../.."), join(base, "lib/modules"));
  const version = readdirSync(join(base, "lib/modules"))[0] ?? "";
  await run(["depmod", "-b", base, version]);
  await rename(join(base, "lib/modules"), join(directory, "modules"));
  await Promise.all([rm(files, { recursive: true }), rm(base, { recursive: true })]);
  await vmlinux(join(directory, "vmlinuz"), join(directory, "vmlinux"));
}
