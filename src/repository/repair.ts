/**
 * Putting a good copy of an object in the place of a bad one, or where one is missing. The copy is complete, on the disk, and has the
 * right digest before it gets the name; the bad one has its name until then. Cut off at any point the repository is no worse than it
 * was: what may stay is a file of a temporary name, which the next run removes.
 */

import { descriptorDigest, encodeDescriptor, MerkleTree } from "../fsverity/index.ts";
import { BENEATH, type Descriptor, type DirectoryDescriptor, makeDirectory, measureVerity, O, openAt, readInto, statAt, writeAll } from "../linux/index.ts";
import { seek, setPermissions } from "../linux/data.ts";
import { enableVerity } from "../linux/enable-verity.ts";
import { moveAt, removeAt, syncFile } from "../linux/entries.ts";
import { objectPath } from "../tree/index.ts";
import { ContentHasher } from "./content-hasher.ts";
import type { RepositoryContents } from "./contents.ts";
import { placeLink } from "./publish.ts";
import { openInside } from "./repository.ts";

const PIECE = 1 << 20;
const O_EXCL = 0o200;
const DIRECTORY = O.RDONLY | O.DIRECTORY | O.NOFOLLOW;

export type Staged = "staged" | "wrong content" | "no fs-verity";

/** The name of a draft until it is placed. */
const draftOf = (id: Uint8Array): string => `object-${id.toHex()}`;

/**
 * Copies `copy` beside its place, if its content is that of this id.
 * @param copy at its beginning; nothing is written for a file of another size before its content was hashed, since the source may hold
 * anything under the name of an object, also what would fill the disk
 * @param expected bytes that it should have; undefined where nobody knows. A copy with the right content is taken whatever its size.
 * @param drafts a directory on the same filesystem, for what is not finished
 * @param verity "required": without fs-verity it is not taken; "tried": enabled where the filesystem has it
 * @throws SyscallError when the repository cannot be written to
 */
export function stageObject({ algorithm }: RepositoryContents, id: Uint8Array, copy: Descriptor, expected: number | undefined, verity: "required" | "tried", drafts: DirectoryDescriptor): { readonly result: Staged; readonly size: number } {
  const { size: length } = statAt(copy);
  if (length !== expected && !hasContent(copy, length, algorithm, id)) return { result: "wrong content", size: 0 };
  const name = draftOf(id);
  let good = false;
  using draft = openAt(drafts, name, O.WRONLY | O.CREAT | O_EXCL | O.NOFOLLOW, BENEATH, 0o644);
  try {
    const size = write(draft, algorithm, id, copy, length);
    if (size === undefined) return { result: "wrong content", size: 0 };
    // a file with a writer cannot get fs-verity
    draft.close();
    using file = openAt(drafts, name, O.RDONLY | O.NOFOLLOW, BENEATH);
    const enabled = enableVerity(file, algorithm);
    if (enabled !== "enabled" && verity === "required") return { result: "no fs-verity", size };
    const measurement = measureVerity(file);
    if (measurement.kind === "digest" && measurement.digest !== id.toHex()) return { result: "wrong content", size };
    syncFile(file);
    good = true;
    return { result: "staged", size };
  } finally {
    if (!good) removeAt(drafts, name);
  }
}

/** A staged object, for reading. */
export const openStaged = (id: Uint8Array, drafts: DirectoryDescriptor): Descriptor => openAt(drafts, draftOf(id), O.RDONLY | O.NOFOLLOW, BENEATH);

/** Gives a staged object its name: what had it gives way in the same step. @throws SyscallError */
export function placeObject(contents: RepositoryContents, id: Uint8Array, drafts: DirectoryDescriptor): void {
  makeDirectory(contents.directory, "objects", 0o755);
  using objects = contents.repository.openObjects();
  const [prefix = "", rest = ""] = objectPath(id).split("/");
  makeDirectory(objects, prefix, 0o755);
  using directory = openInside(objects, prefix, DIRECTORY);
  if (directory === undefined) throw new Error(`${objects.label}/${prefix} was removed by somebody else`);
  moveAt(drafts, draftOf(id), directory, rest);
  syncFile(directory);
  syncFile(objects);
}

/** Both at once, for an object that needs no others. */
export function replaceObject(contents: RepositoryContents, id: Uint8Array, copy: Descriptor, expected: number | undefined, verity: "required" | "tried", drafts: DirectoryDescriptor): { readonly result: Staged; readonly size: number } {
  const staged = stageObject(contents, id, copy, expected, verity, drafts);
  if (staged.result === "staged") placeObject(contents, id, drafts);
  return staged;
}

/** Whether the first `length` bytes of a file have the digest; holes cost nothing. The file is at its beginning afterwards. */
export function hasContent(file: Descriptor, length: number, algorithm: "sha256" | "sha512", id: Uint8Array): boolean {
  const hasher = new ContentHasher(algorithm);
  const right = hasher.hashFile(file.fd, length, true) && equalIds(hasher.digest(), id);
  seek(file, 0, "SET");
  return right;
}

const equalIds = (a: Uint8Array, b: Uint8Array): boolean => a.length === b.length && a.every((byte, at) => byte === b[at]);

/** @param length bytes to be copied: with more the file has grown, and is another @returns its size, or undefined when the content has another digest */
function write(file: Descriptor, algorithm: "sha256" | "sha512", id: Uint8Array, copy: Descriptor, length: number): number | undefined {
  setPermissions(file, 0o644);
  const tree = new MerkleTree(algorithm);
  const buffer = new Uint8Array(PIECE);
  for (let left = length; left > 0; ) {
    const piece = buffer.subarray(0, readInto(copy, buffer.subarray(0, Math.min(left, PIECE))));
    if (piece.length === 0) return undefined;
    tree.update(piece);
    writeAll(file, piece);
    left -= piece.length;
  }
  if (readInto(copy, buffer.subarray(0, 1)) !== 0) return undefined;
  const { root, size } = tree.finish();
  const digest = descriptorDigest(encodeDescriptor(algorithm, size, root), algorithm);
  return equalIds(digest, id) ? size : undefined;
}

/** Removes what an interrupted run has left. The caller holds the exclusive lock, so nobody is still writing it. */
export function removeTemporary(contents: RepositoryContents, temporary: readonly string[]): void {
  for (const path of temporary) contents.remove(path);
}

/** Makes `images/<digest>` a link to the object of that digest, which is there and right. In one step: what was there gives way then. */
export function replaceImageLink({ directory }: RepositoryContents, digest: string, drafts: DirectoryDescriptor): void {
  makeDirectory(directory, "images", 0o755);
  using images = openInside(directory, "images", DIRECTORY);
  if (images === undefined) return;
  placeLink(drafts, images, digest, `../objects/${digest.slice(0, 2)}/${digest.slice(2)}`);
  syncFile(images);
}
