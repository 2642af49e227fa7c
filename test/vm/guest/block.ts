/** Filesystems that can be put back to any earlier state: their device is a file in memory. And one whose writes are recorded. */

import { closeSync, ftruncateSync, openSync, readFileSync, readSync, statSync, writeSync } from "node:fs";
import { mount, request, unmount } from "./system.ts";

const CHUNK = 65536;

/** The content of a disk. Zeros take no memory. */
export class Content {
  readonly size: number;
  readonly #chunks = new Map<number, Uint8Array>();

  constructor(size: number) {
    this.size = size;
  }

  static of(path: string, size = statSync(path).size): Content {
    const content = new Content(size);
    const file = openSync(path, "r");
    const buffer = new Uint8Array(CHUNK);
    for (let at = 0; at < size; at += CHUNK) {
      const count = readSync(file, buffer, 0, Math.min(CHUNK, size - at), at);
      if (!isZero(buffer.subarray(0, count))) content.#chunks.set(at / CHUNK, buffer.slice());
    }
    closeSync(file);
    return content;
  }

  copy(): Content {
    const copy = new Content(this.size);
    for (const [index, bytes] of this.#chunks) copy.#chunks.set(index, bytes.slice());
    return copy;
  }

  put(offset: number, bytes: Uint8Array): void {
    for (let done = 0; done < bytes.length; ) {
      const at = offset + done;
      const index = Math.floor(at / CHUNK);
      const within = at % CHUNK;
      const count = Math.min(CHUNK - within, bytes.length - done);
      let chunk = this.#chunks.get(index);
      if (chunk === undefined) this.#chunks.set(index, (chunk = new Uint8Array(CHUNK)));
      chunk.set(bytes.subarray(done, done + count), within);
      done += count;
    }
  }

  /** The offset of some bytes that are there, within 64 KiB of their own. @throws Error when they are nowhere */
  find(bytes: Uint8Array): number {
    for (const [index, chunk] of this.#chunks) {
      const at = Buffer.from(chunk.buffer).indexOf(bytes);
      if (at >= 0) return index * CHUNK + at;
    }
    throw new Error("these bytes are not on the disk");
  }

  writeTo(path: string): void {
    const file = openSync(path, "r+");
    ftruncateSync(file, 0);
    ftruncateSync(file, this.size);
    for (const [index, bytes] of this.#chunks) writeSync(file, bytes, 0, Math.min(CHUNK, this.size - index * CHUNK), index * CHUNK);
    closeSync(file);
  }
}

const zeros = new Uint8Array(CHUNK);
const isZero = (bytes: Uint8Array): boolean => Buffer.compare(bytes, zeros.subarray(0, bytes.length)) === 0;

const LOOP_CONFIGURE = 0x4c0a;
const LOOP_CLR_FD = 0x4c01;

/** A loop device on a file of this size. */
export class Loop {
  readonly device: string;
  readonly file: string;

  constructor(number: number, size: number) {
    this.device = `/dev/loop${number}`;
    this.file = `/run/loop${number}`;
    new Content(size).writeTo(created(this.file));
    const file = openSync(this.file, "r+");
    const config = new Uint8Array(304);
    new DataView(config.buffer).setUint32(0, file, true);
    // a device that is opened for reading only becomes a read-only one
    const done = request(this.device, "r+", LOOP_CONFIGURE, config);
    closeSync(file);
    if (done < 0) throw new Error(`${this.device}: errno ${-done}`);
  }

  detach(): void {
    request(this.device, "r", LOOP_CLR_FD, null);
  }
}

function created(path: string): string {
  closeSync(openSync(path, "w"));
  return path;
}

export interface Filesystem {
  readonly type: string;
  readonly options: string;
}

/** Does something on a filesystem whose disk has this content. */
export function on<T>(loop: Loop, content: Content, { type, options }: Filesystem, top: string, work: () => T): T {
  content.writeTo(loop.file);
  mount(loop.device, top, type, options);
  try {
    return work();
  } finally {
    unmount(top);
  }
}

export const contentOf = (loop: Loop): Content => Content.of(loop.file);

const DM = { create: 3, remove: 4, suspend: 6, load: 9, message: 14 } as const;
const HEADER = 312;

/** One request to the device mapper (linux/dm-ioctl.h). @param payload what follows the header */
function deviceMapper(name: string, command: keyof typeof DM, payload: Uint8Array = new Uint8Array(), targets = 0): void {
  const bytes = new Uint8Array(HEADER + payload.length + 8);
  const view = new DataView(bytes.buffer);
  [4, 0, 0, bytes.length, HEADER, targets].forEach((value, index) => view.setUint32(index * 4, value, true));
  bytes.set(new TextEncoder().encode(name), 48);
  bytes.set(payload, HEADER);
  const done = request("/dev/mapper/control", "r+", (0xc0000000 | (HEADER << 16) | (0xfd << 8) | DM[command]) >>> 0, bytes);
  if (done < 0) throw new Error(`device mapper, ${command}: errno ${-done}`);
}

function target(sectors: number, type: string, parameters: string): Uint8Array {
  const bytes = new Uint8Array(40 + Math.ceil((parameters.length + 1) / 8) * 8);
  const view = new DataView(bytes.buffer);
  view.setBigUint64(8, BigInt(sectors), true);
  bytes.set(new TextEncoder().encode(type), 24);
  bytes.set(new TextEncoder().encode(parameters), 40);
  return bytes;
}

const SECTOR = 512;
const FLAGS = { flush: 1, fua: 2, discard: 4, mark: 8 } as const;

export interface Written {
  readonly offset: number;
  readonly bytes: Uint8Array;
  /** Everything before it, and it too, is on the disk for good. */
  readonly lasting: boolean;
  readonly mark: string | undefined;
}

/**
 * A device that records what is written to it in the order in which it becomes lasting: a write is recorded when a flush comes after it,
 * or when it asked for that itself. What no flush was asked for is not in the record, as a disk's own cache loses it.
 * Source: Linux Documentation/admin-guide/device-mapper/log-writes.rst.
 */
export class Recorded {
  readonly device = "/dev/dm-0";
  readonly #log: Loop;

  constructor(loop: Loop, log: Loop, size: number) {
    this.#log = log;
    deviceMapper("recorded", "create");
    deviceMapper("recorded", "load", target(size / SECTOR, "log-writes", `${loop.device} ${log.device}`), 1);
    deviceMapper("recorded", "suspend");
  }

  /** Puts a word into the record. */
  mark(text: string): void {
    // the device mapper takes a message apart at spaces
    deviceMapper("recorded", "message", new Uint8Array([0, 0, 0, 0, 0, 0, 0, 0, ...new TextEncoder().encode(`mark ${text.replaceAll(" ", "_")}\0`)]));
  }

  /** Takes the device away. @returns what was written */
  finish(): Written[] {
    deviceMapper("recorded", "remove");
    const log = readFileSync(this.#log.file);
    const word = (at: number): number => Number(log.readBigUInt64LE(at));
    const count = word(16);
    const found: Written[] = [];
    for (let number = 0, at = SECTOR; number < count; number++) {
      const [sector, sectors, flags, length] = [word(at), word(at + 8), word(at + 16), word(at + 24)];
      const mark = (flags & FLAGS.mark) === 0 ? undefined : log.toString("utf8", at + 32, at + 32 + length).replace(/\0.*/s, "").replaceAll("_", " ");
      at += SECTOR;
      const hasData = (flags & (FLAGS.discard | FLAGS.mark)) === 0;
      const bytes = hasData ? new Uint8Array(log.subarray(at, at + sectors * SECTOR)) : (flags & FLAGS.discard) === 0 ? new Uint8Array() : new Uint8Array(sectors * SECTOR);
      if (hasData) at += sectors * SECTOR;
      found.push({ offset: sector * SECTOR, bytes, lasting: (flags & (FLAGS.flush | FLAGS.fua)) !== 0, mark });
    }
    return found;
  }
}
