import { describe, expect, test } from "bun:test";
import fc from "fast-check";
import { gzipSync, zstdCompressSync } from "node:zlib";
import { compressionOf, decompress } from "../../../src/initramfs/compression/index.ts";
import { Damage } from "../../../src/initramfs/damage.ts";
import { join } from "./build.ts";
import { GOLDEN } from "./golden.ts";
import { sample } from "./sample.ts";

const DATA = sample();

interface Output {
  readonly bytes: Uint8Array;
  readonly consumed: number;
}

async function decode(input: Uint8Array, limit = Number.POSITIVE_INFINITY): Promise<Output> {
  const pieces: Uint8Array[] = [];
  let length = 0;
  const consumed = await decompress(input, (piece) => {
    length += piece.length;
    if (length > limit) throw new Damage("limit");
    pieces.push(piece.slice());
  });
  return { bytes: join(...pieces), consumed };
}

const golden = GOLDEN.map(({ name, command, base64 }) => ({ name, command, stream: Uint8Array.from(Buffer.from(base64, "base64")) }));
const corpus = [
  ...golden,
  { name: "gzip", command: "zlib, with a name and a comment", stream: gzipWithEverything(DATA) },
  { name: "zstd", command: "zstd, without checksum", stream: Uint8Array.from(zstdCompressSync(DATA)) },
] as const;

/** A gzip header with every optional field. */
function gzipWithEverything(data: Uint8Array): Uint8Array {
  const plain = Uint8Array.from(gzipSync(data));
  const extra = Uint8Array.of(3, 0, 1, 2, 3);
  const text = Uint8Array.from(Buffer.from("name\0comment\0"));
  const header = plain.slice(0, 10);
  header[3] = 2 | 4 | 8 | 16;
  return join(header, extra, text, Uint8Array.of(0, 0), plain.subarray(10));
}

describe.each(corpus.map((one) => [one.command, one] as const))("%s", (_, { name, stream }) => {
  test("is known by its first bytes", () => {
    expect(compressionOf(stream)).toBe(name);
  });

  test("gives the data back and ends where it ends, whatever follows", async () => {
    for (const rest of [new Uint8Array(0), new Uint8Array(9), Uint8Array.from(Buffer.from("070701 and more")), stream]) {
      const { bytes, consumed } = await decode(join(stream, rest));
      expect(consumed).toBe(stream.length);
      expect(Buffer.compare(bytes, DATA)).toBe(0);
    }
  });

  test("cut short anywhere it is damaged", async () => {
    // lz4's old frame has no end mark: a file that is cut between two blocks is a whole one
    const lengths = new Set([2, 3, 5, 9, 12, 20, 64, stream.length - 1, stream.length - 2, stream.length - 5, stream.length >> 1]);
    for (const length of lengths) {
      const outcome = await decode(stream.subarray(0, length)).catch((error: unknown) => error);
      if (name === "lz4" && length < 8) continue;
      expect(outcome).toBeInstanceOf(Damage);
    }
  });

  test("stops when the taker has had enough", async () => {
    await expect(decode(stream, 10)).rejects.toThrow("limit");
  });
});

/** Nothing but a value or Damage, and never more than a stream of this length can hold. */
async function expectTotal(input: Uint8Array): Promise<void> {
  try {
    await decode(input, 1 << 24);
  } catch (error) {
    if (!(error instanceof Damage)) throw error;
  }
}

describe("hostile streams", () => {
  test("a changed stream is decoded or damaged", async () => {
    const change = fc.record({ which: fc.nat(corpus.length - 1), at: fc.nat(), byte: fc.nat(255), cut: fc.option(fc.nat(), { freq: 4 }) });
    await fc.assert(
      fc.asyncProperty(fc.array(change, { minLength: 1, maxLength: 4 }), async (changes) => {
        const source = corpus[changes[0]?.which ?? 0]?.stream ?? new Uint8Array(2);
        const stream = source.slice();
        for (const { at, byte } of changes) stream[at % stream.length] = byte;
        const cut = changes[0]?.cut;
        await expectTotal(cut === null || cut === undefined ? stream : stream.subarray(0, cut % stream.length));
      }),
      { numRuns: 400 },
    );
  });

  test("any bytes behind a magic number", async () => {
    const magics = corpus.map(({ stream }) => stream.subarray(0, 2));
    await fc.assert(
      fc.asyncProperty(fc.nat(magics.length - 1), fc.uint8Array({ maxLength: 300 }), async (which, rest) => {
        await expectTotal(join(magics[which] ?? new Uint8Array(2), rest));
      }),
      { numRuns: 300 },
    );
  });

  test("a header's promises are not allocated", async () => {
    // .lzma: a dictionary of 4 GiB; xz -9 has one of 64 MiB
    await expect(decode(Uint8Array.of(0x5d, 0, 0xff, 0xff, 0xff, 0xff, ...new Uint8Array(20)))).rejects.toThrow("dictionary");
    // lzop: a block of 4 GiB
    const lzop = golden.find(({ name }) => name === "lzo")?.stream.slice() ?? new Uint8Array(0);
    lzop.fill(0xff, lzop.length - 4);
    await expect(decode(lzop)).rejects.toThrow(Damage);
  });

  test("a bomb stops at the limit", async () => {
    const bomb = Uint8Array.from(zstdCompressSync(new Uint8Array(64 << 20)));
    expect(bomb.length).toBeLessThan(20_000);
    await expect(decode(bomb, 1 << 20)).rejects.toThrow("limit");
    await expect(decode(Uint8Array.from(gzipSync(new Uint8Array(64 << 20))), 1 << 20)).rejects.toThrow("limit");
  });

  test("what the kernel does not know is named", async () => {
    await expect(decode(Uint8Array.from(Buffer.from("PK\x03\x04")))).rejects.toThrow("not compressed in a way that the kernel knows");
    // lz4's new frame, which lz4 makes by default
    await expect(decode(Uint8Array.of(0x02, 0x21, 0x4d, 0x18))).rejects.toThrow("lz4 -l");
  });
});
