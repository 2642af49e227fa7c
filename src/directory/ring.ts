/**
 * Work for several threads in shared memory: a ring of slots, filled by one thread, claimed by any, emptied again by the first in the order
 * they were filled. Descriptors are numbers that all threads of a process share. No messages: the thread that walks the directory never
 * returns to its event loop.
 */

export const SLOTS = 256;
/** Bytes of result that a slot has room for: hashes of the tree blocks of one part of a file. */
export const RESULT_ROOM = 4096;
/** Bytes of a large file that are one piece of work: as many as have that many bytes of hashes with SHA-512, or four times as many with SHA-256. */
export const PART = 16 * 1024 * 1024;

export const STATE = { free: 0, ready: 1, taken: 2, done: 3, failed: 4 } as const;
export const KIND = { file: 1, part: 2 } as const;
/** How storing ended: see StoredObject. */
export const HOW = { hashed: 0, present: 1, placed: 2, staged: 3, replaced: 4 } as const;

/** What went wrong in a slot that failed: reading, or writing what was read; or the file was written to meanwhile. */
export const FAILED = { reading: 0, writing: 1, changed: 2 } as const;

const FIELDS = 16;
const F = { state: 0, kind: 1, fd: 2, tag: 3, sizeLow: 4, sizeHigh: 5, offsetLow: 6, offsetHigh: 7, changeLow: 8, changeHigh: 9, changeNanoseconds: 10, sparse: 11, resultLength: 12, how: 13, failed: 14, errno: 15 } as const;
const C = { published: 0, claimed: 1, closed: 2, algorithm: 3, objects: 4, staging: 5, verity: 6, threads: 7, verityWrites: 8 } as const;
const CONTROL = 16;
const HALF = 0x1_0000_0000;

export interface Store {
  readonly objects: number;
  readonly staging: number;
  readonly verity: boolean;
  readonly verityWrites: boolean;
  /** See ObjectTarget. */
  readonly directories: Int32Array<SharedArrayBuffer>;
}

export interface Setup {
  readonly algorithm: "sha256" | "sha512";
  /** Where objects go; undefined: only digests are wanted. */
  readonly store: Store | undefined;
}

export class Ring {
  readonly memory: SharedArrayBuffer;
  /** Of the store; undefined without one. A further piece of shared memory, which belongs to the store. */
  directories: Int32Array<SharedArrayBuffer> | undefined;
  readonly #control: Int32Array<SharedArrayBuffer>;
  readonly #fields: Int32Array<SharedArrayBuffer>;
  readonly #results: Uint8Array<SharedArrayBuffer>;
  /** Slots that are free again, counted from the beginning: known to the first thread only. */
  #emptied = 0;

  constructor(memory?: SharedArrayBuffer, directories?: Int32Array<SharedArrayBuffer>) {
    this.directories = directories;
    this.memory = memory ?? new SharedArrayBuffer(CONTROL * 4 + SLOTS * (FIELDS * 4 + RESULT_ROOM));
    this.#control = new Int32Array(this.memory, 0, CONTROL);
    this.#fields = new Int32Array(this.memory, CONTROL * 4, SLOTS * FIELDS);
    this.#results = new Uint8Array(this.memory, CONTROL * 4 + SLOTS * FIELDS * 4);
  }

  set setup({ algorithm, store }: Setup) {
    this.directories = store?.directories;
    this.#control[C.algorithm] = algorithm === "sha256" ? 1 : 2;
    this.#control[C.objects] = store?.objects ?? -1;
    this.#control[C.staging] = store?.staging ?? -1;
    this.#control[C.verity] = store?.verity === true ? 1 : 0;
    this.#control[C.verityWrites] = store?.verityWrites === true ? 1 : 0;
  }

  get setup(): Setup {
    const word = (at: number): number => this.#control[at] ?? 0;
    const store = this.directories === undefined ? undefined : {
      directories: this.directories, objects: word(C.objects), staging: word(C.staging), verity: word(C.verity) === 1, verityWrites: word(C.verityWrites) === 1,
    };
    return { algorithm: word(C.algorithm) === 1 ? "sha256" : "sha512", store };
  }

  /** Threads that have joined the first. */
  get threads(): number {
    return Atomics.load(this.#control, C.threads);
  }

  join(): void {
    Atomics.add(this.#control, C.threads, 1);
  }

  get isFull(): boolean {
    return ((this.#control[C.published] ?? 0) - this.#emptied) === SLOTS;
  }

  get isEmpty(): boolean {
    return this.#control[C.published] === this.#emptied;
  }

  /** The next free slot; publish() hands it out. Only while the ring is not full. */
  next(): number {
    return (this.#control[C.published] ?? 0) % SLOTS;
  }

  publish(slot: number): void {
    this.set(slot, "state", STATE.ready);
    Atomics.add(this.#control, C.published, 1);
    Atomics.notify(this.#control, C.published, 1);
  }

  /** Takes the oldest slot that nobody has taken. */
  claim(): number | undefined {
    for (;;) {
      const claimed = Atomics.load(this.#control, C.claimed);
      if (claimed === Atomics.load(this.#control, C.published)) return undefined;
      if (Atomics.compareExchange(this.#control, C.claimed, claimed, claimed + 1) === claimed) return claimed % SLOTS;
    }
  }

  /** Waits for more to claim. @returns false when there will be none */
  waitForWork(): boolean {
    const published = Atomics.load(this.#control, C.published);
    if (Atomics.load(this.#control, C.closed) === 1) return false;
    if (published === Atomics.load(this.#control, C.claimed)) Atomics.wait(this.#control, C.published, published, 1000);
    return true;
  }

  close(): void {
    Atomics.store(this.#control, C.closed, 1);
    // those who sleep look at the flag again when the count they sleep on is touched
    Atomics.notify(this.#control, C.published);
  }

  /** The oldest slot that is not emptied yet. */
  oldest(): number {
    return this.#emptied % SLOTS;
  }

  isFinished(slot: number): boolean {
    const state = Atomics.load(this.#fields, slot * FIELDS + F.state);
    return state === STATE.done || state === STATE.failed;
  }

  waitFor(slot: number): void {
    const at = slot * FIELDS + F.state;
    for (const state of [STATE.ready, STATE.taken]) if (Atomics.load(this.#fields, at) === state) Atomics.wait(this.#fields, at, state, 1000);
  }

  empty(slot: number): void {
    this.set(slot, "state", STATE.free);
    this.#emptied += 1;
  }

  finish(slot: number, state: number): void {
    Atomics.store(this.#fields, slot * FIELDS + F.state, state);
    Atomics.notify(this.#fields, slot * FIELDS + F.state);
  }

  get(slot: number, field: keyof typeof F): number {
    return this.#fields[slot * FIELDS + F[field]] ?? 0;
  }

  set(slot: number, field: keyof typeof F, value: number): void {
    this.#fields[slot * FIELDS + F[field]] = value;
  }

  getLong(slot: number, field: "size" | "offset"): number {
    return (this.get(slot, `${field}Low`) >>> 0) + this.get(slot, `${field}High`) * HALF;
  }

  setLong(slot: number, field: "size" | "offset", value: number): void {
    this.set(slot, `${field}Low`, value % HALF | 0);
    this.set(slot, `${field}High`, Math.floor(value / HALF));
  }

  /** Room for the result of a slot. Shared memory: hashing writes elsewhere, and the result is copied here. */
  result(slot: number): Uint8Array<SharedArrayBuffer> {
    return this.#results.subarray(slot * RESULT_ROOM, (slot + 1) * RESULT_ROOM);
  }
}
