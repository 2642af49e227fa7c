/**
 * The compressions that the kernel unpacks an initramfs from, each as one function that takes a stream's bytes and says
 * where the stream ended. The table is the kernel's (lib/decompress.c), found by the same first two bytes.
 *
 * Where a decoder comes from: gzip and zstd are the runtime's own. bzip2 is a library (seek-bzip). The registry has no kept
 * library that decodes LZMA with a limit on what it allocates, xz with the kernel's filters, the old lz4 frame, or lzop, without
 * native code; those are written here after their specifications, and tested against the original tools.
 */

import { Damage } from "../damage.ts";

export type CompressionName = "gzip" | "bzip2" | "lzma" | "xz" | "lzo" | "lz4" | "zstd";

/** Takes a piece of output; the piece is only valid during the call. */
export type Emit = (piece: Uint8Array) => void;

/**
 * Decodes the one stream that begins at the first byte of `input`; what follows it is not looked at.
 * @returns how many bytes of `input` the stream takes
 * @throws Damage
 */
export type Decode = (input: Uint8Array, emit: Emit) => number | Promise<number>;

interface Compression {
  readonly name: CompressionName;
  readonly magic: readonly [number, number];
  load(): Promise<Decode>;
}

const TABLE: readonly Compression[] = [
  { name: "gzip", magic: [0x1f, 0x8b], load: async () => (await import("./gzip.ts")).decodeGzip },
  { name: "gzip", magic: [0x1f, 0x9e], load: async () => (await import("./gzip.ts")).decodeGzip },
  { name: "bzip2", magic: [0x42, 0x5a], load: async () => (await import("./bzip2.ts")).decodeBzip2 },
  { name: "lzma", magic: [0x5d, 0x00], load: async () => (await import("./lzma-alone.ts")).decodeLzmaAlone },
  { name: "xz", magic: [0xfd, 0x37], load: async () => (await import("./xz.ts")).decodeXz },
  { name: "lzo", magic: [0x89, 0x4c], load: async () => (await import("./lzo.ts")).decodeLzop },
  { name: "lz4", magic: [0x02, 0x21], load: async () => (await import("./lz4.ts")).decodeLz4Legacy },
  { name: "zstd", magic: [0x28, 0xb5], load: async () => (await import("./zstd.ts")).decodeZstd },
];

const find = (bytes: Uint8Array): Compression | undefined => TABLE.find(({ magic }) => bytes[0] === magic[0] && bytes[1] === magic[1]);

/** Which compression the bytes begin with, by the kernel's own two-byte test. */
export function compressionOf(bytes: Uint8Array): CompressionName | undefined {
  return find(bytes)?.name;
}

/** @returns how many bytes the stream took. @throws Damage */
export async function decompress(input: Uint8Array, emit: Emit): Promise<number> {
  const compression = find(input);
  if (compression === undefined) throw new Damage("it is not compressed in a way that the kernel knows");
  const decode = await compression.load();
  try {
    return await decode(input, emit);
  } catch (error) {
    if (error instanceof Damage) throw new Damage(`${compression.name}: ${error.message}`, { cause: error });
    throw error;
  }
}
