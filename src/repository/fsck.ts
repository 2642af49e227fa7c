/**
 * Checking a repository: every object against its name, then every link, image, stream and reference; and what each fault hurts.
 * Writes nothing.
 */

import { SealrootError } from "../errors/index.ts";
import { measureVerity } from "../linux/index.ts";
import { objectPath } from "../tree/index.ts";
import { type CheckedObject, checkObject } from "./check-object.ts";
import type { RepositoryContents } from "./contents.ts";
import { checkLinks, type LinkFindings } from "./fsck-links.ts";
import { IdSet } from "./id-set.ts";
import { objectsNeeded, readImageFile } from "./image-file.ts";
import { ObjectTable } from "./object-table.ts";
import { openFile } from "./repository.ts";

export interface FsckWatcher {
  begin(what: string, total?: { readonly items?: number; readonly bytes?: number }): void;
  advance(items: number, bytes?: number): void;
}

export interface FsckOptions {
  /** Objects only have to be there and have the right size. */
  readonly quick: boolean;
  /** The name of one image: it and its objects, nothing else. */
  readonly image: string | undefined;
  /** Digests of images that deployments and boot entries name: they have to have links. */
  readonly roots?: readonly string[];
}

/** Told of each object that was checked. */
export type ObjectSink = (hex: string, checked: CheckedObject) => void;

/** Whether meta.json itself has fs-verity: composefs-rs then demands it of every object. */
export function demandsVerity({ directory }: RepositoryContents): boolean {
  using meta = openFile(directory, "meta.json");
  return meta !== undefined && measureVerity(meta).kind === "digest";
}

/** Checks the objects of some directories `objects/xx`; whoever wants several at once gives each its own. */
export function checkObjectDirectories(contents: RepositoryContents, prefixes: readonly string[], requireVerity: boolean, sink: ObjectSink, advance: (items: number, bytes: number) => void): void {
  for (const prefix of prefixes) {
    using directory = contents.openObjectDirectory(prefix);
    if (directory === undefined) continue;
    for (const { name, id, type } of contents.objectsIn(prefix, directory).objects) {
      // told by the table already
      if (type !== "regular file") continue;
      const hex = id.toHex();
      sink(hex, checkObject(directory, name, hex, contents.algorithm, requireVerity, (bytes) => advance(0, bytes)));
      advance(1, 0);
    }
  }
}

export class Fsck {
  readonly contents: RepositoryContents;
  readonly objects: ObjectTable;
  readonly requireVerity: boolean;
  readonly #options: FsckOptions;
  readonly #watcher: FsckWatcher;
  /** Objects whose content was checked, and those of them that the kernel vouches for. */
  checked = 0;
  measured = 0;

  /** @throws SealrootError SR-E544 when the one image is not there */
  constructor(contents: RepositoryContents, options: FsckOptions, watcher: FsckWatcher) {
    this.contents = contents;
    this.#options = options;
    this.#watcher = watcher;
    this.requireVerity = demandsVerity(contents);
    watcher.begin("looking through the objects", { items: contents.objectDirectories().length });
    this.objects = new ObjectTable(contents, (items) => watcher.advance(items));
  }

  /** What checkObjects() will look at, for a decision to share it out. */
  get work(): { readonly items: number; readonly bytes: number } {
    return { items: this.objects.present.size, bytes: this.objects.bytes };
  }

  /** Takes the result for one object, from whoever checked it. */
  readonly take: ObjectSink = (hex, result) => {
    this.checked += 1;
    if (result.measured) this.measured += 1;
    this.objects.checked(hex, result);
  };

  /** The content of objects, unless the options say not to: of all, or of those that the one image needs. */
  checkObjects(): void {
    const { image, quick } = this.#options;
    const advance = (items: number, bytes: number): void => this.#watcher.advance(items, bytes);
    if (image !== undefined) {
      this.#checkImageObjects(image, quick, advance);
    } else if (quick) {
      // of an image that is not what its name says nothing else would be worth a word
      for (const { id } of this.contents.category("images").links) if (id !== undefined) this.#check(id, advance);
    } else {
      this.#watcher.begin("checking objects", this.work);
      checkObjectDirectories(this.contents, this.contents.objectDirectories(), this.requireVerity, this.take, advance);
    }
  }

  #checkImageObjects(name: string, quick: boolean, advance: (items: number, bytes: number) => void): void {
    const link = this.contents.category("images").links.find((candidate) => candidate.name === name);
    if (link === undefined) throw new SealrootError("SR-E544", { details: [["looked for", `images/${name}`]] });
    const { id } = link;
    if (id === undefined || !this.#check(id, advance) || quick) return;
    const needed = new IdSet(this.contents.idLength);
    let bytes = 0;
    try {
      using file = openFile(this.contents.directory, `objects/${objectPath(id)}`);
      if (file === undefined) return;
      objectsNeeded(readImageFile(file).tree, this.contents.idLength, (object, size) => {
        if (needed.add(object)) bytes += size;
      });
    } catch (error) {
      // an image that cannot be parsed is told when the links are checked
      if (error instanceof SealrootError) return;
      throw error;
    }
    this.#watcher.begin("checking objects", { items: needed.size, bytes });
    for (let number = 0; number < needed.size; number++) this.#check(needed.at(number), advance);
  }

  /** @returns whether it is there and right */
  #check(id: Uint8Array, advance: (items: number, bytes: number) => void): boolean {
    const hex = id.toHex();
    if (this.objects.size(id) === undefined || this.objects.bad.has(hex)) return false;
    const result = this.#inspect(id, (bytes) => advance(0, bytes));
    if (result === undefined) return false;
    advance(1, 0);
    this.take(hex, result);
    return result.fault === undefined;
  }

  /** @returns undefined where there is none */
  #inspect(id: Uint8Array, advance: (bytes: number) => void): CheckedObject | undefined {
    const hex = id.toHex();
    using directory = this.contents.openObjectDirectory(hex.slice(0, 2));
    return directory === undefined ? undefined : checkObject(directory, hex.slice(2), hex, this.contents.algorithm, this.requireVerity, advance);
  }

  /** After checkObjects(); again after a repair. */
  checkLinks(): LinkFindings {
    const { image, quick, roots = [] } = this.#options;
    this.#watcher.begin("checking images and streams");
    const isRight = (id: Uint8Array): boolean => this.#inspect(id, () => undefined)?.fault === undefined;
    // what was added since the objects were listed was not checked with them
    const look = (id: Uint8Array): number | undefined => {
      const size = this.objects.look(id);
      if (size !== undefined && !quick) this.#check(id, () => undefined);
      return size;
    };
    return checkLinks(this.contents, this.objects, { only: image, roots, isRight, look }, (items) => this.#watcher.advance(items));
  }
}
