/** Small archives that are appended to an initramfs, with files that one case needs: cheaper than running dracut again. */

import { existsSync, mkdirSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { cacheTop } from "./cache.ts";
import { type ArchiveFile, cpioArchive } from "./cpio.ts";

/** Where the policy is read from in the initramfs. */
export const CONFIG_PATH = "usr/lib/composefs/setup-root-conf.toml";

/** Writes an archive of files by path and returns where it is. */
export function extraArchive(files: Readonly<Record<string, ArchiveFile>>): string {
  const archive = cpioArchive(files);
  const path = join(cacheTop, "cases", `${new Bun.CryptoHasher("sha256").update(archive).digest("hex").slice(0, 16)}.cpio`);
  mkdirSync(dirname(path), { recursive: true });
  if (!existsSync(path)) writeFileSync(path, archive);
  return path;
}

/** An archive with a policy. */
export const withConfig = (toml: string): string => extraArchive({ [CONFIG_PATH]: { content: toml } });
