/**
 * Splitstream files of a composefs-rs repository, as far as finding imported OSTree commits needs them: which image a stream
 * names, and the commit in it. Pure and total: any bytes give a value or a StreamProblem.
 *
 * Nothing authenticates these bytes. What comes out is a claim: the commit's id is recomputed, and its signatures are checked,
 * by whoever uses it.
 * Source: composefs-rs, splitstream format version 0 and the object map of its OSTree streams. Integers are little-endian.
 */

/** What is wrong with a stream, for people. */
export class StreamProblem extends Error {
  override readonly name = "StreamProblem";
}

export interface Range {
  readonly start: number;
  /** Exclusive. */
  readonly end: number;
}

export interface StreamHeader {
  /** Bytes of an object id: 32 for SHA-256, 64 for SHA-512. */
  readonly idLength: 32 | 64;
  readonly info: Range;
}

export interface StreamInfo {
  readonly streamRefs: Range;
  readonly stream: Range;
  readonly namedRefs: Range;
}

export const HEADER_LENGTH = 32;
export const INFO_LENGTH = 80;
/** Content type of OSTree commits. */
const OSTREE_COMMIT = 0xafe138c18c463ef1n;
const MAGIC = "SplitStream";
const ID_LENGTHS: Readonly<Record<number, 32 | 64>> = { 1: 32, 2: 64 };
const LOG2_BLOCK_SIZE = 12;

const viewOf = (bytes: Uint8Array): DataView => new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);

/** Two 64-bit words; what no file can hold is refused here, so that the rest may use numbers. */
function rangeAt(view: DataView, at: number, what: string): Range {
  const [start, end] = [view.getBigUint64(at, true), view.getBigUint64(at + 8, true)];
  if (end < start || end > BigInt(Number.MAX_SAFE_INTEGER)) throw new StreamProblem(`its ${what} cannot lie where it says`);
  return { start: Number(start), end: Number(end) };
}

/** @param bytes the first 32 of the file @throws StreamProblem */
export function parseHeader(bytes: Uint8Array): StreamHeader {
  if (bytes.length < HEADER_LENGTH) throw new StreamProblem("it is too short for a splitstream");
  const view = viewOf(bytes);
  const magicAt = (at: number): boolean => String.fromCharCode(...bytes.subarray(at, at + MAGIC.length)) === MAGIC;
  // bootc up to 1.15 wrote the same fields in another order
  const old = !magicAt(0) && magicAt(18);
  if (!old && !magicAt(0)) throw new StreamProblem("it is no splitstream");
  const [versionAt, algorithmAt, blockSizeAt, infoAt] = old ? [29, 30, 31, 0] : [11, 14, 15, 16];
  if (view.getUint8(versionAt) !== 0) throw new StreamProblem(`it is a splitstream of version ${view.getUint8(versionAt)}`);
  const idLength = ID_LENGTHS[view.getUint8(algorithmAt)];
  if (idLength === undefined || view.getUint8(blockSizeAt) !== LOG2_BLOCK_SIZE) throw new StreamProblem("it is a splitstream of an unknown hash or block size");
  const info = rangeAt(view, infoAt, "info section");
  if (info.end - info.start < INFO_LENGTH) throw new StreamProblem("its info section is too short");
  return { idLength, info };
}

/** @param bytes the first 80 of the info section @throws StreamProblem, also for a stream that is no OSTree commit */
export function parseInfo(bytes: Uint8Array): StreamInfo {
  if (bytes.length < INFO_LENGTH) throw new StreamProblem("it ends in its info section");
  const view = viewOf(bytes);
  if (view.getBigUint64(64, true) !== OSTREE_COMMIT) throw new StreamProblem("its content is no OSTree commit");
  return { streamRefs: rangeAt(view, 0, "stream references"), stream: rangeAt(view, 32, "stream"), namedRefs: rangeAt(view, 48, "named references") };
}

const IMAGE_REF = "composefs.image";
/** Records looked at; an OSTree stream has one for each format of its image. */
const MAX_REFS = 16;

/**
 * The images that the named references of a stream name: `<index>:composefs.image…`, each ended by NUL.
 * @param namedRefs decompressed @param streamRefs the array of ids that the indices speak of
 * @returns fs-verity digests, lower-case hex @throws StreamProblem
 */
export function imagesNamed(namedRefs: Uint8Array, streamRefs: Uint8Array, idLength: number): string[] {
  const images: string[] = [];
  const decoder = new TextDecoder();
  for (let at = 0, records = 0; at < namedRefs.length; records++) {
    if (records === MAX_REFS) throw new StreamProblem(`it has more than ${MAX_REFS} named references`);
    const end = namedRefs.indexOf(0, at);
    if (end < 0) throw new StreamProblem("its named references do not end");
    const [, index, name] = /^(\d{1,9}):(.*)$/s.exec(decoder.decode(namedRefs.subarray(at, Math.min(end, at + 1024)))) ?? [];
    if (index === undefined || name === undefined) throw new StreamProblem("one of its named references has no index");
    at = end + 1;
    // several names, for a repository with several formats
    if (!name.startsWith(IMAGE_REF)) continue;
    const start = Number(index) * idLength;
    if (start + idLength > streamRefs.length) throw new StreamProblem("its reference to an image is out of range");
    images.push(streamRefs.subarray(start, start + idLength).toHex());
  }
  return images;
}

/** The inline bytes of a stream, its chunks put together. @param chunks decompressed @throws StreamProblem for a chunk that lies elsewhere */
export function inlineBytes(chunks: Uint8Array): Uint8Array {
  const parts: Uint8Array[] = [];
  const view = viewOf(chunks);
  for (let at = 0; at < chunks.length; ) {
    if (at + 8 > chunks.length) throw new StreamProblem("it ends in the length of a chunk");
    const length = -view.getBigInt64(at, true);
    at += 8;
    if (length <= 0n) throw new StreamProblem("a part of its objects lies outside it");
    if (length > BigInt(chunks.length - at)) throw new StreamProblem("it ends in a chunk");
    parts.push(chunks.subarray(at, at + Number(length)));
    at += Number(length);
  }
  const [only] = parts;
  return parts.length === 1 && only !== undefined ? only : new Uint8Array(Bun.concatArrayBuffers(parts));
}

const BUCKETS = 256;
const MAP_HEADER = 8 + BUCKETS * 4;
const OSTREE_ID = 32;
const OBJECT_INFO = 12;
const NOT_EXTERNAL = 0xffffffff;

export interface MappedCommit {
  /** The id under which the map holds it, not recomputed. */
  readonly id: string;
  readonly bytes: Uint8Array;
}

/** The commit in the object map of an OSTree stream. @param map the stream's inline bytes @throws StreamProblem */
export function commitOfMap(map: Uint8Array): MappedCommit {
  if (map.length < MAP_HEADER) throw new StreamProblem("its object map is too short");
  const view = viewOf(map);
  const index = view.getUint32(0, true);
  const count = view.getUint32(8 + (BUCKETS - 1) * 4, true);
  const infos = MAP_HEADER + count * OSTREE_ID;
  const content = infos + count * OBJECT_INFO;
  if (content > map.length) throw new StreamProblem("its object map is cut short");
  if (index >= count) throw new StreamProblem("its object map holds no commit");
  const idAt = MAP_HEADER + index * OSTREE_ID;
  const infoAt = infos + index * OBJECT_INFO;
  const start = content + view.getUint32(infoAt, true) * 8;
  const length = view.getUint32(infoAt + 4, true);
  if (view.getUint32(infoAt + 8, true) !== NOT_EXTERNAL) throw new StreamProblem("its commit lies outside it");
  if (start + length > map.length) throw new StreamProblem("its commit is cut short");
  return { id: map.subarray(idAt, idAt + OSTREE_ID).toHex(), bytes: map.slice(start, start + length) };
}
