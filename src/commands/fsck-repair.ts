/**
 * Repairing what a check of a repository found: good copies of bad and missing objects, and links that lead to the wrong one. An image
 * gets its place after the objects that it needs: a link to nothing is passed over by a boot, an image with holes is not.
 */

import { SealrootError } from "../errors/index.ts";
import { type Descriptor, SyscallError } from "../linux/index.ts";
import { Drafts } from "../repository/drafts.ts";
import type { Fsck, FsckWatcher } from "../repository/fsck.ts";
import type { LinkFindings } from "../repository/fsck-links.ts";
import { objectsNeeded, readImageFile } from "../repository/image-file.ts";
import { ObjectSource } from "../repository/object-source.ts";
import { removeTemporary, replaceImageLink, Replacements } from "../repository/repair.ts";
import { openFile } from "../repository/repository.ts";
import { writeFacts } from "../repository/write-errors.ts";

export interface Repaired {
  /** Findings after the repair. */
  readonly links: LinkFindings;
  readonly paths: readonly string[];
  readonly failed: readonly { readonly path: string; readonly reason: string }[];
}

const REASONS = {
  "wrong content": "what the source has there has other content", "unreadable": "what the source has there cannot be read", "no fs-verity": "the copy cannot have fs-verity on this filesystem",
} as const;

const pathOf = (hex: string): string => `objects/${hex.slice(0, 2)}/${hex.slice(2)}`;

/** @param from where good copies are looked for @throws SealrootError SR-E520, SR-E548 */
export function repairAll(fsck: Fsck, links: LinkFindings, from: string, watcher: FsckWatcher): Repaired {
  try {
    removeTemporary(fsck.contents, fsck.objects.temporary);
    using source = new ObjectSource(from);
    using drafts = new Drafts(fsck.contents.directory);
    return new Repair(fsck, source, drafts, watcher).run(links);
  } catch (error) {
    if (error instanceof SyscallError) throw new SealrootError("SR-E548", { summary: "the repository cannot be repaired", ...writeFacts(fsck.contents.directory.label, error) });
    throw error;
  }
}

class Repair {
  readonly #fsck: Fsck;
  readonly #source: ObjectSource;
  readonly #drafts: Drafts;
  readonly #watcher: FsckWatcher;
  readonly #replacements: Replacements;
  readonly #paths: string[] = [];
  readonly #unlinked: { readonly path: string; readonly reason: string }[] = [];
  readonly #failed = new Map<string, string>();
  /** Images that are staged, with their sizes and the objects that they need and that were not there. */
  readonly #images = new Map<string, { readonly size: number; readonly needs: readonly string[] }>();

  constructor(fsck: Fsck, source: ObjectSource, drafts: Drafts, watcher: FsckWatcher) {
    this.#fsck = fsck;
    this.#source = source;
    this.#drafts = drafts;
    this.#replacements = new Replacements(fsck.contents, drafts.directory, fsck.requireVerity ? "required" : "tried");
    this.#watcher = watcher;
  }

  run(links: LinkFindings): Repaired {
    const { contents, objects } = this.#fsck;
    const wrongLinks = this.#wrongLinks(links);
    const images = new Set(contents.category("images").links.map(({ id, name }) => [id?.toHex(), name]).flat());
    // a staged image brings the objects that it needs, and their absence
    for (let handled = -1; handled !== this.#handled();) {
      handled = this.#handled();
      const open = [...objects.bad.keys()].filter((hex) => !this.#failed.has(hex) && !this.#images.has(hex));
      this.#watcher.begin("repairing", { items: open.length });
      for (const hex of open) {
        const size = this.#stage(hex);
        if (size !== undefined && images.has(hex)) this.#hold(hex, size);
        else if (size !== undefined) this.#place(hex, size);
        this.#watcher.advance(1);
      }
      this.#replacements.place();
    }
    for (const [hex, { size, needs }] of this.#images) {
      const lacking = needs.filter((need) => objects.bad.has(need)).length;
      if (lacking > 0 && objects.bad.get(hex)?.fault === "missing") this.#failed.set(hex, `it is an image, and ${lacking} of its objects are missing too`);
      else this.#place(hex, size);
    }
    this.#replacements.place();
    for (const { path, digest, needs } of wrongLinks) {
      if (objects.bad.has(digest) || needs.some((need) => objects.bad.has(need))) continue;
      try {
        replaceImageLink(contents, digest, this.#drafts.directory);
        this.#paths.push(path);
      } catch (error) {
        if (!(error instanceof SealrootError)) throw error;
        this.#unlinked.push({ path, reason: "something that is no link has its name" });
      }
    }
    return { links: this.#fsck.checkLinks(), paths: this.#paths, failed: [...[...this.#failed].map(([hex, reason]) => ({ path: pathOf(hex), reason })), ...this.#unlinked] };
  }

  #handled(): number {
    return this.#paths.length + this.#failed.size + this.#images.size;
  }

  /** Looks for a good copy. @returns its size, or undefined where there is none */
  #stage(hex: string): number | undefined {
    const { objects } = this.#fsck;
    const id = Uint8Array.fromHex(hex);
    let reason = objects.bad.get(hex)?.fault === "type" ? "something that is no file has its name" : "the source does not have it";
    if (objects.bad.get(hex)?.fault !== "type") {
      // the object's own size where nothing else tells: content that changed in place keeps it
      const sizeOf = (other: string): number | undefined => objects.wanted.get(other) ?? objects.size(Uint8Array.fromHex(other));
      const sizes = new Set([...objects.bad.keys()].map(sizeOf).filter((size) => size !== undefined));
      for (const candidate of this.#source.candidates(id, sizeOf(hex), sizes)) {
        const { result, size } = this.#replacements.stage(id, candidate, sizeOf(hex));
        if (result === "staged") return size;
        reason = REASONS[result];
      }
    }
    this.#failed.set(hex, reason);
    return undefined;
  }

  /** With the next ones that are ready. */
  #place(hex: string, size: number): void {
    const { objects } = this.#fsck;
    const id = Uint8Array.fromHex(hex);
    this.#replacements.add(id, size, () => {
      objects.bad.delete(hex);
      objects.put(id, size);
      this.#paths.push(pathOf(hex));
    });
  }

  /** An image waits for its objects. */
  #hold(hex: string, size: number): void {
    using file = this.#replacements.open(Uint8Array.fromHex(hex));
    this.#images.set(hex, { size, needs: this.#needsOf(file) });
  }

  /** Objects that an image needs and that are missing or bad. */
  #needsOf(image: Descriptor): string[] {
    const { contents, objects } = this.#fsck;
    const needs: string[] = [];
    try {
      objectsNeeded(readImageFile(image).tree, contents.idLength, (id, wanted) => {
        const need = id.toHex();
        if (objects.size(id) === undefined) objects.bad.set(need, { fault: "missing", found: "it is not there" });
        if (!objects.bad.has(need)) return;
        objects.wanted.set(need, wanted);
        needs.push(need);
      });
    } catch (error) {
      // it has the right digest and is no image that can be read: the same as it was
      if (!(error instanceof SealrootError)) throw error;
    }
    return needs;
  }

  /** Links of images that lead elsewhere, where the object of their name is there. */
  #wrongLinks({ problems }: LinkFindings): { readonly path: string; readonly digest: string; readonly needs: readonly string[] }[] {
    const { contents } = this.#fsck;
    return problems.flatMap(({ kind, path }) => {
      const digest = kind === "link" ? /^images\/([0-9a-f]{64}|[0-9a-f]{128})$/.exec(path)?.[1] : undefined;
      using file = digest === undefined || digest.length !== contents.idLength * 2 ? undefined : openFile(contents.directory, pathOf(digest));
      return digest === undefined || file === undefined ? [] : [{ path, digest, needs: this.#needsOf(file) }];
    });
  }
}
