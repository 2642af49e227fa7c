/**
 * What a mounted image of a tree must show, from the rules of the format alone (composefs-dump(5), composefs-rs's v2, overlayfs.rst):
 * nothing here is the writer's.
 */

import { binaryOf, bytesOf, type Inode, isDirectory, isRegular, isSymlink, ROOT, type Tree, TYPE, typeOf } from "../../src/tree/index.ts";
import type { ImageFormat } from "../../src/erofs/index.ts";

export interface Shown {
  readonly mode: number;
  readonly nlink: number;
  readonly uid: number;
  readonly gid: number;
  /** Of devices, Linux's 32 bits; 0 elsewhere. */
  readonly rdev: number;
  /** Of regular files and links; 0 elsewhere. */
  readonly size: number;
  /** Seconds and nanoseconds. */
  readonly time: string;
  readonly target: string | undefined;
  /** Hexadecimal digits of what lies in the image; undefined for what does not. */
  readonly content: string | undefined;
  /** Name to value in hexadecimal digits: those that a kernel shows. */
  readonly xattrs: Readonly<Record<string, string>>;
  /** Equal for names of one file. */
  readonly file: number;
}

const NO_ONE = 0xffffffff;
const OVERFLOW_ID = 65534;
const USER_OVERLAY = "trusted.overlay.";
const ACLS = ["system.posix_acl_access", "system.posix_acl_default"];

/** Whether a kernel shows an xattr: its namespace has a handler, and user.* belongs to files and directories. */
export const isShown = (name: string, mode: number): boolean =>
  /^(?:trusted|security)\../s.test(name) || (/^user\../s.test(name) && (isRegular(mode) || isDirectory(mode))) || ACLS.includes(name);

const isWhiteout = (tree: Tree, inode: Inode): boolean => typeOf(tree.inodes.mode(inode)) === TYPE.characterDevice && tree.inodes.rdev(inode) === 0;
const ownerOf = (id: number): number => (id === NO_ONE ? OVERFLOW_ID : id);

/** All names, the root as "", one character a byte, to what they are. */
export function shownBy(tree: Tree, format: ImageFormat): Map<string, Shown> {
  const v2 = format === "v2";
  const { inodes } = tree;
  const links = new Map<Inode, number>();
  const shown = new Map<string, Shown>();
  const paths: [Inode, string][] = [];
  const directories: [Inode, string][] = [[ROOT, ""]];
  for (let at = 0; at < directories.length; at++) {
    const [directory, path] = directories[at] ?? [ROOT, ""];
    paths.push([directory, path]);
    for (const entry of tree.children(directory)) {
      const inode = tree.target(entry);
      const below = `${path}/${binaryOf(tree.name(entry))}`;
      links.set(inode, (links.get(inode) ?? 0) + 1);
      if (isDirectory(inodes.mode(inode))) directories.push([inode, below]);
      else paths.push([inode, below]);
    }
  }

  const xattrsOf = (inode: Inode): Map<string, Uint8Array> => {
    const xattrs = new Map(inodes.xattrs(inode).map(({ name, value }) => [name.startsWith(USER_OVERLAY) ? `${USER_OVERLAY}overlay.${name.slice(USER_OVERLAY.length)}` : name, value]));
    const mode = inodes.mode(inode);
    if (isRegular(mode) && inodes.size(inode) > 0 && inodes.content(inode) === undefined) {
      const digest = inodes.digest(inode);
      xattrs.set("trusted.overlay.metacopy", digest === undefined ? new Uint8Array() : new Uint8Array([0, digest.length + 4, 0, digest.length === 32 ? 1 : 2, ...digest]));
      const payload = v2 && digest !== undefined ? bytesOf(`${digest.toHex().slice(0, 2)}/${digest.toHex().slice(2)}`) : inodes.payload(inode);
      if (payload !== undefined && payload.length > 0) xattrs.set("trusted.overlay.redirect", new Uint8Array([0x2f, ...payload]));
    }
    if (v2) return xattrs;
    const mark = (word: string, value = ""): void => {
      for (const name of [`trusted.overlay.overlay.${word}`, `user.overlay.${word}`]) xattrs.set(name, bytesOf(value));
    };
    if (isWhiteout(tree, inode)) mark("whiteout");
    // the directory in which it stands, not those in which it is linked
    if (isDirectory(mode) && [...tree.children(inode)].some((entry) => !tree.isHardLink(entry) && isWhiteout(tree, tree.target(entry)))) {
      mark("whiteouts");
      if (format === "v1") mark("opaque", "x");
    }
    if (inode === ROOT) xattrs.set("trusted.overlay.opaque", bytesOf("y"));
    return xattrs;
  };

  for (const [inode, path] of paths) {
    const whiteout = !v2 && isWhiteout(tree, inode);
    const mode = whiteout ? TYPE.regular | (inodes.mode(inode) & 0o7777) : inodes.mode(inode);
    const target = inodes.target(inode);
    const subdirectories = [...tree.children(inode)].filter((entry) => isDirectory(inodes.mode(tree.target(entry)))).length;
    shown.set(path, {
      mode,
      nlink: isDirectory(mode) ? 2 + subdirectories : v2 ? (links.get(inode) ?? 0) : inodes.nlink(inode),
      uid: ownerOf(inodes.uid(inode)),
      gid: ownerOf(inodes.gid(inode)),
      rdev: [TYPE.characterDevice, TYPE.blockDevice].some((type) => type === typeOf(mode)) ? inodes.rdev(inode) : 0,
      size: isSymlink(mode) ? (target?.length ?? 0) : isRegular(mode) && !whiteout ? inodes.size(inode) : 0,
      time: `${inodes.seconds(inode)}.${v2 ? 0 : inodes.nanoseconds(inode)}`,
      target: target === undefined ? undefined : binaryOf(target),
      content: inodes.content(inode)?.toHex() ?? (isRegular(mode) && (whiteout || inodes.size(inode) === 0) ? "" : undefined),
      xattrs: Object.fromEntries([...xattrsOf(inode)].filter(([name]) => isShown(name, mode)).map(([name, value]) => [name, value.toHex()])),
      file: inode,
    });
  }
  if (!v2) addStubs(tree, shown);
  return shown;
}

/** An object store's directories, which must not be seen through an image's root. */
function addStubs(tree: Tree, shown: Map<string, Shown>): void {
  const root = shown.get("");
  if (root === undefined) throw new Error("a tree without a root");
  const label = root.xattrs["security.selinux"];
  for (let stub = 0; stub < 256; stub++) {
    const path = `/${stub.toString(16).padStart(2, "0")}`;
    if (shown.has(path)) continue;
    shown.set(path, {
      mode: TYPE.characterDevice | 0o644, nlink: 1, uid: root.uid, gid: root.gid, rdev: 0, size: 0, time: root.time, target: undefined, content: undefined,
      xattrs: label === undefined ? {} : { "security.selinux": label }, file: tree.inodes.count + stub,
    });
  }
}
