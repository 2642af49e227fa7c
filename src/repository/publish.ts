/**
 * Making an image known: its link in `images/`, and a reference to it, as composefs-rs writes them. One syncfs comes before, so that
 * after a power cut no link is there whose objects are not.
 */

import { SealrootError } from "../errors/index.ts";
import { BENEATH, type Descriptor, type DirectoryDescriptor, ERRNO, isErrno, makeDirectory, makeSymlink, O, openAt } from "../linux/index.ts";
import { moveAt, readLinkAt, syncFile, syncFilesystem } from "../linux/entries.ts";
import { FileStatus, statNameRaw } from "../linux/names.ts";
import { openInside } from "./repository.ts";

const DIRECTORY = O.RDONLY | O.DIRECTORY | O.NOFOLLOW;
const PERMISSIONS = 0o755;
const LINK_DRAFT = "link";

/**
 * @param digest of an image whose object is there, lower-case hex @param reference a name for it, which keeps it; may have slashes
 * @param drafts a directory on the same filesystem, for links that are not finished
 */
export function publishImage(repository: Descriptor, digest: string, reference: string | undefined, drafts: DirectoryDescriptor): void {
  if (reference !== undefined) checkReference(reference);
  syncFilesystem(repository);
  makeDirectory(repository, "images", PERMISSIONS);
  using images = openDirectory(repository, "images");
  placeLink(drafts, images, digest, `../objects/${digest.slice(0, 2)}/${digest.slice(2)}`);
  syncFile(images);
  if (reference === undefined) return;
  const parts = ["refs", ...reference.split("/")];
  const name = parts.pop() ?? "";
  let directory = images;
  const open = new DisposableStack();
  try {
    for (const part of parts) {
      makeDirectory(directory, part, PERMISSIONS);
      const below = open.use(openDirectory(directory, part));
      syncFile(directory);
      directory = below;
    }
    placeLink(drafts, directory, name, `${"../".repeat(parts.length)}${digest}`);
    syncFile(directory);
  } finally {
    open.dispose();
  }
}

/** @throws SealrootError SR-E100 for what is no path below `refs/` */
export function checkReference(reference: string): void {
  const bad = reference.split("/").some((part) => part === "" || part === "." || part === ".." || part.includes("\0") || new TextEncoder().encode(part).length > 255);
  if (bad) throw new SealrootError("SR-E100", { summary: `${JSON.stringify(reference)} is no name for an image`, next: "give a name such as system or release/44" });
}

/**
 * Whether a reference can have this name, asked before the work: where a name is there can be none below it, and the other way round.
 * @throws SealrootError SR-E100
 */
export function checkReferenceFree(repository: Descriptor, reference: string): void {
  const parts = reference.split("/");
  for (let length = 1; length <= parts.length; length++) {
    const name = parts.slice(0, length).join("/");
    const { mode } = lookAt(repository, `images/refs/${name}`);
    if (mode === undefined) return;
    const last = length === parts.length;
    if (mode >> 12 === (last ? LINK : DIRECTORY_TYPE)) continue;
    const found = mode >> 12 === LINK ? "is a name already" : mode >> 12 === DIRECTORY_TYPE ? "has names below it" : "is a file";
    throw new SealrootError("SR-E100", { summary: `no image can have the name ${JSON.stringify(reference)}: images/refs/${name} ${found}`, next: "give another name: sealroot image ls shows those that there are" });
  }
}

const LINK = 0o12;
const DIRECTORY_TYPE = 0o4;

/** Of the entry itself, a link not followed. */
function lookAt(repository: Descriptor, path: string): { readonly mode: number | undefined } {
  const slash = path.lastIndexOf("/");
  using parent = openInside(repository, path.slice(0, slash), O.PATH | O.DIRECTORY | O.NOFOLLOW);
  const status = new FileStatus();
  return { mode: parent === undefined || statNameRaw(parent.fd, path.slice(slash + 1), status) < 0 ? undefined : status.mode };
}

/** Makes a link, or puts one in the place of another in one step. @throws SealrootError SR-E548 when something else has the name */
export function placeLink(drafts: DirectoryDescriptor, directory: Descriptor, name: string, text: string): void {
  if (makeSymlink(text, directory, name)) return;
  const there = linkText(directory, name);
  if (there === text) return;
  if (there === undefined) {
    throw new SealrootError("SR-E548", { summary: "something that is no link has the name", details: [["path", `${directory.label}/${name}`]], meaning: "no program for these repositories puts a file there, so nobody knows what it is for", next: "look at it, and move it elsewhere" });
  }
  makeSymlink(text, drafts, LINK_DRAFT);
  moveAt(drafts, LINK_DRAFT, directory, name);
}

function linkText(directory: Descriptor, name: string): string | undefined {
  try {
    return readLinkAt(directory, name);
  } catch (error) {
    if (isErrno(error, ERRNO.EINVAL)) return undefined;
    throw error;
  }
}

function openDirectory(parent: Descriptor, name: string): Descriptor {
  const found = openInside(parent, name, DIRECTORY);
  return found ?? openAt(parent, name, DIRECTORY, BENEATH);
}
