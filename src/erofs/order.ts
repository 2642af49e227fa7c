/** Which inodes an image has, and in which order: breadth first in v0 and v1, with the stubs of the root; depth first in v2. */

import { type Inode, isDirectory, ROOT, TYPE, type Tree, typeName, typeOf } from "../tree/index.ts";
import { type ImageFormat, MAX_DEPTH, TOO_DEEP } from "./format.ts";
import { Listing, missingStubs } from "./listing.ts";
import { unwritable } from "./problem.ts";

/** What is known about an inode, in bits. */
export const MARK = {
  /** A whiteout that is escaped: an empty regular file. */
  whiteout: 1,
  /** A directory with such a one. */
  whiteouts: 2,
  /** A regular file whose content lies in the object store, or a hole. */
  external: 4,
  compact: 8,
  /** The tail did not fit behind the inode: it has a block of its own. */
  moved: 16,
  /** Has blocks in the data area. */
  blocks: 32,
  seen: 64,
  /** Several files have its digest. */
  sharedDigest: 128,
} as const;

export interface Order {
  /** Inodes in the image's order. Numbers from tree.inodes.count on are stubs. */
  readonly inodes: Uint32Array;
  /** MARK bits, by inode. */
  readonly marks: Uint8Array;
  readonly stubCount: number;
  /** v2: how many names each inode has; elsewhere the tree's own nlink holds. */
  readonly links: Uint32Array | undefined;
}

export const isWhiteout = (tree: Tree, inode: Inode): boolean => typeOf(tree.inodes.mode(inode)) === TYPE.characterDevice && tree.inodes.rdev(inode) === 0;

/** @throws SealrootError SR-E500 for links to directories, unknown types, and directories deeper than are read back */
export function orderOf(tree: Tree, format: ImageFormat): { order: Order; listing: Listing } {
  const stubs = format === "v2" ? [] : missingStubs(tree);
  const listing = new Listing(tree, stubs);
  const marks = new Uint8Array(tree.inodes.count + stubs.length);
  const order = format === "v2" ? depthFirst(tree, marks) : breadthFirst(tree, listing, marks, stubs.length);
  for (let inode = 0; inode < tree.inodes.count; inode++) if (typeName(tree.inodes.mode(inode)) === undefined) throw unwritable(tree, inode, "its type is none that files have");
  return { order, listing };
}

function breadthFirst(tree: Tree, listing: Listing, marks: Uint8Array, stubCount: number): Order {
  const inodes = new Uint32Array(tree.inodes.count + stubCount);
  let count = 1;
  let depth = 0;
  for (let at = 0, level = 0; at < count; at++) {
    if (at === level) {
      depth++;
      level = count;
    }
    const directory = inodes[at] ?? ROOT;
    if (directory >= tree.inodes.count || !isDirectory(tree.inodes.mode(directory))) continue;
    if (depth > MAX_DEPTH) throw unwritable(tree, directory, TOO_DEEP);
    listing.load(directory);
    for (let index = 0; index < listing.count; index++) {
      const entry = listing.entry(index);
      if (entry === undefined) {
        if (listing.isStub(index)) inodes[count++] = listing.target(index);
        continue;
      }
      const inode = tree.target(entry);
      if (tree.isHardLink(entry)) {
        refuseDirectory(tree, inode);
        continue;
      }
      inodes[count++] = inode;
      if (!isWhiteout(tree, inode)) continue;
      marks[inode] = (marks[inode] ?? 0) | MARK.whiteout;
      marks[directory] = (marks[directory] ?? 0) | MARK.whiteouts;
    }
  }
  return { inodes: inodes.subarray(0, count), marks, stubCount, links: undefined };
}

/** A file with several names stands where its first one in this order is. */
function depthFirst(tree: Tree, marks: Uint8Array): Order {
  const inodes = new Uint32Array(tree.inodes.count);
  const links = new Uint32Array(tree.inodes.count);
  let count = 1;
  const directories: Inode[] = [ROOT];
  const next: number[] = [0];
  while (directories.length > 0) {
    const depth = directories.length - 1;
    const directory = directories[depth] ?? ROOT;
    const index = next[depth] ?? 0;
    if (index === tree.childCount(directory)) {
      directories.pop();
      next.pop();
      continue;
    }
    next[depth] = index + 1;
    const entry = tree.child(directory, index);
    const inode = tree.target(entry);
    links[inode] = (links[inode] ?? 0) + 1;
    if (tree.isHardLink(entry)) {
      refuseDirectory(tree, inode);
      if (isWhiteout(tree, inode)) throw unwritable(tree, inode, "a whiteout cannot have several names");
    }
    if (((marks[inode] ?? 0) & MARK.seen) !== 0) continue;
    marks[inode] = (marks[inode] ?? 0) | MARK.seen;
    inodes[count++] = inode;
    if (!isDirectory(tree.inodes.mode(inode))) continue;
    if (directories.length === MAX_DEPTH) throw unwritable(tree, inode, TOO_DEEP);
    directories.push(inode);
    next.push(0);
  }
  return { inodes: inodes.subarray(0, count), marks, stubCount: 0, links };
}

function refuseDirectory(tree: Tree, inode: Inode): void {
  if (isDirectory(tree.inodes.mode(inode))) throw unwritable(tree, inode, "a directory cannot have several names");
}
