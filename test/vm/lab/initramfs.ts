/** Initramfs images with sealroot in them, made by dracut from the project's own dracut module, units and executable. */

import { cpSync, existsSync, mkdirSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { cached, cacheTop, fileHash, projectTop } from "./cache.ts";
import { type ArchiveFile, cpioArchive } from "./cpio.ts";
import { dracut } from "./dracut.ts";
import { hostPackages } from "./host.ts";
import { type Kernel, kernel, type KernelSeries } from "./kernel.ts";
import { step } from "./progress.ts";
import { debianTree } from "./tree.ts";

/** Where the policy is read from in the initramfs. */
export const CONFIG_PATH = "usr/lib/composefs/setup-root-conf.toml";

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
async function sealrootPackage(): Promise<string> {
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

/** Kernel and initramfs of a series, without any policy in it. */
export async function bootFiles(series: KernelSeries): Promise<BootFiles> {
  await hostPackages();
  const [wanted, layer, debian] = await Promise.all([kernel(series), sealrootPackage(), debianTree()]);
  const recipe = [wanted.modules, debian, layer, await fileHash(join(import.meta.dir, "dracut.ts"))];
  const directory = await cached(`initramfs-${series}`, recipe, (draft) =>
    step(`initramfs for ${series} (dracut)`, async () => void (await dracut({ kernel: wanted, modules: ["sealroot"], layers: [layer] }, draft, "initramfs"))),
  );
  return { kernel: wanted, initramfs: join(directory, "initramfs") };
}

/** A small archive to be appended to an initramfs, with files that one case needs. */
export function extraArchive(files: Readonly<Record<string, ArchiveFile>>): string {
  const archive = cpioArchive(files);
  const path = join(cacheTop, "cases", `${new Bun.CryptoHasher("sha256").update(archive).digest("hex").slice(0, 16)}.cpio`);
  mkdirSync(dirname(path), { recursive: true });
  if (!existsSync(path)) writeFileSync(path, archive);
  return path;
}

/** An appended archive with a policy. */
export const withConfig = (toml: string): string => extraArchive({ [CONFIG_PATH]: { content: toml } });
