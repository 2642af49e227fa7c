/**
 * Standard output and error, written by system call: the runtime's own streams take several milliseconds to load, which the boot
 * would pay for one line.
 */

import { SealrootError } from "../errors/index.ts";
import { ERRNO, isTerminal, SyscallError, writeAll } from "../linux/index.ts";
import { type Style, styleFor } from "../terminal/index.ts";

const encoder = new TextEncoder();

/** Why something that was to be printed was not. */
let lost: SyscallError | undefined;

/** A closed descriptor, a full disk or a reader that went away must not change what the program does: the root may be mounted by now. */
function write(fd: number, label: string, text: string): void {
  try {
    writeAll({ fd, label }, encoder.encode(text));
  } catch (error) {
    if (!(error instanceof SyscallError)) throw error;
    if (fd === 1) lost ??= error;
  }
}

/**
 * What was done is done; but somebody, or a program, waits for what was to be printed, and would take half of it for the whole.
 * A reader that went away has read what it wanted.
 * @throws SealrootError SR-E617
 */
export function requireOutput(): void {
  if (lost !== undefined && lost.errno !== ERRNO.EPIPE) throw new SealrootError("SR-E617", { cause: lost });
}

export const print = (text: string): void => write(1, "standard output", text);
export const printError = (text: string): void => write(2, "standard error", text);
export const printJson = (value: unknown): void => print(`${JSON.stringify(value, null, 2)}\n`);

export const outputStyle = (): Style => styleFor(isTerminal(1));
export const errorStyle = (): Style => styleFor(isTerminal(2));
