/** Which of the two C formats a tree becomes, as the C tool chooses between the versions that it was given. */

import { type Tree } from "../tree/index.ts";
import { isWhiteout } from "./order.ts";

/**
 * @param minVersion 0 or 1 @param maxVersion 0 or 1; a smaller one than minVersion counts as minVersion
 * @returns v1 when it is asked for, or allowed and the tree has whiteouts, which only v1 marks in a way that overlayfs understands
 */
export function chooseFormat(tree: Tree, minVersion: number, maxVersion: number): "v0" | "v1" {
  for (const version of [minVersion, maxVersion]) if (version !== 0 && version !== 1) throw new RangeError(`no version ${version}`);
  if (minVersion === 1) return "v1";
  if (maxVersion === 0) return "v0";
  for (let inode = 0; inode < tree.inodes.count; inode++) if (isWhiteout(tree, inode)) return "v1";
  return "v0";
}
