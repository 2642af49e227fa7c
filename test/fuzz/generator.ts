/** Inputs for fuzzing: real ones, changed. The same seed gives the same inputs. */

/** Bytes that decide about framing, text and types. */
const BYTES = [0x00, 0x01, 0x02, 0x08, 0x0a, 0x0d, 0x20, 0x28, 0x29, 0x2b, 0x2d, 0x3d, 0x61, 0x6d, 0x73, 0x76, 0x79, 0x7b, 0x7d, 0x7f, 0x80, 0xed, 0xfe, 0xff];
const MOST = 4096;

export class Generator {
  readonly corpus: readonly Uint8Array[];
  readonly #words: readonly Uint8Array[];
  #state: number;

  /** @param words of a language that the inputs are in */
  constructor(seed: number, corpus: readonly Uint8Array[], words: readonly string[] = []) {
    this.corpus = corpus;
    this.#words = words.map((word) => new TextEncoder().encode(word));
    this.#state = (seed * 2654435761 + 1) >>> 0 || 1;
  }

  /** xorshift32, below `limit`. */
  below(limit: number): number {
    let state = this.#state;
    state ^= state << 13;
    state ^= state >>> 17;
    state ^= state << 5;
    this.#state = state >>> 0;
    return limit < 1 ? 0 : this.#state % limit;
  }

  chance(oneIn: number): boolean {
    return this.below(oneIn) === 0;
  }

  pick<T>(list: readonly T[]): T {
    const item = list[this.below(list.length)];
    if (item === undefined) throw new Error("nothing to pick from");
    return item;
  }

  from(corpus: readonly Uint8Array[]): Uint8Array {
    const chosen = this.pick(corpus);
    // The large ones seldom, and cut: they teach nothing that the small ones do not.
    return chosen.length <= MOST || this.chance(500) ? chosen : chosen.subarray(chosen.length - this.below(MOST));
  }

  next(): Uint8Array {
    if (this.chance(50)) return Uint8Array.from({ length: this.below(128) }, () => this.below(256));
    let input: Uint8Array = this.from(this.corpus).slice();
    for (let edits = 1 + this.below(4); edits > 0; edits--) input = this.#edit(input);
    return input;
  }

  #edit(input: Uint8Array): Uint8Array {
    const at = this.below(input.length + 1);
    const length = 1 + this.below(16);
    switch (this.below(this.#words.length === 0 ? 8 : 12)) {
      case 0:
        return input.length === 0 ? input : this.#set(input, at % input.length, (input[at % input.length] ?? 0) ^ (1 << this.below(8)));
      case 1:
        return input.length === 0 ? input : this.#set(input, at % input.length, this.pick(BYTES));
      case 2: {
        // the framing offsets stand at the end
        const tail = input.length - 1 - this.below(Math.min(16, input.length));
        return input.length === 0 ? input : this.#set(input, tail, this.chance(2) ? this.pick(BYTES) : this.below(256));
      }
      case 3:
        return input.subarray(0, at);
      case 4:
        return join(input.subarray(0, at), input.subarray(at + length));
      case 5:
        return join(input.subarray(0, at), input.subarray(Math.max(0, at - length), at), input.subarray(at));
      case 6: {
        const other = this.from(this.corpus);
        const from = this.below(other.length);
        return join(input.subarray(0, at), other.subarray(from, from + this.below(64)), input.subarray(at));
      }
      case 7:
        return join(input.subarray(0, at), Uint8Array.from({ length }, () => this.pick(BYTES)), input.subarray(at));
      default:
        return join(input.subarray(0, at), this.pick(this.#words), input.subarray(this.chance(2) ? at : at + length));
    }
  }

  #set(input: Uint8Array, at: number, byte: number): Uint8Array {
    input[at] = byte;
    return input;
  }
}

function join(...parts: readonly Uint8Array[]): Uint8Array {
  const whole = new Uint8Array(parts.reduce((sum, { length }) => sum + length, 0));
  let at = 0;
  for (const part of parts) {
    whole.set(part, at);
    at += part.length;
  }
  return whole;
}
