/**
 * An ext4 disk image on which fs-verity is already enabled for every object, made on a host whose kernel has none.
 *
 * On disk, ext4 keeps the Merkle tree (root level first) at the first 64 KiB boundary after the end of the data, then the
 * descriptor on the next block boundary, with its length in the last four bytes of that block; the inode's size stays that
 * of the data, and the inode has the verity flag. mke2fs copies files of that shape, debugfs sets size and flag.
 * Source: Linux Documentation/filesystems/ext4/verity.rst and fs/ext4/verity.c.
 */

import { closeSync, ftruncateSync, openSync, readdirSync, readSync, rmSync, truncateSync, writeFileSync, writeSync } from "node:fs";
import { join, relative } from "node:path";
import { BLOCK_SIZE, descriptorDigest, DESCRIPTOR_SIZE, encodeDescriptor, MerkleTree, type VerityAlgorithm } from "../../../src/fsverity/index.ts";
import { output, run } from "./run.ts";

const METADATA_ALIGNMENT = 65536;
const EXT4_EXTENTS_FLAG = 0x80000;
const EXT4_VERITY_FLAG = 0x100000;

/**
 * Puts the Merkle tree and the descriptor behind the data of a file, as ext4 stores them.
 * @returns the fs-verity digest (hexadecimal) and the size of the data
 */
export function appendVerityMetadata(path: string, algorithm: VerityAlgorithm): { digest: string; size: number } {
  const levels: Uint8Array[][] = [];
  const tree = new MerkleTree(algorithm, (level, block) => void (levels[level] ??= []).push(block.slice()));
  const file = openSync(path, "r+");
  try {
    const buffer = new Uint8Array(1 << 20);
    for (let at = 0, count = 0; (count = readSync(file, buffer, 0, buffer.length, at)) > 0; at += count) tree.update(buffer.subarray(0, count));
    const { root, size } = tree.finish();
    const descriptor = encodeDescriptor(algorithm, size, root);
    const blocks = levels.toReversed().flat();
    const start = Math.ceil(size / METADATA_ALIGNMENT) * METADATA_ALIGNMENT;
    const last = new Uint8Array(BLOCK_SIZE);
    last.set(descriptor);
    new DataView(last.buffer).setUint32(BLOCK_SIZE - 4, DESCRIPTOR_SIZE, true);
    ftruncateSync(file, start);
    writeSync(file, Buffer.concat([...blocks, last]), 0, (blocks.length + 1) * BLOCK_SIZE, start);
    return { digest: descriptorDigest(descriptor, algorithm).toHex(), size };
  } finally {
    closeSync(file);
  }
}

export interface DiskOptions {
  readonly algorithm: VerityAlgorithm;
  readonly label: string;
  /** Free space beside the content, in MiB; default 64. */
  readonly spare?: number;
}

/**
 * Makes an ext4 image of the directory `stage`, with fs-verity on `composefs/meta.json` and everything below `composefs/objects`.
 * The files in `stage` are spoilt by it.
 * @throws Error when an object's name is not its digest
 */
export async function ext4Disk(stage: string, target: string, options: DiskOptions): Promise<void> {
  // composefs-rs takes a repository for a secure one when meta.json itself has fs-verity.
  const sealed = [join(stage, "composefs/meta.json")];
  const named = new Map<string, string>();
  const objects = join(stage, "composefs/objects");
  for (const folder of readdirSync(objects)) {
    for (const rest of readdirSync(join(objects, folder))) {
      const path = join(objects, folder, rest);
      sealed.push(path);
      named.set(path, folder + rest);
    }
  }
  await sealedExt4(stage, target, options, sealed, (path, digest) => {
    const name = named.get(path);
    if (name !== undefined && digest !== name) throw new Error(`${path}: its ${options.algorithm} digest is ${digest}`);
  });
}

/**
 * Makes an ext4 image of the directory `stage`, with fs-verity on the files given, which are spoilt by it. Of a file with several
 * names one is given.
 * @param check is told the digest of each
 */
export async function sealedExt4(stage: string, target: string, { algorithm, label, spare = 64 }: DiskOptions, sealed: readonly string[], check: (path: string, digest: string) => void): Promise<void> {
  const commands: string[] = [];
  for (const path of sealed) {
    const { digest, size } = appendVerityMetadata(path, algorithm);
    check(path, digest);
    const name = `/${relative(stage, path)}`;
    commands.push(`sif ${name} size ${size}`, `sif ${name} flags 0x${(EXT4_EXTENTS_FLAG | EXT4_VERITY_FLAG).toString(16)}`);
  }
  const used = Number((await output(["du", "-sm", stage])).split("\t")[0]);
  rmSync(target, { force: true });
  writeFileSync(target, "");
  truncateSync(target, (Math.ceil(used * 1.1) + 32 + spare) * 2 ** 20);
  await run(["mke2fs", "-q", "-t", "ext4", "-F", "-O", "verity", "-b", String(BLOCK_SIZE), "-m", "0", "-L", label, "-d", stage, target]);
  await debugfs(target, commands);
}

/** Changes a disk image with debugfs. @throws Error with the first complaint, since debugfs itself ends with status 0 */
export async function debugfs(disk: string, commands: readonly string[]): Promise<string> {
  const { stdout, stderr } = await run(["debugfs", "-w", "-f", "-", disk], { input: `${commands.join("\n")}\n` });
  const complaint = stderr.split("\n").find((line) => line !== "" && !line.startsWith("debugfs "));
  if (complaint !== undefined) throw new Error(`debugfs: ${complaint}`);
  return stdout;
}

