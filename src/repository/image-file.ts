/** An image as it lies in a repository: parsed, and the objects that it needs. */

import { checkHeader, readImage } from "../erofs/index.ts";
import { SealrootError } from "../errors/index.ts";
import { readData } from "../linux/data.ts";
import { type Descriptor, readAt, statAt } from "../linux/index.ts";
import { type Inode, isRegular, type Tree } from "../tree/index.ts";
import { idOfName } from "./object-name.ts";
import { unreadable } from "./repository.ts";

export type ParsedImage = ReturnType<typeof readImage>;

/** An image holds no file content; a larger file is none. What is hole in a file takes no memory. */
export const LARGEST_IMAGE = 2 ** 31;
const FIRST_BLOCK = 4096;

/** @param file at its beginning @throws SealrootError: the reader's for what is no image, SR-E214 when the disk fails */
export function readImageFile(file: Descriptor): ParsedImage {
  const bytes = readWhole(file);
  return naming(file.label, () => readImage(bytes));
}

/** Reads an image, and says which one it is when it is refused: the reader knows bytes only. @param name path, or what it was called */
export function naming<T>(name: string, read: () => T): T {
  try {
    return read();
  } catch (error) {
    if (!(error instanceof SealrootError) || error.details.some(([label]) => label === "image")) throw error;
    throw new SealrootError(error.code, { summary: error.message, details: [["image", name], ...error.details], meaning: error.meaning, next: error.next, cause: error.cause });
  }
}

export function readWhole(file: Descriptor): Uint8Array {
  try {
    const { size } = statAt(file);
    if (size > LARGEST_IMAGE) throw new SealrootError("SR-E213", { details: [["image", file.label], ["found", `${size} bytes: no image is as large`]] });
    naming(file.label, () => checkHeader(readAt(file, 0, FIRST_BLOCK), size));
    const bytes = new Uint8Array(size);
    return bytes.subarray(0, readData(file, bytes));
  } catch (error) {
    throw unreadable(file.label, error);
  }
}

/**
 * Calls `need` for every file whose content lies in the object store: once for each inode, so an object may come several times, with the size of the
 * content in bytes.
 * @param elsewhere is called for content that is in no object of this kind: a path, or a digest of another length
 */
export function objectsNeeded(tree: Tree, idLength: 32 | 64, need: (id: Uint8Array, size: number, inode: Inode) => void, elsewhere: (inode: Inode) => void = () => undefined): void {
  const { inodes } = tree;
  const decoder = new TextDecoder();
  for (let inode = 0; inode < inodes.count; inode++) {
    if (!isRegular(inodes.mode(inode))) continue;
    const digest = inodes.digest(inode);
    const size = inodes.size(inode);
    if (digest !== undefined && inodes.isNamedByDigest(inode)) {
      if (digest.length === idLength) need(digest, size, inode);
      else elsewhere(inode);
      continue;
    }
    const payload = inodes.payload(inode);
    if (payload === undefined) {
      // a digest without a path: content that lies in the image, or nowhere
      continue;
    }
    const id = idOfName(decoder.decode(payload).replace(/^\/+/, ""), idLength);
    if (id === undefined) elsewhere(inode);
    else need(id, size, inode);
    // the kernel holds what it finds at the path against the digest: an object of that name is no use then, but nothing to lose either
    if (digest !== undefined && digest.length === idLength && id !== undefined && !equal(digest, id)) need(digest, size, inode);
  }
}

const equal = (a: Uint8Array, b: Uint8Array): boolean => a.every((byte, at) => byte === b[at]);
