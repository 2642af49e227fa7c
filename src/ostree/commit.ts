/**
 * OSTree commit objects: `(a{sv}aya(say)sstayay)`, identified by the SHA-256 of their bytes.
 *
 * A commit is read strictly: normal form, and the shape that libostree demands when it writes or pulls one, with no
 * metadata key twice. libostree at boot demands none of this; see the table of differences in the README.
 * Source: libostree's OSTREE_COMMIT_GVARIANT_FORMAT and its validation of commits.
 */

import { SealrootError } from "../errors/index.ts";
import { bytesOf, elementCount, forEachElement, forEachEntry, GVariantError, integerOf, isNormal, MAX_STEPS, members, read, readNormal, type Steps, textOf, TooManySteps, type Value } from "./gvariant-read.ts";
import { typeOf } from "./gvariant-type.ts";
import { type Variant, write } from "./gvariant-write.ts";

/** libostree pulls commits of up to 128 MiB; the largest known ones, with the sizes of all objects in them, are a few MiB. */
export const MAX_COMMIT_BYTES = 16 * 2 ** 20;
const MAX_METADATA = 4096;
const ID_BYTES = 32;

const COMMIT = typeOf("(a{sv}aya(say)sstayay)");

export interface Commit {
  /** In the order of the bytes. */
  readonly metadata: readonly MetadataEntry[];
  /** Commit id, 64 hex digits. */
  readonly parent: string | undefined;
  readonly related: readonly { readonly name: string; readonly id: string }[];
  readonly subject: string;
  readonly body: string;
  /** Seconds since 1970, UTC. */
  readonly timestamp: bigint;
  readonly rootDirtree: string;
  readonly rootDirmeta: string;
}

export type MetadataEntry = Variant & { readonly key: string };

/** SHA-256 of an object's bytes, as 64 lower-case hex digits: its id, for commits, dirtrees and dirmetas. */
export const objectId = (bytes: Uint8Array): string => Bun.SHA256.hash(bytes, "hex");

const refuse = (found: string): SealrootError => new SealrootError("SR-E225", { details: [["found", found]] });

/** @throws SealrootError SR-E225 when the bytes are no well-formed commit, SR-E229 when there are more than 16 MiB or 2^18 values */
export function parseCommit(bytes: Uint8Array): Commit {
  if (bytes.length > MAX_COMMIT_BYTES) throw new SealrootError("SR-E229", { details: [["found", `a commit of ${bytes.length} bytes, of at most ${MAX_COMMIT_BYTES}`]] });
  const [metadata, parent, related, subject, body, timestamp, dirtree, dirmeta] = members(normal(bytes)).members;
  if (dirmeta === undefined || metadata === undefined || parent === undefined || related === undefined || timestamp === undefined) throw refuse("too few members");
  return {
    metadata: readMetadata(metadata),
    parent: parent.start === parent.end ? undefined : readId(parent, "the parent"),
    related: readRelated(related),
    subject: readText(subject),
    body: readText(body),
    timestamp: swap(integerOf(timestamp)),
    rootDirtree: readId(dirtree, "the root directory"),
    rootDirmeta: readId(dirmeta, "the root directory's metadata"),
  };
}

function normal(bytes: Uint8Array): Value {
  try {
    return readNormal(COMMIT, bytes);
  } catch (error) {
    if (error instanceof TooManySteps) throw new SealrootError("SR-E229", { details: [["found", error.message]] });
    if (error instanceof GVariantError) throw refuse(error.message);
    throw error;
  }
}

function readMetadata(dictionary: Value): MetadataEntry[] {
  const count = elementCount(dictionary);
  if (count > MAX_METADATA) throw refuse(`${count} metadata entries, of at most ${MAX_METADATA}`);
  const entries: MetadataEntry[] = [];
  const keys = new Set<string>();
  forEachEntry(dictionary, ({ key, value }) => {
    if (key === "" || value === undefined) throw refuse("a metadata entry without a key");
    if (keys.has(key)) throw refuse(`the metadata key ${JSON.stringify(key)} twice`);
    keys.add(key);
    return entries.push({ key, type: value.type.text, serialised: bytesOf(value) }) > 0;
  });
  return entries;
}

function readRelated(list: Value): Commit["related"] {
  const count = elementCount(list);
  if (count > MAX_METADATA) throw refuse(`${count} related objects, of at most ${MAX_METADATA}`);
  const related: { name: string; id: string }[] = [];
  forEachElement(list, (item) => {
    const [name, id] = members(item).members;
    return related.push({ name: readText(name), id: readId(id, "a related object") }) > 0;
  });
  return related;
}

function readText(value: Value | undefined): string {
  const text = value === undefined ? undefined : textOf(value);
  if (text === undefined) throw refuse("text that is not UTF-8");
  return text;
}

function readId(value: Value | undefined, of: string): string {
  const id = value === undefined ? new Uint8Array() : bytesOf(value);
  if (id.length !== ID_BYTES) throw refuse(`an id of ${id.length} bytes for ${of}`);
  return id.toHex();
}

/** The timestamp is stored big-endian inside a little-endian format. */
function swap(value: bigint): bigint {
  let swapped = 0n;
  for (let rest = value, index = 0; index < 8; index++, rest >>= 8n) swapped = swapped * 256n + (rest & 0xffn);
  return swapped;
}

/** What writeCommit() takes; everything but the timestamp and the root has a default. */
export type CommitParts = Pick<Commit, "timestamp" | "rootDirtree" | "rootDirmeta"> & Partial<Commit>;

/**
 * The bytes that libostree writes for these parts. Metadata keeps the order given; libostree's own is that of a hash table.
 * @throws RangeError when the parts make no commit that parseCommit() would read
 */
export function writeCommit({ metadata = [], parent, related = [], subject = "", body = "", timestamp, rootDirtree, rootDirmeta }: CommitParts): Uint8Array {
  if (metadata.some(({ key }) => key === "")) throw new RangeError("a metadata key is empty");
  if (new Set(metadata.map(({ key }) => key)).size !== metadata.length) throw new RangeError("a metadata key is given twice");
  if (metadata.length > MAX_METADATA || related.length > MAX_METADATA) throw new RangeError(`more than ${MAX_METADATA} entries`);
  if (timestamp < 0n || timestamp >= 2n ** 64n) throw new RangeError("the timestamp is not in the range of 64 bits");
  const bytes = write(COMMIT, [
    metadata.map(({ key, ...variant }) => [key, variant]),
    parent === undefined ? new Uint8Array() : idBytes(parent),
    related.map(({ name, id }) => [name, idBytes(id)]),
    subject,
    body,
    swap(timestamp),
    idBytes(rootDirtree),
    idBytes(rootDirmeta),
  ]);
  if (bytes.length > MAX_COMMIT_BYTES) throw new RangeError(`the commit has ${bytes.length} bytes, of at most ${MAX_COMMIT_BYTES}`);
  const steps: Steps = { left: MAX_STEPS };
  isNormal(read(COMMIT, bytes), steps);
  if (steps.left < 0) throw new RangeError(`there are more than ${MAX_STEPS} values in the commit`);
  return bytes;
}

function idBytes(id: string): Uint8Array {
  if (!/^[0-9a-f]{64}$/.test(id)) throw new RangeError(`${JSON.stringify(id)} is no object id`);
  return Uint8Array.fromHex(id);
}

/** A metadata entry that is an `ay`; undefined when it is absent or of another type. */
export function bytesEntry(commit: Commit, key: string): Uint8Array | undefined {
  const entry = commit.metadata.find((candidate) => candidate.key === key);
  return entry !== undefined && entry.type === "ay" && "serialised" in entry ? entry.serialised : undefined;
}

/**
 * The base commit of a commit that bootc made when it imported a container image: its parent, whose signature counts in
 * its place. undefined for every other commit. What the commit says here is nothing that a signature covers.
 * @throws as parseCommit()
 */
export function baseCommit(bytes: Uint8Array): string | undefined {
  const commit = parseCommit(bytes);
  const config = commit.metadata.find(({ key }) => key === "ostree.container.image-config");
  return config?.type === "s" ? commit.parent : undefined;
}
