/** The second half of checking a repository: links, images, streams and references, against the objects that are there. */

import { posix } from "node:path";
import { SealrootError } from "../errors/index.ts";
import { SyscallError } from "../linux/index.ts";
import { pathText } from "../tree/diff.ts";
import { objectPath } from "../tree/index.ts";
import type { CategoryContents, Foreign, Link, RepositoryContents } from "./contents.ts";
import { objectsNeeded, readImageFile } from "./image-file.ts";
import type { ObjectTable } from "./object-table.ts";
import { openFile } from "./repository.ts";
import { readStream } from "./stream-file.ts";
import { isDigest } from "./object-name.ts";

/** "foreign": something that does not belong there, and that keeps others from cleaning up. */
export type ProblemKind = "link" | "image" | "stream" | "reference" | "foreign";

/** Something wrong that is not an object's own fault. */
export interface LinkProblem {
  readonly kind: ProblemKind;
  /** In the repository. */
  readonly path: string;
  readonly found: string;
}

/** An image or stream that a bad or missing object hurts. */
export interface Hurt {
  /** `images/<name>` or `streams/<name>`. */
  readonly path: string;
  /** The object is the image or stream itself. */
  readonly whole: boolean;
  /** Files of the image with this content: the first few. */
  readonly files: readonly string[];
  /** How many there are. */
  readonly count: number;
}

export interface LinkFindings {
  readonly problems: readonly LinkProblem[];
  /** By id of the object in hexadecimal digits. */
  readonly hurt: ReadonlyMap<string, readonly Hurt[]>;
  /** Streams that name an image or a stream, by the id of its object in hexadecimal digits. */
  readonly named: ReadonlyMap<string, readonly string[]>;
  readonly images: number;
  readonly streams: number;
  readonly references: number;
}

export interface LinkOptions {
  /** The name of one image: nothing else is looked at. */
  readonly only: string | undefined;
  /** Digests of images that deployments and boot entries name. */
  readonly roots: readonly string[];
  /** Whether an object that is there has the content that its name says. */
  readonly isRight: (id: Uint8Array) => boolean;
  /** Looks again for an object that was not there. @returns bytes, undefined where there is none */
  readonly look: (id: Uint8Array) => number | undefined;
}

/** What has the name of a directory of objects, or lies in one. Other programs do not look elsewhere in `objects/`. */
const OBJECT_DIRECTORY = /^objects\/[0-9a-f]{2}(?:\/|$)/;
/** Files named for each image and object. */
const MOST_FILES = 3;

interface HurtSoFar {
  readonly path: string;
  whole: boolean;
  readonly files: string[];
  count: number;
}

/** @param objects is told of objects that are missing, or of another size than an image says */
export function checkLinks(contents: RepositoryContents, objects: ObjectTable, options: LinkOptions, advance: (items: number) => void): LinkFindings {
  const { only, roots } = options;
  const checker = new LinkChecker(contents, objects, options);
  const images = contents.category("images");
  const chosen = only === undefined ? images.links : images.links.filter(({ name }) => name === only);
  for (const link of chosen) {
    checker.image(link);
    advance(1);
  }
  const streams = only === undefined ? contents.category("streams") : { links: [], references: [], foreign: [], vanished: [] };
  for (const link of streams.links) {
    checker.stream(link);
    advance(1);
  }
  if (only === undefined) checker.roots(roots, images.links);
  const categories: CategoryContents[] = [images, streams];
  if (only === undefined) {
    for (const category of categories) checker.references(category);
    checker.foreign([...categories.flatMap(({ foreign }) => foreign), ...objects.foreign.filter(({ path }) => OBJECT_DIRECTORY.test(path))]);
  }
  return { problems: checker.problems, hurt: checker.hurt, named: checker.named, images: chosen.length, streams: streams.links.length, references: only === undefined ? images.references.length + streams.references.length : 0 };
}

class LinkChecker {
  readonly problems: LinkProblem[] = [];
  readonly hurt = new Map<string, HurtSoFar[]>();
  readonly named = new Map<string, string[]>();
  readonly #contents: RepositoryContents;
  readonly #objects: ObjectTable;

  readonly #options: LinkOptions;
  /** Objects whose size an image contradicts, by id: whether the content is right. */
  readonly #contradicted = new Map<string, boolean>();
  /** The image that is being read has been told of as lying. */
  #lying = false;

  constructor(contents: RepositoryContents, objects: ObjectTable, options: LinkOptions) {
    this.#contents = contents;
    this.#objects = objects;
    this.#options = options;
  }

  #problem(kind: LinkProblem["kind"], path: string, found: string): void {
    this.problems.push({ kind, path, found });
  }

  #hurts(hex: string, path: string, whole: boolean, file: (() => string) | undefined): void {
    const list = this.hurt.get(hex) ?? [];
    if (list.length === 0) this.hurt.set(hex, list);
    let found = list.at(-1);
    if (found?.path !== path) {
      found = { path, whole, files: [], count: 0 };
      list.push(found);
    }
    if (whole) found.whole = true;
    if (file === undefined) return;
    found.count += 1;
    if (found.files.length < MOST_FILES) found.files.push(file());
  }

  /** @returns whether it is worth reading */
  #target(link: Link): link is Link & { readonly id: Uint8Array } {
    const { id, path, name, text } = link;
    if (id === undefined) {
      this.#problem("link", path, `it leads to ${JSON.stringify(text)}, which is no object of this repository`);
      return false;
    }
    const hex = id.toHex();
    if (link.category === "images" && isDigest(name) && name !== hex) {
      this.#problem("link", path, `it leads to the object ${hex}`);
      return false;
    }
    this.#needs(id, undefined, path, true, undefined);
    const fault = this.#objects.bad.get(hex)?.fault;
    return fault === undefined || fault === "no fs-verity";
  }

  /** Takes note of an object that is missing, has another size, or is bad. */
  #needs(id: Uint8Array, size: number | undefined, path: string, whole: boolean, file: (() => string) | undefined): void {
    const there = this.#objects.size(id);
    if (this.#objects.bad.size === 0 && there !== undefined && (size === undefined || there === size)) return;
    const hex = id.toHex();
    // of a disk that is lost many images miss the same objects
    const actual = there ?? (this.#objects.bad.has(hex) ? undefined : this.#options.look(id));
    const fits = actual !== undefined && (size === undefined || actual === size);
    if (fits && this.#objects.bad.size === 0) return;
    if (actual === undefined) this.#objects.bad.set(hex, { fault: "missing", found: "it is not there" });
    else if (!fits && !this.#objects.bad.has(hex) && this.#hasRightContent(id, hex)) {
      // anybody may write an image that says nonsense of a good object, which is no fault of the object, nor of other images
      if (!this.#lying) this.#problem("image", path, `it says that ${file?.() ?? "a file"} has ${size} bytes; the content that it names has ${actual}`);
      this.#lying = true;
      return;
    } else if (!fits && !this.#objects.bad.has(hex)) this.#objects.bad.set(hex, { fault: "size", found: `${actual} bytes; ${path} says ${size}` });
    if (!this.#objects.bad.has(hex)) return;
    if (size !== undefined) this.#objects.wanted.set(hex, size);
    this.#hurts(hex, path, whole, file);
  }

  #hasRightContent(id: Uint8Array, hex: string): boolean {
    const known = this.#contradicted.get(hex);
    if (known !== undefined) return known;
    const right = this.#options.isRight(id);
    this.#contradicted.set(hex, right);
    return right;
  }

  /** What is to boot has to have its link: a boot passes over an image that has none. Of an image that is not here at all nothing is known. */
  roots(roots: readonly string[], links: readonly Link[]): void {
    const names = new Set(links.map(({ name }) => name));
    for (const digest of new Set(roots)) {
      if (names.has(digest) || digest.length !== this.#contents.idLength * 2 || !/^[0-9a-f]+$/.test(digest)) continue;
      const id = Uint8Array.fromHex(digest);
      if (this.#objects.size(id) === undefined) continue;
      const bad = this.#objects.bad.has(digest) || this.#hasRightContent(id, digest) ? "" : ", with other content";
      if (bad !== "") this.#objects.bad.set(digest, { fault: "digest", found: "other content" });
      const path = `images/${digest}`;
      this.#problem("link", path, `it is missing, and something needs it; its object is there${bad}`);
      this.image({ category: "images", name: digest, path, text: "", id });
    }
  }

  image(link: Link): void {
    this.#lying = false;
    if (!this.#target(link)) return;
    this.#read("image", link.path, () => {
      using file = openFile(this.#contents.directory, `objects/${objectPath(link.id)}`);
      if (file === undefined) return;
      const { tree } = readImageFile(file);
      const elsewhere: string[] = [];
      const nameOf = (inode: number): string => pathText(tree.path(inode));
      objectsNeeded(tree, this.#contents.idLength, (id, size, inode) => this.#needs(id, size, link.path, false, () => nameOf(inode)), (inode) => {
        if (elsewhere.length < MOST_FILES) elsewhere.push(nameOf(inode));
      });
      if (elsewhere.length > 0) this.#problem("image", link.path, `content of ${elsewhere.join(", ")} is in no object of a ${this.#contents.algorithm} repository`);
    });
  }

  stream(link: Link): void {
    if (!this.#target(link)) return;
    const { idLength } = this.#contents;
    this.#read("stream", link.path, () => {
      using file = openFile(this.#contents.directory, `objects/${objectPath(link.id)}`);
      if (file === undefined) return;
      const { sections, references } = readStream(file);
      if (sections.idLength !== idLength) {
        this.#problem("stream", link.path, "it is of another hash than this repository");
        return;
      }
      for (let at = 0; at < references.objects.length; at += idLength) this.#needs(references.objects.subarray(at, at + idLength), undefined, link.path, false, undefined);
      for (const { id, name } of references.named) {
        const hex = id.toHex();
        const namers = this.named.get(hex) ?? [];
        if (namers.length === 0) this.named.set(hex, namers);
        if (namers.at(-1) !== link.path) namers.push(link.path);
        this.#needs(id, undefined, link.path, false, () => name);
      }
    });
  }

  references({ links, references }: CategoryContents): void {
    const names = new Set(links.map(({ name }) => name));
    for (const { path, entry, category, text } of references) {
      if (entry === undefined) this.#problem("reference", path, `it leads to ${JSON.stringify(text)}`);
      else if (!names.has(entry)) this.#problem("reference", path, `there is no ${category}/${entry}`);
      else {
        const target = posix.join(path, "..", text);
        if (text.startsWith("/") || target.startsWith("../")) this.#problem("reference", path, `it leads to ${JSON.stringify(text)}, by a path from outside: composefs-rs and bootc take it for ${category}/${entry}, and remove it where the repository is at another place`);
        else if (target !== `${category}/${entry}`) this.#problem("reference", path, `it leads to ${JSON.stringify(text)}, which is nowhere: composefs-rs and bootc take it for ${category}/${entry} once, and then remove it`);
      }
    }
  }

  foreign(found: readonly Foreign[]): void {
    for (const { path, found: what } of found) this.#problem("foreign", path, `${what}; composefs-rs and bootc remove nothing while it is there`);
  }

  #read(kind: "image" | "stream", path: string, act: () => void): void {
    try {
      act();
    } catch (error) {
      if (error instanceof SyscallError) this.#problem(kind, path, error.message);
      else if (error instanceof SealrootError) this.#problem(kind, path, [error.message, ...error.details.filter(([label]) => label !== "image" && label !== "file" && label !== "path").map(([, text]) => text)].join(": "));
      else throw error;
    }
  }
}
