/**
 * Mounts images and compares all that the kernel shows of each with the tree it was made of. Run by test/integration/kernel-view.test.ts
 * in a mount namespace of its own; standard input is a list of [image, dumpfile, format], standard output one line for each: how many
 * names were compared and what differs.
 */

import { mkdtempSync, readFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { ImageFormat } from "../../src/erofs/index.ts";
import { type Descriptor, O, openPath, readUpTo } from "../../src/linux/index.ts";
import { getXattrRaw, listNames, listXattrsRaw, openName, readLinkOf, statName } from "../../src/linux/names.ts";
import { binaryOf, bytesOf, isDirectory, isRegular, isSymlink, TYPE, typeOf } from "../../src/tree/index.ts";
import { parseDumpfile } from "../fuzz/differential-compare.ts";
import { isShown, type Shown, shownBy } from "./shown-tree.ts";

const MOST_CONTENT = 5001;

export interface Viewed {
  readonly names: number;
  readonly xattrs: number;
  readonly bytes: number;
  readonly different: readonly string[];
}

const must = <T>(result: T | number, what: string): T => {
  if (typeof result === "number") throw new Error(`${what}: errno ${-result}`);
  return result;
};

function xattrsOf(file: Descriptor, mode: number): Record<string, string> {
  const names = binaryOf(must(listXattrsRaw(file.fd, "as a path"), "listxattr")).split("\0").filter((name) => isShown(name, mode));
  return Object.fromEntries(names.map((name) => [name, must(getXattrRaw(file.fd, "as a path", bytesOf(name)), name).toHex()]));
}

/** @param inImage whether the content is to be read: what is not there would be a hole as long as the file */
function look(parent: Descriptor, name: Uint8Array, inImage: boolean): Omit<Shown, "file"> & { readonly inode: bigint } {
  using file = openName(parent, name, O.PATH | O.NOFOLLOW);
  const { mode, nlink, uid, gid, rdev, size, seconds, nanoseconds, inode } = statName(file);
  const device = [TYPE.characterDevice, TYPE.blockDevice].some((type) => type === typeOf(mode));
  let content: string | undefined;
  if (inImage && isRegular(mode)) {
    using opened = openName(parent, name, O.RDONLY);
    content = readUpTo(opened, MOST_CONTENT).toHex();
  }
  return {
    mode, nlink, uid, gid, rdev: device ? rdev : 0, size: isRegular(mode) || isSymlink(mode) ? size : 0, time: `${seconds}.${nanoseconds}`,
    target: isSymlink(mode) ? binaryOf(must(readLinkOf(file.fd), "readlink")) : undefined, content, xattrs: xattrsOf(file, mode), inode,
  };
}

function compare(mount: string, expected: Map<string, Shown>): Viewed {
  const different: string[] = [];
  const inodes = new Map<number, bigint>();
  const seen = new Set<string>();
  let xattrs = 0;
  let bytes = 0;
  using root = openPath(mount, O.RDONLY | O.DIRECTORY);

  const check = (parent: Descriptor, name: Uint8Array, path: string): void => {
    seen.add(path);
    const wanted = expected.get(path);
    if (wanted === undefined) return void different.push(`${path} is not in the tree`);
    const { inode, ...found } = look(parent, name, wanted.content !== undefined);
    const { file, ...rest } = wanted;
    xattrs += Object.keys(found.xattrs).length;
    bytes += (found.content?.length ?? 0) / 2;
    if (!Bun.deepEquals(found, rest)) different.push(`${path}: the kernel shows ${JSON.stringify(found)}, the tree has ${JSON.stringify(rest)}`);
    const known = inodes.get(file);
    if (known !== undefined && known !== inode) different.push(`${path} is another file than its other names`);
    inodes.set(file, inode);
    if (isDirectory(found.mode)) {
      using directory = openName(parent, name, O.RDONLY | O.DIRECTORY);
      const names: Uint8Array[] = [];
      listNames(directory, (buffer, start, end) => void names.push(buffer.slice(start, end)));
      for (const below of names) check(directory, below, `${path}/${binaryOf(below)}`);
    }
  };
  check(root, bytesOf("."), "");
  for (const path of expected.keys()) if (!seen.has(path)) different.push(`${path} is not shown`);
  if (new Set(inodes.values()).size !== inodes.size) different.push("two files have one inode number");
  return { names: seen.size, xattrs, bytes, different };
}

const mount = mkdtempSync(join(tmpdir(), "sealroot-view-"));
for (const [image = "", dumpfile = "", format = ""] of JSON.parse(await Bun.stdin.text()) as [string, string, ImageFormat][]) {
  const mounted = Bun.spawnSync(["mount", "-t", "erofs", "-o", "loop,ro", image, mount], { stderr: "pipe" });
  const viewed: Viewed = mounted.exitCode === 0
    ? compare(mount, shownBy(parseDumpfile(readFileSync(dumpfile)), format as ImageFormat))
    : { names: 0, xattrs: 0, bytes: 0, different: [mounted.stderr.toString()] };
  if (mounted.exitCode === 0) Bun.spawnSync(["umount", mount]);
  console.log(JSON.stringify(viewed));
}
