/**
 * The image file that the tools by their known names write. The C tools empty it before they have read their source, so that a mistake
 * in the source costs the old image, and writing over an image that is mounted changes the mounted one. Here:
 *
 * - the place is tried first (so that errors come in the C tools' order), and touched only when the image is ready;
 * - a file that is not there yet, or a regular one of a single name, is written beside its place and renamed over it: whole or not at
 *   all, with the permissions and the owner that were there;
 * - anything else that a script may have put there is written to as it is: a pipe, a device, a symbolic link's target (/dev/stdout),
 *   a file with more names, whose other names must see the change too, a file in a directory that takes no new ones.
 */

import { closeSync, fchmodSync, fchownSync, fstatSync, ftruncateSync, lstatSync, openSync, renameSync, type Stats, statSync, unlinkSync, writeSync } from "node:fs";

const hasCode = (error: unknown, ...codes: readonly string[]): boolean => error instanceof Error && "code" in error && typeof error.code === "string" && codes.includes(error.code);

/** Writes all of it. Somebody may have made the other end of a pipe, and so ours, non-blocking. */
export function writeWhole(descriptor: number, bytes: Uint8Array): void {
  for (let done = 0; done < bytes.length; ) {
    try {
      done += writeSync(descriptor, bytes, done, bytes.length - done);
    } catch (error) {
      if (!hasCode(error, "EAGAIN")) throw error;
      Bun.sleepSync(1);
    }
  }
}

export type Write = (bytes: Uint8Array) => void;

export class OutputFile {
  readonly #path: string;
  readonly #replace: Stats | "new" | undefined;

  /** Finds out whether the file can be written, as opening it would. @throws the system call's error */
  constructor(path: string) {
    this.#path = path;
    this.#replace = placeOf(path);
  }

  /** Gives `fill` what takes the bytes in their order. Nothing stays of them when it throws, as far as that can be helped. */
  write(fill: (write: Write) => void): void {
    const replace = this.#replace;
    if (replace === undefined) {
      this.#inPlace(fill);
      return;
    }
    const temporary = `${this.#path}.${process.pid}.new`;
    let descriptor: number;
    try {
      descriptor = openSync(temporary, "wx", 0o666);
    } catch (error) {
      if (!hasCode(error, "EACCES", "EPERM", "EROFS", "EEXIST", "ENAMETOOLONG")) throw error;
      this.#inPlace(fill);
      return;
    }
    try {
      try {
        fill((bytes) => writeWhole(descriptor, bytes));
        if (replace !== "new") keepOwner(descriptor, replace);
      } finally {
        closeSync(descriptor);
      }
      renameSync(temporary, this.#path);
    } catch (error) {
      unlinkSync(temporary);
      throw error;
    }
  }

  #inPlace(fill: (write: Write) => void): void {
    const descriptor = openSync(this.#path, "w", 0o666);
    try {
      fill((bytes) => writeWhole(descriptor, bytes));
    } catch (error) {
      // half an image is no image
      if (fstatSync(descriptor).isFile()) ftruncateSync(descriptor, 0);
      throw error;
    } finally {
      closeSync(descriptor);
    }
  }
}

function keepOwner(descriptor: number, before: Stats): void {
  try {
    fchownSync(descriptor, before.uid, before.gid);
  } catch (error) {
    // another user's file that we may write to: it becomes ours
    if (!hasCode(error, "EPERM")) throw error;
  }
  fchmodSync(descriptor, before.mode & 0o7777);
}

/** @returns what is to be replaced by renaming; undefined: to be written to in its place */
function placeOf(path: string): Stats | "new" | undefined {
  let status: Stats;
  try {
    status = lstatSync(path);
  } catch (error) {
    if (!hasCode(error, "ENOENT")) throw error;
    // made and removed again: whatever keeps it from being made is to be told now
    const descriptor = openSync(path, "wx", 0o666);
    closeSync(descriptor);
    unlinkSync(path);
    return "new";
  }
  const behind = status.isSymbolicLink() ? statSync(path, { throwIfNoEntry: false }) : status;
  // not opened ahead of time: a pipe's reader would see its end
  if (behind !== undefined && !behind.isFile() && !behind.isDirectory()) return undefined;
  closeSync(openSync(path, "a"));
  return status.isFile() && status.nlink === 1 ? status : undefined;
}
