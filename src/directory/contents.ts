/** The content of files, hashed and stored by several threads at once: a ContentSink. */

import { availableParallelism } from "node:os";
import { descriptorDigest, encodeDescriptor, MerkleTree } from "../fsverity/index.ts";
import { Descriptor, SyscallError } from "../linux/index.ts";
import { closeRaw, type FileStatus, statNameRaw, FileStatus as Status } from "../linux/names.ts";
import { SourceError } from "../repository/content-copier.ts";
import { ObjectWriter } from "../repository/object-writer.ts";
import type { Inode } from "../tree/index.ts";
import { type ContentSink, ContentFailure, type Deliver } from "./read.ts";
import { FAILED, HOW, KIND, PART, Ring, type Setup, STATE } from "./ring.ts";
import { Work } from "./work.ts";

/** A file of more bytes is hashed in parts by all threads; its holes are read. */
const LARGE = 4 * PART;
/** Work that is worth starting a thread for, in bytes: some milliseconds of hashing. */
const WORTH_A_THREAD = 4 * 1024 * 1024;
const WORTH_A_THREAD_FILES = 64;

export interface ContentOptions extends Setup {
  /** Threads, this one included; default: as many as there are processors for this process. */
  readonly threads?: number;
  readonly deliver: Deliver;
  /** Hears of objects that are to be moved to their place after syncing, and of each file that is done. */
  readonly done?: (digest: Uint8Array, how: keyof typeof HOW, bytes: number) => void;
}

/** In the executable, modules lie where the bundler put them: this one in a piece of the program at the top, the thread's as in src/. */
const WORKER = new URL(import.meta.url.includes("/$bunfs/") ? "./directory/content-worker.ts" : "./content-worker.ts", import.meta.url).href;

const HOW_NAMES = Object.keys(HOW) as (keyof typeof HOW)[];

export class Contents implements ContentSink, Disposable {
  readonly #options: ContentOptions;
  readonly #ring = new Ring();
  readonly #work: Work;
  readonly #writer: ObjectWriter | undefined;
  readonly #workers: Worker[] = [];
  readonly #wanted: number;
  readonly #again = new Status();
  #bytes = 0;
  #files = 0;
  /** Of the large file under way: its tree, filled as parts come in. */
  #large: MerkleTree | undefined;

  constructor(options: ContentOptions) {
    this.#options = options;
    this.#ring.setup = options;
    this.#work = new Work(this.#ring);
    const { algorithm, store } = options;
    this.#writer = store === undefined ? undefined : new ObjectWriter({ algorithm, ...store });
    this.#wanted = Math.max(0, (options.threads ?? availableParallelism()) - 1);
  }

  add(inode: Inode, fd: number, status: FileStatus): void {
    const { size, blocks } = status;
    // fewer blocks than bytes; a compressed file looks the same, and is only asked once more than it needs
    const sparse = blocks * 512 < size && size > 65_536;
    if (size > LARGE && !sparse && this.#options.store?.verity !== true) {
      this.#addLarge(inode, fd, status);
      return;
    }
    const slot = this.#slot();
    const ring = this.#ring;
    ring.set(slot, "kind", KIND.file);
    ring.set(slot, "fd", fd);
    ring.set(slot, "tag", inode);
    ring.setLong(slot, "size", size);
    ring.set(slot, "sparse", sparse ? 1 : 0);
    ring.set(slot, "changeLow", Number(BigInt.asIntN(32, status.changeSeconds)));
    ring.set(slot, "changeNanoseconds", status.changeNanoseconds);
    ring.publish(slot);
    this.#count(size);
  }

  /** Threads that have worked, this one included. */
  get threads(): number {
    return this.#ring.threads + 1;
  }

  drain(): void {
    while (!this.#ring.isEmpty) this.#advance();
  }

  /** Ends the threads, and what descriptors are left where work was given up. */
  [Symbol.dispose](): void {
    const ring = this.#ring;
    ring.close();
    for (let slot = ring.claim(); slot !== undefined; slot = ring.claim()) {
      if (ring.get(slot, "kind") === KIND.file) closeRaw(ring.get(slot, "fd"));
      ring.finish(slot, STATE.failed);
    }
    while (!ring.isEmpty) {
      const slot = ring.oldest();
      while (!ring.isFinished(slot)) ring.waitFor(slot);
      ring.empty(slot);
    }
    for (const worker of this.#workers) worker.terminate();
  }

  /** A file of many parts: all threads hash at once, this one waits for them in order. */
  #addLarge(inode: Inode, fd: number, status: FileStatus): void {
    const { size, changeSeconds, changeNanoseconds } = status;
    this.drain();
    this.#count(size);
    using source = new Descriptor(fd, "a large file");
    try {
      // a store's copy is what is hashed: nobody else can change it
      const copy = this.#writer?.copyUnread(fd, size, false);
      using hashed = copy ?? source.take();
      const unchanged = (): boolean => {
        const result = statNameRaw(copy === undefined ? hashed.fd : source.fd, "", this.#again);
        return result === 0 && this.#again.size === size && this.#again.changeSeconds === changeSeconds && this.#again.changeNanoseconds === changeNanoseconds;
      };
      if (this.#writer !== undefined && copy === undefined) {
        const { digest, how } = this.#writer.store(hashed.fd, size, false, unchanged);
        this.#deliver(inode, digest, how, size);
        return;
      }
      const digest = this.#hashParts(inode, hashed.fd, size);
      if (!unchanged()) throw new ContentFailure(inode, "changed");
      const how = copy === undefined || this.#writer === undefined ? "hashed" : this.#writer.finishFilled(hashed, size, digest).how;
      this.#deliver(inode, digest, how, size);
    } catch (error) {
      if (error instanceof ContentFailure) throw error;
      if (!(error instanceof SyscallError)) throw new ContentFailure(inode, "changed");
      throw new ContentFailure(inode, this.#writer === undefined || error instanceof SourceError ? "reading" : "writing", error);
    }
  }

  #hashParts(inode: Inode, fd: number, size: number): Uint8Array {
    const { algorithm } = this.#options;
    const tree = new MerkleTree(algorithm);
    this.#large = tree;
    for (let offset = 0; offset < size; offset += PART) {
      const slot = this.#slot();
      const ring = this.#ring;
      ring.set(slot, "kind", KIND.part);
      ring.set(slot, "fd", fd);
      ring.set(slot, "tag", inode);
      ring.setLong(slot, "size", Math.min(PART, size - offset));
      ring.setLong(slot, "offset", offset);
      ring.publish(slot);
    }
    this.drain();
    this.#large = undefined;
    const { root } = tree.finish();
    return descriptorDigest(encodeDescriptor(algorithm, size, root), algorithm);
  }

  /** A free slot; while there is none, this thread works too. */
  #slot(): number {
    while (this.#ring.isFull) this.#advance();
    return this.#ring.next();
  }

  /** Empties the oldest slot, or does a piece of work, or waits. */
  #advance(): void {
    const ring = this.#ring;
    const slot = ring.oldest();
    if (ring.isFinished(slot)) {
      this.#collect(slot);
      return;
    }
    const claimed = ring.claim();
    if (claimed === undefined) ring.waitFor(slot);
    else this.#work.perform(claimed);
  }

  #collect(slot: number): void {
    const ring = this.#ring;
    const inode = ring.get(slot, "tag");
    const size = ring.getLong(slot, "size");
    const result = ring.result(slot).slice(0, ring.get(slot, "resultLength"));
    const how = HOW_NAMES[ring.get(slot, "how")] ?? "hashed";
    const { failed, part } = { failed: !this.#succeeded(slot), part: ring.get(slot, "kind") === KIND.part };
    const failure = failed ? this.#failure(slot, inode, result) : undefined;
    ring.empty(slot);
    if (failure !== undefined) throw failure;
    if (part) this.#large?.updateHashed(result, size);
    else this.#deliver(inode, result, how, size);
  }

  #succeeded(slot: number): boolean {
    return this.#ring.get(slot, "state") === STATE.done;
  }

  #failure(slot: number, inode: Inode, text: Uint8Array): ContentFailure {
    const errno = this.#ring.get(slot, "errno");
    const failed = this.#ring.get(slot, "failed");
    if (failed === FAILED.changed) return new ContentFailure(inode, "changed");
    // the message has the errno's words already
    return new ContentFailure(inode, failed === FAILED.writing ? "writing" : "reading", new SyscallError(new TextDecoder().decode(text).replace(/: E[A-Z]+( \(.*\))?$/, ""), errno));
  }

  #deliver(inode: Inode, digest: Uint8Array, how: keyof typeof HOW, bytes: number): void {
    this.#options.deliver(inode, digest);
    this.#options.done?.(digest, how, bytes);
  }

  /** Starts the other threads once there is enough to do for them: a small directory is read without. */
  #count(size: number): void {
    this.#bytes += size;
    this.#files += 1;
    if (this.#workers.length === this.#wanted || (this.#bytes < WORTH_A_THREAD && this.#files < WORTH_A_THREAD_FILES)) return;
    while (this.#workers.length < this.#wanted) {
      const worker = new Worker(WORKER);
      worker.unref();
      worker.postMessage([this.#ring.memory, this.#ring.directories]);
      this.#workers.push(worker);
    }
  }
}
