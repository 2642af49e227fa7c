/**
 * Makes an image as long as images are read that is nearly all hole, reads it as the commands do, and says whether the bound was kept.
 * Run by test/integration/hostile-memory.test.ts, in processes of its own: what counts is the reader's peak.
 */

import { closeSync, ftruncateSync, openSync, readFileSync, statSync, writeSync } from "node:fs";
import { MEMORY_FACTOR, writeImageBytes } from "../../src/erofs/index.ts";
import { SealrootError } from "../../src/errors/index.ts";
import { HERE, O, openAt } from "../../src/linux/index.ts";
import { LARGEST_IMAGE, readImageFile } from "../../src/repository/image-file.ts";
import { ROOT } from "../../src/tree/index.ts";
import { builder, DIRECTORY, FILE, name } from "../unit/erofs/trees.ts";

const BLOCK = 4096;
const BLOCKS = LARGEST_IMAGE / BLOCK;
const [INODE_MODE, INODE_SIZE, INODE_UNION] = [4, 8, 16];
const HELD = 5000;

/** The tree, and what is then changed in its image. Every kind says what it takes beside the data that the file has. */
interface Kind {
  readonly files: number;
  readonly change: (image: Buffer) => void;
  /** Bytes. */
  readonly beside: number;
  readonly refused: boolean;
}

/** Places of all inodes of empty files, which in v2 are long and begin with zeros but for their first byte. */
function inodesOf(image: Buffer, mode: number): number[] {
  const found: number[] = [];
  for (let at = 1152; at < image.length; at += 32) if (image.readUInt16LE(at) === 1 && image.readUInt16LE(at + INODE_MODE) === mode) found.push(at);
  return found;
}

const KINDS: Readonly<Record<string, Kind>> = {
  tail: { files: 3, change: () => undefined, beside: 0, refused: false },
  // a directory of two gigabytes, none of it there
  directory: {
    files: 3, beside: 0, refused: true,
    change: (image) => {
      const at = image.indexOf(Buffer.from([5, 0, 0, 0, 0xed, 0x41, 0, 0]), 1152 + 64);
      image.writeUInt16LE(1, at);
      image.writeUInt32LE((BLOCKS - 8) * BLOCK, at + INODE_SIZE);
      image.writeUInt32LE(8, at + INODE_UNION);
    },
  },
  // as much content as files can hold, all of it zeros
  content: {
    files: 100_000, beside: 100_000 * 2 * BLOCK, refused: false,
    change: (image) => {
      const first = image.length / BLOCK;
      inodesOf(image, 0o100644).forEach((at, index) => {
        image.writeUInt32LE(HELD, at + INODE_SIZE);
        image.writeUInt32LE(first + index * 2, at + INODE_UNION);
      });
    },
  },
};

function make(path: string, { files, change }: Kind): void {
  const tree = builder();
  tree.add(ROOT, name("d"), DIRECTORY);
  for (let index = 0; index < files; index++) tree.add(ROOT, name(`f${index.toString(36)}`), FILE);
  const image = Buffer.from(writeImageBytes(tree.seal(), { format: "v2" }));
  change(image);
  image.writeUInt32LE(BLOCKS, 1024 + 36);
  const file = openSync(path, "w");
  writeSync(file, image);
  ftruncateSync(file, LARGEST_IMAGE);
  closeSync(file);
}

const status = (field: string): number => Number(new RegExp(`${field}:\\s+(\\d+)`).exec(readFileSync("/proc/self/status", "utf8"))?.[1]) * 1024;

const [kindName = "", path = "", reads] = process.argv.slice(2);
const kind = KINDS[kindName];
if (kind === undefined) throw new Error(`no kind ${kindName}`);
if (reads === undefined) {
  make(path, kind);
  const child = Bun.spawn([process.execPath, import.meta.path, kindName, path, "read"], { stdout: "inherit", stderr: "inherit" });
  process.exit(await child.exited);
}
using file = openAt(HERE, path, O.RDONLY, 0);
Bun.gc(true);
const before = status("VmRSS");
let refusal = "";
let inodes = 0;
try {
  inodes = readImageFile(file).tree.inodes.count;
} catch (error) {
  if (!(error instanceof SealrootError)) throw error;
  refusal = error.code;
}
const taken = status("VmHWM") - before;
const data = statSync(path).blocks * 512;
const bound = MEMORY_FACTOR * data + kind.beside + 32 * 2 ** 20;
if ((refusal !== "") !== kind.refused) console.log(`refused with ${refusal}`);
else console.log(taken <= bound ? "within the bound" : `${taken} bytes for ${data} bytes of data`);
if (process.env["SEALROOT_SHOW"] !== undefined) console.error(`${data} bytes of data, ${inodes} inodes ${refusal}: ${taken} bytes, bound ${bound}`);
