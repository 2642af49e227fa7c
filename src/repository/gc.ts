/**
 * Removing what nothing needs any more. What is needed is found first, whole: whatever keeps something and cannot be read ends it
 * before anything is removed. The rules are composefs-rs's, and more careful where those leave a choice.
 *
 * Kept: images and streams that a reference names, images that the caller names (deployments, boot entries), all that those refer to,
 * and what is no link of a repository. A commit does not keep its image: it goes with it.
 *
 * The order in which it goes makes every moment whole, power cuts included: first signatures of an image, then links to images and
 * streams, then a sync, then objects.
 */

import { SealrootError } from "../errors/index.ts";
import { BENEATH, type Descriptor, ERRNO, isErrno, O, openAt, removeDirectory, statAt, SyscallError } from "../linux/index.ts";
import { directoryEntries, removeAt, syncFilesystem } from "../linux/entries.ts";
import { COMMITS, commitDirectory } from "./commits.ts";
import { FILE_NO_LINK, type Foreign, type Link, REFERENCES, type RepositoryContents } from "./contents.ts";
import { Marker, unreadableRoot } from "./gc-mark.ts";
import type { IdSet } from "./id-set.ts";
import { RECIPES, STAGING } from "./own.ts";
import { openInside } from "./repository.ts";
import { cleanStaging } from "./staging.ts";

/** Something outside the object store that keeps an image or a stream. */
export interface Root {
  /** Name of the image or stream, as in `images/<name>`. */
  readonly name: string;
  /** What keeps it, for people: a reference, a deployment, a boot entry. */
  readonly by: string;
  /** Another repository may hold it: it is kept if it is here. */
  readonly optional?: boolean;
}

export interface GcWatcher {
  begin(what: string, total?: { readonly items?: number }): void;
  advance(items: number, bytes?: number): void;
}

/** What keeps something, and what nothing keeps. */
export interface GcPlan {
  readonly live: IdSet;
  /** Images and streams that are kept, with what keeps them. */
  readonly kept: readonly { readonly link: Link; readonly by: readonly string[] }[];
  /** Links to images and streams that go. */
  readonly links: readonly Link[];
  /** Directories of signatures that go with their images. */
  readonly commits: readonly string[];
  /** Images whose recipe goes: those that go, and those that were never finished. */
  readonly recipes: readonly string[];
  /** Files that somebody did not finish. */
  readonly temporary: readonly string[];
  readonly objects: number;
  readonly bytes: number;
  readonly keptObjects: number;
  /** Left alone. */
  readonly foreign: readonly Foreign[];
  /** Things that a person should know of. */
  readonly notes: readonly string[];
}

/**
 * Finds out what is needed. Writes nothing; the caller holds a lock.
 * @param roots images and streams that something outside the repository needs
 * @param missing images that a root may name without their being here
 * @param dead is told of each object that goes
 * @throws SealrootError SR-E542 when something that keeps others cannot be read, is not what its name says, or is not there
 */
export function planGc(contents: RepositoryContents, roots: readonly Root[], missing: ReadonlySet<string>, watcher: GcWatcher, dead: (path: string, bytes: number) => void = () => undefined): GcPlan {
  const images = contents.category("images");
  const streams = contents.category("streams");
  for (const { path, found } of [...images.foreign, ...streams.foreign]) if (!isForeignImage(path, found)) throw unreadableRoot(path, found);
  // composefs-rs would follow it, and name what lies elsewhere
  for (const { name, path } of [...images.links, ...streams.links]) if (name === REFERENCES) throw unreadableRoot(path, "a symbolic link, not a directory");
  const notes: string[] = [];
  const marker = new Marker(contents, [...images.links, ...streams.links], watcher);
  watcher.begin("looking for what is needed");
  for (const { category, entry, path } of [...images.references, ...streams.references]) {
    const found = entry === undefined ? undefined : marker.link(category, entry);
    if (found === undefined) throw unreadableRoot(path, entry === undefined ? "it leads nowhere" : `there is no ${category}/${entry}`);
    marker.keep(found, path);
  }
  const foreign = new Set(images.foreign.map(({ path }) => path));
  for (const { name, by, optional } of roots) {
    const [image, stream] = [marker.link("images", name), marker.link("streams", name)];
    if (image !== undefined) marker.keep(image, by);
    if (stream !== undefined) marker.keep(stream, by);
    if (image !== undefined || stream !== undefined || foreign.has(`images/${name}`)) continue;
    // whoever deploys an image links it last, and a power cut may have come before
    if (marker.keepImageObject(name, by)) notes.push(`images/${name} is not there; ${by} names it, so its object and what that needs are kept`);
    else if (optional !== true && !missing.has(name)) throw missingRoot(name, by);
    else if (optional !== true) notes.push(`${by} names ${name}, which is not in this repository`);
  }
  for (const { path } of images.foreign) marker.keepForeignImage(path);
  return { ...planSweep(contents, marker, [...images.links, ...streams.links], watcher, dead), notes: [...notes, ...marker.notes], kept: marker.kept() };
}

/** A file in `images/` may be an image, and then says what it needs. Anything else may keep what nobody knows. */
const isForeignImage = (path: string, found: string): boolean => found === FILE_NO_LINK && /^images\/[^/]+$/.test(path) && path !== `images/${REFERENCES}`;

const missingRoot = (name: string, by: string): SealrootError =>
  new SealrootError("SR-E542", {
    details: [["missing", `images/${name}`], ["named by", by]],
    meaning: "what it needs cannot be known, so that would be lost",
    next: `bring the image back (sealroot image import), remove what names it, or go on without it: --ignore-missing ${name}`,
  });

function planSweep(contents: RepositoryContents, marker: Marker, links: readonly Link[], watcher: GcWatcher, eachDead: (path: string, bytes: number) => void): Omit<GcPlan, "notes" | "kept"> {
  const { live } = marker;
  const dead = links.filter(({ id }) => id !== undefined && !live.has(id));
  const temporary: string[] = [...contents.otherObjectEntries().temporary, ...contents.temporaryEntries()];
  const foreign: Foreign[] = [...contents.otherObjectEntries().foreign, ...links.filter(({ id }) => id === undefined).map(({ path, text }) => ({ path, found: `a link to ${JSON.stringify(text)}` }))];
  let [objects, bytes, keptObjects] = [0, 0, 0];
  const prefixes = contents.objectDirectories();
  watcher.begin("counting what is not", { items: prefixes.length });
  for (const prefix of prefixes) {
    using directory = contents.openObjectDirectory(prefix);
    if (directory === undefined) continue;
    const found = contents.objectsIn(prefix, directory);
    for (const { name, id, type } of found.objects) {
      if (live.has(id)) keptObjects += 1;
      else if (type !== "regular file") foreign.push({ path: `objects/${prefix}/${name}`, found: `a ${type}` });
      else {
        const size = sizeOf(directory, name);
        objects += 1;
        bytes += size;
        eachDead(`objects/${prefix}/${name}`, size);
      }
    }
    temporary.push(...found.temporary);
    foreign.push(...found.foreign);
    watcher.advance(1);
  }
  const gone = new Set(dead.filter(({ category }) => category === "images").map(({ name }) => name));
  const staying = new Set([...links, ...marker.kept().map(({ link }) => link)].filter(({ category, name }) => category === "images" && !gone.has(name)).map(({ name }) => name));
  return { live, links: dead, recipes: contents.recipes().filter((digest) => !staying.has(digest)), commits: contents.commitDirectories().filter((digest) => gone.has(digest)), temporary, objects, bytes, keptObjects, foreign };
}

function sizeOf(directory: Descriptor, name: string): number {
  try {
    return statAt(directory, name).size;
  } catch (error) {
    if (isErrno(error, ERRNO.ENOENT)) return 0;
    throw error;
  }
}

/** Removes what the plan says. The caller holds the exclusive lock since before the plan was made. @throws SealrootError SR-E548 */
export function performGc(contents: RepositoryContents, plan: GcPlan, watcher: GcWatcher): void {
  const { directory } = contents;
  try {
    watcher.begin("removing", { items: plan.objects });
    for (const digest of plan.commits) removeCommits(directory, digest);
    for (const { path } of plan.links) removeAt(directory, path);
    for (const path of plan.temporary) removeAt(directory, path);
    removeOwn(contents, plan.recipes);
    // an object must not be gone on the disk while a link to it is there: not even one that an interrupted run has removed
    if (plan.links.length > 0 || plan.objects > 0) syncFilesystem(directory);
    for (const prefix of contents.objectDirectories()) {
      using below = contents.openObjectDirectory(prefix);
      if (below === undefined) continue;
      for (const { name, id, type } of contents.objectsIn(prefix, below).objects) {
        if (type !== "regular file" || plan.live.has(id)) continue;
        removeAt(below, name);
        watcher.advance(1);
      }
    }
  } catch (error) {
    if (error instanceof SyscallError) throw new SealrootError("SR-E548", { summary: "the repository cannot be cleaned up", cause: error });
    throw error;
  }
}

/** What only this program needs: recipes, and what interrupted runs have left. */
function removeOwn(contents: RepositoryContents, recipes: readonly string[]): void {
  using own = contents.openOwn();
  if (own === undefined) return;
  for (const digest of recipes) removeAt(own, `${RECIPES}/${digest}.json`);
  cleanStaging(own, STAGING);
}

/** The signatures and commits of an image. What else somebody has put there stays, and the directory with it. */
function removeCommits(directory: Descriptor, digest: string): void {
  const path = commitDirectory(digest);
  {
    using below = openInside(directory, path, O.RDONLY | O.DIRECTORY | O.NOFOLLOW);
    if (below === undefined) return;
    for (const { name } of directoryEntries(below)) if (/^[0-9a-f]{64}\.(commit|commitmeta|ed25519)$/.test(name)) removeAt(below, name);
  }
  using commits = openAt(directory, COMMITS, O.RDONLY | O.DIRECTORY | O.NOFOLLOW, BENEATH);
  try {
    removeDirectory(commits, digest);
  } catch (error) {
    if (!isErrno(error, ERRNO.ENOTEMPTY)) throw error;
  }
}
