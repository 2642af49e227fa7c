/**
 * Where two filesystems differ: names that only one has, and attributes that are not the same. What a person needs to see whose two
 * digests should have been one.
 */

import type { Entry } from "./builder.ts";
import { binaryOf, compareBytes, equalBytes } from "./bytes.ts";
import { type Inode, ROOT } from "./inodes.ts";
import { isDevice, isDirectory, isRegular, isSymlink, TYPE_MASK, typeName } from "./mode.ts";
import type { Tree } from "./tree.ts";

/** One attribute, as text on either side; undefined where that side has none. */
export interface AttributeDifference {
  /** e.g. "mode", "mtime", "xattr security.selinux" */
  readonly name: string;
  readonly a: string | undefined;
  readonly b: string | undefined;
}

export type Difference =
  /** A name that one side lacks, with everything below it. */
  | { readonly kind: "only in a" | "only in b"; readonly path: string; readonly type: string; readonly below: number }
  | { readonly kind: "changed"; readonly path: string; readonly attributes: readonly AttributeDifference[] };

/** Names as people read them: UTF-8 where it is that, and what is not, or would disturb a terminal, as \xNN. */
export function nameText(name: Uint8Array): string {
  try {
    const text = new TextDecoder("utf-8", { fatal: true }).decode(name);
    // oxlint-disable-next-line no-control-regex
    return text.replace(/[\x00-\x1f\x7f\\]/g, (character) => (character === "\\" ? "\\\\" : hexByte(character.charCodeAt(0))));
  } catch {
    return Array.from(name, (byte) => (byte < 0x20 || byte > 0x7e ? hexByte(byte) : byte === 0x5c ? "\\\\" : String.fromCharCode(byte))).join("");
  }
}

const hexByte = (byte: number): string => `\\x${byte.toString(16).padStart(2, "0")}`;

export const pathText = (names: readonly Uint8Array[]): string => `/${names.map(nameText).join("/")}`;

/**
 * Calls `found` for each difference in the order of the paths, a directory before what is in it.
 * @param found returns false to end the comparison
 * @returns whether the trees are equal; meaningless after an early end
 */
export function compareTrees(a: Tree, b: Tree, found: (difference: Difference) => boolean): boolean {
  return new Comparison(a, b, found).run();
}

/** Ends a comparison early. */
class Enough extends Error {}

class Comparison {
  readonly #a: Tree;
  readonly #b: Tree;
  readonly #found: (difference: Difference) => boolean;
  #equal = true;

  constructor(a: Tree, b: Tree, found: (difference: Difference) => boolean) {
    this.#a = a;
    this.#b = b;
    this.#found = found;
  }

  run(): boolean {
    try {
      this.#inodes(ROOT, ROOT, undefined, undefined, "/");
      this.#below();
    } catch (error) {
      if (!(error instanceof Enough)) throw error;
    }
    return this.#equal;
  }

  #report(difference: Difference): void {
    this.#equal = false;
    if (!this.#found(difference)) throw new Enough();
  }

  /** Walks both with a stack of its own: a tree may be deeper than the runtime's. */
  #below(): void {
    const open = [{ a: ROOT, b: ROOT, i: 0, j: 0, path: "" }];
    for (let top = open.at(-1); top !== undefined; top = open.at(-1)) {
      const entryA = top.i < this.#a.childCount(top.a) ? this.#a.child(top.a, top.i) : undefined;
      const entryB = top.j < this.#b.childCount(top.b) ? this.#b.child(top.b, top.j) : undefined;
      if (entryA === undefined && entryB === undefined) {
        open.pop();
        continue;
      }
      const order = entryA === undefined ? 1 : entryB === undefined ? -1 : compareBytes(this.#a.name(entryA), this.#b.name(entryB));
      if (order <= 0) top.i += 1;
      if (order >= 0) top.j += 1;
      if (order < 0 && entryA !== undefined) this.#only("only in a", this.#a, entryA, top.path);
      else if (order > 0 && entryB !== undefined) this.#only("only in b", this.#b, entryB, top.path);
      else if (entryA !== undefined && entryB !== undefined) {
        const path = `${top.path}/${nameText(this.#a.name(entryA))}`;
        const [inodeA, inodeB] = [this.#a.target(entryA), this.#b.target(entryB)];
        this.#inodes(inodeA, inodeB, entryA, entryB, path);
        if (isDirectory(this.#a.inodes.mode(inodeA)) && isDirectory(this.#b.inodes.mode(inodeB))) open.push({ a: inodeA, b: inodeB, i: 0, j: 0, path });
      }
    }
  }

  #only(kind: "only in a" | "only in b", tree: Tree, entry: Entry, parent: string): void {
    const inode = tree.target(entry);
    this.#report({ kind, path: `${parent}/${nameText(tree.name(entry))}`, type: typeText(tree.inodes.mode(inode)), below: entriesBelow(tree, inode) });
  }

  #inodes(a: Inode, b: Inode, entryA: Entry | undefined, entryB: Entry | undefined, path: string): void {
    const differences: AttributeDifference[] = [];
    const { inodes: left } = this.#a;
    const { inodes: right } = this.#b;
    const differ = (name: string, textA: string | undefined, textB: string | undefined): void => void differences.push({ name, a: textA, b: textB });
    const numbers = (name: string, numberA: number, numberB: number): void => {
      if (numberA !== numberB) differ(name, String(numberA), String(numberB));
    };
    const [modeA, modeB] = [left.mode(a), right.mode(b)];
    if ((modeA & TYPE_MASK) !== (modeB & TYPE_MASK)) differ("type", typeText(modeA), typeText(modeB));
    if ((modeA & 0o7777) !== (modeB & 0o7777)) differ("mode", octal(modeA), octal(modeB));
    numbers("uid", left.uid(a), right.uid(b));
    numbers("gid", left.gid(a), right.gid(b));
    if (left.seconds(a) !== right.seconds(b) || left.nanoseconds(a) !== right.nanoseconds(b)) {
      differ("mtime", timeText(left.seconds(a), left.nanoseconds(a)), timeText(right.seconds(b), right.nanoseconds(b)));
    }
    if (isDevice(modeA) && isDevice(modeB)) numbers("device", left.rdev(a), right.rdev(b));
    numbers("links", left.nlink(a), right.nlink(b));
    if (entryA !== undefined && entryB !== undefined) {
      const [firstA, firstB] = [linkText(this.#a, a, entryA), linkText(this.#b, b, entryB)];
      if (firstA !== firstB) differ("hard link", firstA, firstB);
    }
    if (isRegular(modeA) && isRegular(modeB)) {
      numbers("size", left.size(a), right.size(b));
      const [dataA, dataB] = [contentText(this.#a, a), contentText(this.#b, b)];
      if (dataA !== dataB) differ("content", dataA, dataB);
    }
    if (isSymlink(modeA) && isSymlink(modeB)) {
      const [targetA, targetB] = [left.target(a) ?? NONE, right.target(b) ?? NONE];
      if (!equalBytes(targetA, targetB)) differ("target", nameText(targetA), nameText(targetB));
    }
    this.#xattrs(a, b, differ);
    if (differences.length > 0) this.#report({ kind: "changed", path, attributes: differences });
  }

  #xattrs(a: Inode, b: Inode, differ: (name: string, a: string | undefined, b: string | undefined) => void): void {
    const [left, right] = [this.#a.inodes.xattrs(a), this.#b.inodes.xattrs(b)];
    if (left.length === 0 && right.length === 0) return;
    const names = [...new Set([...left, ...right].map(({ name }) => name))].sort();
    for (const name of names) {
      const [valueA, valueB] = [left.find((xattr) => xattr.name === name)?.value, right.find((xattr) => xattr.name === name)?.value];
      if (valueA !== undefined && valueB !== undefined && equalBytes(valueA, valueB)) continue;
      differ(`xattr ${name}`, valueText(valueA), valueText(valueB));
    }
  }
}

const NONE = new Uint8Array();
const octal = (mode: number): string => `0${(mode & 0o7777).toString(8)}`;
const typeText = (mode: number): string => typeName(mode) ?? `type 0${(mode & TYPE_MASK).toString(8)}`;

/** Seconds since 1970 and, within what a calendar can say, the date. */
function timeText(seconds: bigint, nanoseconds: number): string {
  const exact = `${seconds}.${String(nanoseconds).padStart(9, "0")}`;
  const milliseconds = Number(seconds) * 1000;
  return Math.abs(milliseconds) > 8e15 ? exact : `${exact} (${new Date(milliseconds).toISOString().slice(0, 19).replace("T", " ")} UTC)`;
}

/** The first name of what this is a further name of. */
function linkText(tree: Tree, inode: Inode, entry: Entry): string | undefined {
  return tree.isHardLink(entry) ? `of ${pathText(tree.path(inode))}` : undefined;
}

const LONGEST_VALUE = 64;

function valueText(value: Uint8Array | undefined): string | undefined {
  if (value === undefined) return undefined;
  // labels end in a NUL, which is part of the value and all that may differ
  const text = JSON.stringify(binaryOf(value.subarray(0, LONGEST_VALUE))).replace(/[\x7f-\xff]/g, (character) => hexByte(character.charCodeAt(0)));
  return value.length > LONGEST_VALUE ? `${text}… (${value.length} bytes)` : text;
}

/** What tells the content of a regular file: its digest, where it lies, or the bytes in the image. */
function contentText(tree: Tree, inode: Inode): string {
  const { inodes } = tree;
  const digest = inodes.digest(inode);
  const payload = inodes.payload(inode);
  const content = inodes.content(inode);
  if (content !== undefined) return `inline ${content.toHex()}`;
  const name = payload === undefined || inodes.isNamedByDigest(inode) ? undefined : `object ${nameText(payload)}`;
  const parts = [...(digest === undefined ? [] : [`${inodes.digestSize === 64 ? "sha512" : "sha256"}:${digest.toHex()}`]), ...(name === undefined ? [] : [name])];
  return parts.length === 0 ? (inodes.size(inode) === 0 ? "empty" : "zeros") : parts.join(", ");
}

function entriesBelow(tree: Tree, directory: Inode): number {
  let count = 0;
  const open = [directory];
  for (let at = open.pop(); at !== undefined; at = open.pop()) {
    const children = tree.childCount(at);
    count += children;
    for (let index = 0; index < children; index++) {
      const child = tree.target(tree.child(at, index));
      if (isDirectory(tree.inodes.mode(child))) open.push(child);
    }
  }
  return count;
}
