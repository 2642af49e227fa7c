/**
 * cpio archives in the form that the kernel unpacks (init/initramfs.c, Documentation/driver-api/early-userspace/buffer-format.rst):
 * "newc" and "crc" entries, of which it takes pieces as they are decompressed and builds a tree. Content is kept only where
 * somebody asked for it.
 */

import { Damage } from "./damage.ts";
import { type Inode, makeInode, type Tree } from "./tree.ts";

const HEADER_LENGTH = 110;
const MAGIC = ["070701", "070702"] as const;
const TRAILER = "TRAILER!!!";
/** PATH_MAX: the kernel takes no longer names and no longer link targets. */
const LONGEST_NAME = 4096;
/** An initramfs has some thousands. */
const MOST_ENTRIES = 1_000_000;
const TYPE = { mask: 0o170000, directory: 0o040000, file: 0o100000, symlink: 0o120000 } as const;
const ASCII_ZERO = 0x30;

/** How many bytes of a file's content to keep. */
export type Keep = (path: string, size: number, mode: number) => number;

interface Header {
  readonly ino: number;
  readonly mode: number;
  readonly links: number;
  readonly size: number;
  readonly device: string;
  readonly nameLength: number;
  /** Sum of the content's bytes, in archives of the "crc" form. */
  readonly sum: number | undefined;
}

const align = (length: number): number => (length + 3) & ~3;
/** Bytes as text one to one, so that names are compared byte by byte. */
const latin1 = (bytes: Uint8Array): string => Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength).toString("latin1");

export class CpioReader {
  readonly #tree: Tree;
  readonly #keep: Keep;
  entries = 0;
  /** Archives that came to their end. */
  archives = 0;

  /** Collects what must be seen in one piece: a header, a name, a link's target. */
  #pending: Uint8Array = new Uint8Array(HEADER_LENGTH);
  #filled = 0;
  #step: "between" | "header" | "name" | "content" | "target" | "padding" = "between";
  #header: Header | undefined;
  #path = "";
  #left = 0;
  #inode: Inode | undefined;
  /** Offset of the content piece that comes next. */
  #offset = 0;
  #sum = 0;
  #hardLinks = new Map<string, Inode>();

  constructor(tree: Tree, keep: Keep) {
    this.#tree = tree;
    this.#keep = keep;
  }

  /** Whether everything up to here was whole archives. */
  get isComplete(): boolean {
    return this.#step === "between";
  }

  /**
   * Takes the next piece. Between archives it stops at the first byte that is neither padding nor the begin of another one.
   * @returns how many bytes were taken
   * @throws Damage
   */
  push(bytes: Uint8Array): number {
    let at = 0;
    while (at < bytes.length) {
      switch (this.#step) {
        case "between":
          if (bytes[at] === 0) at++;
          else if (bytes[at] === ASCII_ZERO) this.#collect("header", HEADER_LENGTH);
          else return at;
          break;
        case "header":
        case "name":
        case "target": {
          const piece = bytes.subarray(at, at + this.#pending.length - this.#filled);
          this.#pending.set(piece, this.#filled);
          this.#filled += piece.length;
          at += piece.length;
          if (this.#filled === this.#pending.length) this.#collected();
          break;
        }
        case "content": {
          const piece = bytes.subarray(at, at + this.#left);
          const kept = this.#inode?.data;
          if (kept !== undefined && this.#offset < kept.length) kept.set(piece.subarray(0, kept.length - this.#offset), this.#offset);
          if (this.#header?.sum !== undefined) this.#sum = piece.reduce((sum, byte) => (sum + byte) >>> 0, this.#sum);
          this.#offset += piece.length;
          this.#left -= piece.length;
          at += piece.length;
          if (this.#left === 0) this.#endContent();
          break;
        }
        case "padding": {
          const skipped = Math.min(this.#left, bytes.length - at);
          this.#left -= skipped;
          at += skipped;
          if (this.#left === 0) this.#collect("header", HEADER_LENGTH);
          break;
        }
      }
    }
    return at;
  }

  #collect(step: "header" | "name" | "target", length: number): void {
    this.#step = step;
    this.#pending = new Uint8Array(length);
    this.#filled = 0;
  }

  #endContent(): void {
    const { sum, size } = this.#header ?? { sum: undefined, size: 0 };
    if (sum !== undefined && this.#inode?.kind === "file" && sum !== this.#sum) throw new Damage(`the checksum of ${this.#path} is wrong`);
    this.#pad(size);
  }

  #pad(length: number): void {
    this.#left = align(length) - length;
    if (this.#left === 0) this.#collect("header", HEADER_LENGTH);
    else this.#step = "padding";
  }

  #collected(): void {
    const bytes = this.#pending;
    if (this.#step === "header") {
      this.#header = readHeader(latin1(bytes));
      // the name and its padding: the header is not a multiple of four
      this.#collect("name", align(HEADER_LENGTH + this.#header.nameLength) - HEADER_LENGTH);
    } else if (this.#step === "name") {
      this.#begin(bytes);
    } else {
      // A target has no NUL, other than what a builder may have put at its end.
      const target = latin1(bytes.subarray(0, this.#header?.size ?? 0));
      this.#place(makeInode("symlink", 0o777, target.split("\0", 1)[0] ?? ""));
      this.#collect("header", HEADER_LENGTH);
    }
  }

  #begin(nameBytes: Uint8Array): void {
    const header = this.#header;
    if (header === undefined) return;
    const name = nameBytes.subarray(0, header.nameLength);
    if (name.at(-1) !== 0) throw new Damage("a name in the archive does not end where it should");
    // Some builders fill a name with NULs up to where its content is to begin.
    this.#path = latin1(name.subarray(0, name.indexOf(0)));
    if (this.#path === TRAILER) {
      this.archives++;
      this.#hardLinks.clear();
      this.#step = "between";
      return;
    }
    if (++this.entries > MOST_ENTRIES) throw new Damage(`it has more than ${MOST_ENTRIES} entries`);
    const type = header.mode & TYPE.mask;
    this.#inode = undefined;
    this.#offset = 0;
    this.#sum = 0;
    this.#left = header.size;
    if (type === TYPE.symlink && header.size > 0) {
      if (header.size > LONGEST_NAME) throw new Damage("a symbolic link in the archive is longer than a path can be");
      this.#collect("target", align(header.size));
      return;
    }
    if (type === TYPE.directory) this.#place(makeInode("directory", header.mode & 0o7777));
    else if (type === TYPE.file) this.#inode = this.#openFile(header);
    else this.#place(makeInode("other", header.mode & 0o7777));
    // Whatever it is, the kernel skips content that nothing takes.
    if (header.size === 0) this.#collect("header", HEADER_LENGTH);
    else this.#step = "content";
  }

  #place(inode: Inode): void {
    this.#tree.put(this.#path, inode);
  }

  /** A file to write into. Of several names with one number the kernel makes hard links; the content comes with the last. */
  #openFile(header: Header): Inode {
    const key = header.links > 1 ? `${header.device}:${header.ino}` : undefined;
    const linked = key === undefined ? undefined : this.#hardLinks.get(key);
    const inode = linked ?? makeInode("file", header.mode & 0o7777);
    if (key !== undefined && linked === undefined) this.#hardLinks.set(key, inode);
    inode.mode = header.mode & 0o7777;
    if (header.size > 0 || linked === undefined) {
      inode.size = header.size;
      const keep = Math.min(header.size, Math.max(0, this.#keep(this.#path, header.size, header.mode)));
      inode.data = keep > 0 || header.size === 0 ? new Uint8Array(keep) : undefined;
    }
    this.#place(inode);
    return inode;
  }
}

function readHeader(text: string): Header {
  if (!MAGIC.some((magic) => text.startsWith(magic))) {
    throw new Damage(text.startsWith("070707") ? "its archive is of the old cpio format; the kernel takes newc only" : "its archive is broken: an entry does not begin with 070701");
  }
  if (!/^[0-9a-fA-F]{104}$/.test(text.slice(6))) throw new Damage("its archive is broken: an entry's header is not hexadecimal");
  const field = (index: number): number => Number.parseInt(text.slice(6 + index * 8, 14 + index * 8), 16);
  const nameLength = field(11);
  if (nameLength === 0 || nameLength > LONGEST_NAME) throw new Damage("a name in the archive is empty, or longer than a path can be");
  const sum = text.startsWith(MAGIC[1]) ? field(12) : undefined;
  return { ino: field(0), mode: field(1), links: field(4), size: field(6), device: `${field(7)}:${field(8)}`, nameLength, sum };
}
