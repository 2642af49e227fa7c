/** What cannot be written, said with the path of the file. */

import { SealrootError } from "../errors/index.ts";
import { type Inode, ROOT, type Tree } from "../tree/index.ts";

/** As long as a path can be that the kernel takes: who reads a message has no use for more. */
const LONGEST = 4096;

/** A path as people read it; bytes that are not printable as `\xNN`. */
export function printablePath(tree: Tree, inode: Inode): string {
  return inode === ROOT ? "/" : tree.path(inode).map((name) => `/${printable(name)}`).join("");
}

export function printable(bytes: Uint8Array): string {
  let text = "";
  for (const byte of bytes) text += byte >= 0x20 && byte < 0x7f && byte !== 0x5c ? String.fromCharCode(byte) : `\\x${byte.toString(16).padStart(2, "0")}`;
  return text;
}

export function unwritable(tree: Tree, inode: Inode, reason: string): SealrootError {
  const path = printablePath(tree, inode);
  return new SealrootError("SR-E500", { details: [["file", path.length > LONGEST ? `${path.slice(0, LONGEST)}…` : path], ["reason", reason]] });
}
