/**
 * The Merkle tree of fs-verity, built in one pass with one block of memory per level.
 *
 * A block is hashed into the level above as soon as it is full. That never makes a superfluous level: the topmost
 * level is by definition the one that has not filled a block yet, and a single hash in it is the root.
 * Source: Linux Documentation/filesystems/fsverity.rst, "Merkle tree".
 */

import { ALGORITHMS, type AlgorithmFacts, BLOCK_SIZE, type VerityAlgorithm } from "./algorithm.ts";

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
  readonly #facts: AlgorithmFacts;
  readonly #sink: TreeBlockSink | undefined;
  readonly #levels: Level[] = [];
  readonly #tail = new Uint8Array(BLOCK_SIZE);
  #tailFilled = 0;
  #size = 0;
  #finished = false;

  constructor(algorithm: VerityAlgorithm, sink?: TreeBlockSink) {
    this.#facts = ALGORITHMS[algorithm];
    this.#sink = sink;
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
    this.#tail.set(data.subarray(at));
    this.#tailFilled = data.length - at;
  }

  /** Ends the file and yields the root; the tree takes no data afterwards. */
  finish(): MerkleResult {
    if (this.#finished) throw new Error("this Merkle tree is finished");
    this.#finished = true;
    if (this.#tailFilled > 0) this.#push(0, this.#tail.fill(0, this.#tailFilled));
    // The list grows while partly filled levels are folded into the next one.
    for (let index = 0; index < this.#levels.length; index++) {
      const level = this.#levels[index] as Level;
      if (index === this.#levels.length - 1 && level.hashes === 1) {
        return { root: level.block.slice(0, this.#facts.digestSize), size: this.#size };
      }
      if (level.filled > 0) this.#complete(index, level);
    }
    return { root: new Uint8Array(this.#facts.digestSize), size: this.#size };
  }

  /** Hashes one block into level `index`. */
  #push(index: number, block: Uint8Array): void {
    const level = (this.#levels[index] ??= { block: new Uint8Array(BLOCK_SIZE), filled: 0, hashes: 0 });
    const end = level.filled + this.#facts.digestSize;
    this.#facts.hash(block, level.block.subarray(level.filled, end));
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
}
