/** Level "signed" for an image of a composefs repository: the table of attacks, and what holds for all evidence. */

import { describe, expect, test } from "bun:test";
import fc from "fast-check";
import type { ErrorCode } from "../../../src/errors/index.ts";
import { appendSignature, emptyDirtree, dirmeta, MAX_COMMIT_BYTES, objectId, type TrustedKey, type Variant, writeCommit, writeCommitMeta } from "../../../src/ostree/index.ts";
import { generateSecretKey, type SecretKey, sign } from "../../../src/ostree/secret-keys.ts";
import { digestMessage } from "../../../src/trust/digest-message.ts";
import { type Evidence, type FoundCommit, type FoundSignature, judge, judgeEnforcement, type JudgeInput, type Requirement, type TrustPolicy, type Verdict } from "../../../src/trust/index.ts";

const DIGEST = "a1".repeat(32);
const OTHER = "b2".repeat(32);
const NOW = 1_800_000_000n;

const [alice, bob, carol, mallory] = [generateSecretKey(), generateSecretKey(), generateSecretKey(), generateSecretKey()];
const trusted = (...keys: SecretKey[]): TrustedKey[] => keys.map(({ id, publicKey }) => ({ id, publicKey, origin: "/etc/sealroot/keys" }));

/** One requirement, with this threshold, unless there are others. */
type Changes = Partial<TrustPolicy> & { readonly threshold?: number };
const asked = (source: string, threshold = 1): Requirement => ({ source, keys: [], threshold });
const policy = ({ threshold = 1, ...changes }: Changes = {}): TrustPolicy => ({ level: "signed", requirements: [asked("[trust]", threshold)], revoked: [], notBefore: undefined, insecureArgument: false, ...changes });
/** What is found; `keys` are those of the only requirement. */
type Found = Partial<Omit<Evidence, "keys">> & { readonly keys?: readonly TrustedKey[] };
const argument: JudgeInput["argument"] = { algorithm: "sha256", digest: DIGEST, insecure: false, version: 1 };
const measured = { kind: "digest", algorithm: "sha256", digest: DIGEST } as const;

const bytesOf = (digest: string): Variant => ({ type: "ay", value: Uint8Array.fromHex(digest) });
function commitBytes({ names = DIGEST, key = "composefs.digest.v1-sha256-12", timestamp = NOW, version = "1" } = {}): Uint8Array {
  return writeCommit({ metadata: [{ key: "version", type: "s", value: version }, { key, ...bytesOf(names) }], subject: "release", timestamp, rootDirtree: emptyDirtree().id, rootDirmeta: dirmeta(0, 0, 0o40755).id });
}
const found = (bytes: Uint8Array, commitmeta: Uint8Array | undefined, id = objectId(bytes)): FoundCommit => ({ id, bytes, commitmeta, origin: `composefs/commits/${DIGEST}/${id.slice(0, 6)}` });
const signedBy = (bytes: Uint8Array, ...keys: SecretKey[]): FoundCommit => found(bytes, writeCommitMeta(keys.map((key) => sign(key, bytes))));
/** As `sealroot sign` leaves it, with the ids of the keys beside the signatures. */
const attributed = (bytes: Uint8Array, message: Uint8Array, key: SecretKey): FoundCommit => found(bytes, appendSignature(undefined, sign(key, message), key.id));
const bare = (key: SecretKey, digest = DIGEST, keyId = key.id): FoundSignature => ({ keyId, bytes: sign(key, digestMessage("sha256", digest)), origin: `${keyId.slice(0, 6)}.ed25519` });

const decide = ({ keys = trusted(alice, bob), ...evidence }: Found, changes: Changes = {}, input: Partial<JudgeInput> = {}): Verdict =>
  judge({ policy: policy(changes), argument, measured, evidence: { commits: [], signatures: [], keys: [keys], ...evidence }, ...input });
const word = (verdict: Verdict): string => (verdict.allowed ? verdict.level : verdict.code);

const release = commitBytes();
const second = commitBytes({ version: "2" });
const flipped = (bytes: Uint8Array, at: number): Uint8Array => bytes.with(at, (bytes[at] ?? 0) ^ 1);
const aliceMeta = writeCommitMeta([sign(alice, release)]);

describe("what boots", () => {
  const good: readonly (readonly [string, Found, Changes?])[] = [
    ["a signed commit", { commits: [signedBy(release, alice)] }],
    ["signed by the other key", { commits: [signedBy(release, bob)] }],
    ["beside an unknown key's signature", { commits: [signedBy(release, mallory, alice)] }],
    ["a malformed signature before a good one", { commits: [found(release, writeCommitMeta([new Uint8Array(3), new Uint8Array(64), sign(alice, release)]))] }],
    ["two of two keys", { commits: [signedBy(release, bob, alice)] }, { threshold: 2 }],
    ["two keys, several signatures by each", { commits: [signedBy(release, bob, bob, bob, alice, alice)] }, { threshold: 2 }],
    ["a revoked key's signature beside a good one", { commits: [signedBy(release, bob, alice)] }, { revoked: [bob.id] }],
    ["a revoked key that nobody has", { commits: [signedBy(release, alice)] }, { revoked: [carol.id, mallory.publicKey.toBase64()] }],
    ["exactly at the floor", { commits: [signedBy(release, alice)] }, { notBefore: Number(NOW) }],
    ["a bad commit beside it", { commits: [found(new Uint8Array(5), undefined), found(release, undefined, "00".repeat(32)), signedBy(release, alice)] }],
    ["unsigned, and then signed", { commits: [found(second, undefined), signedBy(release, alice)] }],
    ["an image named among others", { commits: [signedBy(writeCommit({ metadata: [{ key: "composefs.digest.v2-sha512-12", ...bytesOf("cc".repeat(64)) }, { key: "composefs.digest.v2-sha256-12", ...bytesOf(OTHER) }, { key: "composefs.digest.v1-sha256-12", ...bytesOf(DIGEST) }, { key: "ostree.composefs.digest.v0", ...bytesOf(OTHER) }], timestamp: NOW, rootDirtree: "00".repeat(32), rootDirmeta: "00".repeat(32) }), alice)] }],
    ["a signature of the bare digest", { signatures: [bare(alice)] }],
    ["two of them", { signatures: [bare(alice), bare(mallory), bare(bob)] }, { threshold: 2 }],
    ["a bad commit, and a signature of the digest", { commits: [found(release, undefined)], signatures: [bare(alice)] }],
  ];
  test.each(good.map((row) => [row[0], row] as const))("%s", (_name, [, evidence, changes]) => {
    expect(decide(evidence, changes)).toMatchObject({ allowed: true, level: "signed", enforce: true, enforceOptional: false });
  });

  test("the verdict names who vouches", () => {
    expect(decide({ commits: [signedBy(release, mallory, bob, alice)] }, { threshold: 2 })).toMatchObject({ voucher: { commitId: objectId(release), keyIds: [alice.id, bob.id], timestamp: NOW } });
    expect(decide({ signatures: [bare(bob)] })).toMatchObject({ voucher: { commitId: undefined, keyIds: [bob.id], timestamp: undefined } });
    expect(decide({ commits: [signedBy(release, alice)] }).reasons.join("\n")).toContain(alice.id);
  });

  test("`composefs=` does not say the format: a commit may name it under any of that hash", () => {
    for (const key of ["composefs.digest.v1-sha256-12", "composefs.digest.v2-sha256-12"]) {
      const commits = [signedBy(commitBytes({ key }), alice)];
      expect(word(decide({ commits }, {}, { argument: { ...argument, version: undefined } }))).toBe("signed");
      expect(word(decide({ commits }, {}, { argument: { ...argument, version: 2 } }))).toBe(key.includes("v2") ? "signed" : "SR-E227");
    }
  });

  test("sha512", () => {
    const digest = "c3".repeat(64);
    const commit = signedBy(commitBytes({ names: digest, key: "composefs.digest.v1-sha512-12" }), alice);
    const input = { argument: { algorithm: "sha512", digest, insecure: false, version: 1 }, measured: { kind: "digest", algorithm: "sha512", digest } } as const;
    expect(word(decide({ commits: [commit] }, {}, input))).toBe("signed");
    const signature = { keyId: alice.id, bytes: sign(alice, digestMessage("sha512", digest)), origin: "f" };
    expect(word(decide({ signatures: [signature] }, {}, input))).toBe("signed");
  });
});

describe("attacks", () => {
  const attacks: readonly (readonly [string, ErrorCode, Found, Changes?, Partial<JudgeInput>?])[] = [
    ["nothing found", "SR-E107", {}],
    ["unsigned: no detached metadata", "SR-E220", { commits: [found(release, undefined)] }],
    ["unsigned: empty detached metadata", "SR-E220", { commits: [found(release, new Uint8Array())] }],
    ["wrong key", "SR-E221", { commits: [signedBy(release, mallory)] }],
    ["wrong key, said to be so", "SR-E221", { commits: [attributed(release, release, mallory)] }],
    ["wrong key that claims to be a trusted one", "SR-E224", { commits: [found(release, appendSignature(undefined, sign(mallory, release), alice.id))] }],
    ["revoked key", "SR-E222", { commits: [signedBy(release, alice)] }, { revoked: [alice.id] }],
    ["revoked key, in capitals", "SR-E222", { commits: [signedBy(release, alice)] }, { revoked: [alice.id.toUpperCase()] }],
    ["revoked key, named by the key itself", "SR-E222", { commits: [signedBy(release, alice)] }, { revoked: [alice.publicKey.toBase64()] }],
    ["revoked key that is no longer among the keys", "SR-E222", { commits: [attributed(release, release, mallory)] }, { revoked: [mallory.id] }],
    ["all keys revoked", "SR-E222", { commits: [signedBy(release, alice, bob)] }, { revoked: [alice.id, bob.id] }],
    ["a list of revoked keys that cannot be read", "SR-E101", { commits: [signedBy(release, alice)] }, { revoked: ["alice"] }],
    ["threshold not met", "SR-E223", { commits: [signedBy(release, alice)] }, { threshold: 2 }],
    ["threshold not met by two signatures of one key", "SR-E223", { commits: [signedBy(release, alice, alice)] }, { threshold: 2 }],
    ["threshold not met by a key that is there twice", "SR-E223", { commits: [signedBy(release, alice, alice)], keys: trusted(alice, alice, bob) }, { threshold: 2 }],
    ["threshold not met by a key under two names", "SR-E223", { commits: [signedBy(release, alice, alice)], keys: [...trusted(alice), { ...trusted(alice)[0] as TrustedKey, id: OTHER }] }, { threshold: 2 }],
    ["revoked key under another name", "SR-E222", { commits: [signedBy(release, alice)], keys: [{ ...trusted(alice)[0] as TrustedKey, id: OTHER }] }, { revoked: [alice.id] }],
    ["threshold met only with a revoked key", "SR-E223", { commits: [signedBy(release, alice, bob)] }, { threshold: 2, revoked: [bob.id] }],
    ["threshold met only with an unknown key", "SR-E223", { commits: [signedBy(release, alice, mallory)] }, { threshold: 2 }],
    ["threshold met by two commits, one key each", "SR-E223", { commits: [signedBy(release, alice), signedBy(second, bob)] }, { threshold: 2 }],
    ["threshold met by commit and digest, one key each", "SR-E223", { commits: [signedBy(release, alice)], signatures: [bare(bob)] }, { threshold: 2 }],
    ["threshold of two digest signatures by one key", "SR-E223", { signatures: [bare(alice), bare(alice)] }, { threshold: 2 }],
    ["a threshold of nothing", "SR-E223", { commits: [signedBy(release, alice)] }, { threshold: 0 }],
    ["a threshold that is no number", "SR-E223", { commits: [signedBy(release, alice)] }, { threshold: NaN }],
    ["corrupted signature", "SR-E224", { commits: [found(release, appendSignature(undefined, flipped(sign(alice, release), 40), alice.id))] }],
    ["corrupted signature, S too large", "SR-E224", { commits: [found(release, writeCommitMeta([sign(alice, release).with(63, 0xff)]))] }],
    ["short signature", "SR-E224", { commits: [found(release, writeCommitMeta([sign(alice, release).slice(1)]))] }],
    ["signature of zeros", "SR-E224", { commits: [found(release, writeCommitMeta([new Uint8Array(64)]))] }],
    ["signature of another commit", "SR-E221", { commits: [found(release, writeCommitMeta([sign(alice, second)]))] }],
    ["signature of another commit, attributed", "SR-E224", { commits: [attributed(release, second, alice)] }],
    ["signature of the digest beside the commit", "SR-E247", { commits: [found(release, writeCommitMeta([sign(alice, digestMessage("sha256", DIGEST))]))] }],
    ["signature of the id in the place of the bytes", "SR-E221", { commits: [found(release, writeCommitMeta([sign(alice, Uint8Array.fromHex(objectId(release)))]))] }],
    ["commit of another image", "SR-E227", { commits: [signedBy(commitBytes({ names: OTHER }), alice)] }],
    ["commit that names no image", "SR-E227", { commits: [signedBy(commitBytes({ key: "note" }), alice)] }],
    ["commit that names the image under OSTree's key only", "SR-E227", { commits: [signedBy(commitBytes({ key: "ostree.composefs.digest.v0" }), alice)] }],
    ["commit that names the image as another format", "SR-E227", { commits: [signedBy(commitBytes({ key: "composefs.digest.v2-sha256-12" }), alice)] }],
    ["commit with half the digest", "SR-E227", { commits: [signedBy(commitBytes({ names: DIGEST.slice(0, 32) }), alice)] }],
    ["commit with no digest bytes", "SR-E227", { commits: [signedBy(commitBytes({ names: "" }), alice)] }],
    ["commit with the digest as text", "SR-E227", { commits: [signedBy(writeCommit({ metadata: [{ key: "composefs.digest.v1-sha256-12", type: "s", value: DIGEST }], timestamp: NOW, rootDirtree: OTHER, rootDirmeta: OTHER }), alice)] }],
    ["truncated commit", "SR-E249", { commits: [found(release.slice(0, -1), aliceMeta, objectId(release))] }],
    ["padded commit", "SR-E248", { commits: [found(Uint8Array.from([...release, 0]), aliceMeta, objectId(release))] }],
    ["truncated commit under its own id, signed", "SR-E225", { commits: [signedBy(release.slice(0, -1), alice)] }],
    ["padded commit under its own id, signed", "SR-E225", { commits: [signedBy(Uint8Array.from([...release, 0]), alice)] }],
    ["no commit at all, signed", "SR-E225", { commits: [signedBy(new Uint8Array(), alice)] }],
    ["commit id that does not match", "SR-E250", { commits: [found(release, aliceMeta, OTHER)] }],
    ["another validly signed commit under this one's name", "SR-E250", { commits: [found(second, writeCommitMeta([sign(alice, second)]), objectId(release))] }],
    ["a changed commit under the old one's name, well-formed and unsigned", "SR-E226", { commits: [found(second, aliceMeta, objectId(release))] }],
    ["a commit of zeros", "SR-E249", { commits: [found(new Uint8Array(release.length), aliceMeta, objectId(release))] }],
    ["a commit with a block of zeros behind it", "SR-E248", { commits: [found(Uint8Array.from([...release, ...new Uint8Array(4000)]), aliceMeta, objectId(release))] }],
    ["signature of another commit that lies beside it", "SR-E247", { commits: [found(release, writeCommitMeta([sign(alice, second)])), found(second, undefined)] }],
    ["signature of another commit that lies beside it, attributed", "SR-E247", { commits: [attributed(release, second, alice), found(second, undefined)] }],
    ["signature of a commit in the place of one of the digest", "SR-E247", { commits: [found(release, undefined)], signatures: [{ keyId: alice.id, bytes: sign(alice, release), origin: "f" }] }],
    ["older than the floor", "SR-E228", { commits: [signedBy(release, alice)] }, { notBefore: Number(NOW) + 1 }],
    ["no date, where there is a floor", "SR-E228", { signatures: [bare(alice)] }, { notBefore: 1 }],
    ["`?` on the command line", "SR-E106", { commits: [signedBy(release, alice)] }, {}, { argument: { ...argument, insecure: true } }],
    ["`?`, and a configuration that cannot be", "SR-E106", { commits: [signedBy(release, alice)] }, { insecureArgument: true }, { argument: { ...argument, insecure: true } }],
    ["another image than the argument's", "SR-E210", { commits: [signedBy(release, alice)] }, {}, { measured: { ...measured, digest: OTHER } }],
    ["the image without fs-verity", "SR-E211", { commits: [signedBy(release, alice)] }, {}, { measured: { kind: "no-verity" } }],
    ["a filesystem without fs-verity", "SR-E212", { commits: [signedBy(release, alice)] }, {}, { measured: { kind: "unsupported", errno: "ENOTTY" } }],
    ["no keys", "SR-E231", { commits: [signedBy(release, alice)], keys: [] }],
    ["ten thousand signatures", "SR-E229", { commits: [found(release, writeCommitMeta(Array.from({ length: 10_000 }, () => new Uint8Array(64))))] }],
    ["ten thousand commits", "SR-E229", { commits: Array.from({ length: 10_000 }, () => found(release, undefined)) }],
    ["ten thousand signatures of the digest", "SR-E229", { signatures: new Array<FoundSignature>(10_000).fill(bare(alice)) }],
    ["a commit of 17 MiB", "SR-E229", { commits: [found(new Uint8Array(MAX_COMMIT_BYTES + 1), aliceMeta)] }],
    ["detached metadata of 2 MiB", "SR-E229", { commits: [found(release, new Uint8Array(2 ** 21))] }],
    ["detached metadata that claims gigabytes", "SR-E234", { commits: [found(release, aliceMeta.slice().fill(0xff, -8))] }],
    ["detached metadata cut short", "SR-E234", { commits: [found(release, aliceMeta.slice(0, -1))] }],
    ["a digest signature by an unknown key", "SR-E221", { signatures: [bare(mallory)] }],
    ["a digest signature by an unknown key under a trusted one's name", "SR-E224", { signatures: [bare(mallory, DIGEST, alice.id)] }],
    ["a digest signature by a trusted key under another's name", "SR-E224", { signatures: [bare(alice, DIGEST, bob.id)] }],
    ["a signature of another digest", "SR-E224", { signatures: [bare(alice, OTHER)] }],
    ["a digest signature by a revoked key", "SR-E222", { signatures: [bare(alice)] }, { revoked: [alice.id] }],
    ["a digest signature over the hex digits", "SR-E224", { signatures: [{ keyId: alice.id, bytes: sign(alice, new TextEncoder().encode(DIGEST)), origin: "f" }] }],
  ];
  test.each(attacks.map((row) => [row[0], row[1], row] as const))("%s: %s", (_name, code, [, , evidence, changes, input]) => {
    const verdict = decide(evidence, changes, input);
    expect(verdict).toMatchObject({ allowed: false, code });
    expect(verdict.reasons.length).toBeGreaterThan(0);
  });

  test("nothing was looked for", () => {
    expect(judge({ policy: policy(), argument, measured })).toMatchObject({ allowed: false, code: "SR-E107" });
  });

  test("a kernel that cannot enforce ends it, `?` or not", () => {
    const verdict = decide({ commits: [signedBy(release, alice)] });
    expect(verdict.allowed && judgeEnforcement(verdict, false)).toMatchObject({ allowed: false, code: "SR-E302" });
    expect(verdict.allowed && judgeEnforcement(verdict, true)).toMatchObject({ allowed: true, level: "signed" });
  });

  test("of several candidates, the reason that tells most", () => {
    const commits = [found(release, undefined), signedBy(second, mallory), signedBy(commitBytes({ names: OTHER }), alice), found(new Uint8Array(3), undefined, OTHER)];
    const verdict = decide({ commits });
    expect(verdict).toMatchObject({ code: "SR-E227", expected: `sha256:${OTHER}`, found: `sha256:${DIGEST}` });
    // and all reasons are given
    expect(verdict.reasons.length).toBe(2 + commits.length);
    expect(word(decide({ commits: [...commits, signedBy(commitBytes({ timestamp: 5n }), alice)] }, { notBefore: 6 }))).toBe("SR-E228");
  });

  test("too many signatures and keys to try end in a limit, not in a hang", () => {
    const keys = Array.from({ length: 2000 }, (_, index) => ({ id: "", publicKey: mallory.publicKey.with(0, index & 0xff).with(1, index >> 8), origin: "" }));
    const once = sign(alice, release);
    const commits = Array.from({ length: 64 }, (_, index) => {
      const bytes = commitBytes({ version: String(index) });
      return found(bytes, writeCommitMeta(new Array<Uint8Array>(64).fill(once)));
    });
    expect(word(decide({ commits, keys }))).toBe("SR-E229");
  });
});

describe("whatever lies beside it", () => {
  const strangers = Array.from({ length: 9 }, generateSecretKey);
  const keys = trusted(...strangers, alice);
  const junk = Array.from({ length: 64 }, (_, index) => sign(mallory, Uint8Array.of(index)));
  /** With as many signatures as there may be, each of which has to be tried with every key. */
  const decoys = (count: number, size = 0): FoundCommit[] => Array.from({ length: count }, (_, index) => found(commitBytes({ version: String(index).padEnd(size, "x") }), writeCommitMeta(junk)));

  // what counts is the last of them
  test.each([
    ["many small ones", () => ({ commits: [...decoys(63), signedBy(release, alice)] })],
    ["large ones", () => ({ commits: [...decoys(20, 2 ** 20), signedBy(release, alice)] })],
    ["before a commit that is found later", () => ({ commits: decoys(63), further: () => [signedBy(release, alice)] })],
    ["before a signature of the digest", () => ({ commits: decoys(63), signatures: [bare(alice)] })],
  ] as const)("decoys that would take all the effort there is do not take it from one that counts: %s", (_what, evidence) => {
    expect(word(decide({ ...evidence(), keys }))).toBe("signed");
  });

  test("one that takes more than its share has what the others leave", () => {
    const large = commitBytes({ version: "x".repeat(2 ** 20) });
    const commit = found(large, writeCommitMeta([...junk.slice(0, 40), sign(alice, large)]));
    expect(word(decide({ commits: [commit], keys }))).toBe("signed");
    expect(word(decide({ commits: [...decoys(5, 2 ** 21), commit], keys }))).toBe("signed");
  });

  test("whose signature it is said to be is tried first", () => {
    const large = commitBytes({ version: "x".repeat(2 ** 20) });
    const commitmeta = junk.slice(0, 60).reduce((meta, signature) => appendSignature(meta, signature, mallory.id), new Uint8Array());
    const commit = found(large, appendSignature(commitmeta, sign(alice, large), alice.id));
    expect(word(decide({ commits: [...decoys(50, 2 ** 21), commit], keys }))).toBe("signed");
  });

  /** Counts how often somebody asks for its detached metadata. */
  function watched(commit: FoundCommit): FoundCommit & { readonly asked: () => number } {
    let asked = 0;
    return { ...commit, get commitmeta() { return asked++, commit.commitmeta; }, asked: () => asked };
  }

  test("more is only looked for when it is needed, and once; what is wrong with the rest only when nothing counts", () => {
    let times = 0;
    const later = (commits: FoundCommit[]) => () => (times++, commits);
    expect(word(decide({ commits: [signedBy(release, alice)], further: later([]) }))).toBe("signed");
    expect(times).toBe(0);
    const near = watched(found(second, aliceMeta, OTHER));
    expect(word(decide({ commits: [near], further: later([signedBy(release, alice)]) }))).toBe("signed");
    expect([times, near.asked()]).toEqual([1, 0]);
    expect(word(decide({ commits: [near], further: later([found(release, undefined)]) }))).toBe("SR-E226");
    expect([times, near.asked()]).toEqual([2, 1]);
    expect(word(decide({ further: later([]) }))).toBe("SR-E107");
    expect(word(decide({ commits: decoys(30), further: later(decoys(40)) }))).toBe("SR-E229");
  });

  test("a damaged commit of many megabytes is not looked into", () => {
    const bytes = commitBytes({ version: "x".repeat(2 ** 20) });
    expect(word(decide({ commits: [found(bytes.subarray(0, -1), aliceMeta, objectId(bytes))] }))).toBe("SR-E226");
    // and of smaller ones not as many as there may be
    const many = Array.from({ length: 64 }, (_, index) => found(new Uint8Array(2 ** 19).fill(index), aliceMeta, OTHER));
    const { reasons } = decide({ commits: many });
    const explained = reasons.filter((reason) => reason.includes("no whole commit")).length;
    expect(explained).toBeGreaterThan(0);
    expect(explained).toBeLessThan(20);
  });
});

describe("two files that both ask for signatures", () => {
  /** alice for the [trust] table, bob for prepare-root.conf. */
  const both = (evidence: Omit<Found, "keys">, changes: Partial<TrustPolicy> = {}, keys: readonly (readonly TrustedKey[])[] = [trusted(alice), trusted(bob)]): Verdict =>
    judge({
      policy: policy({ requirements: [asked("[trust]"), asked("prepare-root.conf")], ...changes }), argument, measured,
      evidence: { commits: [], signatures: [], ...evidence, keys },
    });

  test("a commit signed for both", () => {
    const verdict = both({ commits: [signedBy(release, mallory, bob, alice)] });
    expect(verdict).toMatchObject({ allowed: true, level: "signed", voucher: { keyIds: [alice.id, bob.id] } });
    expect(verdict.allowed && verdict.voucher?.signers).toEqual([{ id: alice.id, origin: "/etc/sealroot/keys", requirement: "[trust]" }, { id: bob.id, origin: "/etc/sealroot/keys", requirement: "prepare-root.conf" }]);
  });

  test("one key that both name meets both, each with the file that it is in", () => {
    const [key] = trusted(alice) as [TrustedKey];
    const verdict = both({ commits: [signedBy(release, alice)] }, {}, [[{ ...key, origin: "/a" }], [{ ...key, origin: "/b" }]]);
    expect(verdict).toMatchObject({ allowed: true, voucher: { keyIds: [alice.id], signers: [{ origin: "/a" }, { origin: "/b" }] } });
  });

  test("signatures of the digest by both", () => expect(word(both({ signatures: [bare(alice), bare(bob)] }))).toBe("signed"));

  const refused: readonly (readonly [string, ErrorCode, Omit<Found, "keys">, string, Partial<TrustPolicy>?, (readonly (readonly TrustedKey[])[])?])[] = [
    ["signed for the table only", "SR-E245", { commits: [signedBy(release, alice)] }, "prepare-root.conf: none of 1 signatures"],
    ["signed for OSTree's file only", "SR-E245", { commits: [signedBy(release, bob)] }, "[trust]: none of 1 signatures"],
    ["signed for neither", "SR-E221", { commits: [signedBy(release, mallory)] }, "prepare-root.conf: none of 1 signatures"],
    ["two commits, each signed for one", "SR-E245", { commits: [signedBy(release, alice), signedBy(second, bob)] }, "[trust]: none of 1 signatures"],
    ["a commit for one, the digest for the other", "SR-E245", { commits: [signedBy(release, alice)], signatures: [bare(bob)] }, "prepare-root.conf: none"],
    ["the second one's key revoked by the table", "SR-E222", { commits: [signedBy(release, alice, bob)] }, "prepare-root.conf: signed by revoked keys only", { revoked: [bob.id] }],
    ["a key that both name, revoked", "SR-E222", { commits: [signedBy(release, alice)] }, "signed by revoked keys only", { revoked: [alice.id] }, [trusted(alice), trusted(alice)]],
    ["older than the table's floor", "SR-E228", { commits: [signedBy(release, alice, bob)] }, "or later", { notBefore: Number(NOW) + 1 }],
    ["the threshold of the first not met", "SR-E223", { commits: [signedBy(release, alice, bob)] }, "[trust]: 1 of 2 keys", { requirements: [asked("[trust]", 2), asked("prepare-root.conf")] }, [trusted(alice, carol), trusted(bob)]],
    ["no key for the second", "SR-E231", { commits: [signedBy(release, alice, bob)] }, "prepare-root.conf", {}, [trusted(alice), []]],
    ["keys for the first only", "SR-E231", { commits: [signedBy(release, alice, bob)] }, "prepare-root.conf", {}, [trusted(alice)]],
    ["nobody who is asked", "SR-E231", { commits: [signedBy(release, alice, bob)] }, "whose signatures", { requirements: [] }, []],
  ];
  test.each(refused.map((row) => [row[0], row[1], row] as const))("%s: %s", (_name, code, [, , evidence, says, changes, keys]) => {
    const verdict = both(evidence, changes, keys);
    expect(verdict).toMatchObject({ allowed: false, code });
    expect(verdict.reasons.join("\n")).toContain(says);
  });
});

test("what a signature of the bare digest is made over: struct fsverity_formatted_digest", () => {
  expect(digestMessage("sha256", DIGEST).toHex()).toBe(`${new TextEncoder().encode("FSVerity").toHex()}01002000${DIGEST}`);
  expect(digestMessage("sha512", "c3".repeat(64)).toHex()).toBe(`${new TextEncoder().encode("FSVerity").toHex()}02004000${"c3".repeat(64)}`);
});

describe("properties", () => {
  const people = [alice, bob, carol, mallory];
  const commit = fc.record({
    names: fc.constantFrom(DIGEST, DIGEST, DIGEST, OTHER),
    timestamp: fc.constantFrom(1n, 50n, 100n),
    keys: fc.subarray(people),
    damage: fc.constantFrom("none", "none", "none", "id", "bytes", "no metadata", "junk before"),
  });
  type Made = { names: string; timestamp: bigint; keys: SecretKey[]; damage: string };
  // signatures are made once for each combination
  const signatures = new Map<string, Uint8Array>();
  const signOnce = (key: SecretKey, bytes: Uint8Array): Uint8Array => {
    const name = `${key.id}${objectId(bytes)}`;
    const made = signatures.get(name) ?? sign(key, bytes);
    signatures.set(name, made);
    return made;
  };
  function make({ names, timestamp, keys, damage }: Made): FoundCommit {
    const bytes = commitBytes({ names, timestamp });
    const list = keys.map((key) => signOnce(key, bytes));
    const commitmeta = damage === "no metadata" ? undefined : writeCommitMeta(damage === "junk before" ? [new Uint8Array(7), ...list] : list);
    return found(damage === "bytes" ? flipped(bytes, 20) : bytes, commitmeta, damage === "id" ? OTHER : objectId(bytes));
  }
  const rules = fc.record({ threshold: fc.constantFrom(1, 2, 3), revoked: fc.subarray(people), notBefore: fc.constantFrom(undefined, 50), keys: fc.subarray(people) });

  test("allowed exactly when one commit meets every rule by itself", () => {
    fc.assert(fc.property(fc.array(commit, { maxLength: 4 }), rules, (commits, { threshold, revoked, notBefore, keys }) => {
      const verdict = decide({ commits: commits.map(make), keys: trusted(...keys) }, { threshold, revoked: revoked.map(({ id }) => id), notBefore });
      const expected = commits.some(({ names, timestamp, keys: signers, damage }) =>
        names === DIGEST && !["id", "bytes", "no metadata"].includes(damage) && timestamp >= BigInt(notBefore ?? 0)
        && signers.filter((key) => keys.includes(key) && !revoked.includes(key)).length >= threshold);
      expect(verdict.allowed).toBe(expected);
      if (verdict.allowed) expect(new Set(verdict.voucher?.keyIds).size).toBe(threshold);
    }), { numRuns: 400 });
  });

  test("two requirements are met exactly when one commit meets each of them alone", () => {
    const required = fc.record({ keys: fc.subarray(people, { minLength: 1 }), threshold: fc.constantFrom(1, 2) });
    fc.assert(fc.property(commit, required, required, fc.subarray(people), (one, first, other, revoked) => {
      const commits = [make(one)];
      const demand = (...all: readonly { keys: SecretKey[]; threshold: number }[]): boolean =>
        judge({
          policy: policy({ requirements: all.map(({ threshold }, index) => asked(String(index), threshold)), revoked: revoked.map(({ id }) => id) }), argument, measured,
          evidence: { commits, signatures: [], keys: all.map(({ keys }) => trusted(...keys)) },
        }).allowed;
      expect(demand(first, other)).toBe(demand(first) && demand(other));
      expect(demand(other, first)).toBe(demand(first, other));
    }), { numRuns: 300 });
  });

  test("more evidence never takes a boot away, a stricter policy never gives one", () => {
    fc.assert(fc.property(fc.array(commit, { maxLength: 3 }), fc.array(commit, { maxLength: 2 }), rules, (commits, more, { threshold, revoked, notBefore, keys }) => {
      const given = { threshold, revoked: revoked.map(({ id }) => id), notBefore };
      const first = commits.map(make);
      const before = decide({ commits: first, keys: trusted(...keys) }, given);
      if (before.allowed) expect(decide({ commits: [...more.map(make), ...first], keys: trusted(...keys) }, given).allowed).toBe(true);
      else expect(decide({ commits: first, keys: trusted(...keys) }, { threshold: threshold + 1, revoked: [...given.revoked, bob.id], notBefore: 100 }).allowed).toBe(false);
    }), { numRuns: 300 });
  });

  test("any bytes in any place: a verdict, never an error, never level signed", () => {
    const bytes = fc.oneof(fc.uint8Array({ maxLength: 300 }), fc.tuple(fc.constantFrom(release, aliceMeta), fc.nat(), fc.nat(255)).map(([base, at, byte]) => base.with(at % base.length, byte)));
    fc.assert(fc.property(fc.array(fc.tuple(bytes, fc.option(bytes, { nil: undefined }), fc.boolean()), { maxLength: 4 }), fc.array(fc.tuple(bytes, fc.constantFrom(alice.id, OTHER, "")), { maxLength: 3 }), (commits, bares) => {
      const evidence = {
        commits: commits.filter(([content, meta]) => !(content.toHex() === release.toHex() && meta?.toHex() === aliceMeta.toHex())).map(([content, meta, right]) => found(content, meta, right ? objectId(content) : "x")),
        signatures: bares.map(([content, keyId]) => ({ keyId, bytes: content, origin: "f" })),
      };
      // an edit may put the byte that was there; what is then signed is the release itself, or equal to it in all that counts
      const genuine = evidence.commits.some((candidate) => candidate.bytes.toHex() === release.toHex());
      if (!genuine) expect(decide(evidence).allowed).toBe(false);
      else decide(evidence);
    }), { numRuns: 1000 });
  });
});
