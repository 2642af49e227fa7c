/**
 * The file tree that an initramfs becomes, in memory: what the kernel would have made of the archives, entry by entry, with
 * symbolic links followed where the kernel follows them. Nothing here touches the machine's own files.
 */

import { Damage } from "./damage.ts";

/** As in path_resolution(7). */
const MAX_SYMLINKS = 40;
/** Names looked up in all; an initramfs needs some ten thousand. Keeps links to links of long paths from taking for ever. */
const MAX_STEPS = 10_000_000;

export interface Inode {
  readonly kind: "file" | "directory" | "symlink" | "other";
  /** Permission bits. */
  mode: number;
  /** Bytes. */
  size: number;
  /** What was kept of the content: all of it, its beginning, or nothing. */
  data: Uint8Array | undefined;
  /** Where a symbolic link points. */
  readonly target: string;
  /** Entries of a directory. */
  readonly entries: Map<string, Inode>;
}

export function makeInode(kind: Inode["kind"], mode: number, target = ""): Inode {
  return { kind, mode, size: 0, data: undefined, target, entries: new Map() };
}

export interface Found {
  readonly inode: Inode;
  /** The path without symbolic links. */
  readonly path: string;
}

interface Step {
  readonly name: string;
  readonly inode: Inode;
}

const parts = (path: string): string[] => path.split("/").filter((part) => part !== "" && part !== ".");

export class Tree {
  readonly root: Inode = makeInode("directory", 0o755);
  #steps = 0;

  /** Follows every symbolic link, the last one too; undefined for what is not there, and for loops. */
  find(path: string): Found | undefined {
    return this.#walk(path, true);
  }

  /** Follows the symbolic links on the way, not the last one. */
  findLink(path: string): Found | undefined {
    return this.#walk(path, false);
  }

  file(path: string): Found | undefined {
    const found = this.find(path);
    return found?.inode.kind === "file" ? found : undefined;
  }

  /** Names in a directory, in order; none if it is no directory. */
  list(path: string): readonly string[] {
    const found = this.find(path);
    return found?.inode.kind === "directory" ? [...found.inode.entries.keys()].sort() : [];
  }

  /**
   * Puts `inode` at `path`, as the kernel's unpacking does: a thing of another kind that is there is replaced, a directory
   * that is not empty stays.
   * @returns whether it was put there; false when its directory does not exist, and the kernel would skip it in silence
   */
  put(path: string, inode: Inode): boolean {
    const names = parts(path);
    const name = names.pop();
    if (name === undefined || name === "..") return inode.kind === "directory";
    const parent = this.#walk(names.join("/"), true);
    if (parent?.inode.kind !== "directory") return false;
    const entries = parent.inode.entries;
    const present = entries.get(name);
    if (present?.kind === "directory") {
      if (inode.kind === "directory") {
        present.mode = inode.mode;
        return true;
      }
      if (present.entries.size > 0) return false;
    }
    entries.set(name, inode);
    return true;
  }

  /** What stands at `path`, to be written into; links on the way are followed. */
  at(path: string): Inode | undefined {
    return this.#walk(path, false)?.inode;
  }

  #count(steps: number): void {
    this.#steps += steps;
    if (this.#steps > MAX_STEPS) throw new Damage("its symbolic links lead round and round");
  }

  #walk(path: string, followLast: boolean): Found | undefined {
    let left = parts(path).reverse();
    let at: Step[] = [];
    let links = 0;
    this.#count(left.length);
    while (left.length > 0) {
      const name = left.pop() ?? "";
      if (name === "..") {
        at.pop();
        continue;
      }
      const here = at.at(-1)?.inode ?? this.root;
      if (here.kind !== "directory") return undefined;
      const inode = here.entries.get(name);
      if (inode === undefined) return undefined;
      if (inode.kind === "symlink" && (left.length > 0 || followLast)) {
        if (++links > MAX_SYMLINKS) return undefined;
        if (inode.target.startsWith("/")) at = [];
        left = left.concat(parts(inode.target).reverse());
        this.#count(left.length);
        continue;
      }
      at.push({ name, inode });
    }
    return { inode: at.at(-1)?.inode ?? this.root, path: `/${at.map(({ name }) => name).join("/")}` };
  }
}
