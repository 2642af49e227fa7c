/** gzip (RFC 1952), one member: the header and the checks by hand, the deflate stream by zlib, which tells where it ends. */

import { crc32, createInflateRaw } from "node:zlib";
import { byteAt, Damage, uint16le, uint32le } from "../damage.ts";
import type { Emit } from "./index.ts";

const FLAG = { headerCrc: 2, extra: 4, name: 8, comment: 16 } as const;
const DEFLATE = 8;
/** What zlib is given at a time: small enough that a limit on the output is noticed soon. */
const PIECE = 1 << 16;

/** The position after the member's header. */
function skipHeader(bytes: Uint8Array): number {
  if (byteAt(bytes, 2) !== DEFLATE) throw new Damage("the method is not deflate");
  const flags = byteAt(bytes, 3);
  let at = 10;
  if (flags & FLAG.extra) at += 2 + uint16le(bytes, at);
  for (const text of [FLAG.name, FLAG.comment]) {
    if (!(flags & text)) continue;
    const end = bytes.indexOf(0, at);
    if (end < 0) throw new Damage("its header has no end");
    at = end + 1;
  }
  if (flags & FLAG.headerCrc) at += 2;
  if (at >= bytes.length) throw new Damage("it ends in its header");
  return at;
}

export async function decodeGzip(input: Uint8Array, emit: Emit): Promise<number> {
  const start = skipHeader(input);
  let check = 0;
  let size = 0;
  const inflate = createInflateRaw();
  const consumed = await new Promise<number>((resolve, reject) => {
    let ended = false;
    const finish = (): void => {
      ended = true;
      resolve(inflate.bytesWritten);
    };
    const fail = (error: unknown): void => {
      ended = true;
      inflate.destroy();
      reject(error instanceof Error && "code" in error ? new Damage("the compressed data is broken", { cause: error }) : error);
    };
    inflate.on("data", (piece: Buffer) => {
      if (ended) return;
      check = crc32(piece, check);
      size += piece.length;
      try {
        emit(piece);
      } catch (error) {
        fail(error);
      }
    });
    inflate.on("end", finish);
    inflate.on("error", fail);
    const feed = (at: number): void => {
      if (ended) return;
      if (at >= input.length) return void inflate.end();
      inflate.write(input.subarray(at, at + PIECE), (error) => {
        if (!error) setImmediate(feed, at + PIECE);
      });
    };
    feed(start);
  });
  const trailer = start + consumed;
  if (uint32le(input, trailer) !== check >>> 0) throw new Damage("its checksum is wrong");
  if (uint32le(input, trailer + 4) !== size % 2 ** 32) throw new Damage("its length is wrong");
  return trailer + 8;
}
