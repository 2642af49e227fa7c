/**
 * The physical root of a run of test/data/ostree/policy-matrix.json, as far as the decision of a boot looks at it, and the initramfs of
 * that run. The files here have no fs-verity: a stand-in for the image says which one it is, and its digest is given by that.
 */

import { copyFileSync, mkdirSync, readFileSync, rmSync, symlinkSync, truncateSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { type BootOptions, DEFAULT_CONFIG, type PolicyFiles } from "../../src/boot/index.ts";
import { type Descriptor, readUpTo } from "../../src/linux/index.ts";

const data = join(import.meta.dir, "../data/ostree");
const OS1 = "15c655ebedac6751b625a898ef1705ce419f500fe8968de5d90d27e273273622";
/** fs-verity digests of the images that stood there (manifest.json, "images"); one that somebody else made has one that no commit names. */
const DIGESTS = {
  tree1: "b5f4672db5a6ba2a2b68570a43b5afe4645b0554b97bf4da53b22e5f021a22e2",
  tree2: "41d0bc3e55190456f8c3c208acd9af5ec49dd1976601425bdc8c50356a0cbc5d",
  "tree1 without verity digests": "7aad9188ba46f15d3c7f71ce5718b2c6c51e9c5d896f8540eca643e7ed320cc1",
} as const;

export interface Run {
  readonly name: string;
  readonly usr_lib_conf: string | null;
  readonly etc_conf: string | null;
  readonly cmdline: string;
  readonly key_file_present: boolean;
  readonly rc: number;
  readonly root: "composefs" | "bind" | "fail";
  readonly verity_required: boolean;
  readonly run_ostree_booted: Readonly<Record<string, unknown>> | null;
}

export const RUNS = JSON.parse(readFileSync(join(data, "policy-matrix.json"), "utf8")) as readonly Run[];

const DEPLOY = "ostree/deploy/test/deploy";
const OBJECT = `ostree/repo/objects/${OS1.slice(0, 2)}/${OS1.slice(2)}`;
const LINK = "ostree/boot.1/anchor/test/0";

/** A file that passes for an EROFS image, and says which. */
function standIn(name: string): Uint8Array {
  const bytes = new Uint8Array(4096);
  bytes.set(new TextEncoder().encode(name));
  new DataView(bytes.buffer).setUint32(1024, 0xe0f5e1e2, true);
  return bytes;
}

const nameOf = (image: Descriptor): string => new TextDecoder().decode(readUpTo(image, 4096)).replace(/\0[^]*/, "");

/** What each run had on its disk, by its name; where nothing is said, a deployment as ostree makes it. */
function change(top: string, name: string): void {
  const at = (path: string): string => join(top, path);
  const image = at(`${DEPLOY}/${OS1}.0/.ostree.cfs`);
  const relink = (target: string): void => {
    rmSync(at(LINK));
    symlinkSync(target, at(LINK));
  };
  const rename = (to: string): void => {
    mkdirSync(at(`${DEPLOY}/${to}`));
    copyFileSync(image, at(`${DEPLOY}/${to}/.ostree.cfs`));
    relink(`../../../deploy/test/deploy/${to}`);
  };
  if (name.startsWith("no image")) rmSync(image);
  else if (name.startsWith("image made with noverity")) writeFileSync(image, standIn("tree1 without verity digests"));
  else if (name.startsWith("image 100 bytes")) truncateSync(image, 100);
  else if (name.startsWith("image junk")) writeFileSync(image, "junk".repeat(1024));
  else if (name.startsWith("evil image")) writeFileSync(image, standIn("evil"));
  else if (name.startsWith("usr-ovl")) mkdirSync(at(`${DEPLOY}/${OS1}.0/.usr-ovl-work`));
  else if (name.startsWith("deploy link -> ")) relink(name.replace("deploy link -> ", ""));
  else if (name === "commit object missing") rmSync(at(`${OBJECT}.commit`));
  else if (name === "dangling link") relink("../../../deploy/test/deploy/gone.0");
  else if (name === "deploy dir named x") rename("x");
  else if (name === "deployment and commit object named nothex") rename("nothex.7");
  else if (name === "deploy target is a directory") {
    rmSync(at(LINK));
    mkdirSync(at(LINK));
  } else if (name === "swap: os2 signed commit stored as os1, image os2") {
    copyFileSync(join(data, "commit/os2.commit"), at(`${OBJECT}.commit`));
    copyFileSync(join(data, "commitmeta/os2.good.commitmeta"), at(`${OBJECT}.commitmeta`));
    writeFileSync(image, standIn("tree2"));
  } else if (name === "commit is a symlink out of the sysroot") {
    rmSync(at(`${OBJECT}.commit`));
    symlinkSync("/etc/hostname", at(`${OBJECT}.commit`));
  } else if (name === "commit is a 2 GiB sparse file") truncateSync(at(`${OBJECT}.commit`), 2 ** 31);
}

/** Lays the disk of a run out in a directory. */
export function layOut(top: string, name: string): void {
  const at = (path: string): string => join(top, path);
  for (const path of [`${DEPLOY}/${OS1}.0/etc`, "ostree/deploy/test/var", OBJECT.slice(0, OBJECT.lastIndexOf("/")), "ostree/boot.1.1/anchor/test"]) mkdirSync(at(path), { recursive: true });
  symlinkSync("boot.1.1", at("ostree/boot.1"));
  symlinkSync(`../../../deploy/test/deploy/${OS1}.0`, at(LINK));
  symlinkSync(`deploy/test/deploy/${OS1}.0`, at("ostree/root.a"));
  copyFileSync(join(data, "commit/os1.commit"), at(`${OBJECT}.commit`));
  copyFileSync(join(data, "commitmeta/os1.good.commitmeta"), at(`${OBJECT}.commitmeta`));
  writeFileSync(at(`${DEPLOY}/${OS1}.0/.ostree.cfs`), standIn("tree1"));
  change(top, name);
}

/** The initramfs of a run, as the program looks into one. */
function initramfs(run: Run): PolicyFiles {
  const files = new Map<string, Uint8Array>();
  const put = (path: string, content: string | null): void => {
    if (content !== null) files.set(path, new TextEncoder().encode(content));
  };
  put("/usr/lib/ostree/prepare-root.conf", run.usr_lib_conf);
  put("/etc/ostree/prepare-root.conf", run.etc_conf);
  // "keypath": the key is at that path alone; "keypath default present, other named": at the default one alone
  const path = run.name === "keypath" ? "/etc/keys/my.pub" : "/etc/ostree/initramfs-root-binding.key";
  if (run.key_file_present) files.set(path, new Uint8Array(readFileSync(join(data, "keys/good.key"))));
  return {
    typeOf: (wanted) => (files.has(wanted) ? "regular file" : undefined),
    read: (wanted) => files.get(wanted) ?? new Uint8Array(),
    list: () => [],
  };
}

export function optionsOf(run: Run, top: string): BootOptions {
  const withoutVerity = run.name.startsWith("image without fs-verity") || run.name.startsWith("evil image");
  const digestOf = (image: Descriptor): string => DIGESTS[nameOf(image) as keyof typeof DIGESTS] ?? "00".repeat(32);
  return {
    sysroot: top, config: DEFAULT_CONFIG, cmdline: run.cmdline, target: undefined, rootFs: undefined, layout: "composefs", policyFiles: initramfs(run),
    ...(withoutVerity ? {} : { computeDigest: digestOf, trustComputed: "always" as const }),
  };
}
