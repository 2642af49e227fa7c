import { describe, expect, test } from "bun:test";
import fc from "fast-check";
import { Damage } from "../../../src/initramfs/damage.ts";
import { looksLikeInitramfs, skipZeros, unpack, type Unpacked } from "../../../src/initramfs/unpack.ts";
import { bytes, cpio, type Entry, gzip, join, withDirectories, zstd } from "./build.ts";
import { GOLDEN } from "./golden.ts";

const ALL = { keep: (_: string, size: number): number => size, limit: 1 << 24 };

const open = (image: Uint8Array): Promise<Unpacked> => unpack(image, ALL);
const text = ({ tree }: Unpacked, path: string): string | undefined => {
  const data = tree.file(path)?.inode.data;
  return data === undefined ? undefined : Buffer.from(data).toString("latin1");
};
const one = (path: string, data: string): Uint8Array => cpio(withDirectories([{ path, data }]));

test("zeros are passed over, in blocks and by the byte", () => {
  const image = new Uint8Array(300_000);
  for (const at of [0, 1, 65535, 65536, 65537, 131072, 299_999]) {
    const marked = image.with(at, 1);
    for (const from of [0, 1, 65535, 65536, at]) expect(skipZeros(marked, from)).toBe(from <= at ? at : image.length);
  }
  for (const from of [0, 65536, 299_999, 300_000]) expect(skipZeros(image, from)).toBe(300_000);
});

describe("archives one behind the other", () => {
  test("plain microcode, padding, compressed main, another compressed", async () => {
    const early = one("kernel/x86/microcode/GenuineIntel.bin", "ucode");
    const image = join(early, new Uint8Array(512 - (early.length % 512)), zstd(one("init", "main")), new Uint8Array(3), gzip(one("extra", "more")), new Uint8Array(100));
    const unpacked = await open(image);
    expect(unpacked.segments.map(({ compression, entries }) => [compression, entries])).toEqual([["none", 4], ["zstd", 1], ["gzip", 1]]);
    expect(unpacked.segments[1]?.offset).toBe(early.length + 512 - (early.length % 512));
    expect([text(unpacked, "/init"), text(unpacked, "/extra"), text(unpacked, "/kernel/x86/microcode/GenuineIntel.bin")]).toEqual(["main", "more", "ucode"]);
  });

  test("several archives in one stream, and two plain ones", async () => {
    const unpacked = await open(join(zstd(join(one("a", "1"), new Uint8Array(8), one("b", "2"))), new Uint8Array(4)));
    expect([text(unpacked, "a"), text(unpacked, "b")]).toEqual(["1", "2"]);
    const plain = await open(join(one("a", "1"), one("a", "2")));
    expect(text(plain, "a")).toBe("2");
  });

  test.each(GOLDEN.filter(({ command }) => !command.includes("none")).map((golden) => [golden.command, golden] as const))("%s holds no archive and is damaged", async (_, { base64 }) => {
    await expect(open(Uint8Array.from(Buffer.from(base64, "base64")))).rejects.toThrow("junk behind an archive");
  });

  test("the form with checksums", async () => {
    const image = cpio([{ path: "file", data: "content" }], true);
    expect(text(await open(image), "file")).toBe("content");
    const changed = image.slice();
    changed[changed.indexOf("c".charCodeAt(0), 110)] = 0x43;
    await expect(open(changed)).rejects.toThrow("checksum of file is wrong");
  });

  test.each([
    ["cut in the middle", one("a", "some content").subarray(0, 118), "ends in the middle"],
    ["without a trailer", one("a", "1").subarray(0, 116), "ends in the middle"],
    ["junk behind it", join(zstd(join(one("a", "1"), bytes("junk")))), "junk behind an archive"],
    ["junk between", join(one("a", "1"), bytes("junk")), "neither an archive nor compressed"],
    ["the old format", bytes(`070707${"0".repeat(120)}`), "old cpio format"],
    ["no hexadecimal", bytes(`070701${"x".repeat(120)}`), "not hexadecimal"],
    ["a name of no length", bytes(`070701${"0".repeat(104)}`), "empty, or longer"],
    ["a name without its NUL", bytes(`070701${"0".repeat(88)}00000004${"0".repeat(8)}abcdefgh`), "does not end where it should"],
    ["a name longer than a path", bytes(`070701${"0".repeat(88)}00002000${"0".repeat(8)}abcdefgh`), "empty, or longer"],
  ])("%s", async (_, image, message) => {
    await expect(open(image)).rejects.toThrow(message);
    await expect(open(image)).rejects.toBeInstanceOf(Damage);
  });

  test("more than the limit", async () => {
    const image = zstd(one("big", "x".repeat(100_000)));
    await expect(unpack(image, { ...ALL, limit: 50_000 })).rejects.toThrow("unpacks to more than 50000 bytes");
  });

  test("a size that is only claimed allocates nothing", async () => {
    const image = cpio([{ path: "huge", data: "1" }]);
    image.set(bytes("ffffffff"), 54);
    await expect(unpack(image, { ...ALL, keep: () => 64 })).rejects.toThrow("ends in the middle");
  });
});

describe("entries become what the kernel makes of them", () => {
  test("hard links share the content that comes with the last", async () => {
    const unpacked = await open(cpio([{ path: "a", ino: 7, links: 3 }, { path: "b", ino: 7, links: 3 }, { path: "c", ino: 7, links: 3, data: "shared", mode: 0o755 }]));
    expect(["a", "b", "c"].map((path) => text(unpacked, path))).toEqual(["shared", "shared", "shared"]);
    expect(unpacked.tree.find("a")?.inode.mode).toBe(0o755);
  });

  test("numbers of hard links hold for one archive only", async () => {
    const unpacked = await open(join(cpio([{ path: "a", ino: 7, links: 2, data: "1" }]), cpio([{ path: "b", ino: 7, links: 2, data: "2" }])));
    expect([text(unpacked, "a"), text(unpacked, "b")]).toEqual(["1", "2"]);
  });

  test("links to directories are followed on the way", async () => {
    const unpacked = await open(cpio([{ path: "usr", kind: "directory" }, { path: "usr/lib", kind: "directory" }, { path: "lib", kind: "symlink", data: "usr/lib" }, { path: "lib/x", data: "1" }]));
    expect(text(unpacked, "/usr/lib/x")).toBe("1");
    expect(unpacked.tree.find("/lib/x")?.path).toBe("/usr/lib/x");
  });

  test("absolute, relative and climbing links", async () => {
    const unpacked = await open(
      cpio([
        ...withDirectories([{ path: "usr/lib/systemd/unit", data: "unit" }]),
        { path: "absolute", kind: "symlink", data: "/usr/lib/systemd/unit" },
        { path: "usr/relative", kind: "symlink", data: "../usr/./lib//systemd/unit" },
        { path: "above", kind: "symlink", data: "../../../usr/lib/systemd/unit" },
        { path: "dangling", kind: "symlink", data: "/nowhere" },
      ]),
    );
    expect([text(unpacked, "absolute"), text(unpacked, "usr/relative"), text(unpacked, "above")]).toEqual(["unit", "unit", "unit"]);
    expect(unpacked.tree.find("dangling")).toBeUndefined();
    expect(unpacked.tree.findLink("dangling")?.inode.target).toBe("/nowhere");
  });

  test("loops of links end", async () => {
    const { tree } = await open(cpio([{ path: "a", kind: "symlink", data: "b" }, { path: "b", kind: "symlink", data: "a" }, { path: "self", kind: "symlink", data: "self/x" }]));
    expect([tree.find("a"), tree.find("self"), tree.find("a/b/c")]).toEqual([undefined, undefined, undefined]);
  });

  test("links that multiply are given up", async () => {
    const long = `${"a/../".repeat(800)}a`;
    const entries: Entry[] = [{ path: "a", kind: "directory" }, { path: "l", kind: "symlink", data: long }];
    for (let i = 0; i < 40; i++) entries.push({ path: `l${i}`, kind: "symlink", data: `${long}/../${i === 0 ? "l" : `l${i - 1}`}` });
    const many = Array.from({ length: 3000 }, (_, i): Entry => ({ path: `l38/f${i}`, data: "" }));
    await expect(open(cpio([...entries, ...many]))).rejects.toThrow("round and round");
  });

  test("what is written over: kinds replace each other, full directories stay", async () => {
    const unpacked = await open(
      cpio([
        { path: "file", data: "old" }, { path: "file", kind: "symlink", data: "elsewhere" },
        { path: "link", kind: "symlink", data: "/full/target" }, { path: "link", data: "new" },
        { path: "full", kind: "directory" }, { path: "full/target", data: "kept" }, { path: "full", data: "no" },
        { path: "node", kind: "device" },
      ]),
    );
    expect(unpacked.tree.findLink("file")?.inode.kind).toBe("symlink");
    expect(text(unpacked, "link")).toBe("new");
    expect(text(unpacked, "full/target")).toBe("kept");
    expect(unpacked.tree.find("node")?.inode.kind).toBe("other");
  });

  test("an entry without its directory is skipped", async () => {
    expect((await open(cpio([{ path: "no/where", data: "1" }]))).tree.find("no/where")).toBeUndefined();
  });

  test("names that are filled up with NULs", async () => {
    expect(text(await open(one("file\0\0\0", "aligned")), "file")).toBe("aligned");
  });
});

test("what does not look like one", () => {
  expect(looksLikeInitramfs(new Uint8Array(0))).toBe(false);
  expect(looksLikeInitramfs(new Uint8Array(5000))).toBe(false);
  expect(looksLikeInitramfs(bytes("#!/bin/sh\n"))).toBe(false);
  expect(looksLikeInitramfs(join(new Uint8Array(4), one("a", "1")))).toBe(true);
});

describe("properties", () => {
  const name = fc.stringMatching(/^[a-z0-9._-]{1,12}$/).filter((part) => part !== "." && part !== "..");
  const path = fc.array(name, { minLength: 1, maxLength: 5 }).map((parts) => parts.join("/"));
  const pack = fc.constantFrom<(data: Uint8Array) => Uint8Array>((data) => data, gzip, zstd);

  test("files come out as they went in", async () => {
    await fc.assert(
      fc.asyncProperty(fc.dictionary(path, fc.uint8Array({ maxLength: 200 })), pack, fc.boolean(), async (files, compress, crc) => {
        const paths = Object.keys(files).sort();
        // a path that is a directory of another is no file
        const whole = paths.filter((one) => !paths.some((other) => other.startsWith(`${one}/`)));
        const image = compress(cpio(withDirectories(whole.map((one) => ({ path: one, data: files[one] ?? "" }))), crc));
        const { tree } = await open(image);
        for (const one of whole) expect(Buffer.compare(tree.file(one)?.inode.data ?? bytes("missing"), files[one] ?? bytes(""))).toBe(0);
      }),
      { numRuns: 100 },
    );
  });

  test("hostile archives unpack or are damaged", async () => {
    const source = cpio([
      ...withDirectories([{ path: "usr/lib/systemd/system/x.service", data: "[Unit]\n" }, { path: "usr/bin/program", data: "ELF", mode: 0o755 }]),
      { path: "lib", kind: "symlink", data: "usr/lib" }, { path: "a", ino: 9, links: 2 }, { path: "b", ino: 9, links: 2, data: "linked" }, { path: "node", kind: "device" },
    ]);
    const hexDigit = fc.constantFrom(..."0123456789abcdef").map((digit) => digit.charCodeAt(0));
    const change = fc.record({ at: fc.nat(source.length - 1), byte: fc.oneof(fc.nat(255), hexDigit) });
    await fc.assert(
      fc.asyncProperty(fc.array(change, { minLength: 1, maxLength: 6 }), fc.option(fc.nat(source.length), { freq: 3 }), pack, async (changes, cut, compress) => {
        const image = source.slice();
        for (const { at, byte } of changes) image[at] = byte;
        try {
          await open(compress(cut === null ? image : image.subarray(0, cut)));
        } catch (error) {
          if (!(error instanceof Damage)) throw error;
        }
      }),
      { numRuns: 500 },
    );
  });
});
