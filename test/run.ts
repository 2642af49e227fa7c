/**
 * `npm test`: builds, runs every group of tests, and ends in one line `N passed, N failed`.
 *
 *   bun test/run.ts [GROUP...]    only these groups, e.g. `npm test -- unit runtime`
 */

interface Group {
  readonly name: string;
  readonly what: string;
  /** Of one test; whole VMs start within some of them. */
  readonly timeoutSeconds: number;
}

const GROUPS: readonly Group[] = [
  { name: "unit", what: "pure code", timeoutSeconds: 60 },
  { name: "runtime", what: "the executable against hostile environments", timeoutSeconds: 300 },
  { name: "integration", what: "real images and mounts in a private mount namespace", timeoutSeconds: 600 },
  { name: "vm", what: "real kernels with fs-verity, under QEMU", timeoutSeconds: 1800 },
];

interface Counts {
  passed: number;
  failed: number;
}

const top = `${import.meta.dir}/..`;
const bun = process.execPath;
const startedAt = performance.now();
const elapsed = (): string => {
  const seconds = Math.round((performance.now() - startedAt) / 1000);
  return `${Math.floor(seconds / 60)}:${String(seconds % 60).padStart(2, "0")}`;
};

async function inherit(...command: string[]): Promise<number> {
  const child = Bun.spawn([bun, ...command], { cwd: top, stdin: "ignore", stdout: "inherit", stderr: "inherit" });
  return child.exited;
}

/** Runs a group, passing its output on, and reads the counts from bun's own closing lines. A group that runs no test has failed. */
async function runGroup({ name, timeoutSeconds }: Group): Promise<Counts> {
  const child = Bun.spawn([bun, "test", `./test/${name}`, "--timeout", String(timeoutSeconds * 1000)], { cwd: top, stdin: "ignore", stdout: "inherit", stderr: "pipe" });
  let tail = "";
  const decoder = new TextDecoder();
  for await (const chunk of child.stderr) {
    process.stderr.write(chunk);
    tail = (tail + decoder.decode(chunk, { stream: true })).slice(-4000);
  }
  const status = await child.exited;
  const count = (word: string): number => Number(new RegExp(`^\\s*(\\d+) ${word}$`, "m").exec(tail)?.[1] ?? 0);
  const counts = { passed: count("pass"), failed: count("fail") + count("skip") + count("todo") };
  if (status !== 0 && counts.failed === 0) counts.failed = 1;
  if (counts.passed + counts.failed === 0) counts.failed = 1;
  return counts;
}

const asked = process.argv.slice(2);
const unknown = asked.find((name) => !GROUPS.some((group) => group.name === name));
if (unknown !== undefined) {
  console.error(`there is no group "${unknown}"; groups: ${GROUPS.map(({ name }) => name).join(", ")}`);
  process.exit(2);
}
const total: Counts = { passed: 0, failed: 0 };
for (const [name, command] of [["types", ["check"]], ["build", ["build.ts"]]] as const) {
  console.error(`\n== ${elapsed()}  ${name}`);
  if ((await inherit(...command)) === 0) total.passed++;
  else total.failed++;
}
for (const group of asked.length === 0 ? GROUPS : GROUPS.filter(({ name }) => asked.includes(name))) {
  console.error(`\n== ${elapsed()}  ${group.name}: ${group.what}`);
  const { passed, failed } = await runGroup(group);
  console.error(`== ${elapsed()}  ${group.name}: ${passed} passed, ${failed} failed`);
  total.passed += passed;
  total.failed += failed;
}
console.log(`${total.passed} passed, ${total.failed} failed`);
process.exit(total.failed === 0 ? 0 : 1);
