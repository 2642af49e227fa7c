/** bzip2, one stream, by the library seek-bzip, which reads and writes byte by byte and so tells where the stream ends. */

import Bunzip from "seek-bzip";
import { byteAt, Damage, slice } from "../damage.ts";
import type { Emit } from "./index.ts";

const PIECE = 1 << 16;

export function decodeBzip2(input: Uint8Array, emit: Emit): number {
  let at = 0;
  let filled = 0;
  const piece = new Uint8Array(PIECE);
  let stopped: unknown;
  const flush = (): void => {
    try {
      emit(piece.subarray(0, filled));
    } catch (error) {
      stopped = error;
      throw error;
    }
    filled = 0;
  };
  try {
    Bunzip.decode(
      {
        // Throws at the end, because the library takes what it gets there for data, and goes on for ever.
        readByte: () => byteAt(input, at++),
        read(buffer, offset, length) {
          buffer.set(slice(input, at, at + length), offset);
          at += length;
          return length;
        },
      },
      {
        writeByte: (byte) => {
          piece[filled++] = byte;
          if (filled === PIECE) flush();
        },
      },
    );
  } catch (error) {
    if (error instanceof Damage || error === stopped) throw error;
    // All that the library throws is about the data: its own errors, and a RangeError for lengths beyond an array's.
    throw new Damage("the compressed data is broken", { cause: error });
  }
  flush();
  return at;
}
