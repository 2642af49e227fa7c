/** Initramfs images with sealroot in them, made by dracut from the project's own dracut module, units and executable. */

import { cpSync, existsSync, mkdirSync } from "node:fs";
import { dirname, join } from "node:path";
import { cached, fileHash, projectTop } from "./cache.ts";
import { dracut } from "./dracut.ts";
import { hostPackages } from "./host.ts";
import { type Kernel, kernel, type KernelSeries } from "./kernel.ts";
import { step } from "./progress.ts";
import { debianTree } from "./tree.ts";

/** What a package of sealroot would install: project path to path in the system. */
const PACKAGE: Readonly<Record<string, string>> = {
  "dist/sealroot": "usr/bin/sealroot",
  "dracut/37sealroot": "usr/lib/dracut/modules.d/37sealroot",
  systemd: "usr/lib/systemd/system",
};

/** The built executable. @throws Error when there is none */
export function executable(): string {
  const path = join(projectTop, "dist/sealroot");
  if (!existsSync(path)) throw new Error("dist/sealroot is missing: npm run build");
  return path;
}

/** Hashes of everything that a package of sealroot would install. */
async function packageRecipe(): Promise<readonly string[]> {
  executable();
  const files = Object.keys(PACKAGE).flatMap((from) => {
    if (from.startsWith("dist/")) return [from];
    return [...new Bun.Glob("**/*").scanSync({ cwd: join(projectTop, from) })].map((name) => join(from, name));
  });
  return Promise.all(files.sort().map(async (name) => `${name} ${await fileHash(join(projectTop, name))}`));
}

/** A directory with the files of the package in their places. */
export async function sealrootPackage(): Promise<string> {
  return cached("package", await packageRecipe(), async (directory) => {
    for (const [from, to] of Object.entries(PACKAGE)) {
      mkdirSync(dirname(join(directory, to)), { recursive: true });
      cpSync(join(projectTop, from), join(directory, to), { recursive: true });
    }
  });
}

export interface BootFiles {
  readonly kernel: Kernel;
  readonly initramfs: string;
}

/** Kernel and initramfs of a series, sealroot in it, without any policy. */
export async function bootFiles(series: KernelSeries): Promise<BootFiles> {
  return dracutInitramfs(series, "initramfs", ["sealroot"], [await sealrootPackage()]);
}

/** @param tree whose dracut makes it; default Debian trixie's */
export async function dracutInitramfs(series: KernelSeries, kind: string, modules: readonly string[], layers: readonly string[], extra: readonly string[] = [], tree?: string): Promise<BootFiles> {
  await hostPackages();
  const [wanted, debian] = await Promise.all([kernel(series), tree ?? debianTree()]);
  const recipe = [wanted.modules, debian, ...layers, ...extra, await fileHash(join(import.meta.dir, "dracut.ts"))];
  const directory = await cached(`${kind}-${series}`, recipe, (draft) =>
    step(`${kind} for ${series} (dracut)`, async () => void (await dracut({ kernel: wanted, tree: debian, modules, layers, extra }, draft, "initramfs"))),
  );
  return { kernel: wanted, initramfs: join(directory, "initramfs") };
}

/** The same without sealroot, but with what the bare Bun needs: for machines that only prepare something. */
export async function plainInitramfs(series: KernelSeries): Promise<BootFiles> {
  const libraries = ["c.so.6", "m.so.6", "dl.so.2", "pthread.so.0"].map((name) => `/usr/lib/x86_64-linux-gnu/lib${name}`);
  return dracutInitramfs(series, "plain-initramfs", [], [], ["--install", libraries.join(" ")]);
}
