/**
 * A limit of the C tools that follows from nothing in the format: they keep an account of the room that a file's xattrs take, begin it
 * again at zero when they mark whiteouts, and take from it what a replaced value took. When that was more than was added since, the
 * account wraps around and the image is refused. We could write it; then a digest would depend on who made the image.
 */

import { type Inode, isDirectory, ROOT, TYPE, type Tree, typeOf } from "../tree/index.ts";

const PREFIX = "trusted.overlay.";
const MARKED = ["trusted.overlay.overlay.whiteout", "user.overlay.whiteout"];
const PARENT = ["trusted.overlay.overlay.whiteouts", "user.overlay.whiteouts"];
const PARENT_V1 = ["trusted.overlay.overlay.opaque", "user.overlay.opaque"];
const [HEADER, ENTRY, MOST] = [12, 7, 32767];

/** Whether the C tools refuse to write this tree for that reason. @param opaque whether directories with whiteouts are marked opaque (version 1) */
export function accountingWraps(tree: Tree, opaque: boolean): boolean {
  const { inodes } = tree;
  // sets are few: nearly all trees are done here
  const names = new Set([...MARKED, ...PARENT, ...PARENT_V1]);
  const affected = Array.from({ length: inodes.xattrTable.size }, (_, set) => inodes.xattrTable.get(set).some(({ name }) => names.has(escaped(name))));
  if (!affected.includes(true)) return false;
  const isWhiteout = (inode: Inode): boolean => typeOf(inodes.mode(inode)) === TYPE.characterDevice && inodes.rdev(inode) === 0;
  for (let inode = ROOT; inode < inodes.count; inode++) {
    const mode = inodes.mode(inode);
    const whiteout = isWhiteout(inode);
    if (!whiteout && !isDirectory(mode)) continue;
    if (affected[inodes.xattrSet(inode)] !== true) continue;
    if (whiteout && wraps(tree, inode, MARKED.map((name) => [name, 0]))) return true;
    if (!isDirectory(mode) || !hasChild(tree, inode, isWhiteout)) continue;
    if (wraps(tree, inode, [...PARENT.map((name) => [name, 0] as const), ...(opaque ? PARENT_V1.map((name) => [name, 1] as const) : [])])) return true;
  }
  return false;
}

/** As an image has a user's own xattr. */
const escaped = (name: string): string => (name.startsWith(PREFIX) ? `${PREFIX}overlay.${name.slice(PREFIX.length)}` : name);

function hasChild(tree: Tree, directory: Inode, is: (inode: Inode) => boolean): boolean {
  for (let index = 0; index < tree.childCount(directory); index++) {
    const entry = tree.child(directory, index);
    if (!tree.isHardLink(entry) && is(tree.target(entry))) return true;
  }
  return false;
}

function wraps(tree: Tree, inode: Inode, marks: readonly (readonly [name: string, length: number])[]): boolean {
  const sizes = new Map(tree.inodes.xattrs(inode).map(({ name, value }) => [escaped(name), value.length]));
  let account = 0;
  for (const [name, length] of marks) {
    const before = sizes.get(name);
    sizes.delete(name);
    if (before !== undefined) account = sizes.size === 0 ? 0 : account - ENTRY - name.length - before;
    account += ENTRY + name.length + length + (sizes.size === 0 ? HEADER : 0);
    if (account < 0 || account > MOST) return true;
    sizes.set(name, length);
  }
  return false;
}
