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

import { commitStream } from "./commits.ts";
import { FILE_NO_LINK, type Foreign, type Link, REFERENCES, type RepositoryContents } from "./contents.ts";
import { Marker, missingRoot, unreadableRoot } from "./gc-mark.ts";
import { planSweep } from "./gc-sweep.ts";
import type { IdSet } from "./id-set.ts";

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
  /** Directories of this program's own interrupted runs. */
  readonly interrupted: readonly string[];
  /** Objects that go, and bytes in them. */
  readonly objects: number;
  readonly bytes: number;
  /** Bytes of all the rest that goes: signatures, recipes, unfinished files. */
  readonly otherBytes: number;
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
  // whoever puts one in the place of another may need two steps for it
  for (const path of [...images.vanished, ...streams.vanished]) throw unreadableRoot(path, "it was there a moment ago: something changes the repository, without its lock");
  // composefs-rs would follow it, and name what lies elsewhere
  for (const { name, path } of [...images.links, ...streams.links]) if (name === REFERENCES) throw unreadableRoot(path, "a symbolic link, not a directory");
  const notes: string[] = [];
  const marker = new Marker(contents, [...images.links, ...streams.links], missing, watcher);
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
    else if (optional !== true && !missing.has(name)) throw missingRoot(`images/${name}`, by);
    else if (optional !== true) notes.push(`${by} names ${name}, which is not in this repository`);
  }
  for (const { path } of images.foreign) marker.keepForeignImage(path);
  keepSignedStreams(contents, marker);
  return { ...planSweep(contents, marker, [...images.links, ...streams.links], watcher, dead), notes: [...notes, ...marker.notes], kept: marker.kept() };
}

/**
 * A boot that wants a signature finds the commit of an image in an imported stream too, where the signature lies beside the image
 * (commits.ts). Nothing else need name such a stream.
 */
function keepSignedStreams(contents: RepositoryContents, marker: Marker): void {
  const kept = new Set(marker.kept().map(({ link }) => link.name));
  for (const digest of contents.commitDirectories()) {
    if (!kept.has(digest)) continue;
    for (const { path, commit } of contents.detachedMetadata(digest)) {
      const stream = marker.link("streams", commitStream(commit));
      if (stream !== undefined) marker.keep(stream, path);
    }
  }
}

/** A file in `images/` may be an image, and then says what it needs. Anything else may keep what nobody knows. */
const isForeignImage = (path: string, found: string): boolean => found === FILE_NO_LINK && /^images\/[^/]+$/.test(path) && path !== `images/${REFERENCES}`;
