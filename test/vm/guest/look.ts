/** Looks at a repository without trusting the program's own fsck: every object by its bytes and by the kernel, every image by what it needs. */

import { lstatSync, readdirSync, readFileSync, readlinkSync } from "node:fs";
import { join } from "node:path";
import { fsverityDigest } from "../../../src/fsverity/index.ts";
import { measureVerity, O, openPath } from "../../../src/linux/index.ts";
import { objectsNeeded, readImageFile } from "../../../src/repository/image-file.ts";

export interface Seen {
  /** Objects that are not what their names say, and why. */
  readonly wrong: Readonly<Record<string, string>>;
  /** What images need and is not there, or is wrong. */
  readonly broken: readonly string[];
  /** Every path in the repository, with the text of links. */
  readonly listing: readonly string[];
  /** The same with sizes, and without the names that are made up by chance: two states that a program cannot tell apart. */
  readonly state: string;
}

/** @param verity every object is to have it */
export function look(repository: string, verity: boolean): Seen {
  const listing: string[] = [];
  const state: string[] = [];
  const walk = (path: string): void => {
    for (const entry of readdirSync(join(repository, path), { withFileTypes: true })) {
      const below = join(path, entry.name);
      if (entry.isDirectory()) walk(below);
      else listing.push(entry.isSymbolicLink() ? `${below} -> ${readlinkSync(join(repository, below))}` : below);
      state.push(`${below} ${entry.isDirectory() ? "" : lstatSync(join(repository, below)).size}`);
    }
  };
  walk("");
  const wrong: Record<string, string> = {};
  const right = new Set<string>();
  for (const path of listing) {
    const named = /^objects\/([0-9a-f]{2})\/([0-9a-f]{62}|[0-9a-f]{126})$/.exec(path);
    if (named === null) continue;
    const digest = `${named[1]}${named[2]}`;
    const fault = faultOf(join(repository, path), digest, verity);
    if (fault === undefined) right.add(digest);
    else wrong[digest] = fault;
  }
  const broken: string[] = [];
  for (const path of listing) {
    const digest = /^images\/([0-9a-f]+) -> \.\.\/objects\//.exec(path)?.[1];
    if (digest !== undefined) broken.push(...missing(repository, digest, right));
    const reference = /^(images\/refs\/.*) -> (.*)$/.exec(path);
    if (reference?.[1] !== undefined && !isThere(join(repository, reference[1], "..", reference[2] ?? ""))) broken.push(path);
  }
  const byChance = /(staging-|\.tmp-object-)\w+(?:\/\w+(?=\.json ))?/g;
  return { wrong, broken, listing: listing.sort(), state: [...state.map((line) => line.replace(byChance, "$1")), ...Object.entries(wrong)].sort().join("\n") };
}

function isThere(path: string): boolean {
  return lstatSync(path, { throwIfNoEntry: false }) !== undefined;
}

function faultOf(path: string, digest: string, verity: boolean): string | undefined {
  const algorithm = digest.length === 64 ? "sha256" : "sha512";
  try {
    using file = openPath(path, O.RDONLY);
    const measured = measureVerity(file);
    if (measured.kind === "digest" ? measured.digest !== digest : verity) return `the kernel says ${measured.kind === "digest" ? measured.digest : measured.kind}`;
    const hashed = fsverityDigest(readFileSync(path), algorithm).toHex();
    return hashed === digest ? undefined : `its bytes have ${hashed}`;
  } catch (error) {
    return error instanceof Error ? error.message : String(error);
  }
}

function missing(repository: string, digest: string, right: ReadonlySet<string>): string[] {
  if (!right.has(digest)) return [`images/${digest}: its object`];
  const found: string[] = [];
  using file = openPath(join(repository, `objects/${digest.slice(0, 2)}/${digest.slice(2)}`), O.RDONLY);
  objectsNeeded(readImageFile(file).tree, digest.length === 64 ? 32 : 64, (object) => {
    const hex = object.toHex();
    if (!right.has(hex)) found.push(`images/${digest}: ${hex}`);
  });
  return found;
}
