/** The verdicts on commits, signatures and keys that the real ostree made, beside ostree's own. */

import { describe, expect, test } from "bun:test";
import { SealrootError } from "../../../src/errors/index.ts";
import { parsePublicKeys } from "../../../src/ostree/index.ts";
import { deploymentCommits, judgeDeployment } from "../../../src/trust/deployment.ts";
import type { FoundCommit, TrustPolicy } from "../../../src/trust/index.ts";
import { commitBytes, commitmetaBytes, fixture, manifest, named, type Case } from "../ostree/fixtures.ts";

const signed: TrustPolicy = { level: "signed", requirements: [{ source: "[trust]", keys: [], threshold: 1 }], revoked: [], notBefore: undefined, insecureArgument: false };

/** For each case, the verdict with each key file of the manifest, in its order: "signed", or the code of the refusal. */
const verdicts: Readonly<Record<string, string>> = {
  "os1.corrupt+good": "signed E221 E221 signed",
  "os1.corrupt-R": "E221 E221 E221 E221",
  "os1.corrupt-S": "E221 E221 E221 E221",
  "os1.dupkey-bad-then-good": "E221 E221 E221 E221",
  "os1.dupkey-good-then-bad": "signed E221 E221 signed",
  "os1.empty-array": "E220 E220 E220 E220",
  "os1.empty-dict": "E220 E220 E220 E220",
  "os1.garbage": "E234 E234 E234 E234",
  "os1.good": "signed E221 E221 signed",
  "os1.good+corrupt": "signed E221 E221 signed",
  "os1.good+len63": "signed E221 E221 signed",
  "os1.good+second": "signed signed E221 signed",
  "os1.good-twice": "signed E221 E221 signed",
  "os1.leading-pad-nonzero": "signed E221 E221 signed",
  "os1.len0+good": "signed E221 E221 signed",
  "os1.len63": "E224 E224 E224 E224",
  "os1.len63+good": "signed E221 E221 signed",
  "os1.len65": "E224 E224 E224 E224",
  "os1.noncanonical-S": "E224 E224 E224 E224",
  "os1.other-key-only": "E220 E220 E220 E220",
  "os1.second": "E221 signed E221 signed",
  "os1.second+good": "signed signed E221 signed",
  "os1.sig-of-os2": "E221 E221 E221 E221",
  "os1.spki+good": "signed E221 E221 signed",
  "os1.spki-only": "E220 E220 E220 E220",
  "os1.ten-bad+good": "signed E221 E221 signed",
  "os1.trailing-garbage": "E234 E234 E234 E234",
  "os1.truncated": "E234 E234 E234 E234",
  "os1.type-as": "E234 E234 E234 E234",
  "os1.type-av": "E234 E234 E234 E234",
  "os1.type-ay": "E234 E234 E234 E234",
  "os1.wrong": "E221 E221 signed E221",
  "os1.zero-sig": "E224 E224 E224 E224",
  "os1.unsigned": "E220 E220 E220 E220",
  "os1.zero-length-meta": "E220 E220 E220 E220",
  tiny: "signed E221",
  os2: "signed E221",
  nodigest: "E227 E221",
  bootc_own: "signed E221",
  digest16: "E227 E221",
  digest_str: "E227 E221",
  digest_other: "E210 E221",
  bigmeta: "signed E221",
  detached: "signed E221",
  bootc: "signed E221 E221",
  "bootc.self-signed": "E227 E221 E221 E227",
  "bootc.base-unsigned": "E220 E220 E220 E220",
  "bootc.base-signed-second": "E221 signed E221 signed",
  "bootc.empty-meta": "E220 E220 E220 E220",
  bootc_derived: "E210",
  bootc_nobase: "E220",
  plain_child: "E220",
  "swap.os2-under-os1": "E250 E226 E226 E250",
  "swap.os2-under-os1.old-image": "E250 E226 E226 E250",
  tampered: "E226 E226 E226 E226",
  dup_right_first: "E225 E221",
  dup_wrong_first: "E225 E221",
  digest_33: "E227 E221",
  digest_empty: "E227 E221",
  related: "signed E221",
  parent_20: "E225 E221",
  bad_root_len: "E225 E221",
  emptykey: "E225 E221",
  future_time: "signed E221",
  nonutf8_subject: "E225 E221",
  trunc: "E225 E221",
  trailing: "E225 E221",
  nonzero_padding: "E225 E221",
  bad_offset: "E225 E221",
  "keyfile.second-sig": "signed E232 E232",
};

/** ostree-prepare-root accepts these; sealroot does not. The README's table of differences says why. */
const stricter: Readonly<Record<string, string>> = {
  "swap.os2-under-os1": "another validly signed commit under this one's name",
  dup_right_first: "a metadata key twice",
  parent_20: "a parent id of 20 bytes",
  bad_root_len: "a root id of 31 bytes",
  emptykey: "an empty metadata key",
  nonutf8_subject: "a subject that is not UTF-8",
  nonzero_padding: "padding that is not zero",
};
/** ostree-prepare-root stops at a malformed signature that comes before a good one; sealroot passes it over. */
const passedOver = ["os1.len0+good", "os1.len63+good"];

const digestOf = (image: string): string => named(manifest.images, image).digest_with_verity;

function repository({ deployment_commit_id: id, object_commit, object_commitmeta, other_objects }: Case): (id: string) => FoundCommit | undefined {
  const objects = new Map<string, FoundCommit>([[id, { id, bytes: commitBytes(object_commit), commitmeta: commitmetaBytes(object_commitmeta), origin: "own" }]]);
  for (const { commit, commitmeta } of other_objects) {
    const other = named(manifest.commits, commit).commit_id;
    objects.set(other, { id: other, bytes: commitBytes(commit), commitmeta: commitmetaBytes(commitmeta), origin: "base" });
  }
  return (wanted) => objects.get(wanted);
}

function verdict(record: Case, keyFile: string, policy = signed): string {
  try {
    const keys = parsePublicKeys(fixture(`keys/${keyFile}.key`), keyFile);
    const commits = deploymentCommits(record.deployment_commit_id, repository(record));
    const result = judgeDeployment({ policy, measured: { kind: "digest", algorithm: "sha256", digest: digestOf(record.image) }, evidence: { commits, signatures: [], keys: [keys] } });
    return result.allowed ? result.level : result.code.slice(3);
  } catch (error) {
    if (error instanceof SealrootError) return error.code.slice(3);
    throw error;
  }
}

describe("cases", () => {
  test.each(manifest.cases.map((record) => [record.name, record] as const))("%s", (name, record) => {
    const keyFiles = Object.keys(record.expected);
    expect(keyFiles.map((keyFile) => verdict(record, keyFile)).join(" ")).toBe(named(verdicts, name));
    for (const keyFile of keyFiles) {
      const same = (verdict(record, keyFile) === "signed") === (record.expected[keyFile]?.prepare_root === "accept");
      if (!same) expect(verdict(record, keyFile) === "signed" ? passedOver : Object.keys(stricter)).toContain(name);
    }
  });

  test("the lists of differences name nothing else", () => {
    const differs = (name: string): boolean => {
      const record = manifest.cases.find((candidate) => candidate.name === name);
      return record !== undefined && Object.entries(record.expected).some(([keyFile, { prepare_root }]) => (verdict(record, keyFile) === "signed") !== (prepare_root === "accept"));
    };
    expect([...Object.keys(stricter), ...passedOver].filter((name) => !differs(name))).toEqual([]);
    expect(Object.keys(verdicts).toSorted()).toEqual(manifest.cases.map(({ name }) => name).toSorted());
  });
});

describe("key files", () => {
  const stricterFiles = ["comment-last", "short-last", "junk-inside", "nul-terminated"];
  test.each(Object.keys(manifest.keyfiles))("%s", (name) => {
    const record = manifest.cases.find((candidate) => candidate.name === named(manifest.keyfiles, name).with_case);
    if (record === undefined) throw new Error("no such case");
    const accepted = verdict(record, name) === "signed";
    if (accepted !== (named(manifest.keyfiles, name).prepare_root === "accept")) expect(accepted ? ["pem"] : stricterFiles).toContain(name);
  });
});

describe("a deployment", () => {
  const good = manifest.cases.find(({ name }) => name === "os1.good") as Case;
  const bootc = manifest.cases.find(({ name }) => name === "bootc") as Case;
  const measured = { kind: "digest", algorithm: "sha256", digest: digestOf("tree1") } as const;
  const evidence = (record: Case) => ({ commits: deploymentCommits(record.deployment_commit_id, repository(record)), signatures: [], keys: [parsePublicKeys(fixture("keys/good.key"), "good")] });
  const verity: TrustPolicy = { ...signed, level: "verity", requirements: [] };

  test("at level verity the commit names the image, signed or not; and its bytes have its id", () => {
    const words = (name: string): string => verdict(manifest.cases.find((candidate) => candidate.name === name) as Case, "good", verity);
    expect(words("os1.unsigned")).toBe("verity");
    expect(words("bootc")).toBe("verity");
    expect(words("tampered")).toBe("E226");
    expect(words("digest_other")).toBe("E210");
    expect(words("nodigest")).toBe("E227");
    expect(words("trunc")).toBe("E225");
    expect(judgeDeployment({ policy: verity, measured, evidence: { commits: [], signatures: [], keys: [] } })).toMatchObject({ allowed: false, code: "SR-E227" });
    expect(judgeDeployment({ policy: verity, measured: { ...measured, digest: digestOf("tree2") }, evidence: evidence(good) })).toMatchObject({ code: "SR-E210", expected: `sha256:${digestOf("tree1")}`, found: `sha256:${digestOf("tree2")}` });
  });

  test("without fs-verity nothing above level none is reached", () => {
    for (const policy of [verity, signed]) {
      expect(judgeDeployment({ policy, measured: { kind: "no-verity" }, evidence: evidence(good) })).toMatchObject({ allowed: false, code: "SR-E211" });
      expect(judgeDeployment({ policy, measured: { kind: "unsupported", errno: "EOPNOTSUPP" }, evidence: evidence(good) })).toMatchObject({ allowed: false, code: "SR-E212" });
    }
    for (const policy of [undefined, { ...signed, level: "none" } as const]) expect(judgeDeployment({ policy, measured: { kind: "no-verity" }, evidence: evidence(good) })).toMatchObject({ allowed: true, level: "none", enforce: false });
  });

  test("the verdict names commit, keys and time", () => {
    const verdict = judgeDeployment({ policy: signed, measured, evidence: evidence(bootc) });
    const [key] = parsePublicKeys(fixture("keys/good.key"), "good");
    expect(verdict).toMatchObject({ allowed: true, level: "signed", enforce: true, enforceOptional: false, voucher: { commitId: good.deployment_commit_id, keyIds: [key?.id ?? ""], timestamp: 1767323045n, origin: "base" } });
  });

  test("a repository without the commit", () => {
    expect(deploymentCommits(good.deployment_commit_id, () => undefined)).toEqual([]);
    expect(judgeDeployment({ policy: signed, measured, evidence: { ...evidence(good), commits: [] } })).toMatchObject({ allowed: false, code: "SR-E107" });
  });
});
