/** An owned file descriptor: closed exactly once, at the end of the `using` block that holds it. */

import { rawSyscall } from "./syscall.ts";

export class Descriptor implements Disposable {
  #fd: number;
  /** What it was opened as, for messages. */
  readonly label: string;

  constructor(fd: number, label: string) {
    this.#fd = fd;
    this.label = label;
  }

  /** The number; throws once closed, so that a reused number is never acted on. */
  get fd(): number {
    if (this.#fd < 0) throw new Error(`descriptor of ${this.label} used after it was closed`);
    return this.#fd;
  }

  /** A path that names the open file itself, whatever its directory entry says now. Needs /proc. */
  get path(): string {
    return `/proc/self/fd/${this.fd}`;
  }

  /** Hands ownership over: the caller closes from now on. */
  take(): Descriptor {
    const moved = new Descriptor(this.fd, this.label);
    this.#fd = -1;
    return moved;
  }

  close(): void {
    if (this.#fd < 0) return;
    rawSyscall("close", this.#fd);
    this.#fd = -1;
  }

  [Symbol.dispose](): void {
    this.close();
  }
}
