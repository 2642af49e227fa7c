/**
 * What level "signed" adds to the start of a compiled executable: loading the engines, and the first verification, which no warm
 * code helps. Each probe is compiled as the program is, and run in turn with one that does nothing.
 *
 *   bun test/bench/signature.ts [RUNS]
 */

import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";

const RUNS = Number(process.argv[2] ?? 60);
const top = join(import.meta.dir, "../..");
const data = join(top, "test/data/ostree");
const directory = mkdtempSync(join(tmpdir(), "sealroot-bench-"));
const OPTIONS = ["--compile", "--minify", "--bytecode", "--format=esm", "--splitting", "--sourcemap=none", "--compile-exec-argv=--disallow-code-generation-from-strings=strict"];

const bytes = async (path: string): Promise<string> => JSON.stringify(new Uint8Array(await Bun.file(join(data, path)).arrayBuffer()).toHex());
const inputs = `
  const commit = Uint8Array.fromHex(${await bytes("commit/os1.commit")});
  const commitmeta = Uint8Array.fromHex(${await bytes("commitmeta/os1.good.commitmeta")});
  const keyFile = Uint8Array.fromHex(${await bytes("keys/good.key")});
  const digest = "b5f4672db5a6ba2a2b68570a43b5afe4645b0554b97bf4da53b22e5f021a22e2";
  const id = "15c655ebedac6751b625a898ef1705ce419f500fe8968de5d90d27e273273622";
  const [publicKey, signature] = [Uint8Array.fromHex("6e4ca69de334cd843d09cd6e0181ea69efd0df05baf5df73aefefc9d9655ba9e"), commitmeta.subarray(24, 88)];
`;
const engine = (which: string): string => `const { ENGINES, verifyWith } = require("${top}/src/ostree/ed25519.ts"); if (!verifyWith(ENGINES${which}, publicKey, commit, signature)) throw new Error("not valid");`;

const PROBES: Readonly<Record<string, string>> = {
  "nothing": "",
  "the runtime's Ed25519": engine(".slice(0, 1)"),
  "@noble/curves": engine(".slice(1)"),
  "both": engine(""),
  "the whole verdict": `
    const { parsePublicKeys } = require("${top}/src/ostree/index.ts");
    const { judgeDeployment } = require("${top}/src/trust/deployment.ts");
    const policy = { level: "signed", requirements: [{ source: "bench", keys: [], threshold: 1 }], revoked: [], notBefore: undefined, insecureArgument: false };
    const evidence = { commits: [{ id, bytes: commit, commitmeta, origin: "" }], signatures: [], keys: [parsePublicKeys(keyFile, "")] };
    if (judgeDeployment({ policy, measured: { kind: "digest", algorithm: "sha256", digest }, evidence }).level !== "signed") throw new Error("refused");
  `,
};

interface Sample {
  readonly wall: number;
  readonly cpu: number;
}

function run(program: string): Sample {
  const started = performance.now();
  const { exitCode, resourceUsage } = Bun.spawnSync([program], { env: {}, stdout: "ignore", stderr: "inherit" });
  const wall = performance.now() - started;
  if (exitCode !== 0) throw new Error(`${program} failed`);
  return { wall, cpu: Number(resourceUsage.cpuTime.total) / 1000 };
}

const least = (samples: readonly Sample[], what: keyof Sample): number => Math.min(...samples.map((sample) => sample[what]));
const median = (samples: readonly Sample[], what: keyof Sample): number => samples.map((sample) => sample[what]).toSorted((a, b) => a - b)[samples.length >> 1] ?? NaN;

try {
  const programs = Object.entries(PROBES).map(([name, code], index) => {
    const source = join(directory, `probe${index}.ts`);
    writeFileSync(source, `${inputs}\nconst probe = () => { ${code} };\nprobe();\n`);
    const program = join(directory, `probe${index}`);
    const built = Bun.spawnSync([process.execPath, "build", source, ...OPTIONS, `--outfile=${program}`], { cwd: top });
    if (built.exitCode !== 0) throw new Error(built.stderr.toString());
    return { name, program, samples: [] as Sample[] };
  });
  for (let round = 0; round < RUNS; round++) for (const { program, samples } of programs) samples.push(run(program));
  const [base] = programs;
  if (base === undefined) throw new Error("no probe");
  console.log(`${RUNS} runs each, in turn; milliseconds over an executable that does nothing (least ${least(base.samples, "wall").toFixed(1)}, median ${median(base.samples, "wall").toFixed(1)})\n`);
  console.log(`${"".padEnd(24)}${["wall, least", "wall, median", "CPU, least", "CPU, median"].map((head) => head.padStart(14)).join("")}`);
  for (const { name, samples } of programs.slice(1)) {
    const columns = [least(samples, "wall") - least(base.samples, "wall"), median(samples, "wall") - median(base.samples, "wall"), least(samples, "cpu") - least(base.samples, "cpu"), median(samples, "cpu") - median(base.samples, "cpu")];
    console.log(`${name.padEnd(24)}${columns.map((value) => value.toFixed(1).padStart(14)).join("")}`);
  }
} finally {
  rmSync(directory, { recursive: true, force: true });
}
