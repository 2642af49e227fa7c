/** `sealroot status`: what is booted and how it was verified, from the boot report held against the mount table. */

import { readFileSync } from "node:fs";
import { REPORT_PATH, type Signed } from "../boot/index.ts";
import { SealrootError } from "../errors/index.ts";
import { type CommandHelp, parseArguments, printable, type Style } from "../terminal/index.ts";
import { outputStyle, print, printJson } from "./output.ts";
import { digestOf, foreignMounts, imageMount, isEnforced, isNameless, isUsrCovered, readRootMounts, type RootMount } from "./root-mounts.ts";
import { signedRows } from "./verdict-text.ts";

export const help: CommandHelp = {
  name: "status",
  summary: "Say what is booted, how it was verified, and what is mounted.",
  description: `Reads ${REPORT_PATH} and holds it against the mount table of this process: what lies over / and /usr there was not looked at by the boot.`,
  options: { json: { kind: "flag", help: "print JSON" } },
  examples: [
    ["sealroot status", "for people"],
    ["sealroot status --json | jq -r .level", "none, verity or signed, for programs"],
  ],
};

type Json = Record<string, unknown>;
const isRecord = (value: unknown): value is Json => typeof value === "object" && value !== null && !Array.isArray(value);
const textOf = (value: unknown): string => (typeof value === "string" ? value : "");

function readReport(): Json | undefined {
  let content: string;
  try {
    content = readFileSync(REPORT_PATH, "utf8");
  } catch {
    return undefined;
  }
  try {
    const parsed: unknown = JSON.parse(content);
    if (isRecord(parsed)) return parsed;
  } catch {
    // told below
  }
  throw new SealrootError("SR-E701");
}

export function run(argv: readonly string[]): number {
  const parsed = parseArguments(help, argv);
  const report = readReport();
  const mounts = readRootMounts(readFileSync("/proc/self/mountinfo", "utf8"));
  const root = imageMount(mounts);
  const digest = digestOf(root);
  if (report === undefined && digest === undefined) throw new SealrootError("SR-E700");
  // the programs that run are those in /usr, whatever `/` is
  const enforced = isEnforced(root) && !isUsrCovered(mounts);
  const image = isRecord(report?.["image"]) ? report["image"] : undefined;
  const nameless = isNameless(root) && isRecord(report?.["deployment"]);
  const agrees = nameless ? image?.["digest"] === undefined : digest !== undefined && image?.["digest"] === digest;
  const signed = agrees && report?.["level"] === "signed" && isRecord(report["signed"]) ? report["signed"] : undefined;
  const level: Status["level"] = digest === undefined || !enforced ? "none" : signed === undefined ? "verity" : "signed";
  const status = { digest: digest ?? null, level, signed: level === "signed" ? (signed ?? null) : null, root: mounts.root ?? null, foreign: foreignMounts(mounts), reportAgrees: report === undefined ? null : agrees, report: report ?? null };
  if (parsed.flag("json")) printJson(status);
  else print(render(status, outputStyle()));
  return 0;
}

interface Status {
  readonly digest: string | null;
  readonly level: "none" | "verity" | "signed";
  /** Who vouched for the image, from the report. */
  readonly signed: Json | null;
  readonly root: RootMount | null;
  /** What lies over the image's /usr, in words. */
  readonly foreign: readonly string[];
  readonly reportAgrees: boolean | null;
  readonly report: Json | null;
}

/** The report's words, which the initramfs wrote: what is missing in them is left out. */
function signedFacts(signed: Json): Signed {
  const { commit, keys, origin, timestamp } = signed;
  return {
    commit: typeof commit === "string" ? commit : null,
    keys: Array.isArray(keys) ? keys.filter((key): key is string => typeof key === "string") : [],
    origin: textOf(origin),
    timestamp: typeof timestamp === "number" || typeof timestamp === "string" ? timestamp : null,
  };
}

function render({ digest, level, signed, root, foreign, reportAgrees, report }: Status, style: Style): string {
  const rows: [label: string, text: string, paint?: (text: string) => string][] = [
    digest !== null ? ["booted", digest] : isNameless(root ?? undefined) ? ["booted", "an image without a fs-verity digest"] : ["booted", "/ is not a composefs mount", style.red],
    level === "none" ? ["verified", "NOT VERIFIED", style.red] : ["verified", "every read, by the kernel (verity=require)", style.green],
  ];
  if (signed !== null) rows.push(...signedRows(signedFacts(signed)).map(([label, text]): [string, string] => [label, text]));
  if (root !== null) rows.push(["/", `${root.filesystem} ${root.source} ${root.options.filter((option) => /^(ro|rw|metacopy|redirect_dir|verity)/.test(option)).join(",")}`]);
  for (const text of foreign) rows.push(["warning", text, style.red]);
  if (report === null) rows.push(["report", `none (${REPORT_PATH}); booted by another helper`]);
  else {
    const image = isRecord(report["image"]) ? report["image"] : {};
    if (isRecord(report["deployment"])) {
      const { stateroot, commit, serial } = report["deployment"];
      rows.push(["deployment", `${textOf(stateroot)} ${textOf(commit)}.${String(serial)}`]);
    }
    rows.push(["argument", textOf(image["argument"])], ["kernel", textOf(report["kernel"])], ["sealroot", textOf(report["sealroot"])]);
    if (typeof report["state"] === "string") rows.push(["state", report["state"]]);
    if (isRecord(report["rungs"])) rows.push(["rungs", Object.entries(report["rungs"]).map(([step, rung]) => `${step}: ${textOf(rung)}`).join("; ")]);
    if (Array.isArray(report["proof"])) rows.push(["read", (report["proof"] as unknown[]).filter(isRecord).map((proof) => `${textOf(proof["path"])} (${String(proof["bytes"])} bytes)`).join(", ")]);
    if (typeof report["milliseconds"] === "number") rows.push(["took", `${report["milliseconds"]} ms`]);
    for (const key of ["notes", "reasons"]) {
      const list = report[key];
      if (Array.isArray(list)) for (const item of list) rows.push([key.slice(0, -1), textOf(item)]);
    }
    if (reportAgrees === false) rows.push(["warning", "the report speaks of another image than the mount table", style.red]);
  }
  const width = Math.max(...rows.map(([label]) => label.length));
  return `${rows.map(([label, text, paint]) => `${style.bold(label.padEnd(width))}  ${paint === undefined ? printable(text) : paint(printable(text))}`).join("\n")}\n`;
}
