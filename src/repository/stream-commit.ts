/**
 * A stream of a composefs-rs repository as a whole: whether it names an image, and the commit in it. Only the parts that this takes are
 * read, each of a bounded size, and unpacked up to a bound. Total: any bytes give a value or one error.
 */

import { SealrootError } from "../errors/index.ts";
import { commitOfMap, HEADER_LENGTH, imagesNamed, INFO_LENGTH, inlineBytes, parseHeader, parseInfo, type Range, StreamProblem } from "./splitstream.ts";

/** The bytes of a range of the stream's file; fewer where the file ends. */
export type ReadPart = (range: Range) => Uint8Array;

/** Bytes of all streams together that may still be read and unpacked: whoever writes the disk decides how many there are. */
export interface Allowance {
  bytes: number;
}

/** Bytes of the references, and of their names: composefs-rs writes 32 or 64 and 18 for an image. */
const MAX_REFERENCES = 4096;
/** Bytes of the content on the disk, and of what it unpacks to. A system of 47000 files has 5 MiB of it, and unpacked 7. */
const MAX_COMPRESSED = 64 * 2 ** 20;
export const MAX_UNPACKED = 256 * 2 ** 20;

/**
 * @param digest of an image, hex
 * @param left what this reads and unpacks is taken off
 * @returns where the stream has its content; undefined when it names other images only
 * @throws SealrootError SR-E225 when it is no stream of an OSTree commit, SR-E229 when it is too large
 */
export function streamNaming(read: ReadPart, digest: string, left: Allowance): Range | undefined {
  return total(() => {
    const { idLength, info } = parseHeader(read({ start: 0, end: HEADER_LENGTH }));
    // another hash than the image's: none of its references can be to the image
    if (idLength * 2 !== digest.length) return undefined;
    const { streamRefs, namedRefs, stream } = parseInfo(read({ start: info.start, end: info.start + INFO_LENGTH }));
    const names = unpack(bounded(read, namedRefs, MAX_REFERENCES, left), MAX_REFERENCES, left);
    return imagesNamed(names, bounded(read, streamRefs, MAX_REFERENCES, left), idLength).includes(digest) ? stream : undefined;
  });
}

/**
 * @param stream as streamNaming() has it
 * @param id that the commit is to have; that its bytes have it is not looked at
 * @param limit of the commit's bytes
 * @param left what this reads and unpacks is taken off, whether it comes to anything or not
 * @throws SealrootError SR-E225, SR-E229 as above, SR-E226 when it holds another commit
 */
export function commitIn(read: ReadPart, stream: Range, id: string, limit: number, left: Allowance): Uint8Array {
  return total(() => {
    const chunks = unpack(bounded(read, stream, MAX_COMPRESSED, left), MAX_UNPACKED, left);
    const commit = commitOfMap(inlineBytes(chunks));
    if (commit.bytes.length > limit) throw tooLarge(`a commit of ${commit.bytes.length} bytes, of at most ${limit}`);
    if (commit.id !== id) throw new SealrootError("SR-E226", { details: [["found", `its object map names commit ${commit.id}`]] });
    return commit.bytes;
  });
}

function bounded(read: ReadPart, range: Range, most: number, left: Allowance): Uint8Array {
  const length = range.end - range.start;
  const limit = Math.min(most, left.bytes);
  if (length > limit) throw tooLarge(`a part of ${length} bytes, of at most ${limit}`);
  const bytes = read(range);
  left.bytes -= bytes.length;
  return bytes;
}

function total<T>(act: () => T): T {
  try {
    return act();
  } catch (error) {
    if (error instanceof StreamProblem) throw new SealrootError("SR-E225", { details: [["found", error.message]] });
    throw error;
  }
}

const tooLarge = (found: string): SealrootError => new SealrootError("SR-E229", { details: [["found", found]] });

/** zstd's own largest block: what comes out at once. */
const BLOCK = 2 ** 17;

/**
 * zstd, with a limit on what comes out: a few bytes can stand for gigabytes. Loaded here because only this place needs it.
 * A frame that is cut short gives what was in it; the lengths inside tell.
 */
function unpack(bytes: Uint8Array, most: number, left: Allowance): Uint8Array {
  if (bytes.length === 0) return bytes;
  const { zstdDecompressSync } = process.getBuiltinModule("node:zlib");
  const limit = Math.min(most, left.bytes);
  try {
    const unpacked = zstdDecompressSync(bytes, { maxOutputLength: Math.max(limit, 1), chunkSize: BLOCK });
    left.bytes = Math.max(0, left.bytes - unpacked.length);
    return unpacked;
  } catch (error) {
    const exceeds = error instanceof RangeError;
    // how much came out before it broke is not known; a quarter of what could have, so that one damaged stream does not speak for all
    left.bytes -= exceeds ? limit : Math.ceil(limit / 4);
    if (exceeds) throw tooLarge(`more than ${limit} bytes when unpacked`);
    throw new StreamProblem("it is not compressed by zstd, or damaged");
  }
}
