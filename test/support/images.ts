/**
 * Real images by the real mkcomposefs, each made once for a test run, all in one store. A test copies the store into its own
 * physical root (physical-root.ts) and damages it there.
 */

import { chmodSync, chownSync, copyFileSync, mkdirSync, readdirSync, renameSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { hostPackages } from "../vm/lab/host.ts";
import { output } from "../vm/lab/run.ts";
import { composefsTool } from "../vm/lab/tree.ts";
import { TemporaryDirectory } from "./temporary.ts";

/** Changes a tree before it becomes an image. @param tree its directory */
export type TreeChange = (tree: string) => void;

/** Where the init program's interpreter and the like are in every image. */
export const INIT = "/usr/lib/systemd/systemd";
export const INTERPRETER = "/lib64/ld-linux-x86-64.so.2";

/** Mode and group of the image's /etc, unlike what anything makes by itself. */
export const ETC = { permissions: 0o751, gid: 42 } as const;

/** The smallest tree that passes for a bootable system: a program with an interpreter, and the directories that get mounts. */
function writeTree(tree: string): void {
  for (const name of ["usr/lib/systemd", "usr/bin", "usr/sbin", "usr/lib64", "etc", "var", "sysroot", "run", "proc", "sys", "dev", "tmp"]) mkdirSync(join(tree, name), { recursive: true });
  copyFileSync("/bin/sh", join(tree, INIT));
  copyFileSync(INTERPRETER, join(tree, "usr/lib64/ld-linux-x86-64.so.2"));
  for (const name of ["lib64", "bin", "sbin"]) symlinkSync(`usr/${name}`, join(tree, name));
  writeFileSync(join(tree, "etc/hostname"), "sealed\n");
  writeFileSync(join(tree, "etc/large"), "a line that is long enough not to be kept inside the image itself\n".repeat(20));
  chmodSync(join(tree, "etc"), ETC.permissions);
  chownSync(join(tree, "etc"), 0, ETC.gid);
  chmodSync(join(tree, "tmp"), 0o1777);
}

const store = new TemporaryDirectory();
process.on("exit", () => store[Symbol.dispose]());

/** A physical root's directory with `composefs/` in it, to be copied. */
export const storePath = store.path;

const made = new Map<string, Promise<string>>();

/** The digest of the image of this name; `change` makes it differ from the plain one. */
export function image(name = "plain", change: TreeChange = () => undefined): Promise<string> {
  let known = made.get(name);
  if (known === undefined) made.set(name, (known = make(name, change)));
  return known;
}

async function make(name: string, change: TreeChange): Promise<string> {
  await hostPackages();
  const tool = await composefsTool("mkcomposefs");
  const composefs = join(store.path, "composefs");
  const tree = join(store.path, `.tree-${name}`);
  const draft = join(store.path, `.image-${name}`);
  for (const folder of ["objects", "images"]) mkdirSync(join(composefs, folder), { recursive: true });
  mkdirSync(tree);
  writeTree(tree);
  change(tree);
  const digest = await output([...tool, "--min-version=1", "--print-digest", `--digest-store=${join(composefs, "objects")}`, tree, draft]);
  if (!/^[0-9a-f]{64}$/.test(digest)) throw new Error(`mkcomposefs printed no digest: ${digest}`);
  // as composefs-rs has it: the image is an object like the others, and images/ has a link to it
  const object = `${digest.slice(0, 2)}/${digest.slice(2)}`;
  mkdirSync(join(composefs, "objects", digest.slice(0, 2)), { recursive: true });
  renameSync(draft, join(composefs, "objects", object));
  symlinkSync(`../objects/${object}`, join(composefs, "images", digest));
  rmSync(tree, { recursive: true });
  return digest;
}

/** Paths of all objects below `objects/` that are not images. */
export function objectsOf(composefs: string): string[] {
  const images = new Set(readdirSync(join(composefs, "images")));
  const paths: string[] = [];
  for (const prefix of readdirSync(join(composefs, "objects"))) {
    for (const rest of readdirSync(join(composefs, "objects", prefix))) if (!images.has(`${prefix}${rest}`)) paths.push(`${prefix}/${rest}`);
  }
  return paths;
}
