/** Debian's ostree beside sealroot: each reads what the other wrote, byte for byte. */

import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { spawnSync } from "node:child_process";
import { chmodSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import fc from "fast-check";
import { appendSignature, dirmeta, emptyDirtree, type MetadataEntry, objectId, objectPath, parseCommit, parseSignatures, writeCommit, writeCommitMeta } from "../../src/ostree/index.ts";
import { show } from "../../src/ostree/gvariant-plain.ts";
import { read } from "../../src/ostree/gvariant-read.ts";
import { typeOf } from "../../src/ostree/gvariant-type.ts";
import { parseSecretKey, sign } from "../../src/ostree/secret-keys.ts";
import { debianProgram } from "../support/debian-program.ts";

const program = debianProgram("ostree", "ostree");
const directory = mkdtempSync(join(tmpdir(), "sealroot-test-"));
afterAll(() => rmSync(directory, { recursive: true, force: true }));

function attempt(repository: string, ...args: string[]): { status: number | null; stdout: string; stderr: string } {
  const { status, stdout, stderr, error } = spawnSync(program, [`--repo=${join(directory, repository)}`, ...args], { encoding: "utf8" });
  if (error !== undefined) throw error;
  return { status, stdout, stderr };
}
function ostree(repository: string, ...args: string[]): string {
  const { status, stdout, stderr } = attempt(repository, ...args);
  if (status !== 0) throw new Error(`ostree ${args.join(" ")}: ${stderr}`);
  return stdout;
}
const object = (repository: string, id: string, extension: Parameters<typeof objectPath>[1]): string => join(directory, repository, "objects", objectPath(id, extension));
const get = (...of: Parameters<typeof object>): Uint8Array => new Uint8Array(readFileSync(object(...of)));
function put(repository: string, id: string, extension: Parameters<typeof objectPath>[1], bytes: Uint8Array): void {
  const path = object(repository, id, extension);
  mkdirSync(dirname(path), { recursive: true });
  writeFileSync(path, bytes);
}

const root = dirmeta(0, 0, 0o40755);
const empty = emptyDirtree();
const DIGEST = "a1".repeat(32);

describe.each(["archive", "bare-user"])("commits that sealroot writes, in a repository of mode %s", (mode) => {
  // always the same: one whose signatures end in a zero byte GLib would print as a string
  const secret = parseSecretKey(new TextEncoder().encode(`-----BEGIN PRIVATE KEY-----\n${Buffer.concat([Uint8Array.fromHex("302e020100300506032b657004220420"), new Uint8Array(32).fill(7)]).toString("base64")}\n-----END PRIVATE KEY-----\n`), "the test's key");
  const metadata: MetadataEntry[] = [
    { key: "version", type: "s", value: "1.0 ☃" },
    { key: "composefs.digest.v1-sha256-12", type: "ay", value: Uint8Array.fromHex(DIGEST) },
    { key: "ostree.ref-binding", type: "as", value: ["release"] },
    { key: "example.many", type: "a{sv}", value: [["list", { type: "a(syb)", value: [["x", 1, true], ["yy", 3, false]] }], ["maybe", { type: "ms", value: [] }], ["nested", { type: "v", value: { type: "g", value: "a{sv}" } }]] },
  ];
  const first = writeCommit({ metadata, subject: "First", body: "With a body,\nof two lines.", timestamp: 1_767_323_045n, rootDirtree: empty.id, rootDirmeta: root.id });
  const second = writeCommit({ metadata: [{ key: "ostree.ref-binding", type: "as", value: ["release"] }, { key: "blob", type: "ay", value: new Uint8Array(70_000).fill(1) }], parent: objectId(first), subject: "Second", timestamp: 1_767_323_046n, rootDirtree: empty.id, rootDirmeta: root.id });
  const [firstId, secondId] = [objectId(first), objectId(second)];

  beforeAll(() => {
    ostree(mode, "init", `--mode=${mode}`);
    put(mode, empty.id, "dirtree", empty.bytes);
    put(mode, root.id, "dirmeta", root.bytes);
    for (const [id, bytes] of [[firstId, first], [secondId, second]] as const) {
      put(mode, id, "commit", bytes);
      put(mode, id, "commitmeta", appendSignature(undefined, sign(secret, bytes), secret.id));
    }
    ostree(mode, "refs", `--create=release`, secondId);
  });

  test("ostree show", () => {
    const shown = ostree(mode, "show", firstId);
    expect(shown).toContain(`commit ${firstId}`);
    expect(shown).toContain("Date:  2026-01-02 03:04:05 +0000");
    expect(shown).toContain("Version: 1.0 ☃");
    expect(shown).toContain("    First\n\n    With a body,\n    of two lines.");
  });

  test("ostree log follows the parent", () => {
    expect([...ostree(mode, "log", "release").matchAll(/^commit ([0-9a-f]{64})$/gm)].map(([, id]) => id)).toEqual([secondId, firstId]);
  });

  test("metadata, and detached metadata", () => {
    expect(ostree(mode, "show", "--print-metadata-key=version", firstId)).toBe("'1.0 ☃'\n");
    const bytes = Array.from(Uint8Array.fromHex(DIGEST), (byte) => `0x${byte.toString(16)}`).join(", ");
    expect(ostree(mode, "show", "--print-metadata-key=composefs.digest.v1-sha256-12", firstId)).toBe(`[byte ${bytes}]\n`);
    expect(ostree(mode, "show", "--print-metadata-key=example.many", firstId)).toBe("{'list': <[('x', byte 0x01, true), ('yy', 0x03, false)]>, 'maybe': <@ms nothing>, 'nested': <<signature 'a{sv}'>>}\n");
    const signature = Array.from(sign(secret, first), (byte) => `0x${byte.toString(16).padStart(2, "0")}`).join(", ");
    expect(ostree(mode, "show", "--print-detached-metadata-key=ostree.sign.ed25519", firstId)).toBe(`[[byte ${signature}]]\n`);
  });

  test("ostree fsck", () => {
    expect(ostree(mode, "fsck", "--verify-bindings")).toContain("object fsck of 2 commits completed successfully");
  });

  test("and ostree fsck does look: a changed byte is found", () => {
    put(mode, firstId, "commit", first.with(first.length - 1, (first.at(-1) ?? 0) ^ 1));
    try {
      expect(attempt(mode, "fsck").status).not.toBe(0);
    } finally {
      put(mode, firstId, "commit", first);
    }
  });

  test("ostree pull-local takes commits and signatures along", () => {
    const copy = `${mode}-copy`;
    ostree(copy, "init", "--mode=archive");
    ostree(copy, "pull-local", join(directory, mode), "release");
    expect(get(copy, secondId, "commit")).toEqual(second);
    expect(get(copy, secondId, "commitmeta")).toEqual(get(mode, secondId, "commitmeta"));
  });
});

describe("commits that ostree writes", () => {
  const repository = "theirs";
  beforeAll(() => {
    ostree(repository, "init", "--mode=archive");
    mkdirSync(join(directory, "tree"));
    writeFileSync(join(directory, "tree/file"), "content");
    mkdirSync(join(directory, "void"));
    for (const name of ["tree", "void"]) chmodSync(join(directory, name), 0o755);
  });
  const commit = (...args: string[]): string => ostree(repository, "commit", "--owner-uid=0", "--owner-gid=0", "--no-xattrs", ...args).trim();

  test("the empty tree has the id that sealroot gives it", () => {
    const written = parseCommit(get(repository, commit("--orphan", join(directory, "void")), "commit"));
    expect(written).toMatchObject({ rootDirtree: empty.id, rootDirmeta: root.id });
    expect(get(repository, empty.id, "dirtree")).toEqual(empty.bytes);
    expect(get(repository, root.id, "dirmeta")).toEqual(root.bytes);
  });

  /** GVariant text, as GLib reads it, and the type of it. */
  const values: readonly (readonly [text: string, type: string])[] = [
    ["'text'", "s"], ["''", "s"], ["true", "b"], ["byte 0xff", "y"], ["int16 -3", "n"], ["uint16 65535", "q"], ["-5", "i"], ["uint32 4294967295", "u"], ["int64 -9", "x"],
    ["uint64 18446744073709551615", "t"], ["1.5", "d"], ["@ay []", "ay"], ["[byte 1, 2, 255]", "ay"], ["@as []", "as"], ["['a', '', 'ccc']", "as"], ["[uint64 1, 2]", "at"],
    ["('a', uint16 1, true, 2.5)", "(sqbd)"], ["()", "()"], ["@a() [(), ()]", "a()"], ["@ms nothing", "ms"], ["@ms just 'x'", "ms"], ["@mu just 7", "mu"], ["<<'v'>>", "v"],
    ["{'a': <1>, 'b': <{'c': <@ay []>}>}", "a{sv}"], ["{byte 1: 'a'}", "a{ys}"], ["[('a', [byte 1]), ('bb', [])]", "a(say)"], ["objectpath '/a/b'", "o"], ["signature 'a{sv}'", "g"],
    ["[[[byte 1], [2, 3]], [], [[4]]]", "aaay"], ["(byte 1, uint64 2, byte 3)", "(yty)"], ["[(byte 1, uint64 2)]", "a(yt)"], ["@a{sv} {}", "a{sv}"], ["'☃'", "s"],
  ];
  test.each(values)("metadata %s", (text, type) => {
    const id = commit("--orphan", "--timestamp=@100", "-s", "s", `--add-metadata=key=${text}`, join(directory, "void"));
    const bytes = get(repository, id, "commit");
    expect(objectId(bytes)).toBe(id);
    const parsed = parseCommit(bytes);
    expect(parsed.metadata.find(({ key }) => key === "key")?.type).toBe(type);
    expect(writeCommit(parsed)).toEqual(bytes);
  });

  test("any metadata, subject, body and parent: read, and written again", () => {
    let parent = "";
    const word = fc.string({ unit: "grapheme", minLength: 1, maxLength: 400 }).filter((text) => !/[\0=]/.test(text) && !text.startsWith("-"));
    fc.assert(fc.property(fc.dictionary(word.filter((text) => text.length < 40), word, { maxKeys: 12, noNullPrototype: true }), word, word, fc.nat(2 ** 31), (entries, subject, body, time) => {
      const id = commit("--branch=release", ...(parent === "" ? [] : [`--parent=${parent}`]), `--timestamp=@${time}`, `--subject=${subject}`, `--body=${body}`, ...Object.entries(entries).map(([key, value]) => `--add-metadata-string=${key}=${value}`), join(directory, "tree"));
      const bytes = get(repository, id, "commit");
      const parsed = parseCommit(bytes);
      expect(parsed).toMatchObject({ subject, body, timestamp: BigInt(time), parent: parent === "" ? undefined : parent });
      for (const [key, value] of Object.entries(entries)) {
        const entry = parsed.metadata.find((candidate) => candidate.key === key);
        expect(entry !== undefined && "serialised" in entry && show(read(typeOf(entry.type), entry.serialised))).toBe(value);
      }
      expect(writeCommit(parsed)).toEqual(bytes);
      parent = id;
    }), { numRuns: 40, includeErrorInReport: true });
  });

  test("detached metadata: read, and appended to as to what is there", () => {
    const id = commit("--orphan", "--add-detached-metadata-string=note=detached", join(directory, "void"));
    const before = get(repository, id, "commitmeta");
    expect(parseSignatures(before)).toEqual({ signatures: [], problem: undefined });
    const signature = new Uint8Array(64).fill(5);
    put(repository, id, "commitmeta", appendSignature(before, signature));
    expect(ostree(repository, "show", "--print-detached-metadata-key=note", id)).toBe("'detached'\n");
    expect(ostree(repository, "show", "--print-detached-metadata-key=ostree.sign.ed25519", id)).toContain("0x05, 0x05");
    expect(appendSignature(new Uint8Array(), signature)).toEqual(writeCommitMeta([signature]));
  });
});
