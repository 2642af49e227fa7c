/** `sealroot check-initramfs FILE`: would this initramfs, or this unified kernel image, boot a sealed root? */

import { SealrootError } from "../errors/index.ts";
import { checkInitramfs, type CheckReport, DEFAULT_LIMIT, type Finding, type Verdict } from "../initramfs/index.ts";
import { isTerminal } from "../linux/index.ts";
import { type CommandHelp, parseArguments, printable, type Style } from "../terminal/index.ts";
import { readBootPolicy } from "./initramfs-policy.ts";
import { readInputFile } from "./input-file.ts";
import { outputStyle, print, printError, printJson } from "./output.ts";

export const help: CommandHelp = {
  name: "check-initramfs",
  operands: "FILE",
  operandCount: [1, 1],
  summary: "Say whether an initramfs, or a unified kernel image, can boot a sealed root.",
  description:
    "Looks at the executable with its libraries, the unit and what starts it, the guard, the kernel modules, the policy with its\n" +
    "keys; for a unified kernel image also at the command line inside. Nothing in the file is run.\n" +
    "Exit status: 0 it can, 70 it cannot (SR-E600), 71 no initramfs (SR-E601), 72 damaged (SR-E602).",
  options: {
    "any-helper": { kind: "flag", help: "accept composefs-setup-root, bootc or ostree-prepare-root in the place of sealroot" },
    strict: { kind: "flag", help: "count warnings as errors" },
    "max-size": { kind: "value", value: "MIB", help: `most that it may unpack to (default ${DEFAULT_LIMIT / 2 ** 20})` },
    json: { kind: "flag", help: "print JSON" },
  },
  examples: [
    ["sealroot check-initramfs /boot/initrd.img-6.12.107", "look before the reboot"],
    ["sealroot check-initramfs --strict --json build/system.efi", "a gate in a build"],
  ],
};

/** How far it is, on one line of a terminal, from the second second on. */
function progressLine(): { update(unpacked: number): void; clear(): void } {
  const begin = performance.now();
  let shown = begin + 800;
  let dirty = false;
  const terminal = isTerminal(2);
  return {
    update(unpacked) {
      if (!terminal || performance.now() < shown) return;
      shown = performance.now() + 200;
      dirty = true;
      printError(`\rsealroot: unpacked ${(unpacked / 1e6).toFixed(0)} MB `);
    },
    clear() {
      if (dirty) printError("\r\x1b[K");
    },
  };
}

export async function run(argv: readonly string[]): Promise<number> {
  const parsed = parseArguments(help, argv);
  const path = parsed.operands[0] ?? "";
  const mebibytes = parsed.value("max-size");
  if (mebibytes !== undefined && !/^[1-9][0-9]{0,6}$/.test(mebibytes)) {
    throw new SealrootError("SR-E100", { summary: `--max-size "${mebibytes}" is no number of MiB`, next: "see: sealroot check-initramfs --help" });
  }
  const file = readInputFile(path);
  const line = progressLine();
  let report: CheckReport;
  try {
    report = await checkInitramfs(file, path, {
      anyHelper: parsed.flag("any-helper"),
      policyReader: readBootPolicy,
      limit: mebibytes === undefined ? DEFAULT_LIMIT : Number(mebibytes) * 2 ** 20,
      progress: line.update,
    });
  } finally {
    line.clear();
  }
  const bad = report.findings.filter(({ verdict }) => verdict === "error" || (parsed.flag("strict") && verdict === "warning"));
  if (parsed.flag("json")) printJson({ file: path, ...report, ok: bad.length === 0 });
  else print(render(path, report, outputStyle()));
  if (bad.length === 0) return 0;
  throw new SealrootError("SR-E600", { details: [["file", path], ["findings", summarise(bad)]] });
}

const summarise = (bad: readonly Finding[]): string => {
  const checks = [...new Set(bad.map(({ check }) => check))];
  return `${bad.length}: ${checks.join(", ")}`;
};

const MARKS: Readonly<Record<Verdict, (style: Style) => (text: string) => string>> = {
  ok: (style) => style.green,
  note: (style) => style.dim,
  warning: (style) => style.yellow,
  error: (style) => style.red,
};

/** Names in an archive can hold anything: here not even a line feed gets through, which could forge a line of the report. */
const onOneLine = (text: string): string => printable(text).replace(/[\t\n]/g, (c) => (c === "\n" ? "\\x0a" : "\\x09"));

function render(path: string, report: CheckReport, style: Style): string {
  const { kind, machine, kernels, segments, findings, helper } = report;
  const archives = segments.map(({ compression }) => (compression === "none" ? "cpio" : compression)).join(" + ");
  const entries = segments.reduce((sum, segment) => sum + segment.entries, 0);
  const unpacked = segments.reduce((sum, segment) => sum + segment.unpacked, 0);
  const facts = [
    kind === "uki" ? "unified kernel image" : "initramfs",
    machine ?? "unknown machine",
    archives,
    `${entries} entries`,
    `${(unpacked / 1e6).toFixed(1)} MB unpacked`,
    ...(kernels.length > 0 ? [`kernel ${kernels.join(", ")}`] : []),
  ];
  const lines = [style.bold(onOneLine(path)), `  ${onOneLine(facts.filter((fact) => fact !== "").join(", "))}`, ""];
  const width = Math.max(...findings.map(({ check }) => check.length));
  let profile: string | undefined;
  for (const finding of findings) {
    if (finding.profile !== profile) lines.push(`  ${style.bold(`profile ${onOneLine(finding.profile ?? "")}`)}`);
    profile = finding.profile;
    const mark = MARKS[finding.verdict](style)(finding.verdict.padEnd(7));
    lines.push(`  ${mark}  ${onOneLine(finding.check).padEnd(width)}  ${onOneLine(finding.text)}`);
    if (finding.next !== undefined) lines.push(`  ${" ".repeat(7)}  ${" ".repeat(width)}  ${style.dim(`next: ${onOneLine(finding.next)}`)}`);
  }
  const verdict = report.bootable ? style.green(`can boot a sealed root, by ${helper ?? "nobody"}`) : style.red("cannot boot a sealed root");
  lines.push("", `  ${verdict}`);
  return `${lines.join("\n")}\n`;
}
