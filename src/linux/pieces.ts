/** A file of any size, in pieces. */

import type { Descriptor } from "./descriptor.ts";
import { readInto } from "./files.ts";

/** Bytes. */
export const PIECE = 1 << 20;

/**
 * Reads a file from its position to its end.
 * @param buffer every piece is a view of it until the next; whoever reads many files keeps one @throws SyscallError
 */
export function* pieces(file: Descriptor, buffer: Uint8Array = new Uint8Array(PIECE)): Generator<Uint8Array> {
  for (let got = buffer.length; got === buffer.length; ) {
    got = readInto(file, buffer);
    if (got > 0) yield buffer.subarray(0, got);
  }
}
