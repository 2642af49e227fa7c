/**
 * All names of a tree, depth first and sorted, as the C tools visit an image. With a stack of its own: a tree may be deeper than the
 * runtime's.
 */

import { type Entry, type Inode, isDirectory, ROOT, type Tree } from "../tree/index.ts";

const SLASH = 0x2f;

/** What stands at a place of the walk. The same object for every place. */
export interface Place {
  /** The path, not escaped, is path[0..pathLength): empty for the root, else with a slash before each name. */
  path: Uint8Array;
  pathLength: number;
  inode: Inode;
  /** A further name of an inode that another place is the first of. */
  isLink: boolean;
  /** The path of that first place, written in the same way; undefined unless isLink. */
  first(): Uint8Array;
}

interface Level {
  readonly directory: Inode;
  next: number;
  /** Length of the directory's own path. */
  readonly pathLength: number;
}

/**
 * @param only names directly below the root that are visited; undefined: all. The tree is as if the others were not in it: a file
 * whose first name is left out has the next one for its first.
 */
export function walk(tree: Tree, only: readonly Uint8Array[] | undefined, visit: (place: Place) => void): void {
  const place: Place = { path: new Uint8Array(4096), pathLength: 0, inode: ROOT, isLink: false, first: () => first(tree, place, names) };
  const names = only === undefined ? undefined : new FirstNames();
  visit(place);
  const levels: Level[] = [{ directory: ROOT, next: 0, pathLength: 0 }];
  for (let level = levels.at(-1); level !== undefined; level = levels.at(-1)) {
    if (level.next === tree.childCount(level.directory)) {
      levels.pop();
      continue;
    }
    const entry = tree.child(level.directory, level.next++);
    if (only !== undefined && levels.length === 1 && !isOneOf(tree, entry, only)) continue;
    const length = tree.nameLength(entry);
    const end = level.pathLength + 1 + length;
    if (end > place.path.length) place.path = grown(place.path, end);
    place.path[level.pathLength] = SLASH;
    tree.copyName(entry, place.path, level.pathLength + 1);
    place.pathLength = end;
    place.inode = tree.target(entry);
    place.isLink = names === undefined ? tree.isHardLink(entry) : names.isLink(place);
    visit(place);
    if (!place.isLink && isDirectory(tree.inodes.mode(place.inode))) levels.push({ directory: place.inode, next: 0, pathLength: end });
  }
}

/** Where only a part of a tree is visited: the first names in it. */
class FirstNames {
  readonly #paths = new Map<Inode, Uint8Array>();

  isLink({ path, pathLength, inode }: Place): boolean {
    if (this.#paths.has(inode)) return true;
    this.#paths.set(inode, path.slice(0, pathLength));
    return false;
  }

  get(inode: Inode): Uint8Array {
    return this.#paths.get(inode) ?? new Uint8Array();
  }
}

function first(tree: Tree, { inode }: Place, names: FirstNames | undefined): Uint8Array {
  if (names !== undefined) return names.get(inode);
  const parts = tree.path(inode);
  const path = new Uint8Array(parts.reduce((sum, { length }) => sum + length + 1, 0));
  let at = 0;
  for (const part of parts) {
    path[at] = SLASH;
    path.set(part, at + 1);
    at += part.length + 1;
  }
  return path;
}

function isOneOf(tree: Tree, entry: Entry, names: readonly Uint8Array[]): boolean {
  const name = tree.name(entry);
  return names.some((one) => one.length === name.length && one.every((byte, at) => byte === name[at]));
}

function grown(bytes: Uint8Array, least: number): Uint8Array {
  const larger = new Uint8Array(Math.max(least, bytes.length * 2));
  larger.set(bytes);
  return larger;
}
