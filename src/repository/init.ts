/**
 * A new repository, as composefs-rs makes one (RepoMetadata, write_repo_metadata): a directory with meta.json, which has fs-verity itself
 * where every object is to have it. That is how both programs know that objects without it are not to be used.
 */

import { SealrootError } from "../errors/index.ts";
import { enableVerity } from "../linux/enable-verity.ts";
import { directoryEntries, syncFile } from "../linux/entries.ts";
import { Descriptor, type DirectoryDescriptor, ERRNO, HERE, isErrno, makeDirectory, measureVerity, O, openAt, openPath, readUpTo, removeDirectory, SyscallError, writeAll } from "../linux/index.ts";
import { linkDescriptorRaw, openNameRaw, renameRaw, reopenRaw, unlinkRaw } from "../linux/names.ts";
import { META_LIMIT } from "./meta.ts";
import { hasVerity } from "./object-store.ts";
import { openFile, openInside } from "./repository.ts";
import { randomName } from "./staging.ts";
import { unwritable } from "./write-errors.ts";

export interface InitOptions {
  /** undefined: that of the objects that are there already; sha512, which bootc uses, where there are none. */
  readonly algorithm: "sha256" | "sha512" | undefined;
  /** EROFS format of the images that composefs-rs will write here. */
  readonly format: "v1" | "v2";
  /** Whether objects may lack fs-verity. */
  readonly insecure: boolean;
}

type Chosen = InitOptions & { readonly algorithm: "sha256" | "sha512" };
const DEFAULT_ALGORITHM = "sha512";

const PERMISSIONS = 0o700;
const META_PERMISSIONS = 0o644;
const META = "meta.json";

/** meta.json to the byte as composefs-rs writes it: serde's order of fields, two spaces, a newline at the end. */
export function formatMeta({ algorithm, format }: Pick<Chosen, "algorithm" | "format">): string {
  const meta = {
    version: 1,
    algorithm: `fsverity-${algorithm}-12`,
    features: { "compatible": [], "read-only-compatible": format === "v1" ? ["v1_erofs"] : [], "incompatible": [] },
    erofs_formats: { default: format === "v1" ? 1 : 2 },
  };
  return `${JSON.stringify(meta, null, 2)}\n`;
}

export interface InitResult {
  readonly created: boolean;
  readonly algorithm: "sha256" | "sha512";
  /** fs-verity is required of every object. */
  readonly secure: boolean;
}

/**
 * Makes a repository at `path`; one of the same kind that is there already will do.
 * @throws SealrootError SR-E523 when there is one of another kind, SR-E524 without fs-verity, SR-E525 when it cannot be written
 */
export function initRepository(path: string, options: InitOptions): InitResult {
  let made = false;
  try {
    made = makeDirectory(HERE, path, PERMISSIONS);
    using directory = openPath(path, O.RDONLY | O.DIRECTORY);
    return initIn(directory, path, options);
  } catch (error) {
    if (made) removeIfEmpty(HERE, path);
    if (isErrno(error, ERRNO.ENOENT) && !made) {
      throw new SealrootError("SR-E525", {
        summary: "there is no directory that the repository could be made in", details: [["repository", path]], cause: error,
        meaning: "only the last part of the path is made", next: "make the directory above it, then run it again",
      });
    }
    throw unwritable(path, error);
  }
}

function initIn(directory: Descriptor, path: string, options: InitOptions): InitResult {
  const existing = readExisting(directory, { ...options, algorithm: options.algorithm ?? DEFAULT_ALGORITHM });
  if (existing !== undefined) return existing;
  const chosen = { ...options, algorithm: chooseAlgorithm(directory, options) };
  if (!options.insecure && !hasVerity(directory, chosen.algorithm)) throw new SealrootError("SR-E524", { details: [["directory", path]] });
  const made: string[] = [];
  try {
    for (const name of ["objects", "images", "streams"]) if (makeDirectory(directory, name, 0o755)) made.push(name);
    const linked = writeMeta(directory, formatMeta(chosen), chosen);
    const raced = linked ? undefined : readExisting(directory, chosen);
    return raced ?? { created: true, algorithm: chosen.algorithm, secure: !options.insecure };
  } catch (error) {
    for (const name of made) removeIfEmpty(directory, name);
    throw error;
  }
}

/** Another program may have been quicker, and use it. */
function removeIfEmpty(parent: DirectoryDescriptor, name: string): void {
  try {
    removeDirectory(parent, name);
  } catch (error) {
    if (!(error instanceof SyscallError)) throw error;
  }
}

/** The directory of each of the 256 prefixes gives one object. */
const MOST_OF_A_DIRECTORY = 1;

/**
 * A repository that is older than meta.json has objects: their names tell the hash, and whether the kernel vouches for them is asked of
 * some. Writing something else over it would make every one of them useless, or trusted without reason.
 * @throws SealrootError SR-E523 when they are of another hash than was asked for, or lack fs-verity that is to be required
 */
function chooseAlgorithm(directory: Descriptor, { algorithm, insecure }: InitOptions): "sha256" | "sha512" {
  let found: "sha256" | "sha512" | undefined;
  const refuse = (what: string, next: string): never => {
    throw new SealrootError("SR-E523", { details: [["repository", directory.label], ["found", what]], next });
  };
  for (const { prefix, name } of sampleObjects(directory)) {
    const hash = name.length === 62 ? "sha256" : "sha512";
    if (algorithm !== undefined && algorithm !== hash) refuse(`objects that are named by ${hash}`, `leave --algorithm out, or say --algorithm ${hash}`);
    if (found !== undefined && found !== hash) refuse("objects of two hashes", "these are two stores in one: move one of them elsewhere");
    found = hash;
    if (insecure) continue;
    using object = openFile(directory, `objects/${prefix}/${name}`);
    const measured = object === undefined ? undefined : measureVerity(object);
    if (measured?.kind === "digest" && measured.digest === `${prefix}${name}`) continue;
    refuse(`objects without fs-verity: objects/${prefix}/${name}`, "say that objects may lack it: sealroot repo init --insecure; or make another repository, and import the images there");
  }
  return found ?? algorithm ?? DEFAULT_ALGORITHM;
}

function* sampleObjects(directory: Descriptor): Generator<{ readonly prefix: string; readonly name: string }> {
  using objects = openInside(directory, "objects", O.RDONLY | O.DIRECTORY);
  if (objects === undefined) return;
  for (const { name: prefix, type } of directoryEntries(objects)) {
    if (type !== "directory" || !/^[0-9a-f]{2}$/.test(prefix)) continue;
    using below = openInside(objects, prefix, O.RDONLY | O.DIRECTORY);
    const names = below === undefined ? [] : directoryEntries(below).filter(({ name }) => /^(?:[0-9a-f]{62}|[0-9a-f]{126})$/.test(name));
    for (const { name } of names.slice(0, MOST_OF_A_DIRECTORY)) yield { prefix, name };
  }
}

function readExisting(directory: Descriptor, options: Chosen): InitResult | undefined {
  const fd = openNameRaw(directory.fd, META, O.RDONLY | O.NONBLOCK | O.NOCTTY);
  if (fd === -ERRNO.ENOENT) return undefined;
  if (fd < 0) throw new SyscallError(`openat(${directory.label}, "${META}")`, -fd);
  using file = new Descriptor(fd, `${directory.label}/${META}`);
  const found = new TextDecoder().decode(readUpTo(file, META_LIMIT));
  const secure = measureVerity(file).kind === "digest";
  const refuse = (what: string): never => {
    throw new SealrootError("SR-E523", { details: [["repository", directory.label], ["found", what]] });
  };
  if (!sameMeta(found, formatMeta(options))) refuse(found.length > 400 ? "a meta.json with other settings" : found.replace(/\s+/g, " ").trim());
  // what was chosen at the beginning is not changed by asking again
  if (!secure && !options.insecure) refuse("one whose objects may lack fs-verity (made with --insecure)");
  return { created: false, algorithm: options.algorithm, secure };
}

function sameMeta(found: string, expected: string): boolean {
  try {
    return Bun.deepEquals(JSON.parse(found), JSON.parse(expected));
  } catch {
    return false;
  }
}

/** All of the file at once, on the disk, with verity before it has a name. @returns false when there was one of that name meanwhile */
function writeMeta(directory: Descriptor, text: string, { algorithm, insecure }: Chosen): boolean {
  const name = `.tmp-object-${randomName()}`;
  let named = false;
  let fd = openNameRaw(directory.fd, ".", O.RDWR | O.TMPFILE, META_PERMISSIONS);
  if (fd < 0) {
    fd = openAt(directory, name, O.RDWR | O.CREAT | O.EXCL | O.NOFOLLOW, 0, META_PERMISSIONS).take().fd;
    named = true;
  }
  const file = new Descriptor(fd, META);
  try {
    writeAll(file, new TextEncoder().encode(text));
    syncFile(file);
    using readable = new Descriptor(reopenRaw(file.fd, O.RDONLY), META);
    file.close();
    if (!insecure && enableVerity(readable, algorithm) !== "enabled") throw new SealrootError("SR-E524", { details: [["directory", directory.label]] });
    const result = named ? renameRaw(directory.fd, name, directory.fd, META, false) : linkDescriptorRaw(readable.fd, directory.fd, META);
    if (result < 0 && result !== -ERRNO.EEXIST) throw new SyscallError(`linkat(${META})`, -result);
    named = named && result < 0;
    syncFile(directory);
    return result === 0;
  } finally {
    file.close();
    if (named) unlinkRaw(directory.fd, name);
  }
}
