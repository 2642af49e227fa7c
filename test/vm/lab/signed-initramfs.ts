/**
 * What a builder who signs has: keys that stay, a policy and the public key where the dracut module looks for them, and a disk with a
 * commit made by `sealroot commit` and `sealroot sign`.
 */

import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { cached } from "./cache.ts";
import { diskWith } from "./disk-files.ts";
import type { SystemDisk } from "./disks.ts";
import { CONFIG_PATH } from "./extra-archive.ts";
import { type BootFiles, dracutInitramfs, sealrootPackage } from "./initramfs.ts";
import type { KernelSeries } from "./kernel.ts";
import { Builder, type SignedCommit, type SigningKey } from "./signing.ts";

const KEYS = "usr/lib/composefs/keys";
/** The floor is the time at which dracut made the initramfs. */
const POLICY = `[trust]\nlevel = "signed"\nkeys = "/${KEYS}"\nnot-before = "build"\n`;

/** One builder for all runs, so that an initramfs with the key in it is made once. */
export async function releaseBuilder(): Promise<Builder> {
  const directory = await cached("signing-keys", ["2"], async (draft) => {
    await new Builder(draft).key("release");
  });
  return new Builder(directory);
}

/** An initramfs by dracut, from a system in which the policy and the public key are installed. */
export async function signedBootFiles(series: KernelSeries): Promise<BootFiles> {
  const builder = await releaseBuilder();
  const { public: key } = await builder.key("release");
  const layer = await cached("signed-policy", [POLICY, key], async (draft) => {
    mkdirSync(join(draft, KEYS), { recursive: true });
    await builder.publish("release", join(draft, KEYS, "release.pub"));
    writeFileSync(join(draft, CONFIG_PATH), POLICY);
  });
  return dracutInitramfs(series, "signed-initramfs", ["sealroot"], [layer, await sealrootPackage()]);
}

export interface SignedDisk extends SystemDisk {
  readonly commit: SignedCommit;
  readonly key: SigningKey;
}

export interface Release {
  /** Whether its signature came along; default true. */
  readonly signed?: boolean;
  /** When it was made; default now, which is after the initramfs. */
  readonly time?: string;
}

/** The disk with a commit for its image. */
export async function signedDisk(name: string, disk: SystemDisk, { signed = true, time = String(Math.floor(Date.now() / 1000)) }: Release = {}): Promise<SignedDisk> {
  const builder = await releaseBuilder();
  const commit = await builder.commit("--image", disk.image, "--version", "44.1", "--timestamp", time);
  const file = `composefs/commits/${disk.digest}/${commit.id}.commit`;
  const files = { [file]: commit.bytes, ...(signed ? { [`${file}meta`]: await builder.commitmeta(commit, ["release"]) } : {}) };
  return { ...disk, path: await diskWith(name, disk.path, files), commit, key: await builder.key("release") };
}
