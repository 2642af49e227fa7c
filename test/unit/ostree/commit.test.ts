import { describe, expect, test } from "bun:test";
import fc from "fast-check";
import { SealrootError } from "../../../src/errors/index.ts";
import { show } from "../../../src/ostree/gvariant-plain.ts";
import { read } from "../../../src/ostree/gvariant-read.ts";
import { typeOf } from "../../../src/ostree/gvariant-type.ts";
import { appendSignature, baseCommit, bytesEntry, dirmeta, emptyDirtree, MAX_COMMIT_BYTES, objectId, objectPath, parseCommit, parseSignatures, type Variant, writeCommit, writeCommitMeta } from "../../../src/ostree/index.ts";
import { type Plain, write } from "../../../src/ostree/gvariant-write.ts";
import { commitBytes, commitmetaBytes, manifest, named, type TypedValue } from "./fixtures.ts";

/** A value of the manifest's JSON, as the writer takes it. */
function plain({ type, value }: TypedValue): Variant {
  const convert = (of: string, item: unknown): Plain => {
    if (of === "ay") return Uint8Array.fromHex(String(item));
    if (of === "a{sv}") return (item as [string, TypedValue][]).map(([key, held]) => [key, plain(held)]);
    if (of === "aay") return (item as string[]).map((text) => Uint8Array.fromHex(text));
    if (of === "av") return (item as TypedValue[]).map(plain);
    // beyond what JSON numbers hold exactly; the one such value of the fixtures
    if (of === "t" && item === 81985529216486895) return 0x0123456789abcdefn;
    return item as Plain;
  };
  return { type, value: convert(type, value) };
}

const code = (action: () => unknown): string => {
  try {
    action();
  } catch (error) {
    if (error instanceof SealrootError) return error.code;
    throw error;
  }
  return "read";
};

const strictly: Readonly<Record<string, string>> = {
  nonutf8_subject: "SR-E225", trunc: "SR-E225", trailing: "SR-E225", nonzero_padding: "SR-E225", bad_offset: "SR-E225",
  parent_20: "SR-E225", bad_root_len: "SR-E225", emptykey: "SR-E225", dup_right_first: "SR-E225", dup_wrong_first: "SR-E225",
};

describe("commits of the real ostree", () => {
  test.each(Object.keys(manifest.commits))("%s", (name) => {
    const record = named(manifest.commits, name);
    const bytes = commitBytes(name);
    expect(objectId(bytes)).toBe(record.commit_id);
    expect(code(() => parseCommit(bytes))).toBe(strictly[name] ?? "read");
    if (strictly[name] !== undefined) return;
    const commit = parseCommit(bytes);
    expect(commit).toMatchObject({
      subject: record.subject, body: record.body, timestamp: BigInt(record.timestamp ?? 0), parent: record.parent ?? undefined,
      rootDirtree: record.root_dirtree, rootDirmeta: record.root_dirmeta,
      related: record.related?.map(([name, id]) => ({ name, id })),
    } as never);
    expect(commit.metadata.map(({ key, type }) => [key, type])).toEqual(record.metadata?.map(([key, { type }]) => [key, type]) ?? []);
    expect(writeCommit(commit)).toEqual(bytes);
  });

  test.each(Object.keys(manifest.commits).filter((name) => named(manifest.commits, name).written_by === "ostree" && name !== "bigmeta"))("%s, written from its parts", (name) => {
    const { metadata = [], parent, subject = "", body = "", timestamp = 0, root_dirtree: rootDirtree = "", root_dirmeta: rootDirmeta = "" } = named(manifest.commits, name);
    const parts = { metadata: metadata.map(([key, value]) => ({ key, ...plain(value) })), parent: parent ?? undefined, subject, body, timestamp: BigInt(timestamp), rootDirtree, rootDirmeta };
    expect(writeCommit(parts)).toEqual(commitBytes(name));
  });

  test("bigmeta, whose offsets take four bytes, written from its parts", () => {
    const { metadata, ...rest } = parseCommit(commitBytes("bigmeta"));
    const blob: Variant = { type: "s", value: "0123456789abcdef".repeat(4200) };
    expect(writeCommit({ ...rest, metadata: metadata.map((entry) => (entry.key === "anchor.blob" ? { key: entry.key, ...blob } : entry)) })).toEqual(commitBytes("bigmeta"));
  });

  test("metadata is shown as the manifest has it", () => {
    const shown = show(read(typeOf("(a{sv}aya(say)sstayay)"), commitBytes("os1"))) as readonly unknown[];
    const expected = named(manifest.commits, "os1").metadata;
    const exact = JSON.stringify(shown[0], (_key, value: unknown) => (typeof value === "bigint" ? Number(value) : value));
    expect(JSON.parse(exact)).toEqual(expected as never);
  });

  test("entries that are bytes, and base commits", () => {
    expect(bytesEntry(parseCommit(commitBytes("os1")), "ostree.composefs.digest.v0")?.toHex()).toBe(named(manifest.images, "tree1").digest_with_verity);
    expect(bytesEntry(parseCommit(commitBytes("digest_str")), "ostree.composefs.digest.v0")).toBeUndefined();
    expect(bytesEntry(parseCommit(commitBytes("nodigest")), "ostree.composefs.digest.v0")).toBeUndefined();
    const base = named(manifest.commits, "os1").commit_id;
    expect(baseCommit(commitBytes("bootc"))).toBe(base);
    expect(baseCommit(commitBytes("bootc_derived"))).toBe(base);
    expect(baseCommit(commitBytes("plain_child"))).toBeUndefined();
  });
});

const ID = "ab".repeat(32);
const root = { timestamp: 1n, rootDirtree: ID, rootDirmeta: ID };

describe("commits", () => {
  test("too large, too many", () => {
    expect(code(() => parseCommit(new Uint8Array(MAX_COMMIT_BYTES + 1)))).toBe("SR-E229");
    const many = write("(a{sv}aya(say)sstayay)", [Array.from({ length: 5000 }, (_, index) => [`k${index}`, { type: "y", value: 1 }]), new Uint8Array(), [], "", "", 0, new Uint8Array(32), new Uint8Array(32)]);
    expect(code(() => parseCommit(many))).toBe("SR-E225");
  });

  test.each([
    ["an empty key", { ...root, metadata: [{ key: "", type: "y", value: 1 }] }],
    ["a key twice", { ...root, metadata: [{ key: "a", type: "y", value: 1 }, { key: "a", type: "y", value: 2 }] }],
    ["a parent that is no id", { ...root, parent: "abc" }],
    ["an id in capitals", { ...root, rootDirtree: ID.toUpperCase() }],
    ["a time before 1970", { ...root, timestamp: -1n }],
    ["a subject with NUL", { ...root, subject: "a\0" }],
    ["half a surrogate pair", { ...root, body: "\ud800" }],
    ["a value of another type", { ...root, metadata: [{ key: "a", type: "y", value: 256 }] }],
  ])("%s is not written", (_name, parts) => {
    expect(() => writeCommit(parts)).toThrow(RangeError);
  });

  test("the ends of the range of times", () => {
    for (const timestamp of [0n, 1n, 2n ** 63n, 2n ** 64n - 1n]) expect(parseCommit(writeCommit({ ...root, timestamp })).timestamp).toBe(timestamp);
  });

  test("objects for a commit that only names an image", () => {
    expect(emptyDirtree().id).toBe("6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d");
    // the root directory of every fixture
    expect(dirmeta(0, 0, 0o40755).id).toBe(named(manifest.commits, "os1").root_dirmeta ?? "");
    expect(objectPath(ID, "commit")).toBe(`ab/${"ab".repeat(31)}.commit`);
  });
});

describe("detached metadata", () => {
  test.each(Object.keys(manifest.commitmeta))("%s", (name) => {
    const record = named(manifest.commitmeta, name);
    const bytes = commitmetaBytes(name) ?? new Uint8Array();
    const { signatures, problem } = parseSignatures(bytes);
    const entry = record.entries?.find(([key]) => key === "ostree.sign.ed25519")?.[1];
    if (record.entries === undefined) {
      // read as GLib reads it: one is a whole list after all
      expect(signatures.length).toBe(name === "os1.leading-pad-nonzero" ? 1 : 0);
      if (signatures.length === 0) expect(problem).toBeDefined();
      return;
    }
    const expected = entry?.type === "aay" ? (entry.value as string[]) : [];
    expect(signatures.map((signature) => signature.bytes.toHex())).toEqual(expected);
    expect(problem === undefined).toBe(entry === undefined || entry.type === "aay");
    if (record.written_by === "ostree") expect(write("a{sv}", record.entries.map(([key, value]) => [key, plain(value)]))).toEqual(bytes);
    if (record.entries.length === 1 && entry?.type === "aay") expect(writeCommitMeta(expected.map((text) => Uint8Array.fromHex(text)))).toEqual(bytes);
  });

  test("signatures are appended as ostree appends them", () => {
    const [first, second] = parseSignatures(commitmetaBytes("os1.good+second") ?? new Uint8Array()).signatures;
    const once = appendSignature(undefined, first?.bytes ?? new Uint8Array());
    expect(once).toEqual(commitmetaBytes("os1.good") as Uint8Array);
    expect(appendSignature(new Uint8Array(), first?.bytes ?? new Uint8Array())).toEqual(once);
    expect(appendSignature(once, second?.bytes ?? new Uint8Array())).toEqual(commitmetaBytes("os1.good+second") as Uint8Array);
    const detached = parseSignatures(commitmetaBytes("detached.good") ?? new Uint8Array()).signatures[0]?.bytes ?? new Uint8Array();
    const note = write("a{sv}", [["anchor.note", { type: "s", value: "detached" }]]);
    expect(appendSignature(note, detached)).toEqual(commitmetaBytes("detached.good") as Uint8Array);
  });

  test("key ids stand beside signatures, for messages", () => {
    const [a, b, c] = [new Uint8Array(64).fill(1), new Uint8Array(64).fill(2), new Uint8Array(64).fill(3)] as const;
    const two = appendSignature(appendSignature(undefined, a, "11".repeat(32)), b, "22".repeat(32));
    expect(parseSignatures(two).signatures.map(({ claimedKeyId }) => claimedKeyId)).toEqual(["11".repeat(32), "22".repeat(32)]);
    // ostree appends without one; the ids before it stay those of their signatures
    const three = appendSignature(two, c);
    expect(parseSignatures(three).signatures.map(({ claimedKeyId }) => claimedKeyId)).toEqual(["11".repeat(32), "22".repeat(32), undefined]);
    // and none after that gap
    expect(parseSignatures(appendSignature(three, c, "33".repeat(32))).signatures.map(({ claimedKeyId }) => claimedKeyId)).toEqual(["11".repeat(32), "22".repeat(32), undefined, undefined]);
    expect(parseSignatures(write("a{sv}", [["sealroot.sign.key-ids", { type: "aay", value: [Uint8Array.fromHex("11".repeat(32)), new Uint8Array(3)] }], ["ostree.sign.ed25519", { type: "aay", value: [a, b, c] }]])).signatures.map(({ claimedKeyId }) => claimedKeyId)).toEqual(["11".repeat(32), undefined, undefined]);
  });

  test("what is not understood is not rewritten", () => {
    for (const name of ["os1.truncated", "os1.garbage", "os1.trailing-garbage", "os1.leading-pad-nonzero", "os1.type-as"]) {
      expect(code(() => appendSignature(commitmetaBytes(name), new Uint8Array(64)))).toBe("SR-E234");
    }
  });

  test("ten thousand signatures, a megabyte, a length of gigabytes", () => {
    const signature = new Uint8Array(64);
    expect(parseSignatures(writeCommitMeta(Array.from({ length: 64 }, () => signature))).signatures.length).toBe(64);
    expect(code(() => parseSignatures(writeCommitMeta(Array.from({ length: 65 }, () => signature))))).toBe("SR-E229");
    expect(code(() => parseSignatures(writeCommitMeta(Array.from({ length: 10_000 }, () => signature))))).toBe("SR-E229");
    expect(code(() => parseSignatures(new Uint8Array(2 ** 20 + 1)))).toBe("SR-E229");
    const huge = new Uint8Array(commitmetaBytes("os1.good+second") ?? []);
    huge.fill(0xff, huge.length - 8);
    expect(parseSignatures(huge).signatures.length).toBe(0);
    expect(code(() => appendSignature(writeCommitMeta(Array.from({ length: 64 }, () => signature)), signature))).toBe("SR-E229");
  });

  test("more values than bytes, in detached metadata without signatures and in a commit", () => {
    const deep = `a${"(".repeat(50)}b${")".repeat(50)}`;
    const entry = (type: string, length: number) => ({ key: "x", type, serialised: new Uint8Array(length) });
    const commit = (variant: ReturnType<typeof entry>): Uint8Array => writeCommit({ metadata: [variant], timestamp: 1n, rootDirtree: "00".repeat(32), rootDirmeta: "00".repeat(32) });
    expect(code(() => parseSignatures(write("a{sv}", [["x", entry(deep, 2 ** 19)]])))).toBe("SR-E229");
    expect(code(() => parseSignatures(write("a{sv}", [["x", entry("ay", 2 ** 19)]])))).toBe("read");
    // as many entries, none of which has a byte of its own
    expect(code(() => parseSignatures(new Uint8Array(2 ** 20)))).toBe("SR-E229");
    expect(code(() => appendSignature(write("a{sv}", [["x", entry(deep, 4000)]]), new Uint8Array(64)))).toBe("SR-E229");
    // what would not be read is not written either; the bytes are those of one that is, with the type's name in another place
    expect(() => commit(entry(deep, 2 ** 20))).toThrow(RangeError);
    const plain = deep.replace("b", "y");
    const bytes = commit(entry(plain, 2 ** 20));
    expect(code(() => parseCommit(bytes))).toBe("read");
    expect(code(() => parseCommit(bytes.with(Buffer.from(bytes).indexOf(plain) + plain.indexOf("y"), 0x62)))).toBe("SR-E229");
  });
});

describe("properties", () => {
  const names = Object.keys(manifest.commits);
  const edited = (bytes: Uint8Array, edits: readonly (readonly [number, number])[], length: number): Uint8Array => {
    const result = new Uint8Array(Math.max(0, bytes.length + length));
    result.set(bytes.subarray(0, result.length));
    for (const [at, byte] of edits) if (result.length > 0) result[at % result.length] = byte;
    return result;
  };
  const edits = fc.array(fc.tuple(fc.nat(), fc.integer({ min: 0, max: 255 })), { maxLength: 4 });

  test("changed commits: one error, or a commit that is written back byte for byte", () => {
    fc.assert(fc.property(fc.constantFrom(...names.filter((name) => name !== "bigmeta")), edits, fc.integer({ min: -20, max: 20 }), (name, changes, length) => {
      const bytes = edited(commitBytes(name), changes, length);
      if (code(() => parseCommit(bytes)) === "read") expect(writeCommit(parseCommit(bytes))).toEqual(bytes);
    }), { numRuns: 3000 });
  });

  test("changed detached metadata: signatures, or none; and appended to only when in normal form", () => {
    fc.assert(fc.property(fc.constantFrom(...Object.keys(manifest.commitmeta)), edits, fc.integer({ min: -20, max: 20 }), (name, changes, length) => {
      const bytes = edited(commitmetaBytes(name) ?? new Uint8Array(), changes, length);
      expect(["read", "SR-E229"]).toContain(code(() => parseSignatures(bytes)));
      expect(["read", "SR-E229", "SR-E234"]).toContain(code(() => appendSignature(bytes, new Uint8Array(64))));
    }), { numRuns: 3000 });
  });
});
