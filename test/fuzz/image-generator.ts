/** Images for fuzzing: sound ones, changed where it matters. The same seed gives the same images. */

import { Generator } from "./generator.ts";
import { type Place, placesOf } from "./image-places.ts";

const BLOCK = 4096;
const BLOCKS_AT = 1024 + 36;
const INODES_AT = 1152;
/** Numbers that decide about sizes, places and layouts. */
const NUMBERS = [0, 1, 2, 3, 4, 5, 8, 9, 12, 13, 24, 31, 32, 36, 63, 64, 68, 127, 128, 255, 256, 2047, 2048, 4095, 4096, 5000, 5001, 0x41ed, 0x81a4, 0xa1ff, 0x2000, 0x6000, 0xffff, 0x10000, 0x7fffffff, 0x80000000, 0xfffffffe, 0xffffffff];
/** An image with more numbers takes as long to read as a dozen others. */
const MOST_PLACES = 1200;

/** Changes in place, mostly of numbers where they stand; a changed length is made good in the superblock as a rule. */
export class ImageGenerator extends Generator {
  readonly #small: readonly Uint8Array[];
  readonly #large: readonly Uint8Array[];
  readonly #places = new Map<Uint8Array, readonly Place[]>();

  constructor(seed: number, corpus: readonly Uint8Array[]) {
    super(seed, corpus);
    const isSmall = (image: Uint8Array): boolean => this.#placesOf(image).length <= MOST_PLACES;
    this.#small = corpus.filter(isSmall);
    this.#large = corpus.filter((image) => !isSmall(image));
  }

  override next(): Uint8Array {
    // the large ones seldom: they have more of the same
    const source = this.pick(this.#large.length > 0 && this.chance(200) ? this.#large : this.#small);
    let image: Uint8Array = source.slice();
    const places = this.#placesOf(source);
    for (let edits = 1 + this.below(4); edits > 0; edits--) image = places.length > 0 && this.chance(2) ? this.#changeNumber(image, places) : this.#change(image);
    return image;
  }

  #placesOf(source: Uint8Array): readonly Place[] {
    let places = this.#places.get(source);
    if (places === undefined) {
      try {
        places = placesOf(source);
      } catch {
        // a seed that is no sound image
        places = [];
      }
      this.#places.set(source, places);
    }
    return places;
  }

  /** One of the numbers that the image is made of: another one, one a little off, or that of another place of its kind. */
  #changeNumber(image: Uint8Array, places: readonly Place[]): Uint8Array {
    const { at, width } = this.pick(places);
    if (at + width > image.length) return image;
    const buffer = Buffer.from(image.buffer, image.byteOffset, image.byteLength);
    const before = buffer.readUIntLE(at, width);
    const other = this.pick(places);
    const most = 2 ** (8 * width);
    const number = [
      () => this.pick(NUMBERS), () => before + this.pick([1, -1, 4, -4, 12, 32, -32]), () => before ^ (1 << this.below(8 * width)),
      () => (other.width === width && other.at + width <= image.length ? buffer.readUIntLE(other.at, width) : this.below(most)),
    ][this.below(4)] ?? (() => 0);
    buffer.writeUIntLE((((number() % most) + most) % most), at, width);
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
