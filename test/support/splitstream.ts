/** Writes the splitstream of an imported OSTree commit, as composefs-rs lays it out. Written from the format's description, for tests. */

import { objectId } from "../../src/ostree/index.ts";

const u32 = (...values: readonly number[]): Uint8Array => new Uint8Array(Uint32Array.from(values).buffer);
const u64 = (...values: readonly (number | bigint)[]): Uint8Array => new Uint8Array(BigUint64Array.from(values.map(BigInt)).buffer);
const join = (...parts: readonly Uint8Array[]): Uint8Array => new Uint8Array(Bun.concatArrayBuffers([...parts]));

export const CONTENT_TYPE = 0xafe138c18c463ef1n;

/** The object map: `commit`, and other objects beside it. @param named the id under which the commit stands, if not its own */
export function objectMap(commit: Uint8Array, others: readonly Uint8Array[] = [], named = objectId(commit)): Uint8Array {
  const objects = [{ id: named, bytes: commit }, ...others.map((bytes) => ({ id: objectId(bytes), bytes }))].sort((a, b) => (a.id < b.id ? -1 : 1));
  const buckets = Array.from({ length: 256 }, (_, byte) => objects.filter(({ id }) => Number.parseInt(id.slice(0, 2), 16) <= byte).length);
  let offset = 0;
  const infos: Uint8Array[] = [];
  const data: Uint8Array[] = [];
  for (const { bytes } of objects) {
    infos.push(u32(offset / 8, bytes.length, 0xffffffff));
    const padded = new Uint8Array(Math.ceil(bytes.length / 8) * 8);
    padded.set(bytes);
    data.push(padded);
    offset += padded.length;
  }
  return join(u32(objects.findIndex(({ id }) => id === named), 0, ...buckets), ...objects.map(({ id }) => Uint8Array.fromHex(id)), ...infos, ...data);
}

export const inlineChunk = (bytes: Uint8Array): Uint8Array => join(new Uint8Array(BigInt64Array.of(BigInt(-bytes.length)).buffer), bytes);

/** A zstd frame of raw blocks (RFC 8878): what goes in stands in it as it is. */
export function rawFrame(bytes: Uint8Array): Uint8Array {
  const most = 65536;
  const blocks: Uint8Array[] = [];
  for (let at = 0; at === 0 || at < bytes.length; at += most) {
    const block = bytes.subarray(at, at + most);
    blocks.push(u32((block.length << 3) | (at + most >= bytes.length ? 1 : 0)).subarray(0, 3), block);
  }
  // no checksum, content size in 4 bytes, a single segment
  return join(u32(0xfd2fb528), Uint8Array.of(0xa0), u32(bytes.length), ...blocks);
}

export interface StreamParts {
  /** Names and the digests that they refer to. */
  readonly named?: readonly (readonly [name: string, digest: string])[];
  /** Digests of objects that hold parts of the content. */
  readonly objects?: readonly string[];
  /** Before compression. */
  readonly chunks: Uint8Array;
  readonly contentType?: bigint;
  /** As bootc wrote it up to 1.15. */
  readonly oldHeader?: boolean;
  readonly algorithm?: 1 | 2;
  /** In the place of zstd's usual way. */
  readonly compress?: (bytes: Uint8Array) => Uint8Array;
}

export function splitstream({ named = [], objects = [], chunks, contentType = CONTENT_TYPE, oldHeader = false, algorithm = 1, compress = (bytes) => new Uint8Array(Bun.zstdCompressSync(bytes)) }: StreamParts): Uint8Array {
  const streamRefs = join(...named.map(([, digest]) => Uint8Array.fromHex(digest)));
  const objectRefs = join(...objects.map((digest) => Uint8Array.fromHex(digest)));
  const names = compress(new TextEncoder().encode(named.map(([name], index) => `${index}:${name}\0`).join("")));
  const stream = compress(chunks);
  const sections = [streamRefs, objectRefs, names, stream];
  let at = 112;
  const ranges = sections.map((section) => {
    const range = [at, at + section.length] as const;
    at += section.length;
    return range;
  });
  const [streamRefsAt = [0, 0], objectRefsAt = [0, 0], namesAt = [0, 0], streamAt = [0, 0]] = ranges;
  const magic = new TextEncoder().encode("SplitStream");
  const header = oldHeader ? join(u64(32, 112), Uint8Array.of(0, 0), magic, Uint8Array.of(0, algorithm, 12)) : join(magic, Uint8Array.of(0, 0, 0, algorithm, 12), u64(32, 112));
  const info = join(u64(...streamRefsAt, ...objectRefsAt, ...streamAt, ...namesAt), u64(contentType, chunks.length));
  return join(header, info, ...sections);
}
