/**
 * The LZMA decoder that .lzma and .xz share: range coder, probabilities and dictionary. After the LZMA specification
 * (LZMA SDK, lzma-specification.txt). What it allocates is bounded by the dictionary size, and that by MAX_DICTIONARY.
 *
 * Range and code are unsigned 32-bit numbers kept as signed ones: as integers they are decoded nearly twice as fast as in
 * floating point.
 */

import { byteAt, Damage } from "../damage.ts";
import type { Emit } from "./index.ts";

/** xz -9 uses 64 MiB; more than this is refused instead of allocated. */
const MAX_DICTIONARY = 512 << 20;
const HALF = 1024;
const TOP = 2 ** 24;
/** Flipped, the top bit makes a signed comparison an unsigned one. */
const SIGN = -0x80000000;
const STATES = 12;
const SHORTEST_MATCH = 2;
const END_MARK = 0xffffffff;

/** lc, lp, pb as the format packs them into one byte. */
export interface LzmaProperties {
  readonly literalContext: number;
  readonly literalPosition: number;
  readonly position: number;
}

export function lzmaProperties(byte: number): LzmaProperties {
  if (byte >= 9 * 5 * 5) throw new Damage("its LZMA properties are out of range");
  return { literalContext: byte % 9, literalPosition: Math.floor(byte / 9) % 5, position: Math.floor(byte / 45) };
}

const fresh = (length: number): Uint16Array => new Uint16Array(length).fill(HALF);

/** The probabilities of a match's or a repeated match's length. */
class LengthCoder {
  readonly choice = fresh(2);
  readonly low = fresh(16 << 3);
  readonly middle = fresh(16 << 3);
  readonly high = fresh(256);
}

export class LzmaDecoder {
  readonly #emit: Emit;
  readonly #window: Uint8Array;
  #at = 0;
  #flushed = 0;
  #wrapped = false;
  /** Bytes put out since the dictionary was last reset. */
  #total = 0;

  #input: Uint8Array = new Uint8Array(0);
  #next = 0;
  #range = 0;
  #code = 0;

  #properties: LzmaProperties = { literalContext: 0, literalPosition: 0, position: 0 };
  #literals: Uint16Array = fresh(0);
  #isMatch = fresh(0);
  #isRep = fresh(0);
  #isRepG0 = fresh(0);
  #isRepG1 = fresh(0);
  #isRepG2 = fresh(0);
  #isRep0Long = fresh(0);
  #slots = fresh(0);
  #special = fresh(0);
  #align = fresh(0);
  #lengths = new LengthCoder();
  #repLengths = new LengthCoder();
  #state = 0;
  readonly #rep: [number, number, number, number] = [0, 0, 0, 0];

  /** @param dictionarySize in bytes */
  constructor(dictionarySize: number, emit: Emit) {
    if (dictionarySize > MAX_DICTIONARY) throw new Damage(`it asks for a dictionary of ${dictionarySize} bytes`);
    this.#window = new Uint8Array(Math.max(dictionarySize, 4096));
    this.#emit = emit;
  }

  /** Forgets what was put out: matches cannot reach behind this point. */
  resetDictionary(): void {
    this.flush();
    this.#at = 0;
    this.#flushed = 0;
    this.#wrapped = false;
    this.#total = 0;
  }

  /** Sets the probabilities back, and the properties if they change. */
  resetState(properties: LzmaProperties = this.#properties): void {
    this.#properties = properties;
    this.#literals = fresh(0x300 << (properties.literalContext + properties.literalPosition));
    this.#isMatch = fresh(STATES << 4);
    this.#isRep = fresh(STATES);
    this.#isRepG0 = fresh(STATES);
    this.#isRepG1 = fresh(STATES);
    this.#isRepG2 = fresh(STATES);
    this.#isRep0Long = fresh(STATES << 4);
    this.#slots = fresh(4 << 6);
    this.#special = fresh(1 + 128 - 14);
    this.#align = fresh(16);
    this.#lengths = new LengthCoder();
    this.#repLengths = new LengthCoder();
    this.#state = 0;
    this.#rep.fill(0);
  }

  /** Begins to read compressed data at `at`. */
  startRange(input: Uint8Array, at: number): void {
    if (byteAt(input, at) !== 0) throw new Damage("its compressed data begins wrongly");
    this.#input = input;
    this.#code = 0;
    for (let i = 1; i <= 4; i++) this.#code = (this.#code << 8) | byteAt(input, at + i);
    this.#next = at + 5;
    this.#range = -1;
  }

  /** Where the compressed data was read up to. */
  get position(): number {
    return this.#next;
  }

  /** Whether the range coder stands where it does at the end of correct data. */
  get isFinished(): boolean {
    return this.#code === 0;
  }

  /** Puts bytes out that were not compressed. */
  copy(bytes: Uint8Array): void {
    for (const byte of bytes) this.#put(byte);
  }

  /** Hands on what was decoded and not handed on yet. */
  flush(): void {
    if (this.#at > this.#flushed) this.#emit(this.#window.subarray(this.#flushed, this.#at));
    this.#flushed = this.#at;
  }

  #put(byte: number): void {
    this.#window[this.#at++] = byte;
    this.#total++;
    if (this.#at < this.#window.length) return;
    this.flush();
    this.#at = 0;
    this.#flushed = 0;
    this.#wrapped = true;
  }

  #back(distance: number): number {
    const at = this.#at - distance - 1;
    return this.#window[at < 0 ? at + this.#window.length : at] ?? 0;
  }

  #normalize(): void {
    if (this.#range < 0 || this.#range >= TOP) return;
    this.#range <<= 8;
    this.#code = (this.#code << 8) | byteAt(this.#input, this.#next++);
  }

  #bit(probabilities: Uint16Array, index: number): number {
    const probability = probabilities[index] ?? 0;
    let range = this.#range | 0;
    let code = this.#code | 0;
    const bound = Math.imul(range >>> 11, probability);
    let bit: number;
    if ((code ^ SIGN) < (bound ^ SIGN)) {
      range = bound;
      probabilities[index] = probability + ((2048 - probability) >> 5);
      bit = 0;
    } else {
      range = (range - bound) | 0;
      code = (code - bound) | 0;
      probabilities[index] = probability - (probability >> 5);
      bit = 1;
    }
    if (range >= 0 && range < TOP) {
      range = range << 8;
      const next = this.#next++;
      if (next >= this.#input.length) throw new Damage("it ends in the middle");
      code = (code << 8) | (this.#input[next] ?? 0);
    }
    this.#range = range;
    this.#code = code;
    return bit;
  }

  #direct(bits: number): number {
    let value = 0;
    for (let i = 0; i < bits; i++) {
      const range = this.#range >>> 1;
      this.#range = range;
      const one = this.#code >>> 0 >= range;
      if (one) this.#code = (this.#code - range) | 0;
      value = value * 2 + (one ? 1 : 0);
      this.#normalize();
    }
    return value;
  }

  #tree(probabilities: Uint16Array, base: number, bits: number): number {
    let symbol = 1;
    for (let i = 0; i < bits; i++) symbol = (symbol << 1) | this.#bit(probabilities, base + symbol);
    return symbol - (1 << bits);
  }

  #reverseTree(probabilities: Uint16Array, base: number, bits: number): number {
    let symbol = 1;
    let value = 0;
    for (let i = 0; i < bits; i++) {
      const bit = this.#bit(probabilities, base + symbol);
      symbol = (symbol << 1) | bit;
      value |= bit << i;
    }
    return value;
  }

  #literal(): void {
    const { literalContext, literalPosition } = this.#properties;
    const previous = this.#total === 0 ? 0 : this.#back(0);
    const context = ((this.#total & ((1 << literalPosition) - 1)) << literalContext) + (previous >> (8 - literalContext));
    const base = 0x300 * context;
    let symbol = 1;
    if (this.#state >= 7) {
      let matched = this.#back(this.#rep[0]);
      while (symbol < 0x100) {
        const expected = (matched >> 7) & 1;
        matched <<= 1;
        const bit = this.#bit(this.#literals, base + ((1 + expected) << 8) + symbol);
        symbol = (symbol << 1) | bit;
        if (bit !== expected) break;
      }
    }
    while (symbol < 0x100) symbol = (symbol << 1) | this.#bit(this.#literals, base + symbol);
    this.#put(symbol & 0xff);
    this.#state = this.#state < 4 ? 0 : this.#state < 10 ? this.#state - 3 : this.#state - 6;
  }

  #length(coder: LengthCoder, positionState: number): number {
    if (this.#bit(coder.choice, 0) === 0) return this.#tree(coder.low, positionState << 3, 3);
    if (this.#bit(coder.choice, 1) === 0) return 8 + this.#tree(coder.middle, positionState << 3, 3);
    return 16 + this.#tree(coder.high, 0, 8);
  }

  #distance(length: number): number {
    const slot = this.#tree(this.#slots, Math.min(length, 3) << 6, 6);
    if (slot < 4) return slot;
    const bits = (slot >> 1) - 1;
    const base = (2 | (slot & 1)) * 2 ** bits;
    if (slot < 14) return base + this.#reverseTree(this.#special, base - slot, bits);
    return base + this.#direct(bits - 4) * 16 + this.#reverseTree(this.#align, 0, 4);
  }

  /** The distance of a match that repeats one of the last four; undefined for a single byte. */
  #repeated(positionState: number): number | undefined {
    const state = this.#state;
    const rep = this.#rep;
    if (this.#bit(this.#isRepG0, state) === 0) {
      if (this.#bit(this.#isRep0Long, (state << 4) + positionState) === 0) return undefined;
      return rep[0];
    }
    let distance: number;
    if (this.#bit(this.#isRepG1, state) === 0) {
      distance = rep[1];
    } else {
      if (this.#bit(this.#isRepG2, state) === 0) {
        distance = rep[2];
      } else {
        distance = rep[3];
        rep[3] = rep[2];
      }
      rep[2] = rep[1];
    }
    rep[1] = rep[0];
    rep[0] = distance;
    return distance;
  }

  /**
   * Decodes until `limit` bytes were put out, or up to the end mark.
   * @returns whether the end mark was met
   */
  decode(limit: number): boolean {
    const rep = this.#rep;
    const until = this.#total + limit;
    while (this.#total < until) {
      const positionState = this.#total & ((1 << this.#properties.position) - 1);
      if (this.#bit(this.#isMatch, (this.#state << 4) + positionState) === 0) {
        this.#literal();
        continue;
      }
      let length: number;
      if (this.#bit(this.#isRep, this.#state) === 1) {
        if (this.#total === 0) throw new Damage("a match points before the beginning");
        if (this.#repeated(positionState) === undefined) {
          this.#state = this.#state < 7 ? 9 : 11;
          this.#checkDistance(rep[0]);
          this.#put(this.#back(rep[0]));
          continue;
        }
        length = this.#length(this.#repLengths, positionState);
        this.#state = this.#state < 7 ? 8 : 11;
      } else {
        rep[3] = rep[2];
        rep[2] = rep[1];
        rep[1] = rep[0];
        length = this.#length(this.#lengths, positionState);
        this.#state = this.#state < 7 ? 7 : 10;
        rep[0] = this.#distance(length);
        if (rep[0] === END_MARK) return true;
      }
      this.#checkDistance(rep[0]);
      length += SHORTEST_MATCH;
      if (this.#total + length > until) throw new Damage("a match is longer than the data");
      for (let i = 0; i < length; i++) this.#put(this.#back(rep[0]));
    }
    return false;
  }

  #checkDistance(distance: number): void {
    if (distance >= this.#window.length || (!this.#wrapped && distance >= this.#at)) throw new Damage("a match points before the beginning");
  }
}
