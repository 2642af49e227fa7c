/**
 * A set of object ids, for repositories with millions of objects: as strings in a Set they would take ten times their length. Pure.
 */

const FIRST_SLOTS = 1024;
const CHUNK_IDS = 4096;
/** Nobody can prepare ids that all fall into one place without knowing these. */
const SECRETS = crypto.getRandomValues(new Uint32Array(256));
const MIX = 0x9e3779b1;

/** Ids of one length, as bytes. Each has a number: the order in which it was added. */
export class IdSet {
  readonly idLength: 32 | 64;
  readonly #chunks: Uint8Array[] = [];
  /** Number of an id plus one; 0: free. Always a power of two, at most two thirds full. */
  #slots = new Uint32Array(FIRST_SLOTS);
  #size = 0;

  constructor(idLength: 32 | 64) {
    this.idLength = idLength;
  }

  get size(): number {
    return this.#size;
  }

  /** Takes a copy. @returns whether it was new @throws RangeError for an id of another length */
  add(id: Uint8Array): boolean {
    if (id.length !== this.idLength) throw new RangeError(`an id of ${id.length} bytes among such of ${this.idLength}`);
    const slot = this.#find(id);
    if (this.#slots[slot] !== 0) return false;
    const number = this.#size++;
    if (number % CHUNK_IDS === 0) this.#chunks.push(new Uint8Array(CHUNK_IDS * this.idLength));
    this.#chunks.at(-1)?.set(id, (number % CHUNK_IDS) * this.idLength);
    this.#slots[slot] = number + 1;
    if (this.#size * 3 > this.#slots.length * 2) this.#grow();
    return true;
  }

  has(id: Uint8Array): boolean {
    return this.numberOf(id) >= 0;
  }

  /** The number of an id; -1 where it is not in the set. */
  numberOf(id: Uint8Array): number {
    return id.length === this.idLength ? (this.#slots[this.#find(id)] ?? 0) - 1 : -1;
  }

  /** The id of that number. A view. */
  at(number: number): Uint8Array {
    const start = (number % CHUNK_IDS) * this.idLength;
    return this.#chunks[Math.floor(number / CHUNK_IDS)]?.subarray(start, start + this.idLength) ?? new Uint8Array();
  }

  /** Ids are digests, so that any bytes of them are as good as a hash; but whoever writes streams can choose them: all are mixed in. */
  #find(id: Uint8Array): number {
    let hash = 0;
    for (let at = 0; at < id.length; at++) hash = Math.imul(((hash << 5) | (hash >>> 27)) ^ (SECRETS[id[at] ?? 0] ?? 0), MIX);
    const mask = this.#slots.length - 1;
    let slot = (hash ^ (hash >>> 15)) & mask;
    for (;;) {
      const number = (this.#slots[slot] ?? 0) - 1;
      if (number < 0 || this.#equals(number, id)) return slot;
      slot = (slot + 1) & mask;
    }
  }

  #equals(number: number, id: Uint8Array): boolean {
    const chunk = this.#chunks[Math.floor(number / CHUNK_IDS)];
    const start = (number % CHUNK_IDS) * this.idLength;
    for (let at = 0; at < this.idLength; at++) if (chunk?.[start + at] !== id[at]) return false;
    return true;
  }

  #grow(): void {
    this.#slots = new Uint32Array(this.#slots.length * 2);
    for (let number = 0; number < this.#size; number++) this.#slots[this.#find(this.at(number))] = number + 1;
  }
}
