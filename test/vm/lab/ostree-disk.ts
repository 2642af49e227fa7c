/**
 * A disk with a Debian system that the real ostree committed and deployed: fs-verity on the image and on every object, a signature
 * of the commit beside it.
 *
 * The host's kernel has no fs-verity, so ostree writes the files and the lab's offline writer seals them. Debian's ostree is
 * built without Ed25519, so the runtime's own signs, and the detached metadata is written by src/ostree.
 */

import { generateKeyPairSync, sign } from "node:crypto";
import { chmodSync, copyFileSync, existsSync, lstatSync, mkdirSync, readdirSync, readFileSync, renameSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { mkdir } from "node:fs/promises";
import { join } from "node:path";
import { OSTREE_DIGEST } from "../../../src/trust/deployment.ts";
import { bytesEntry, objectPath, parseCommit, writeCommitMeta } from "../../../src/ostree/index.ts";
import { cached, fileHash } from "./cache.ts";
import { deployableTree, REPORT_BEGIN, REPORT_END } from "./deployment.ts";
import { LABEL } from "./disks.ts";
import { sealedExt4 } from "./ext4-disk.ts";
import { hostPackages } from "./host.ts";
import type { Kernel } from "./kernel.ts";
import { ostreeTree } from "./ostree-tree.ts";
import { step } from "./progress.ts";
import { run } from "./run.ts";
import { inTree } from "./tree.ts";

export interface OstreeDisk {
  /** A raw disk image. */
  readonly path: string;
  /** `ostree=…`, as ostree wrote it into the boot entry. */
  readonly argument: string;
  readonly commit: string;
  /** Of the deployment's image, hexadecimal. */
  readonly digest: string;
  /** Path of the deployment's directory on the disk. */
  readonly deployment: string;
  /** The public key that signed the commit, in OSTree's text format; and another one. */
  readonly key: string;
  readonly otherKey: string;
  /** Path of the commit's detached metadata on the disk. */
  readonly commitmeta: string;
}

/** What the tree that is deployed asks of its initramfs, and of ostree when it deploys. */
export const PREPARE_ROOT = "[composefs]\nenabled = signed\n";

const REPORT = `#!/bin/sh
# Prints facts about the running system between two markers on the console, then powers off.
facts() {
  echo "${REPORT_BEGIN}"
  sed "s/^/mountinfo /" /proc/self/mountinfo
  for at in / /usr /etc /var /sysroot /boot; do
    if (: > "$at/.write-test") 2>/dev/null; then rm -f "$at/.write-test"; echo "write $at yes"; else echo "write $at no"; fi
  done
  echo "volatile-root $(readlink /run/systemd/volatile-root || echo none)"
  echo "state $(timeout 20 systemctl is-system-running --wait)"
  systemctl --failed --no-legend --plain | sed 's/^/failed /'
  systemctl show -p Result,ActiveState ostree-remount.service | sed 's/^/remount /'
  ostree admin status 2>&1 | sed 's/^/ostree: /'
  echo "ostree-exit $(ostree admin status > /dev/null 2>&1; echo $?)"
  echo "booted $(od -An -v -tx1 /run/ostree-booted | tr -d ' \\n')"
  sed 's/^/boot.json /' /run/sealroot/boot.json
  echo "${REPORT_END}"
}
facts > /dev/console 2>&1
systemctl poweroff --force --force
`;

/** The deployable tree as OSTree wants it: /usr/etc, a kernel below /usr/lib/modules, and links for what is not part of a deployment. */
async function ostreeSystem(tree: string, kernel: Kernel): Promise<void> {
  await deployableTree(await ostreeTree(), tree, undefined);
  writeFileSync(join(tree, "usr/libexec/system-report"), REPORT);
  mkdirSync(join(tree, "usr/lib/ostree"), { recursive: true });
  writeFileSync(join(tree, "usr/lib/ostree/prepare-root.conf"), PREPARE_ROOT);
  const modules = join(tree, "usr/lib/modules", kernel.version);
  mkdirSync(modules, { recursive: true });
  copyFileSync(kernel.image, join(modules, "vmlinuz"));
  // QEMU is given the real one; ostree wants a file to put beside the kernel
  writeFileSync(join(modules, "initramfs.img"), "the machine's own initramfs is given to QEMU\n");
  for (const name of ["dev", "proc", "sys", "run", "tmp"]) {
    rmSync(join(tree, name), { recursive: true, force: true });
    mkdirSync(join(tree, name));
  }
  chmodSync(join(tree, "tmp"), 0o1777);
  symlinkSync("sysroot/ostree", join(tree, "ostree"));
  renameSync(join(tree, "etc"), join(tree, "usr/etc"));
}

const newKey = () => {
  const { privateKey, publicKey } = generateKeyPairSync("ed25519");
  return { privateKey, text: `${publicKey.export({ type: "spki", format: "der" }).subarray(12).toString("base64")}\n` };
};

/** @param kernel part of what is deployed */
export async function ostreeDisk(kernel: Kernel): Promise<OstreeDisk> {
  await hostPackages();
  const own = ["ostree-disk.ts", "ostree-deploy.sh", "ext4-disk.ts", "deployment.ts"].map((name) => fileHash(join(import.meta.dir, name)));
  const recipe = ["1", await ostreeTree(), kernel.modules, ...(await Promise.all(own))];
  const directory = await cached("disk-ostree", recipe, (draft) => step("ext4 disk with a Debian deployed by ostree", () => build(draft, kernel)));
  const facts: unknown = JSON.parse(readFileSync(join(directory, "facts.json"), "utf8"));
  return { ...(facts as Omit<OstreeDisk, "path">), path: join(directory, "disk") };
}

async function build(draft: string, kernel: Kernel): Promise<void> {
  const [tree, stage] = [join(draft, "tree"), join(draft, "stage")];
  await mkdir(stage);
  await ostreeSystem(tree, kernel);
  const said = await inTree(await ostreeTree(), ["sh", "-c", readFileSync(join(import.meta.dir, "ostree-deploy.sh"), "utf8")], {
    binds: [[tree, "/lab-tree"], [stage, "/lab-stage"]],
  });
  const fact = (name: string): string => new RegExp(`^${name} (.+)$`, "m").exec(said)?.[1] ?? "";
  const [commit, argument] = [fact("commit"), fact("argument")];
  const deployment = `ostree/deploy/debian/deploy/${commit}.0`;
  const image = join(stage, deployment, ".ostree.cfs");
  if (!existsSync(image)) throw new Error(`ostree made no ${image}: ${said}`);

  const object = join("ostree/repo/objects", objectPath(commit, "commit"));
  const bytes = readFileSync(join(stage, object));
  const [mine, other] = [newKey(), newKey()];
  writeFileSync(join(stage, `${object}meta`), writeCommitMeta([sign(null, bytes, mine.privateKey)]));

  const named = bytesEntry(parseCommit(bytes), OSTREE_DIGEST)?.toHex();
  // ostree makes deployments immutable, and so unremovable
  await run(["chattr", "-i", join(stage, deployment)]);
  await sealedExt4(stage, join(draft, "disk"), { algorithm: "sha256", label: LABEL }, [image, ...contentObjects(stage)], (path, digest) => {
    if (path === image && digest !== named) throw new Error(`the commit names the image ${named ?? "by nothing"}, its digest is ${digest}`);
  });
  const facts: Omit<OstreeDisk, "path"> = { argument, commit, digest: named ?? "", deployment, key: mine.text, otherKey: other.text, commitmeta: `${object}meta` };
  writeFileSync(join(draft, "facts.json"), JSON.stringify(facts));
  for (const path of [tree, stage]) rmSync(path, { recursive: true });
}

/** Content objects that are regular files: links cannot have fs-verity. */
function contentObjects(stage: string): string[] {
  const objects = join(stage, "ostree/repo/objects");
  return readdirSync(objects).flatMap((folder) =>
    readdirSync(join(objects, folder)).filter((name) => name.endsWith(".file")).map((name) => join(objects, folder, name)).filter((path) => lstatSync(path).isFile()));
}
