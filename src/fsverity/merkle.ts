/**
 * The Merkle tree of fs-verity, built in one pass with one block of memory per level.
 *
 * A block is hashed into the level above as soon as it is full. That never makes a superfluous level: the topmost
 * level is by definition the one that has not filled a block yet, and a single hash in it is the root.
 * Source: Linux Documentation/filesystems/fsverity.rst, "Merkle tree".
 */

import { ALGORITHMS, type AlgorithmFacts, BLOCK_SIZE, type VerityAlgorithm } from "./algorithm.ts";
import { zeroHash } from "./zeros.ts";

/**
 * Receives each stored block of the tree, zero-padded to 4096 bytes, when it is complete. Level 0 holds the hashes of
 * data blocks. The array is reused afterwards: copy what is to be kept.
 */
export type TreeBlockSink = (level: number, block: Uint8Array) => void;

export interface MerkleResult {
  /** Root hash; all zero for an empty file. */
  readonly root: Uint8Array;
  /** Bytes of data seen. */
  readonly size: number;
}

interface Level {
  readonly block: Uint8Array;
  filled: number;
  hashes: number;
}

export class MerkleTree {
  readonly #algorithm: VerityAlgorithm;
  readonly #facts: AlgorithmFacts;
  readonly #sink: TreeBlockSink | undefined;
  readonly #levels: Level[] = [];
  readonly #tail = new Uint8Array(BLOCK_SIZE);
  #tailFilled = 0;
  #size = 0;
  #finished = false;

  constructor(algorithm: VerityAlgorithm, sink?: TreeBlockSink) {
    this.#algorithm = algorithm;
    this.#facts = ALGORITHMS[algorithm];
    this.#sink = sink;
  }

  /** Begins another file: a hundred thousand small files are to make no garbage. */
  reset(): void {
    for (const level of this.#levels) [level.filled, level.hashes] = [0, 0];
    this.#tailFilled = 0;
    this.#size = 0;
    this.#finished = false;
  }

  /** Takes the next bytes of the file, in any portions. */
  update(data: Uint8Array): void {
    if (this.#finished) throw new Error("this Merkle tree is finished");
    this.#size += data.length;
    let at = 0;
    if (this.#tailFilled > 0) {
      at = Math.min(BLOCK_SIZE - this.#tailFilled, data.length);
      this.#tail.set(data.subarray(0, at), this.#tailFilled);
      this.#tailFilled += at;
      if (this.#tailFilled < BLOCK_SIZE) return;
      this.#push(0, this.#tail);
      this.#tailFilled = 0;
    }
    for (; at + BLOCK_SIZE <= data.length; at += BLOCK_SIZE) this.#push(0, data.subarray(at, at + BLOCK_SIZE));
    if (at < data.length) this.#tail.set(data.subarray(at));
    this.#tailFilled = data.length - at;
  }

  /** The same for `length` bytes that are all zero, as in the hole of a sparse file: a terabyte takes no longer than a megabyte. */
  updateZeros(length: number): void {
    if (this.#sink !== undefined) throw new Error("a tree that is stored has to see its zeros");
    const head = this.#tailFilled === 0 ? 0 : Math.min(BLOCK_SIZE - this.#tailFilled, length);
    if (head > 0) this.update(ZEROS.subarray(0, head));
    const blocks = Math.floor((length - head) / BLOCK_SIZE);
    this.#size += blocks * BLOCK_SIZE;
    this.#pushZeros(0, blocks);
    const rest = length - head - blocks * BLOCK_SIZE;
    if (rest > 0) this.update(ZEROS.subarray(0, rest));
  }

  /**
   * Takes the hashes of whole blocks of level 0, made by treeBlockHashes() of the next `size` bytes of the file, on any thread. All data
   * before them has to fill its blocks of level 0 too.
   */
  updateHashed(hashes: Uint8Array, size: number): void {
    const { digestSize } = this.#facts;
    const level = this.#level(0);
    if (this.#finished || this.#tailFilled > 0 || level.filled > 0 || this.#sink !== undefined) throw new Error("hashes of tree blocks begin where a tree block does");
    this.#size += size;
    level.hashes += Math.ceil(size / BLOCK_SIZE);
    for (let at = 0; at < hashes.length; at += digestSize) this.#put(1, hashes.subarray(at, at + digestSize));
  }

  /** Ends the file and yields the root; the tree takes no data afterwards. */
  finish(): MerkleResult {
    if (this.#finished) throw new Error("this Merkle tree is finished");
    this.#finished = true;
    if (this.#tailFilled > 0) this.#push(0, this.#tail.fill(0, this.#tailFilled));
    // The list grows while partly filled levels are folded into the next one. Levels that an earlier, larger file left behind are empty.
    for (let index = 0; index < this.#levels.length; index++) {
      const level = this.#levels[index] as Level;
      const above = this.#levels[index + 1];
      if (level.hashes === 1 && (above === undefined || above.hashes === 0)) return { root: level.block.slice(0, this.#facts.digestSize), size: this.#size };
      if (level.filled > 0) this.#complete(index, level);
    }
    return { root: new Uint8Array(this.#facts.digestSize), size: this.#size };
  }

  #level(index: number): Level {
    return (this.#levels[index] ??= { block: new Uint8Array(BLOCK_SIZE), filled: 0, hashes: 0 });
  }

  /** Hashes one block into level `index`. */
  #push(index: number, block: Uint8Array): void {
    const level = this.#level(index);
    const end = level.filled + this.#facts.digestSize;
    this.#facts.hash(block, level.block.subarray(level.filled, end));
    this.#grow(index, level, end);
  }

  /** Takes a hash into level `index` that was made elsewhere. */
  #put(index: number, hash: Uint8Array): void {
    const level = this.#level(index);
    level.block.set(hash, level.filled);
    this.#grow(index, level, level.filled + this.#facts.digestSize);
  }

  #grow(index: number, level: Level, end: number): void {
    level.filled = end;
    level.hashes += 1;
    if (end === BLOCK_SIZE) this.#complete(index, level);
  }

  #complete(index: number, level: Level): void {
    level.block.fill(0, level.filled);
    this.#sink?.(index, level.block);
    level.filled = 0;
    this.#push(index + 1, level.block);
  }

  /** `count` hashes of blocks below which everything is zero, into level `index`: whole blocks of them go to the level above at once. */
  #pushZeros(index: number, count: number): void {
    const perBlock = BLOCK_SIZE / this.#facts.digestSize;
    let left = count;
    while (left > 0) {
      const level = this.#level(index);
      if (level.filled > 0 || left < perBlock) {
        this.#put(index, zeroHash(this.#algorithm, index));
        left -= 1;
      } else {
        const whole = Math.floor(left / perBlock);
        level.hashes += whole * perBlock;
        this.#pushZeros(index + 1, whole);
        left -= whole * perBlock;
      }
    }
  }
}

const ZEROS = new Uint8Array(BLOCK_SIZE);

/** Bytes of data below one block of level 0: what treeBlockHashes() is given is a multiple of it, except at the end of the file. */
export const treeBlockSpan = (algorithm: VerityAlgorithm): number => (BLOCK_SIZE / ALGORITHMS[algorithm].digestSize) * BLOCK_SIZE;

/**
 * The hashes of the blocks of level 0 over a part of a file: what several threads can compute apart, for updateHashed(). Not for a file
 * of at most one data block, whose tree has no such level.
 */
export class TreeBlockHasher {
  readonly #facts: AlgorithmFacts;
  readonly #block = new Uint8Array(BLOCK_SIZE);
  readonly #tail = new Uint8Array(BLOCK_SIZE);

  constructor(algorithm: VerityAlgorithm) {
    this.#facts = ALGORITHMS[algorithm];
  }

  /**
   * @param data begins at a multiple of treeBlockSpan() in its file
   * @param out receives a hash for each begun span @returns how many bytes of it were filled
   */
  hash(data: Uint8Array, out: Uint8Array): number {
    const { digestSize, hash } = this.#facts;
    let outAt = 0;
    let filled = 0;
    for (let at = 0; at < data.length; at += BLOCK_SIZE) {
      const whole = at + BLOCK_SIZE <= data.length;
      if (!whole) {
        this.#tail.set(data.subarray(at));
        this.#tail.fill(0, data.length - at);
      }
      hash(whole ? data.subarray(at, at + BLOCK_SIZE) : this.#tail, this.#block.subarray(filled, filled + digestSize));
      filled += digestSize;
      if (filled < BLOCK_SIZE && at + BLOCK_SIZE < data.length) continue;
      this.#block.fill(0, filled);
      hash(this.#block, out.subarray(outAt, outAt + digestSize));
      outAt += digestSize;
      filled = 0;
    }
    return outAt;
  }
}
