/** Damage to a disk image, as changes of single bytes: what an attacker with the disk, or a failing disk, does below the filesystem. */

import { closeSync, openSync, readSync } from "node:fs";
import { objectPath } from "./deployment.ts";
import { output } from "./run.ts";

export interface Patch {
  /** Byte offset on the raw disk. */
  readonly offset: number;
  readonly bytes: Uint8Array;
}

const BLOCK = 4096;

/**
 * Flips the lowest bit of one byte of a file on an ext4 disk image.
 * @param path path on the disk
 * @param position offset in the file; bytes behind its end are those of the Merkle tree and the descriptor
 */
export async function flippedByte(disk: string, path: string, position: number): Promise<Patch> {
  const block = Number(await output(["debugfs", "-R", `bmap ${path} ${Math.floor(position / BLOCK)}`, disk]));
  if (!(block > 0)) throw new Error(`${path} has no block at ${position}`);
  const offset = block * BLOCK + (position % BLOCK);
  const byte = new Uint8Array(1);
  const file = openSync(disk, "r");
  readSync(file, byte, 0, 1, offset);
  closeSync(file);
  return { offset, bytes: Uint8Array.of((byte[0] ?? 0) ^ 1) };
}

/** Where an object lies on a disk of the lab. */
export const onDisk = (digest: string): string => `/composefs/${objectPath(digest)}`;

/** Position of the fs-verity descriptor of a file of `size` bytes, behind its data on ext4. */
export function descriptorPosition(size: number, digestSize = 32): number {
  let position = Math.ceil(size / 65536) * 65536;
  for (let blocks = Math.ceil(size / BLOCK); blocks > 1; ) {
    blocks = Math.ceil((blocks * digestSize) / BLOCK);
    position += blocks * BLOCK;
  }
  return position;
}
