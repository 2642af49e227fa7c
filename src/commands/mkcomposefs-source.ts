/** A directory as the source of mkcomposefs: read by its recipe, with the C tool's words for what goes wrong. */

import { DigestStore, mkcomposefsRecipe, readSource } from "../directory/index.ts";
import { SealrootError } from "../errors/index.ts";
import { type Descriptor, ERRNO, isErrno, O, openPath, strerror } from "../linux/index.ts";
import type { Tree } from "../tree/index.ts";
import type { MkcomposefsOptions } from "./mkcomposefs-options.ts";
import { errnoOf, fail, failFor, type Tool } from "./peer-tool.ts";

/** The tree; where a store is asked for, with all of its objects in it. @throws ToolExit */
export function readSourceDirectory(tool: Tool, options: MkcomposefsOptions): Tree {
  const { source, digestStore, threads } = options;
  if (options.skipXattrs && options.userXattrs) fail(tool, `error accessing ${source}: ${strerror(ERRNO.EINVAL)}`);
  using directory = openDirectory(tool, source);
  using store = digestStore === undefined ? undefined : openStore(tool, digestStore);
  try {
    const tree = readSource(directory, mkcomposefsRecipe(options), { store: store?.objects, threads });
    store?.objects.commit();
    return tree;
  } catch (error) {
    return tellError(tool, source, error);
  }
}

function openDirectory(tool: Tool, path: string): Descriptor {
  try {
    // the source itself is not followed, as by the C tool: a link is no directory
    return openPath(path, O.RDONLY | O.DIRECTORY | O.NOFOLLOW);
  } catch (error) {
    // which that finds out when it writes
    if (isErrno(error, ERRNO.ENOTDIR, ERRNO.ELOOP) && isThere(path)) fail(tool, `cannot write file: ${strerror(ERRNO.ENOTDIR)}`);
    return failFor(tool, `error accessing ${path}`, error);
  }
}

function isThere(path: string): boolean {
  try {
    openPath(path, O.PATH | O.NOFOLLOW).close();
    return true;
  } catch {
    return false;
  }
}

function openStore(tool: Tool, path: string): DigestStore {
  try {
    return new DigestStore(path);
  } catch (error) {
    return fail(tool, `cannot fill store: ${reasonBelow(error)}`);
  }
}

const STORE_FAILED = "SR-E525";

function tellError(tool: Tool, source: string, error: unknown): never {
  if (!(error instanceof SealrootError)) return failFor(tool, `error accessing ${source}`, error);
  if (error.code === STORE_FAILED) return fail(tool, `cannot fill store: ${reasonBelow(error)}`);
  const path = error.details.find(([label]) => label === "path")?.[1] ?? source;
  return fail(tool, `error accessing ${path}: ${reasonBelow(error)}`);
}

/** What the system call said that is at the bottom of it; else our own words. */
function reasonBelow(error: unknown): string {
  for (let at = error; at instanceof Error; at = at.cause) {
    const errno = errnoOf(at);
    if (errno !== undefined) return strerror(errno);
  }
  return error instanceof Error ? error.message : String(error);
}
