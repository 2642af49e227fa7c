/**
 * What is read at level "signed": GVariant, commits, detached metadata, key files, and the verdict as a whole. What is read is
 * written back byte for byte; nothing that nobody signed passes.
 */

import { join } from "node:path";
import { show } from "../../src/ostree/gvariant-plain.ts";
import { elementCount, forEachEntry, isNormal, lookUp, read } from "../../src/ostree/gvariant-read.ts";
import { parseType } from "../../src/ostree/gvariant-type.ts";
import { appendSignature, baseCommit, objectId, parseCommit, parsePublicKeys, parseSignatures, writeCommit } from "../../src/ostree/index.ts";
import { parseSecretKey } from "../../src/ostree/secret-keys.ts";
import { deploymentCommits, judgeDeployment } from "../../src/trust/deployment.ts";
import { judge } from "../../src/trust/index.ts";
import { files, must, refusal, same, type Target } from "./target.ts";

const DATA = join(import.meta.dir, "../data/ostree");
const TYPES = ["(a{sv}aya(say)sstayay)", "a{sv}", "v", "aay", "as", "(a(say)a(sayay))", "(uuua(ayay))", "a(sv)", "mmas", "a{s(uv)}", "(ysvaay)", "av", "aaaaay", "d", "b", "o", "g", "a(ysmay)", ...["y", "b", "s", "ay", "mv"].map((inner) => `a${"(".repeat(50)}${inner}${")".repeat(50)}`), "a(yq)", "a(tuqyyyy)"];
const good = files(join(DATA, "keys")).find((bytes) => bytes.length === 45) ?? new Uint8Array();
const keys = parsePublicKeys(good, "good");
const digest = "b5f4672db5a6ba2a2b68570a43b5afe4645b0554b97bf4da53b22e5f021a22e2";
const policy = { level: "signed", requirements: [{ source: "[trust]", keys: [], threshold: 1 }], revoked: [], notBefore: 1, insecureArgument: false } as const;
const genuine = new Set(files(join(DATA, "commit")).map(objectId));

export const SIGNED_TARGETS: Readonly<Record<string, Target>> = {
  gvariant: {
    // types nested fifty deep leave much garbage
    turns: true,
    corpus: () => files(join(DATA, "commit"), join(DATA, "commitmeta")),
    try: (input, generator) => {
      const type = parseType(generator.pick(TYPES));
      if (type === undefined) throw new Error("no type");
      const value = read(type, input);
      const steps = { left: 5000 };
      isNormal(value, steps);
      must(steps.left >= -1 - Math.max(1024, input.length), "the looking at it does not end");
      const normal = isNormal(value);
      elementCount(value);
      forEachEntry(value, () => true);
      lookUp(value, "version");
      if (normal && input.length < 4096) show(value);
      // the bytes as a type as well
      parseType(String.fromCharCode(...input.subarray(0, 64)));
    },
  },
  commit: {
    corpus: () => files(join(DATA, "commit")),
    try: (input) => {
      const code = refusal(() => parseCommit(input));
      must(code === undefined || code === "SR-E225" || code === "SR-E229", `code ${code}`);
      must(refusal(() => baseCommit(input)) === code, "baseCommit() reads something else");
      if (code === undefined) must(same(writeCommit(parseCommit(input)), input), "what was read is not written back");
    },
  },
  commitmeta: {
    corpus: () => files(join(DATA, "commitmeta")),
    try: (input) => {
      const code = refusal(() => parseSignatures(input));
      must(code === undefined || code === "SR-E229", `code ${code}`);
      let appended: Uint8Array | undefined;
      const second = refusal(() => (appended = appendSignature(input, new Uint8Array(64), "00".repeat(32))));
      must(second === undefined || second === "SR-E234" || second === "SR-E229", `code ${second}`);
      if (appended !== undefined) must(parseSignatures(appended).signatures.length === parseSignatures(input).signatures.length + 1, "a signature is lost");
    },
  },
  keys: {
    corpus: () => files(join(DATA, "keys")),
    try: (input) => {
      const code = refusal(() => parsePublicKeys(input, "f"));
      must(code === undefined || ["SR-E229", "SR-E231", "SR-E232"].includes(code), `code ${code}`);
      const second = refusal(() => parseSecretKey(input, "f"));
      must(second === undefined || second === "SR-E233", `code ${second}`);
    },
  },
  verdict: {
    corpus: () => files(join(DATA, "commit"), join(DATA, "commitmeta")),
    try: (input, generator) => {
      const other = generator.from(generator.corpus);
      const [bytes, commitmeta] = generator.chance(2) ? [input, other] : [other, input];
      const commit = { id: objectId(bytes), bytes, commitmeta: generator.chance(8) ? undefined : commitmeta, origin: "f" };
      const commits = deploymentCommits(commit.id, (id) => (id === commit.id ? commit : undefined));
      const measured = { kind: "digest", algorithm: "sha256", digest } as const;
      const evidence = { commits, signatures: [{ keyId: keys[0]?.id ?? "", bytes: input.subarray(0, 64), origin: "f" }], keys: [keys] };
      const verdict = judgeDeployment({ policy, measured, evidence });
      const another = judge({ policy, argument: { algorithm: "sha256", digest, insecure: false, version: 1 }, measured, evidence });
      // only what a real key signed may pass, and nobody signed anything new
      must(!verdict.allowed || genuine.has(commit.id), "level signed for bytes that nobody signed");
      must(!another.allowed, "level signed for an image that no commit names");
    },
  },
};
