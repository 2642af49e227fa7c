/** The lines with `@`: further names of files that may stand anywhere in the dumpfile, so they are resolved when all of it is read. */

import { type Entry, type Inode, isDirectory, ROOT, type Tree, type TreeBuilder } from "../tree/index.ts";
import { Problem, quote } from "./problem.ts";

const SLASH = 0x2f;

interface Link {
  /** undefined: the payload is a dash */
  readonly target: Uint8Array | undefined;
  readonly line: number;
}

export class HardLinks {
  readonly #links = new Map<Entry, Link>();

  add(entry: Entry, target: Uint8Array | undefined, line: number): void {
    this.#links.set(entry, { target, line });
  }

  has(entry: Entry): boolean {
    return this.#links.has(entry);
  }

  /** Gives every link the inode it stands for. @param tree of the builder, in which links lead nowhere yet @throws SealrootError SR-E510 */
  resolve(builder: TreeBuilder, tree: Tree): void {
    const next = new Map<Entry, Entry>();
    // from the last one, as the C tool: it decides which of several mistakes is told
    for (const [entry, link] of [...this.#links].reverse()) {
      try {
        next.set(entry, this.#find(tree, entry, link.target));
      } catch (error) {
        throw error instanceof Problem ? error.toSealrootError(link.line) : error;
      }
    }
    const done = new Map<Entry, Inode>();
    for (const entry of this.#links.keys()) {
      const chain: Entry[] = [];
      let at = entry;
      for (const passed = new Set<Entry>(); this.#links.has(at) && !done.has(at); ) {
        if (passed.has(at)) throw new Problem("cannot write file: Too many levels of symbolic links").toSealrootError(this.#links.get(at)?.line ?? 0);
        passed.add(at);
        chain.push(at);
        at = next.get(at) ?? at;
      }
      const target = done.get(at) ?? builder.targetOf(at);
      for (const part of chain) {
        builder.retarget(part, target);
        done.set(part, target);
      }
    }
  }

  #find(tree: Tree, link: Entry, target: Uint8Array | undefined): Entry {
    if (target === undefined || target.length === 0) throw new Problem("No target path for the hardlink");
    let parent: Inode = ROOT;
    let found: Entry | undefined;
    for (let at = 0; at < target.length; ) {
      if (target[at] === SLASH) {
        at++;
        continue;
      }
      const slash = target.indexOf(SLASH, at);
      const end = slash < 0 ? target.length : slash;
      // a link has nothing below it, and its entry has no inode yet
      const entry = found !== undefined && this.#links.has(found) ? undefined : tree.find(parent, target, at, end);
      if (entry === undefined) throw new Problem(`No target at ${quote(target)} for hardlink`);
      found = entry;
      parent = tree.target(entry);
      at = end;
    }
    if (found === link) throw new Problem(`Self-referential hardlink ${quote(target)}`);
    // the C tool makes a second entry of a directory, which no file system can have
    if (found === undefined || (!this.#links.has(found) && isDirectory(tree.inodes.mode(parent)))) throw new Problem("Directories can't be hardlinked");
    return found;
  }
}
