/** What a recipe takes from elsewhere in the tree, once all of it is known: metadata of `/`, times of emptied directories. */

import { SealrootError } from "../errors/index.ts";
import { bytesOf, type Inode, isDirectory, ROOT, type Tree, type Xattr } from "../tree/index.ts";
import type { Recipe } from "./recipe.ts";
import { SELINUX } from "./selinux.ts";
import { withLabel } from "./xattrs.ts";

/** @param label the directory, for messages @param rootLabel what the SELinux policy has for `/` @throws SealrootError SR-E522 */
export function finish(tree: Tree, recipe: Recipe, label: string, rootLabel: Xattr | undefined): void {
  const { inodes } = tree;
  const needsUsr = recipe.root === "usr" || recipe.emptied.some(({ time }) => time !== "own");
  const usr = needsUsr ? directoryOf(tree, "usr", label) : undefined;
  if (usr === undefined && recipe.root === "usr") throw lacks(label, "usr");
  if (usr !== undefined && recipe.root === "usr") {
    const { nlink } = inodes.attributes(ROOT);
    inodes.setAttributes(ROOT, { ...inodes.attributes(usr), nlink });
    const set = inodes.xattrs(usr);
    // a label is for one path
    if (recipe.selinux === "policy") inodes.setXattrs(ROOT, inodes.xattrTable.intern(withLabel(set.filter(({ name }) => name !== SELINUX), rootLabel)));
    else inodes.setXattrs(ROOT, inodes.xattrSet(usr));
  }
  for (const { name, required, time } of recipe.emptied) {
    const directory = directoryOf(tree, name, label);
    if (directory === undefined && required) throw lacks(label, name);
    if (directory === undefined || time === "own") continue;
    if (usr === undefined) throw lacks(label, "usr");
    const own = inodes.attributes(directory);
    inodes.setAttributes(directory, { ...own, seconds: inodes.seconds(usr), nanoseconds: time === "usr" ? inodes.nanoseconds(usr) : own.nanoseconds });
  }
}

const lacks = (label: string, name: string): SealrootError => new SealrootError("SR-E522", { details: [["directory", label], ["missing", `/${name}`]] });

function directoryOf(tree: Tree, name: string, label: string): Inode | undefined {
  const entry = tree.find(ROOT, bytesOf(name));
  if (entry === undefined) return undefined;
  const inode = tree.target(entry);
  if (!isDirectory(tree.inodes.mode(inode))) throw new SealrootError("SR-E522", { details: [["directory", label], ["found", `/${name}, which is no directory`]] });
  return inode;
}
