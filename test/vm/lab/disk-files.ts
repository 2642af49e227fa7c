/** Files on ext4 disk images, read and written without mounting: the host's kernel may not take a filesystem with fs-verity. */

import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { cacheTop } from "./cache.ts";
import { debugfs } from "./ext4-disk.ts";
import { run } from "./run.ts";

/** The bytes of a file. @param path on the disk, without leading slash @throws Error when there is none */
export async function fileOnDisk(disk: string, path: string): Promise<Uint8Array> {
  const scratch = mkdtempSync(join(tmpdir(), "sealroot-disk-"));
  try {
    const { stderr } = await run(["debugfs", "-R", `dump /${path} ${join(scratch, "file")}`, disk]);
    if (/not found/.test(stderr)) throw new Error(`${disk} has no ${path}`);
    return new Uint8Array(readFileSync(join(scratch, "file")));
  } finally {
    rmSync(scratch, { recursive: true, force: true });
  }
}

/** A copy of a disk image with more files in it, by path on the disk. It takes the place of the last copy of that name. */
export async function diskWith(name: string, disk: string, files: Readonly<Record<string, Uint8Array>>): Promise<string> {
  const target = join(cacheTop, "cases", `disk-${name}`);
  mkdirSync(dirname(target), { recursive: true });
  await run(["cp", "--sparse=always", "--reflink=auto", disk, target]);
  const scratch = mkdtempSync(join(tmpdir(), "sealroot-disk-"));
  try {
    const folders = new Set<string>();
    const commands: string[] = [];
    Object.entries(files).forEach(([path, bytes], index) => {
      path.split("/").slice(0, -1).forEach((_, depth, parts) => folders.add(parts.slice(0, depth + 1).join("/")));
      writeFileSync(join(scratch, String(index)), bytes);
      commands.push(`write ${join(scratch, String(index))} /${path}`);
    });
    const absent: string[] = [];
    for (const folder of folders) if (!(await isThere(disk, folder))) absent.push(`mkdir /${folder}`);
    await debugfs(target, [...absent, ...commands]);
  } finally {
    rmSync(scratch, { recursive: true, force: true });
  }
  return target;
}

async function isThere(disk: string, path: string): Promise<boolean> {
  return !/not found/.test((await run(["debugfs", "-R", `stat /${path}`, disk])).stderr);
}
