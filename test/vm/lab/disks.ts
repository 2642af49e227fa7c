/** The disks of the lab, ready to boot from, cached by what they were made from. */

import { constants, copyFileSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { mkdir } from "node:fs/promises";
import { join } from "node:path";
import { btrfsDisk } from "./btrfs-disk.ts";
import { cached, fileHash } from "./cache.ts";
import { composefsRepository, deployableTree, objectPath, stateDirectory } from "./deployment.ts";
import { ext4Disk } from "./ext4-disk.ts";
import { hostPackages } from "./host.ts";
import { step } from "./progress.ts";
import { sha512Repository } from "./sha512-image.ts";
import { composefsPackage, debianTree } from "./tree.ts";

export interface SystemDisk {
  /** A raw disk image. */
  readonly path: string;
  /** The image's digest, hexadecimal. */
  readonly digest: string;
  /** The kernel argument that names it. */
  readonly argument: string;
  readonly algorithm: DiskKind["algorithm"];
  /** The tree that was deployed, to look up objects of files. */
  readonly tree: string;
  /** A copy of the image file. */
  readonly image: string;
}

export interface DiskKind {
  readonly filesystem: "ext4" | "btrfs";
  readonly algorithm: "sha256" | "sha512";
  /** Put into the tree as /usr/bin/sealroot. */
  readonly executable?: string;
}

/** Label of every disk's filesystem. */
export const LABEL = "physical-root";

/** A disk with the whole Debian tree as a composefs image, fs-verity on every object. */
export async function debianDisk({ filesystem, algorithm, executable }: DiskKind): Promise<SystemDisk> {
  await hostPackages();
  const debian = await debianTree();
  const own = ["deployment.ts", `${filesystem}-disk.ts`, ...(algorithm === "sha512" ? ["sha512-image.ts"] : [])];
  const recipe = [
    "2",
    debian,
    await composefsPackage(),
    executable === undefined ? "" : await fileHash(executable),
    ...(await Promise.all(own.map((name) => fileHash(join(import.meta.dir, name))))),
  ];
  const kind = `disk-${filesystem}-${algorithm}${executable === undefined ? "" : "-sealroot"}`;
  const directory = await cached(kind, recipe, (draft) =>
    step(`${filesystem} disk with a Debian image, ${algorithm}`, async () => {
      const [tree, stage, target] = [join(draft, "tree"), join(draft, "stage"), join(draft, "disk")];
      await mkdir(stage);
      await deployableTree(debian, tree, executable);
      const digest = algorithm === "sha256" ? await composefsRepository(tree, stage) : await sha512Repository(tree, stage, draft);
      await stateDirectory(stage, digest, tree);
      copyFileSync(join(stage, "composefs", objectPath(digest)), join(draft, "image"), constants.COPYFILE_FICLONE);
      if (filesystem === "ext4") await ext4Disk(stage, target, { algorithm, label: LABEL });
      else await btrfsDisk(stage, target, LABEL);
      rmSync(stage, { recursive: true });
      writeFileSync(join(draft, "digest"), digest);
    }),
  );
  const digest = readFileSync(join(directory, "digest"), "utf8");
  const argument = `composefs.digest=v1-${algorithm}-12:${digest}`;
  return { path: join(directory, "disk"), digest, algorithm, argument, tree: join(directory, "tree"), image: join(directory, "image") };
}
