/**
 * What nothing keeps: found, counted and removed. Names are removed in the directories that were looked at, never by way of a link: the
 * repository may be somebody's who runs programs meanwhile, and this one may be root's.
 */

import { SealrootError } from "../errors/index.ts";
import { BENEATH_NO_LINKS, type Descriptor, ERRNO, isErrno, O, openAt, removeDirectory, SyscallError } from "../linux/index.ts";
import { directoryEntries, removeAt, syncFilesystem } from "../linux/entries.ts";
import { FileStatus, statNameRaw } from "../linux/names.ts";
import { COMMITS, commitDirectory } from "./commits.ts";
import type { Foreign, Link, RepositoryContents } from "./contents.ts";
import type { GcPlan, GcWatcher } from "./gc.ts";
import type { Marker } from "./gc-mark.ts";
import { OWN, RECIPES, STAGING } from "./own.ts";
import { openInside } from "./repository.ts";
import { cleanStaging } from "./staging.ts";

const DIRECTORY = O.RDONLY | O.DIRECTORY | O.NOFOLLOW;

/** Files of an image's evidence that go with it; whatever else somebody has put there stays, and the directory with it. */
const EVIDENCE = /^[0-9a-f]{64}\.(commit|commitmeta|ed25519)$/;

/** @param links of images and streams @param eachDead is told of each object that goes */
export function planSweep(contents: RepositoryContents, marker: Marker, links: readonly Link[], watcher: GcWatcher, eachDead: (path: string, bytes: number) => void): Omit<GcPlan, "notes" | "kept"> {
  const { live } = marker;
  const kept = marker.kept().map(({ link }) => link);
  const staysOfIts = linksThatStay(kept);
  const dead = links.filter((link) => link.id !== undefined && !staysOfIts(link));
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
  const staying = new Set([...links, ...kept].filter(({ category, name }) => category === "images" && !gone.has(name)).map(({ name }) => name));
  const recipes = contents.recipes().filter((digest) => !staying.has(digest));
  const commits = contents.commitDirectories().filter((digest) => gone.has(digest));
  const staging = contents.interruptedRuns();
  const otherBytes = bytesOf(contents.directory, [...temporary, ...recipes.map((digest) => `${OWN}/${RECIPES}/${digest}.json`), ...commits.flatMap((digest) => evidenceOf(contents.directory, digest)), ...staging.flatMap(({ files }) => files)]);
  return { live, links: dead, recipes, commits, temporary, interrupted: staging.map(({ path }) => path), objects, bytes, otherBytes, keptObjects, foreign };
}

/**
 * A link stays if it is kept, or leads to the same image or stream as one that is. That its object is kept is not enough: it may be
 * content of an image, and what it would need as an image goes.
 */
function linksThatStay(kept: readonly Link[]): (link: Link) => boolean {
  const keyOf = ({ category, id }: Link): string => `${category} ${id?.toHex() ?? ""}`;
  const whole = new Set(kept.map(keyOf));
  return (link) => whole.has(keyOf(link));
}

/** 0 for what is gone by now. A link's own. */
function sizeOf(directory: Pick<Descriptor, "fd">, name: string): number {
  const status = new FileStatus();
  return statNameRaw(directory.fd, name, status) < 0 ? 0 : status.size;
}

const bytesOf = (directory: Descriptor, paths: readonly string[]): number => paths.reduce((sum, path) => sum + sizeOf(directory, path), 0);

function evidenceOf(directory: Descriptor, digest: string): string[] {
  const path = commitDirectory(digest);
  using below = openInside(directory, path, DIRECTORY);
  return below === undefined ? [] : directoryEntries(below).filter(({ name }) => EVIDENCE.test(name)).map(({ name }) => `${path}/${name}`);
}

/** Removes what the plan says. The caller holds the exclusive lock since before the plan was made. @throws SealrootError SR-E548 */
export function performGc(contents: RepositoryContents, plan: GcPlan, watcher: GcWatcher): void {
  const { directory } = contents;
  try {
    watcher.begin("removing", { items: plan.objects });
    for (const digest of plan.commits) removeCommits(contents, digest);
    for (const { path } of plan.links) contents.remove(path);
    for (const path of plan.temporary) contents.remove(path);
    for (const digest of plan.recipes) contents.remove(`${OWN}/${RECIPES}/${digest}.json`);
    using own = contents.openOwn();
    if (own !== undefined) cleanStaging(own, STAGING);
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

/** The signatures and commits of an image. */
function removeCommits(contents: RepositoryContents, digest: string): void {
  const { directory } = contents;
  for (const path of evidenceOf(directory, digest)) contents.remove(path);
  using commits = openAt(directory, COMMITS, DIRECTORY, BENEATH_NO_LINKS);
  try {
    removeDirectory(commits, digest);
  } catch (error) {
    if (!isErrno(error, ERRNO.ENOTEMPTY, ERRNO.ENOENT)) throw error;
  }
}
