/** Extended attributes of an open file, those that the recipe keeps, sorted by name. */

import { getXattrRaw, listXattrsRaw } from "../linux/names.ts";
import { SyscallError } from "../linux/index.ts";
import { binaryOf, type Xattr } from "../tree/index.ts";
import { keepsXattr, type Recipe } from "./recipe.ts";

const NONE: readonly Xattr[] = [];

/**
 * @param opened how: an O_PATH descriptor, of a link or a device, takes other calls
 * @throws SyscallError, ENODATA for one that went away meanwhile
 */
export function readXattrs(fd: number, opened: "for reading" | "as a path", recipe: Recipe): readonly Xattr[] {
  if (recipe.xattrs === "none") return NONE;
  const listed = listXattrsRaw(fd, opened);
  if (typeof listed === "number") throw new SyscallError("listxattr", -listed);
  if (listed.length === 0) return NONE;
  const found: Xattr[] = [];
  for (let start = 0; start < listed.length; ) {
    const end = listed.indexOf(0, start);
    const bytes = listed.subarray(start, end < 0 ? listed.length : end);
    const name = binaryOf(bytes);
    start += bytes.length + 1;
    if (!keepsXattr(recipe, name)) continue;
    const value = getXattrRaw(fd, opened, bytes);
    if (typeof value === "number") throw new SyscallError(`getxattr(${name})`, -value);
    found.push({ name, value });
  }
  return found.sort(byName);
}

const byName = (a: Xattr, b: Xattr): number => (a.name < b.name ? -1 : a.name > b.name ? 1 : 0);

/** The same attributes and one more. */
export const withLabel = (xattrs: readonly Xattr[], label: Xattr | undefined): readonly Xattr[] => (label === undefined ? xattrs : [...xattrs, label].sort(byName));
