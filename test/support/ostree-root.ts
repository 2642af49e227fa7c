/**
 * A physical root with an OSTree deployment, laid out by hand as `ostree admin deploy` does it, with an image by the real
 * mkcomposefs. The VM tests have deployments by the real ostree.
 */

import { copyFileSync, cpSync, mkdirSync, symlinkSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { objectId, objectPath, writeCommit, writeCommitMeta } from "../../src/ostree/index.ts";
import { OSTREE_DIGEST } from "../../src/trust/deployment.ts";
import { image, storePath } from "./images.ts";
import type { Initramfs } from "./initramfs.ts";

export interface OstreeRoot {
  readonly argument: string;
  readonly commit: string;
  /** Below the physical root. */
  readonly deployment: string;
  readonly digest: string;
}

/** Mounts a disk at /sysroot. @param sign makes signatures of the commit's bytes */
export async function ostreeRoot(initramfs: Initramfs, sign?: (commit: Uint8Array) => Uint8Array): Promise<OstreeRoot> {
  const digest = await image("ostree", (tree) => {
    cpSync(join(tree, "etc"), join(tree, "usr/etc"), { recursive: true });
    mkdirSync(join(tree, "boot"));
  });
  initramfs.shell("mount -t tmpfs -o size=64m disk /sysroot");
  const top = initramfs.at("/sysroot");
  const bytes = writeCommit({
    metadata: [{ key: OSTREE_DIGEST, type: "ay", value: Uint8Array.fromHex(digest) }], timestamp: 1_780_000_000n, rootDirtree: "ab".repeat(32), rootDirmeta: "cd".repeat(32),
  });
  const commit = objectId(bytes);
  const put = (path: string, content: Uint8Array | string): void => {
    mkdirSync(dirname(join(top, path)), { recursive: true });
    writeFileSync(join(top, path), content);
  };
  mkdirSync(join(top, "ostree/repo"), { recursive: true });
  cpSync(join(storePath, "composefs/objects"), join(top, "ostree/repo/objects"), { recursive: true });
  put(`ostree/repo/objects/${objectPath(commit, "commit")}`, bytes);
  if (sign !== undefined) put(`ostree/repo/objects/${objectPath(commit, "commitmeta")}`, writeCommitMeta([sign(bytes)]));

  const deployment = `ostree/deploy/debian/deploy/${commit}.0`;
  put(`${deployment}/etc/hostname`, "of the deployment\n");
  put("ostree/deploy/debian/var/log/kept", "of the stateroot\n");
  copyFileSync(join(storePath, "composefs/objects", digest.slice(0, 2), digest.slice(2)), join(top, deployment, ".ostree.cfs"));
  const boot = "ostree/boot.1.1/debian/0123abcd";
  mkdirSync(join(top, boot), { recursive: true });
  symlinkSync(`../../../deploy/debian/deploy/${commit}.0`, join(top, boot, "0"));
  symlinkSync("boot.1.1", join(top, "ostree/boot.1"));
  return { argument: "ostree=/ostree/boot.1/debian/0123abcd/0", commit, deployment, digest };
}
