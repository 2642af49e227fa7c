/** A repository that a command is to write to. */

import { join } from "node:path";
import { SealrootError } from "../errors/index.ts";
import { ERRNO, HERE, isErrno, statAt } from "../linux/index.ts";
import { unreadable } from "../repository/repository.ts";

/** What may not be looked at is something else than what is not there. @throws SealrootError SR-E105, SR-E214 */
function exists(path: string): boolean {
  try {
    statAt(HERE, path);
    return true;
  } catch (error) {
    if (isErrno(error, ERRNO.ENOENT, ERRNO.ENOTDIR)) return false;
    throw unreadable(path, error);
  }
}

/** The repository's directory; that of a physical root with a repository in it will do. @throws SealrootError SR-E201, SR-E105 */
export function repositoryDirectory(path: string): string {
  const isRepository = (directory: string): boolean => exists(join(directory, "meta.json")) || (exists(join(directory, "objects")) && exists(join(directory, "images")));
  const found = [path, join(path, "composefs")].find(isRepository);
  if (found !== undefined) return found;
  throw new SealrootError("SR-E201", { details: [["looked at", path]], meaning: "a composefs repository has a file meta.json, or the directories objects and images", next: "give the path of the repository" });
}

/** The `objects/` of an OSTree repository. @throws SealrootError SR-E201 */
export function ostreeObjectsDirectory(path: string): string {
  const objects = join(path, "objects");
  if (exists(objects) && exists(join(path, "config"))) return objects;
  throw new SealrootError("SR-E201", { summary: "there is no OSTree repository", details: [["looked at", path]], meaning: "an OSTree repository has a file config and a directory objects", next: "make one: ostree init" });
}
