/**
 * Zstandard (RFC 8878), one frame. The runtime decodes it; where it ends is found by walking its block headers, because the
 * runtime's decoder takes neither a frame with something behind it nor says what it has used.
 */

import { byteAt, Damage, slice, uint16le, uint32le } from "../damage.ts";
import type { Emit } from "./index.ts";

const MAGIC = 0xfd2fb528;
const BLOCK = { raw: 0, rle: 1, compressed: 2, reserved: 3 } as const;
/** Bytes of the dictionary id by the header's two bits; of the content size likewise (0 depends on another bit). */
const DICTIONARY_ID = [0, 1, 2, 4] as const;
const CONTENT_SIZE = [0, 2, 4, 8] as const;
const PIECE = 1 << 20;

/** The length of the frame at the start of `bytes`. */
export function zstdFrameLength(bytes: Uint8Array): number {
  if (uint32le(bytes, 0) !== MAGIC) throw new Damage("it is no zstd frame");
  const descriptor = byteAt(bytes, 4);
  const singleSegment = (descriptor & 0x20) !== 0;
  const sizeBits = descriptor >> 6;
  let at = 5 + (singleSegment ? 0 : 1) + (DICTIONARY_ID[descriptor & 3] ?? 0) + (sizeBits === 0 && singleSegment ? 1 : (CONTENT_SIZE[sizeBits] ?? 0));
  for (let last = false; !last; ) {
    const header = uint16le(bytes, at) | (byteAt(bytes, at + 2) << 16);
    last = (header & 1) !== 0;
    const type = (header >> 1) & 3;
    if (type === BLOCK.reserved) throw new Damage("a block is of a reserved type");
    at += 3 + (type === BLOCK.rle ? 1 : header >> 3);
  }
  if (descriptor & 4) at += 4;
  if (at > bytes.length) throw new Damage("it ends in the middle");
  return at;
}

export async function decodeZstd(input: Uint8Array, emit: Emit): Promise<number> {
  const length = zstdFrameLength(input);
  const frame = slice(input, 0, length);
  const stream = new DecompressionStream("zstd");
  const writer = stream.writable.getWriter();
  const reader = stream.readable.getReader();
  const feed = async (): Promise<void> => {
    // a copy, because the stream wants memory that nobody else shares
    for (let at = 0; at < length; at += PIECE) await writer.write(new Uint8Array(frame.subarray(at, at + PIECE)));
    await writer.close();
  };
  let stop: unknown;
  const drain = async (): Promise<void> => {
    for (;;) {
      const { done, value } = await reader.read();
      if (done) return;
      try {
        emit(value);
      } catch (error) {
        stop = error;
        throw error;
      }
    }
  };
  const fed = feed();
  try {
    await drain();
    await fed;
  } catch (error) {
    // Whichever side failed first has the reason; the other one must not be left with a rejection that nobody takes.
    fed.catch(() => undefined);
    await Promise.allSettled([reader.cancel(), writer.abort()]);
    if (stop !== undefined) throw stop;
    throw new Damage("the compressed data is broken", { cause: error });
  }
  return length;
}
