/** Files and streams that the tools by their known names read: images whole, dumpfiles in portions. */

import { closeSync, fstatSync, openSync, readSync } from "node:fs";
import { checkHeader } from "../erofs/index.ts";
import { SealrootError } from "../errors/index.ts";
import { readData } from "../linux/data.ts";

const PORTION = 1 << 18;

/** Reads a descriptor to its end. @param take gets portions that are valid only during the call */
export function readAll(descriptor: number, take: (portion: Uint8Array) => void): void {
  const buffer = new Uint8Array(PORTION);
  for (;;) {
    const length = readSome(descriptor, buffer);
    if (length === 0) return;
    take(buffer.subarray(0, length));
  }
}

/** Somebody may have made the other end of a pipe, and so ours, non-blocking. */
function readSome(descriptor: number, buffer: Uint8Array): number {
  for (;;) {
    try {
      return readSync(descriptor, buffer, 0, buffer.length, null);
    } catch (error) {
      if (!(error instanceof Error && "code" in error && error.code === "EAGAIN")) throw error;
      Bun.sleepSync(1);
    }
  }
}

/** What mmap(2) answers where there is nothing to be mapped. */
export class NotMappable extends Error {
  readonly errno: number;

  constructor(errno: number) {
    super("not mappable");
    this.errno = errno;
  }
}

const [ENODEV, EINVAL] = [19, 22];

/** A regular file that is open, whole. @throws NotMappable for anything else, and for an empty one */
export function readImageFile(descriptor: number): Uint8Array<ArrayBuffer> {
  const status = fstatSync(descriptor);
  if (!status.isFile()) throw new NotMappable(ENODEV);
  if (status.size === 0) throw new NotMappable(EINVAL);
  const first = readHeader(descriptor, status.size);
  if (first !== undefined) return first;
  const bytes = new Uint8Array(status.size);
  return bytes.subarray(0, readData({ fd: descriptor, label: "the image" }, bytes));
}

const BLOCK = 4096;
const BLOCKS_AT = 1024 + 36;

/**
 * What a file begins with whose beginning says already that it is no image: enough for whoever asked to find that too, and to say it as
 * the C tools do. The rest may be gigabytes of holes. undefined for what may be an image.
 */
function readHeader(descriptor: number, size: number): Uint8Array<ArrayBuffer> | undefined {
  const first = new Uint8Array(2 * BLOCK);
  if (readSync(descriptor, first, 0, first.length, 0) < first.length) return undefined;
  try {
    checkHeader(first, size);
    return undefined;
  } catch (error) {
    if (!(error instanceof SealrootError)) throw error;
    // not of the length that it says, lest it be taken for whole
    return new DataView(first.buffer).getUint32(BLOCKS_AT, true) === 1 ? first : first.slice(0, BLOCK);
  }
}

/** Opens a file for reading, for the time of `work`. */
export function withFile<T>(descriptor: number, work: (descriptor: number) => T): T {
  try {
    return work(descriptor);
  } finally {
    closeSync(descriptor);
  }
}

export const openForReading = (path: string): number => openSync(path, "r");
