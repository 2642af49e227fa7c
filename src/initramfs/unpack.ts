/**
 * An initramfs image: archives and compressed archives one behind the other, with zeros between, as the kernel's
 * unpack_to_rootfs() takes them. Becomes a tree.
 */

import { type CompressionName, compressionOf, decompress } from "./compression/index.ts";
import { CpioReader, type Keep } from "./cpio.ts";
import { Damage } from "./damage.ts";
import { Tree } from "./tree.ts";

export interface Segment {
  /** In bytes, in the image. */
  readonly offset: number;
  readonly length: number;
  readonly compression: CompressionName | "none";
  readonly entries: number;
  /** Bytes of archive in it. */
  readonly unpacked: number;
}

export interface Unpacked {
  readonly tree: Tree;
  readonly segments: readonly Segment[];
}

export interface UnpackOptions {
  readonly keep: Keep;
  /** Bytes that may come out in all. */
  readonly limit: number;
  /** Told now and then how many bytes came out so far. */
  readonly progress?: (unpacked: number) => void;
}

const ASCII_ZERO = 0x30;
/** Archives begin at multiples of four. */
const ALIGNMENT = 4;

const ZEROS = new Uint8Array(65536);

/** Where the zeros from `at` on end. In blocks, since a file may be gigabytes of them. */
export function skipZeros(bytes: Uint8Array, at: number): number {
  let end = at;
  while (end + ZEROS.length <= bytes.length && Buffer.compare(bytes.subarray(end, end + ZEROS.length), ZEROS) === 0) end += ZEROS.length;
  while (bytes[end] === 0) end++;
  return end;
}

/** Whether the bytes can be the beginning of an initramfs. */
export function looksLikeInitramfs(image: Uint8Array): boolean {
  const start = skipZeros(image, 0);
  if (start === image.length) return false;
  const begin = image.subarray(start, start + 6);
  return compressionOf(begin) !== undefined || Buffer.from(begin).toString("latin1").startsWith("0707");
}

/** @throws Damage with the offset at which the trouble is */
export async function unpack(image: Uint8Array, options: UnpackOptions): Promise<Unpacked> {
  const tree = new Tree();
  const reader = new CpioReader(tree, options.keep);
  const segments: Segment[] = [];
  let total = 0;
  const count = (length: number): void => {
    total += length;
    if (total > options.limit) throw new Damage(`it unpacks to more than ${options.limit} bytes`);
    options.progress?.(total);
  };

  let at = 0;
  while (at < image.length) {
    if (image[at] === 0) {
      at = skipZeros(image, at);
      continue;
    }
    const offset = at;
    const before = { entries: reader.entries, total };
    try {
      const compression = image[at] === ASCII_ZERO && at % ALIGNMENT === 0 ? "none" : compressionOf(image.subarray(at, at + 2));
      if (compression === "none") {
        const length = reader.push(image.subarray(at));
        count(length);
        at += length;
      } else if (compression === undefined) {
        throw new Damage("what stands there is neither an archive nor compressed in a way that the kernel knows");
      } else {
        at += await decompress(image.subarray(at), (piece) => {
          count(piece.length);
          if (reader.push(piece) !== piece.length) throw new Damage("there is junk behind an archive");
        });
      }
      if (!reader.isComplete) throw new Damage("the archive ends in the middle");
      segments.push({ offset, length: at - offset, compression, entries: reader.entries - before.entries, unpacked: total - before.total });
    } catch (error) {
      if (error instanceof Damage) throw new Damage(`at byte ${offset}: ${error.message}`, { cause: error });
      throw error;
    }
  }
  return { tree, segments };
}
