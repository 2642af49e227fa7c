/**
 * What must not go: from whatever keeps something, all that it refers to. An image or a stream is believed only if its content is what
 * its name says; one that is damaged, or put there by somebody else, would keep other objects than the real one needs.
 */

import { SealrootError } from "../errors/index.ts";
import { EROFS_START, isErofs, readImage } from "../erofs/index.ts";
import { fsverityDigest } from "../fsverity/index.ts";
import { type Descriptor, measureVerity, readAt, SyscallError } from "../linux/index.ts";
import { pieces } from "../linux/pieces.ts";
import { type Inode, isRegular, objectPath, type Tree } from "../tree/index.ts";
import type { Link, RepositoryContents } from "./contents.ts";
import { IdSet } from "./id-set.ts";
import { objectsNeeded, readWhole } from "./image-file.ts";
import { idOfName, isDigest } from "./object-name.ts";
import { openFile } from "./repository.ts";
import { readStream } from "./stream-file.ts";

/** What the reader says of bytes that are no image, or a damaged one. */
const NO_IMAGE: ReadonlySet<string> = new Set(["SR-E501", "SR-E502", "SR-E503"]);
const STREAM_MAGIC = "SplitStream";
/** Today, and as it was at first. */
const STREAM_MAGIC_AT = [0, 18];

interface Watcher {
  advance(items: number, bytes?: number): void;
}

export const unreadableRoot = (path: string, found: string, cause?: unknown): SealrootError =>
  new SealrootError("SR-E542", { details: [["cannot read", path], ["found", found]], ...(cause === undefined ? {} : { cause }) });

export const missingRoot = (name: string, by: string): SealrootError =>
  new SealrootError("SR-E542", {
    details: [["missing", name], ["named by", by]],
    meaning: "what it needs cannot be known, so that would be lost",
    next: `bring it back (sealroot image import, sealroot fsck --repair), remove what names it, or go on without it: --ignore-missing ${name.slice(name.lastIndexOf("/") + 1)}`,
  });

/** Follows references from what is kept. */
export class Marker {
  readonly live: IdSet;
  readonly notes: string[] = [];
  readonly #contents: RepositoryContents;
  readonly #byName = new Map<string, Link>();
  /** Links by the object that they lead to, in hexadecimal digits. */
  readonly #byObject = new Map<string, Link[]>();
  readonly #kept = new Map<Link, Set<string>>();
  readonly #missing: ReadonlySet<string>;
  readonly #watcher: Watcher;

  /** @param links of images and streams @param missing digests of images and streams that may be named without being here */
  constructor(contents: RepositoryContents, links: readonly Link[], missing: ReadonlySet<string>, watcher: Watcher) {
    this.#contents = contents;
    this.#missing = missing;
    this.#watcher = watcher;
    this.live = new IdSet(contents.idLength);
    for (const link of links) {
      this.#byName.set(link.path, link);
      if (link.id === undefined) continue;
      const hex = link.id.toHex();
      const same = this.#byObject.get(hex);
      if (same === undefined) this.#byObject.set(hex, [link]);
      else same.push(link);
    }
  }

  link(category: string, name: string): Link | undefined {
    return this.#byName.get(`${category}/${name}`);
  }

  kept(): { readonly link: Link; readonly by: readonly string[] }[] {
    return [...this.#kept].map(([link, by]) => ({ link, by: [...by] }));
  }

  /** Keeps an image or a stream, and all that follows from it. @throws SealrootError SR-E542 */
  keep(start: Link, by: string): void {
    const waiting: (readonly [Link, string])[] = [[start, by]];
    for (let next = waiting.pop(); next !== undefined; next = waiting.pop()) {
      const [link, reason] = next;
      const known = this.#kept.get(link);
      if (known !== undefined) {
        known.add(reason);
        continue;
      }
      this.#kept.set(link, new Set([reason]));
      const { id, name, path } = link;
      if (id === undefined) throw unreadableRoot(path, `a link to ${JSON.stringify(link.text)}, which is no object of this repository`);
      if (link.category === "images" && isDigest(name) && id.toHex() !== name) throw unreadableRoot(path, `a link to another object, ${id.toHex()}`);
      this.live.add(id);
      const file = `objects/${objectPath(id)}`;
      if (link.category === "images") this.#guarded(path, () => this.#image(file, id));
      else for (const referred of this.#guarded(path, () => this.#stream(file, id, path))) waiting.push([referred, path]);
    }
  }

  /** Keeps the image of this digest by its object alone, for which there is no link. @returns whether the object is there @throws SealrootError SR-E542 */
  keepImageObject(digest: string, by: string): boolean {
    const link = this.#objectLink(digest);
    if (link !== undefined) this.keep(link, by);
    return link !== undefined;
  }

  #objectLink(digest: string): Link | undefined {
    const { directory, idLength } = this.#contents;
    const name = `${digest.slice(0, 2)}/${digest.slice(2)}`;
    const id = idOfName(name, idLength);
    if (id === undefined) return undefined;
    const path = `objects/${name}`;
    const known = this.#byName.get(path);
    if (known !== undefined) return known;
    using file = this.#guarded(path, () => openFile(directory, path));
    if (file === undefined) return undefined;
    const link: Link = { category: "images", name: digest, path, text: "", id };
    this.#byName.set(path, link);
    return link;
  }

  /** A file where a link should be: nobody says what it belongs to, so it is kept, with what it needs. @throws SealrootError SR-E542 */
  keepForeignImage(path: string): void {
    const name = path.slice(path.lastIndexOf("/") + 1);
    try {
      this.#image(path, isDigest(name) ? Uint8Array.fromHex(name) : undefined);
      this.notes.push(`${path} is no link to an object; it is left alone, and what it needs is kept`);
    } catch (error) {
      if (!(error instanceof SealrootError && NO_IMAGE.has(error.code))) throw blame(path, error);
      this.notes.push(`${path} is no link and no image; it is left alone`);
    }
  }

  #guarded<T>(path: string, act: () => T): T {
    try {
      return act();
    } catch (error) {
      throw blame(path, error);
    }
  }

  /** @param id what the file's content must be */
  #image(path: string, id: Uint8Array | undefined): void {
    this.#watcher.advance(1);
    using file = this.#open(path);
    const bytes = readWhole(file);
    if (id !== undefined) authenticate(file, id, bytes);
    const { tree } = readImage(bytes);
    objectsNeeded(tree, this.#contents.idLength, (needed) => void this.live.add(needed));
    this.#addUnnamed(tree);
  }

  /** Objects that a file has the digest of and does not name: the kernel does not find them, other programs may. */
  #addUnnamed({ inodes }: Tree): void {
    const { idLength } = this.#contents;
    for (let inode: Inode = 0; inode < inodes.count; inode++) {
      if (!isRegular(inodes.mode(inode)) || inodes.isNamedByDigest(inode)) continue;
      const digest = inodes.digest(inode);
      if (digest?.length === idLength) this.live.add(digest);
    }
  }

  #stream(path: string, id: Uint8Array, link: string): Link[] {
    this.#watcher.advance(1);
    const { live } = this;
    const { idLength } = this.#contents;
    using file = this.#open(path);
    authenticate(file, id, pieces(file));
    const { sections, references } = readStream(file);
    if (sections.idLength !== idLength) throw unreadableRoot(path, `it is of another hash than this repository`);
    for (let at = 0; at < references.objects.length; at += idLength) live.add(references.objects.subarray(at, at + idLength));
    const follow: Link[] = [];
    for (const named of references.named) {
      live.add(named.id);
      const hex = named.id.toHex();
      // as composefs-rs: by the object, since the name in the stream is not the one in the repository
      const links = this.#byObject.get(hex);
      if (links !== undefined) follow.push(...links);
      else follow.push(...this.#unlinked(hex, `${link}, as ${JSON.stringify(named.name)}`));
    }
    return follow;
  }

  /** What a stream names and no link leads to: an image or a stream by its object. Any other file keeps nothing but itself. */
  #unlinked(hex: string, by: string): Link[] {
    const link = this.#objectLink(hex);
    if (link === undefined) {
      // a stream that is gone may have named images and objects
      if (!this.#missing.has(hex)) throw missingRoot(hex, by);
      this.notes.push(`${by} names ${hex}, which is not in this repository`);
      return [];
    }
    if (this.#kept.has(link)) return [link];
    using file = this.#open(link.path);
    const start = readAt(file, 0, EROFS_START);
    if (isErofs(start)) return [link];
    if (STREAM_MAGIC_AT.some((at) => Buffer.from(start).toString("latin1", at, at + STREAM_MAGIC.length) === STREAM_MAGIC)) {
      const stream: Link = { ...link, category: "streams" };
      this.#byName.set(link.path, stream);
      return [stream];
    }
    if (link.id !== undefined) authenticate(file, link.id, pieces(file));
    return [];
  }

  #open(path: string): Descriptor {
    const file = openFile(this.#contents.directory, path);
    if (file === undefined) throw unreadableRoot(path, `${path} is missing`);
    return file;
  }
}

/** Reads of a file with fs-verity are checked by the kernel; others are hashed. */
function authenticate(file: Descriptor, id: Uint8Array, content: Uint8Array | Iterable<Uint8Array>): void {
  const algorithm = id.length === 32 ? "sha256" : "sha512";
  const measurement = measureVerity(file);
  const found = measurement.kind === "digest" && measurement.algorithm === algorithm ? measurement.digest : fsverityDigest(content, algorithm).toHex();
  if (found !== id.toHex()) throw unreadableRoot(file.label, `its content is ${algorithm}:${found}, which is not what its name says`);
}

function blame(path: string, error: unknown): unknown {
  if (error instanceof SyscallError) return unreadableRoot(path, error.message, error);
  if (!(error instanceof SealrootError) || error.code === "SR-E542") return error;
  const facts = error.details.filter(([label]) => label !== "image" && label !== "file").map(([, text]) => text);
  return unreadableRoot(path, [error.message, ...facts].join("; "), error.cause);
}
