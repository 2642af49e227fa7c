/**
 * Throws bytes at everything that reads what a disk or an initramfs holds at level "signed": GVariant, commits, detached
 * metadata, key files, and the verdict as a whole. Not part of `npm test`.
 *
 *   bun test/fuzz/ostree.ts [TARGET...] [--runs N] [--seed S] [--seeds DIRECTORY]
 *
 * Inputs are the real files of test/data/ostree and the seeds of test/fuzz/seeds, changed: bits, numbers that matter to framing
 * offsets, pieces cut out, doubled, or taken from another input. A run with the same seed makes the same inputs. What breaks a rule
 * is written to the seeds and ends the run. The rules: a value or one SealrootError; what is read is written back
 * byte for byte; no input takes a tenth of a second, or 64 MiB.
 */

import { existsSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { parseArgs } from "node:util";
import { SealrootError } from "../../src/errors/index.ts";
import { show } from "../../src/ostree/gvariant-plain.ts";
import { elementCount, forEachEntry, isNormal, lookUp, read } from "../../src/ostree/gvariant-read.ts";
import { parseType } from "../../src/ostree/gvariant-type.ts";
import { appendSignature, baseCommit, objectId, parseCommit, parsePublicKeys, parseSignatures, writeCommit } from "../../src/ostree/index.ts";
import { parseSecretKey } from "../../src/ostree/secret-keys.ts";
import { deploymentCommits, judgeDeployment } from "../../src/trust/deployment.ts";
import { judge } from "../../src/trust/index.ts";
import { Generator } from "./generator.ts";

const DATA = join(import.meta.dir, "../data/ostree");
const SLOWEST_MS = 100;
const MOST_BYTES = 64 * 2 ** 20;

const files = (...folders: string[]): Uint8Array[] => folders.flatMap((folder) => (existsSync(folder) ? readdirSync(folder).toSorted().map((name) => new Uint8Array(readFileSync(join(folder, name)))) : []));

/** undefined when it was read. */
function refusal(action: () => unknown): string | undefined {
  try {
    action();
    return undefined;
  } catch (error) {
    if (error instanceof SealrootError) return error.code;
    throw error;
  }
}
function must(holds: boolean, rule: string): void {
  if (!holds) throw new Error(rule);
}
const same = (a: Uint8Array, b: Uint8Array): boolean => Buffer.compare(a, b) === 0;

interface Target {
  readonly corpus: () => Uint8Array[];
  readonly try: (input: Uint8Array, generator: Generator) => void;
}

const TYPES = ["(a{sv}aya(say)sstayay)", "a{sv}", "v", "aay", "as", "(a(say)a(sayay))", "(uuua(ayay))", "a(sv)", "mmas", "a{s(uv)}", "(ysvaay)", "av", "aaaaay", "d", "b", "o", "g", "a(ysmay)"];
const good = files(join(DATA, "keys")).find((bytes) => bytes.length === 45) ?? new Uint8Array();
const keys = parsePublicKeys(good, "good");
const digest = "b5f4672db5a6ba2a2b68570a43b5afe4645b0554b97bf4da53b22e5f021a22e2";
const policy = { level: "signed", keys: [], threshold: 1, revoked: [], notBefore: 1, insecureArgument: false } as const;
const genuine = new Set(files(join(DATA, "commit")).map(objectId));

const TARGETS: Readonly<Record<string, Target>> = {
  gvariant: {
    corpus: () => files(join(DATA, "commit"), join(DATA, "commitmeta")),
    try: (input, generator) => {
      const type = parseType(generator.pick(TYPES));
      if (type === undefined) throw new Error("no type");
      const value = read(type, input);
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
      const evidence = { commits, signatures: [{ keyId: keys[0]?.id ?? "", bytes: input.subarray(0, 64), origin: "f" }], keys };
      const verdict = judgeDeployment({ policy, measured, evidence });
      const another = judge({ policy, argument: { algorithm: "sha256", digest, insecure: false, version: 1 }, measured, evidence });
      // only what a real key signed may pass, and nobody signed anything new
      must(!verdict.allowed || genuine.has(commit.id), "level signed for bytes that nobody signed");
      must(!another.allowed, "level signed for an image that no commit names");
    },
  },
};

const { values, positionals } = parseArgs({ allowPositionals: true, options: { runs: { type: "string", default: "1000000" }, seed: { type: "string", default: "1" }, seeds: { type: "string", default: join(import.meta.dir, "seeds") } } });
const runs = Number(values.runs);
const rss = (): number => process.memoryUsage.rss();

for (const name of positionals.length > 0 ? positionals : Object.keys(TARGETS)) {
  const target = TARGETS[name];
  if (target === undefined) throw new Error(`no target ${name}; there are: ${Object.keys(TARGETS).join(", ")}`);
  const seeds = join(values.seeds, name);
  const generator = new Generator(Number(values.seed), [...target.corpus(), ...files(seeds)]);
  const attempt = (input: Uint8Array, run: number): number => {
    const started = performance.now();
    try {
      target.try(input, generator);
      const took = performance.now() - started;
      // once is the machine's, twice is the input's
      if (took > SLOWEST_MS && again(target, input, generator) > SLOWEST_MS) throw new Error(`${took.toFixed(0)} ms`);
      return took;
    } catch (error) {
      mkdirSync(seeds, { recursive: true });
      const path = join(seeds, `${values.seed}-${run}`);
      writeFileSync(path, input);
      throw new Error(`${name}: run ${run}: ${error instanceof Error ? error.message : String(error)}; the input is in ${path}`, { cause: error });
    }
  };
  for (const input of generator.corpus) attempt(input, 0);
  Bun.gc(true);
  const before = rss();
  let peak = before;
  let slowest = 0;
  const started = performance.now();
  for (let run = 1; run <= runs; run++) {
    const took = attempt(generator.next(), run);
    if (took > slowest) slowest = took;
    if (run % 1024 === 0) peak = Math.max(peak, rss());
  }
  const seconds = (performance.now() - started) / 1000;
  console.log(`${name.padEnd(11)} ${runs} inputs  ${seconds.toFixed(1)} s  ${Math.round(runs / seconds)}/s  slowest ${slowest.toFixed(1)} ms  peak ${(peak / 2 ** 20).toFixed(0)} MiB, ${((peak - before) / 2 ** 20).toFixed(0)} MiB above the start`);
  if (peak - before > MOST_BYTES) throw new Error(`${name}: the run took ${peak - before} bytes`);
}

function again(target: Target, input: Uint8Array, generator: Generator): number {
  const started = performance.now();
  target.try(input, generator);
  return performance.now() - started;
}
