/**
 * An initramfs for a machine of OSTree's, by forky's dracut: sealroot's module beside OSTree's own, whose unit and program come
 * with it, and the configuration and the key from the places where OSTree has them.
 */

import { mkdirSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { DEFAULT_BINDING_KEY, PREPARE_ROOT_PATHS } from "../../../src/config/index.ts";
import { cached } from "./cache.ts";
import { type BootFiles, dracutInitramfs, sealrootPackage } from "./initramfs.ts";
import type { KernelSeries } from "./kernel.ts";
import { ostreeTree } from "./ostree-tree.ts";

/** @param config prepare-root.conf @param key the public key that has to have signed */
export async function ostreeBootFiles(series: KernelSeries, config: string, key: string): Promise<BootFiles> {
  const policy = await cached("ostree-policy", [config, key], async (directory) => {
    for (const [path, content] of [[PREPARE_ROOT_PATHS[0], config], [DEFAULT_BINDING_KEY, key]] as const) {
      mkdirSync(dirname(join(directory, path)), { recursive: true });
      writeFileSync(join(directory, path), content);
    }
  });
  return dracutInitramfs(series, "ostree-initramfs", ["sealroot", "ostree"], [policy, await sealrootPackage()], [], await ostreeTree());
}
