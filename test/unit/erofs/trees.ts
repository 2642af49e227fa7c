/** Trees for tests of images, in the words of dumpfiles or by hand. */

import { DumpfileParser } from "../../../src/dumpfile/index.ts";
import { type Attributes, bytesOf, type Tree, TreeBuilder, TYPE } from "../../../src/tree/index.ts";

export const text = (words: string): Uint8Array => new TextEncoder().encode(words);

/** A dumpfile's lines as a tree. */
export function dumped(lines: string, digestSize: 32 | 64 = 32): Tree {
  const parser = new DumpfileParser({ strict: false, digestSize });
  parser.push(text(lines.endsWith("\n") ? lines : `${lines}\n`));
  return parser.finish();
}

export const attributes = (mode: number, more: Partial<Attributes> = {}): Attributes => ({ mode, nlink: 1, uid: 0, gid: 0, rdev: 0, size: 0, seconds: 0n, nanoseconds: 0, ...more });
export const DIRECTORY = attributes(TYPE.directory | 0o755);
export const FILE = attributes(TYPE.regular | 0o644);

export const builder = (digestSize: 32 | 64 = 32): TreeBuilder => new TreeBuilder(DIRECTORY, [], digestSize);
export const name = (words: string): Uint8Array => bytesOf(words);
