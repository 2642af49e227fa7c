/** The old .lzma format (LZMA_Alone): 13 bytes of header, then one LZMA stream. */

import { byteAt, Damage, uint32le } from "../damage.ts";
import type { Emit } from "./index.ts";
import { LzmaDecoder, lzmaProperties } from "./lzma.ts";

const HEADER_LENGTH = 13;
const UNKNOWN_SIZE = 2 ** 64 - 1;

export function decodeLzmaAlone(input: Uint8Array, emit: Emit): number {
  const properties = lzmaProperties(byteAt(input, 0));
  const dictionarySize = uint32le(input, 1);
  const low = uint32le(input, 5);
  const high = uint32le(input, 9);
  const unknown = low === 0xffffffff && high === 0xffffffff;
  const size = unknown ? UNKNOWN_SIZE : low + high * 2 ** 32;
  const decoder = new LzmaDecoder(dictionarySize, emit);
  decoder.resetState(properties);
  decoder.startRange(input, HEADER_LENGTH);
  const marked = decoder.decode(size);
  if (marked !== unknown) throw new Damage("its end is not where it states");
  if (!decoder.isFinished) throw new Damage("the compressed data is broken");
  decoder.flush();
  return decoder.position;
}
