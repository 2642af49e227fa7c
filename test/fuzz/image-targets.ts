/**
 * Images, changed where it matters, through the reader; and the rules that must hold for any bytes: a tree or one SealrootError, and
 * what was read can be written, and is then the same after another round. Run at length by erofs.ts, for a moment by the unit tests.
 */

import { SealrootError } from "../../src/errors/index.ts";
import { type ImageFormat, readImage, writeImageBytes } from "../../src/erofs/index.ts";
import { parseDumpfile } from "./differential-compare.ts";
import { Generator } from "./generator.ts";
import type { Target } from "./target.ts";

const BLOCK = 4096;
const BLOCKS_AT = 1024 + 36;
const INODES_AT = 1152;
/** Numbers that decide about sizes, places and layouts. */
const NUMBERS = [0, 1, 2, 3, 4, 5, 8, 9, 12, 13, 24, 31, 32, 36, 63, 64, 68, 127, 128, 255, 256, 2047, 2048, 4095, 4096, 5000, 5001, 0x41ed, 0x81a4, 0xa1ff, 0x2000, 0x6000, 0xffff, 0x10000, 0x7fffffff, 0x80000000, 0xfffffffe, 0xffffffff];

/** Small trees with everything in them: an image of each is mostly what can go wrong, and reading it takes no time. */
const TREES = [
  `/ 4096 40755 3 0 0 0 1.0 - - - security.selinux=root_t trusted.overlay.opaque=y
/a 4096 40755 2 0 0 0 1.0 - - - security.selinux=dir_t
/a/b 4096 40755 2 0 0 0 1.5 - - -
/a/b/c 5 100644 1 0 0 0 1.0 - hello - user.a=1 user.b=22
/a/link 6 120777 1 0 0 0 1.0 target - -
/a/x 9000 100644 1 0 0 0 2.0 5a/5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a - 5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a security.selinux=dir_t
/a/y 9000 100644 1 0 0 0 2.0 5a/5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a - 5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a
/a/z 0 @100644 - - - - - /a/x - -
`,
  `/ 4096 40755 2 0 0 0 1.0 - - -
/dev 4096 40755 2 0 0 0 1.0 - - - user.overlay.opaque=n
/dev/gone 0 20000 1 0 0 0 1.0 - - - trusted.overlay.whiteout=z
/dev/null 0 20666 1 0 0 259 1.0 - - -
/dev/sda 0 60660 1 0 6 2048 1.0 - - -
/dev/fifo 0 10644 1 0 0 0 1.0 - - - system.posix_acl_access=acl
/dev/sock 0 140755 1 70000 0 0 -5.1 - - -
/hole 8192 100644 1 0 0 0 1.0 - - -
/many 100 100644 1 0 0 0 1.0 some/path - -
`,
  // directories and content in blocks, a link that is moved to one, an index of many chunks
  `/ 4096 40755 2 0 0 0 1.0 - - -
/content 4500 100644 1 0 0 0 1.0 - ${"c".repeat(4500)} -
/huge 9007199254740992 100644 1 0 0 0 1.0 ab/c - -
/long 4090 120777 1 0 0 0 1.0 ${"t".repeat(4090)} - -
${Array.from({ length: 60 }, (_, index) => `/${"n".repeat(60)}${index} 0 100644 1 0 0 0 1.0 - - -\n`).join("")}`,
] as const;

/** v2 more often: without stubs its images are small, and every change tells. */
const FORMATS: readonly ImageFormat[] = ["v0", "v1", "v2", "v2", "v2", "v2"];

function corpus(): Uint8Array[] {
  const encoder = new TextEncoder();
  // v2 has neither long content nor long targets
  const image = (text: string, format: ImageFormat): Uint8Array => writeImageBytes(parseDumpfile(encoder.encode(text)), { format });
  const small = TREES.slice(0, 2).flatMap((text) => FORMATS.map((format) => image(text, format)));
  return [...small, image(TREES[2], "v1")];
}

/** Changes in place, mostly of numbers where they stand; a changed length is made good in the superblock as a rule. */
export class ImageGenerator extends Generator {
  override next(): Uint8Array {
    let image: Uint8Array = this.pick(this.corpus).slice();
    for (let edits = 1 + this.below(4); edits > 0; edits--) image = this.#change(image);
    return image;
  }

  /** Somewhere; the stubs of the root, which are all alike, not often. */
  #place(image: Uint8Array, alignment: number): number {
    const inodes = image.length - INODES_AT;
    const at = this.chance(12) ? this.below(INODES_AT) : INODES_AT + (this.chance(2) ? this.below(Math.min(inodes, 2048)) : this.below(inodes));
    return Math.min(at - (at % alignment), image.length - alignment);
  }

  #change(image: Uint8Array): Uint8Array {
    if (image.length < 2 * BLOCK) return image;
    const view = new DataView(image.buffer, image.byteOffset, image.byteLength);
    switch (this.below(8)) {
      case 0: {
        const at = this.#place(image, 1);
        image[at] = (image[at] ?? 0) ^ (1 << this.below(8));
        return image;
      }
      case 1:
        view.setUint32(this.#place(image, 4), this.pick(NUMBERS), true);
        return image;
      case 2:
        view.setUint16(this.#place(image, 2), this.pick(NUMBERS) & 0xffff, true);
        return image;
      case 3:
        image[this.#place(image, 1)] = this.below(256);
        return image;
      case 4: {
        // an inode, or a part of one, in another's place
        const length = this.pick([4, 8, 12, 32, 64]);
        const from = this.#place(image, this.pick([4, 32]));
        image.copyWithin(this.#place(image, this.pick([4, 32])), from, Math.min(from + length, image.length));
        return image;
      }
      case 5: {
        // a number that is somewhere already: of an inode, of a block
        const from = this.#place(image, 4);
        view.setUint32(this.#place(image, 4), view.getUint32(from, true), true);
        return image;
      }
      case 6: {
        const at = this.#place(image, 4);
        view.setUint32(at, view.getUint32(at, true) + this.pick([1, -1, 8, -8, 32, 4096]), true);
        return image;
      }
      default: {
        if (!this.chance(20)) return image;
        const cut = image.slice(0, this.chance(4) ? this.below(image.length) : BLOCK * (1 + this.below(image.length / BLOCK - 1)));
        if (cut.length >= BLOCK && !this.chance(4)) new DataView(cut.buffer).setUint32(BLOCKS_AT, cut.length / BLOCK, true);
        return cut;
      }
    }
  }
}

const REFUSALS: readonly string[] = ["SR-E501", "SR-E502", "SR-E503"];

export const IMAGE_TARGETS: Readonly<Record<string, Target>> = {
  image: {
    corpus,
    try: (input, generator) => {
      let read;
      try {
        read = readImage(input);
      } catch (error) {
        if (error instanceof SealrootError && REFUSALS.includes(error.code)) return;
        throw error;
      }
      const { tree, format } = read;
      // takes several times as long as reading
      if (!generator.chance(8)) return;
      let written;
      try {
        written = writeImageBytes(tree, { format });
      } catch (error) {
        if (error instanceof SealrootError && error.code === "SR-E500") return;
        throw error;
      }
      const second = readImage(written);
      if (Buffer.compare(written, writeImageBytes(second.tree, { format: second.format })) !== 0) throw new Error("what was written is not written again");
    },
  },
};
