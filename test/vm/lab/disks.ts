/** The disks of the lab, ready to boot from, cached by what they were made from. */

import { readFileSync, rmSync, writeFileSync } from "node:fs";
import { mkdir } from "node:fs/promises";
import { join } from "node:path";
import { cached, fileHash } from "./cache.ts";
import { composefsRepository, deployableTree, stateDirectory } from "./deployment.ts";
import { ext4Disk } from "./ext4-disk.ts";
import { hostPackages } from "./host.ts";
import { executable } from "./initramfs.ts";
import { step } from "./progress.ts";
import { composefsPackage, debianTree } from "./tree.ts";

export interface SystemDisk {
  /** A raw disk image. */
  readonly path: string;
  /** The image's digest, hexadecimal. */
  readonly digest: string;
  /** The tree that was deployed, to look up objects of files. */
  readonly tree: string;
}

/** Label of every disk's filesystem. */
export const LABEL = "physical-root";

const recipeOf = (...names: readonly string[]): Promise<readonly string[]> => Promise.all(names.map((name) => fileHash(join(import.meta.dir, name))));

/** An ext4 disk with the whole Debian tree as a composefs image made by mkcomposefs, fs-verity on every object. */
export async function debianDisk(): Promise<SystemDisk> {
  await hostPackages();
  const debian = await debianTree();
  const recipe = [debian, await composefsPackage(), await fileHash(executable()), ...(await recipeOf("deployment.ts", "ext4-disk.ts"))];
  const directory = await cached("disk-debian", recipe, (draft) =>
    step("disk with a Debian image (mkcomposefs, mke2fs)", async () => {
      const [tree, stage] = [join(draft, "tree"), join(draft, "stage")];
      await mkdir(stage);
      await deployableTree(debian, tree, executable());
      const digest = await composefsRepository(tree, stage);
      await stateDirectory(stage, digest, tree);
      await ext4Disk(stage, join(draft, "disk"), { algorithm: "sha256", label: LABEL });
      rmSync(stage, { recursive: true });
      writeFileSync(join(draft, "digest"), digest);
    }),
  );
  return { path: join(directory, "disk"), digest: readFileSync(join(directory, "digest"), "utf8"), tree: join(directory, "tree") };
}
