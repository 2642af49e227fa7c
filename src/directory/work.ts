/** One piece of work of the ring, done by whichever thread has claimed it: hash a file, or store it, or hash a part of a large one. */

import { treeBlockSpan } from "../fsverity/index.ts";
import { ERRNO, SyscallError } from "../linux/index.ts";
import { closeRaw, FileStatus, statNameRaw } from "../linux/names.ts";
import { FileChanged, SourceError } from "../repository/content-copier.ts";
import { ContentHasher } from "../repository/content-hasher.ts";
import { ObjectWriter } from "../repository/object-writer.ts";
import { FAILED, HOW, KIND, RESULT_ROOM, type Ring, STATE } from "./ring.ts";

export class Work {
  readonly #ring: Ring;
  readonly #hasher: ContentHasher;
  readonly #writer: ObjectWriter | undefined;
  readonly #span: number;
  readonly #out = new Uint8Array(RESULT_ROOM);
  readonly #status = new FileStatus();

  constructor(ring: Ring) {
    const { algorithm, store } = ring.setup;
    this.#ring = ring;
    this.#hasher = new ContentHasher(algorithm);
    this.#writer = store === undefined ? undefined : new ObjectWriter({ algorithm, ...store });
    this.#span = treeBlockSpan(algorithm);
  }

  /** Never throws: what went wrong is in the slot. */
  perform(slot: number): void {
    const ring = this.#ring;
    const file = ring.get(slot, "kind") === KIND.file;
    let state: number = STATE.done;
    try {
      if (file) this.#file(slot);
      else this.#part(slot);
    } catch (error) {
      state = STATE.failed;
      ring.set(slot, "failed", error instanceof FileChanged ? FAILED.changed : this.#writer === undefined || error instanceof SourceError ? FAILED.reading : FAILED.writing);
      ring.set(slot, "errno", error instanceof SyscallError ? error.errno : ERRNO.EIO);
      this.#result(slot, new TextEncoder().encode(error instanceof Error ? error.message : String(error)).subarray(0, RESULT_ROOM));
    }
    if (file) closeRaw(ring.get(slot, "fd"));
    ring.finish(slot, state);
  }

  #file(slot: number): void {
    const ring = this.#ring;
    const fd = ring.get(slot, "fd");
    const size = ring.getLong(slot, "size");
    const sparse = ring.get(slot, "sparse") === 1;
    if (this.#writer === undefined) {
      if (!this.#hasher.hashFile(fd, size, sparse) || !this.#unchanged(slot)) throw new FileChanged();
      ring.set(slot, "how", HOW.hashed);
      this.#result(slot, this.#hasher.digest());
      return;
    }
    const { digest, how } = this.#writer.store(fd, size, sparse, () => this.#unchanged(slot));
    ring.set(slot, "how", HOW[how]);
    this.#result(slot, digest);
  }

  #part(slot: number): void {
    const filled = this.#hasher.hashPart(this.#ring.get(slot, "fd"), this.#ring.getLong(slot, "offset"), this.#ring.getLong(slot, "size"), this.#span, this.#out);
    if (filled === undefined) throw new FileChanged();
    this.#result(slot, this.#out.subarray(0, filled));
  }

  #result(slot: number, bytes: Uint8Array): void {
    this.#ring.result(slot).set(bytes);
    this.#ring.set(slot, "resultLength", bytes.length);
  }

  /** The file is as it was when it was opened: any write moves the time of its last change. */
  #unchanged(slot: number): boolean {
    const ring = this.#ring;
    const status = this.#status;
    return statNameRaw(ring.get(slot, "fd"), "", status) === 0 && status.size === ring.getLong(slot, "size") && status.changeNanoseconds === ring.get(slot, "changeNanoseconds")
      && Number(BigInt.asIntN(32, status.changeSeconds)) === ring.get(slot, "changeLow");
  }
}
