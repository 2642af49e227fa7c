/** A splitstream as it lies in the object store: what it refers to. */

import { SealrootError } from "../errors/index.ts";
import { type Descriptor, readAt, statAt } from "../linux/index.ts";
import { unreadable } from "./repository.ts";
import { readReferences, StreamProblem, type StreamReferences, type StreamSections } from "./stream-references.ts";

export interface StreamFile {
  readonly sections: StreamSections;
  readonly references: StreamReferences;
}

/** @throws SealrootError SR-E545 for what is no stream, SR-E214 when the disk fails */
export function readStream(file: Descriptor): StreamFile {
  try {
    return readReferences(statAt(file).size, ({ start, end }) => readAt(file, start, end - start), unpack);
  } catch (error) {
    if (error instanceof StreamProblem) throw new SealrootError("SR-E545", { details: [["file", file.label], ["found", error.message]] });
    throw unreadable(file.label, error);
  }
}

/** A few bytes of zstd can stand for gigabytes. */
function unpack(bytes: Uint8Array, most: number): Uint8Array {
  if (bytes.length === 0) return bytes;
  const { zstdDecompressSync } = process.getBuiltinModule("node:zlib");
  try {
    return zstdDecompressSync(bytes, { maxOutputLength: Math.max(most, 1) });
  } catch (error) {
    throw new StreamProblem(error instanceof RangeError ? `a part of it is more than ${most} bytes when unpacked` : "it is not compressed by zstd, or damaged");
  }
}
