/**
 * What a splitstream of any content refers to: the objects that hold its larger parts, and other streams and images by name. Pure
 * and total: any bytes give a value or a StreamProblem.
 * Source: composefs-rs, splitstream format version 0.
 */

import { HEADER_LENGTH, INFO_LENGTH, parseHeader, type Range, type StreamHeader, StreamProblem } from "./splitstream.ts";

export { StreamProblem } from "./splitstream.ts";

export interface StreamSections {
  readonly idLength: 32 | 64;
  /** Eight bytes that composefs-rs gives each kind of content. */
  readonly contentType: bigint;
  /** Array of ids: streams and images. */
  readonly streamRefs: Range;
  /** Array of ids: objects. */
  readonly objectRefs: Range;
  /** zstd frames. */
  readonly namedRefs: Range;
  readonly stream: Range;
}

/** What a stream refers to. */
export interface StreamReferences {
  /** Ids one after the other. */
  readonly objects: Uint8Array;
  readonly named: readonly NamedReference[];
}

export interface NamedReference {
  readonly name: string;
  readonly id: Uint8Array;
}

/** References of one stream: of an OCI layer, one for each of its files. */
const MOST_BYTES = 2 ** 28;
const MOST_NAMES = 2 ** 20;

/** @param header the first 32 bytes @param info the first 80 of the info section @param size of the file @throws StreamProblem */
export function parseSections({ idLength }: StreamHeader, info: Uint8Array, size: number): StreamSections {
  if (info.length < INFO_LENGTH) throw new StreamProblem("it ends in its info section");
  const view = new DataView(info.buffer, info.byteOffset, info.byteLength);
  const section = (at: number, what: string, unit: number): Range => {
    const [start, end] = [view.getBigUint64(at, true), view.getBigUint64(at + 8, true)];
    if (end < start || end > BigInt(size)) throw new StreamProblem(`its ${what} lie beyond its end`);
    const range = { start: Number(start), end: Number(end) };
    if (range.end - range.start > MOST_BYTES) throw new StreamProblem(`its ${what} are too many`);
    if ((range.end - range.start) % unit !== 0) throw new StreamProblem(`its ${what} are not whole`);
    return range;
  };
  return {
    idLength,
    contentType: view.getBigUint64(64, true),
    streamRefs: section(0, "references to streams", idLength),
    objectRefs: section(16, "references to objects", idLength),
    stream: section(32, "bytes", 1),
    namedRefs: section(48, "named references", 1),
  };
}

/** Records `<index>:<name>`, each ended by NUL. @param namedRefs decompressed @throws StreamProblem */
export function parseNamedReferences(namedRefs: Uint8Array, streamRefs: Uint8Array, idLength: 32 | 64): NamedReference[] {
  const found: NamedReference[] = [];
  const decoder = new TextDecoder();
  for (let at = 0; at < namedRefs.length; ) {
    if (found.length === MOST_NAMES) throw new StreamProblem("it has too many named references");
    const end = namedRefs.indexOf(0, at);
    if (end < 0) throw new StreamProblem("its named references do not end");
    const [, index, name] = /^(\d{1,9}):(.*)$/s.exec(decoder.decode(namedRefs.subarray(at, end))) ?? [];
    if (index === undefined || name === undefined) throw new StreamProblem("one of its named references has no index");
    const start = Number(index) * idLength;
    if (start + idLength > streamRefs.length) throw new StreamProblem(`its reference ${JSON.stringify(name)} is out of range`);
    found.push({ name, id: streamRefs.slice(start, start + idLength) });
    at = end + 1;
  }
  return found;
}

/**
 * Reads all that a stream refers to.
 * @param read the bytes of a part of the file; fewer only where it ends
 * @param unpack zstd, for at most so many bytes
 * @throws StreamProblem, and what `read` and `unpack` throw
 */
export function readReferences(size: number, read: (range: Range) => Uint8Array, unpack: (bytes: Uint8Array, most: number) => Uint8Array): { readonly sections: StreamSections; readonly references: StreamReferences } {
  const whole = (range: Range): Uint8Array => {
    const bytes = read(range);
    if (bytes.length < range.end - range.start) throw new StreamProblem("it is cut short");
    return bytes;
  };
  const header = parseHeader(read({ start: 0, end: HEADER_LENGTH }));
  const sections = parseSections(header, read({ start: header.info.start, end: header.info.start + INFO_LENGTH }), size);
  const streamRefs = whole(sections.streamRefs);
  const names = unpack(whole(sections.namedRefs), MOST_BYTES);
  return { sections, references: { objects: whole(sections.objectRefs), named: parseNamedReferences(names, streamRefs, sections.idLength) } };
}
