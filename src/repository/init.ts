/**
 * A new repository, as composefs-rs makes one (RepoMetadata, write_repo_metadata): a directory with meta.json, which has fs-verity itself
 * where every object is to have it. That is how both programs know that objects without it are not to be used.
 */

import { SealrootError } from "../errors/index.ts";
import { enableVerity } from "../linux/enable-verity.ts";
import { syncFile } from "../linux/entries.ts";
import { Descriptor, ERRNO, HERE, makeDirectory, measureVerity, O, openAt, openPath, readUpTo, SyscallError, writeAll } from "../linux/index.ts";
import { linkDescriptorRaw, openNameRaw, renameRaw, reopenRaw, unlinkRaw } from "../linux/names.ts";
import { META_LIMIT } from "./meta.ts";
import { hasVerity, unwritable } from "./object-store.ts";
import { randomName } from "./staging.ts";

export interface InitOptions {
  readonly algorithm: "sha256" | "sha512";
  /** EROFS format of the images that composefs-rs will write here. */
  readonly format: "v1" | "v2";
  /** Whether objects may lack fs-verity. */
  readonly insecure: boolean;
}

const PERMISSIONS = 0o700;
const META_PERMISSIONS = 0o644;
const META = "meta.json";

/** meta.json to the byte as composefs-rs writes it: serde's order of fields, two spaces, a newline at the end. */
export function formatMeta({ algorithm, format }: Pick<InitOptions, "algorithm" | "format">): string {
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
  /** fs-verity is required of every object. */
  readonly secure: boolean;
}

/**
 * Makes a repository at `path`; one of the same kind that is there already will do.
 * @throws SealrootError SR-E523 when there is one of another kind, SR-E524 without fs-verity, SR-E525 when it cannot be written
 */
export function initRepository(path: string, options: InitOptions): InitResult {
  try {
    makeDirectory(HERE, path, PERMISSIONS);
    using directory = openPath(path, O.RDONLY | O.DIRECTORY);
    const existing = readExisting(directory, options);
    if (existing !== undefined) return existing;
    if (!options.insecure && !hasVerity(directory, options.algorithm)) throw new SealrootError("SR-E524", { details: [["directory", path]] });
    for (const name of ["objects", "images", "streams"]) makeDirectory(directory, name, 0o755);
    const linked = writeMeta(directory, formatMeta(options), options);
    const raced = linked ? undefined : readExisting(directory, options);
    return raced ?? { created: true, secure: !options.insecure };
  } catch (error) {
    throw unwritable(path, error);
  }
}

function readExisting(directory: Descriptor, options: InitOptions): InitResult | undefined {
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
  return { created: false, secure };
}

function sameMeta(found: string, expected: string): boolean {
  try {
    return Bun.deepEquals(JSON.parse(found), JSON.parse(expected));
  } catch {
    return false;
  }
}

/** All of the file at once, on the disk, with verity before it has a name. @returns false when there was one of that name meanwhile */
function writeMeta(directory: Descriptor, text: string, { algorithm, insecure }: InitOptions): boolean {
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
