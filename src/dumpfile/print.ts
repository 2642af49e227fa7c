/** Trees as text: dumpfiles and listings, byte for byte what composefs-info prints. */

import { binaryOf, bytesOf, type Inode, type Inodes, isRegular, isSymlink, TYPE, type Tree, typeOf, type Xattr } from "../tree/index.ts";
import { ESCAPE } from "./escape.ts";
import { TextOutput } from "./text-output.ts";
import { type Place, walk } from "./walk.ts";

type Sink = (bytes: Uint8Array) => void;

const [SPACE, NEWLINE, DASH, EQUALS, AT, DOT, SLASH] = [0x20, 0x0a, 0x2d, 0x3d, 0x40, 0x2e, 0x2f];

/**
 * A dumpfile: one line for each name. Sizes, link counts and the order of xattrs are those of the tree, which for one that was read
 * from an image are what the image has.
 * @param only names directly below the root that are printed, with the root itself; undefined: all
 */
export function printDumpfile(tree: Tree, sink: Sink, only?: readonly Uint8Array[]): void {
  const output = new TextOutput(sink);
  const { inodes } = tree;
  const xattrTexts = new Map<number, string>();
  const digest = new Uint8Array(inodes.digestSize);
  walk(tree, only, (place) => {
    const { inode } = place;
    if (place.pathLength === 0) output.byte(0x2f);
    else output.escaped(place.path, place.pathLength, ESCAPE.standard);
    const mode = inodes.mode(inode);
    output.byte(SPACE);
    output.number(inodes.size(inode));
    output.byte(SPACE);
    if (place.isLink) output.byte(AT);
    output.number(mode, 8);
    field(output, inodes.nlink(inode));
    field(output, inodes.uid(inode));
    field(output, inodes.gid(inode));
    field(output, inodes.rdev(inode));
    output.byte(SPACE);
    seconds(output, inodes, inode);
    output.byte(DOT);
    output.number(inodes.nanoseconds(inode));
    output.byte(SPACE);
    const hasDigest = inodes.hasDigest(inode);
    if (hasDigest) inodes.copyDigest(inode, digest, 0);
    if (!place.isLink && inodes.isNamedByDigest(inode)) objectName(output, digest);
    else optional(output, place.isLink ? place.first() : isSymlink(mode) ? inodes.target(inode) : inodes.payload(inode));
    output.byte(SPACE);
    optional(output, inodes.content(inode));
    output.byte(SPACE);
    if (hasDigest) output.hex(digest);
    else output.byte(DASH);
    const set = inodes.xattrSet(inode);
    let text = xattrTexts.get(set);
    if (text === undefined) {
      text = xattrText(inodes.xattrTable.get(set));
      // trees share few sets; where they do not, there is nothing to gain by keeping them all
      if (xattrTexts.size < 4096) xattrTexts.set(set, text);
    }
    // in parts: a set's text may be longer than a portion
    for (let at = 0; at < text.length; at += 4096) output.text(text.slice(at, at + 4096));
    output.byte(NEWLINE);
  });
  output.flush();
}

function field(output: TextOutput, value: number): void {
  output.byte(SPACE);
  output.number(value);
}

/** Those of nearly all files fit in 32 bits without a sign. */
function seconds(output: TextOutput, inodes: Inodes, inode: Inode): void {
  if (inodes.secondsHigh(inode) === 0) output.number(inodes.secondsLow(inode));
  else output.text(String(inodes.seconds(inode)));
}

/** objectPath() */
function objectName(output: TextOutput, digest: Uint8Array): void {
  output.hex(digest, 0, 1);
  output.byte(SLASH);
  output.hex(digest, 1);
}

function optional(output: TextOutput, bytes: Uint8Array | undefined): void {
  if (bytes === undefined) output.byte(DASH);
  else output.escaped(bytes, bytes.length, ESCAPE.loneDash);
}

function xattrText(set: readonly Xattr[]): string {
  const parts: Uint8Array[] = [];
  const output = new TextOutput((bytes) => parts.push(bytes.slice()));
  for (const { name, value } of set) {
    output.byte(SPACE);
    output.escaped(bytesOf(name), name.length, ESCAPE.equals);
    output.byte(EQUALS);
    output.escaped(value, value.length, ESCAPE.equals);
  }
  output.flush();
  return parts.map((part) => binaryOf(part)).join("");
}

/** A listing: one line for each name below the root, with what a symbolic link or a file outside of the image leads to. */
export function printListing(tree: Tree, sink: Sink, only?: readonly Uint8Array[]): void {
  const output = new TextOutput(sink);
  const { inodes } = tree;
  const digest = new Uint8Array(inodes.digestSize);
  walk(tree, only, (place) => {
    if (place.pathLength === 0) return;
    output.escaped(place.path, place.pathLength, ESCAPE.rawSpace);
    if (!place.isLink) {
      const mode = inodes.mode(place.inode);
      if (typeOf(mode) === TYPE.directory) output.text("/\t");
      else if (isSymlink(mode)) arrow(output, "\t-> ", inodes.target(place.inode));
      else if (isRegular(mode) && inodes.isNamedByDigest(place.inode)) {
        inodes.copyDigest(place.inode, digest, 0);
        output.text("\t@ ");
        objectName(output, digest);
      } else if (isRegular(mode)) arrow(output, "\t@ ", inodes.payload(place.inode));
    }
    output.byte(NEWLINE);
  });
  output.flush();
}

function arrow(output: TextOutput, text: string, target: Uint8Array | undefined): void {
  if (target === undefined) return;
  output.text(text);
  output.escaped(target, target.length, ESCAPE.standard);
}

/** Calls `found` with the object path of each file outside of the image, as often as it is named. A view. */
export function eachObject(tree: Tree, found: (payload: Uint8Array) => void, only?: readonly Uint8Array[]): void {
  walk(tree, only, ({ inode, isLink }: Place) => {
    if (isLink || !isRegular(tree.inodes.mode(inode))) return;
    const payload = tree.inodes.payload(inode);
    if (payload !== undefined) found(payload);
  });
}
