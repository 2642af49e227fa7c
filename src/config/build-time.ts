/**
 * The file by which the dracut module tells the boot what `not-before = "build"` is: beside the configuration in the initramfs, one
 * line, a point in time as `date -u +%Y-%m-%dT%H:%M:%SZ` writes it. It is made by a program for a program, so nothing else is
 * understood, and what is not understood stops the boot.
 */

import { SealrootError } from "../errors/index.ts";
import { EARLIEST_BUILD, formatTime, parseTime } from "./time.ts";

const FORM = /^(\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ)\n$/;

/** Where the file of a configuration is. */
export const buildTimePath = (config: string): string => `${config.slice(0, config.lastIndexOf("/") + 1)}setup-root-not-before`;

/** @returns Unix seconds @throws SealrootError SR-E246 */
export function parseBuildTime(bytes: Uint8Array, path: string): number {
  const text = bytes.length > 64 ? "" : new TextDecoder("latin1").decode(bytes);
  const [, time] = FORM.exec(text) ?? [];
  const seconds = time === undefined ? undefined : parseTime(time);
  // a floor of 1970 lets everything pass, without a word
  if (seconds !== undefined && seconds >= EARLIEST_BUILD) return seconds;
  const expected = `one line such as 2026-11-01T00:00:00Z, not before ${formatTime(EARLIEST_BUILD)}`;
  throw new SealrootError("SR-E246", { details: [["file", path], ["expected", expected], ["found", bytes.length > 64 ? `${bytes.length} bytes` : JSON.stringify(text)]] });
}
