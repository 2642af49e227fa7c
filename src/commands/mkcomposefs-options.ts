/** The arguments of mkcomposefs, understood and refused as the C tool does it. */

import { readFileSync } from "node:fs";
import { getopt, type LongOption } from "../terminal/index.ts";
import { parseLong, toInt } from "./c-integer.ts";
import { fail, type Tool, ToolExit } from "./peer-tool.ts";

export interface MkcomposefsOptions {
  readonly source: string;
  /** undefined: nothing is written, the digest is printed */
  readonly image: string | undefined;
  readonly fromFile: boolean;
  readonly printDigest: boolean;
  readonly digestStore: string | undefined;
  readonly useEpoch: boolean;
  readonly skipDevices: boolean;
  readonly skipXattrs: boolean;
  readonly userXattrs: boolean;
  /** As 32 bits hold them; what they may be is found out when the image is written. */
  readonly minVersion: number;
  readonly maxVersion: number;
  readonly threads: number;
}

const LONG: readonly LongOption[] = [
  ...["skip-xattrs", "user-xattrs", "skip-devices", "use-epoch"].map((name) => ({ name, value: false })),
  { name: "digest-store", value: true },
  ...["print-digest", "print-digest-only", "from-file"].map((name) => ({ name, value: false })),
  ...["max-version", "min-version", "threads"].map((name) => ({ name, value: true })),
];

/** How many processors this process may use. */
export function processors(): number {
  const list = /^Cpus_allowed_list:\s*(\S+)/m.exec(readFileSync("/proc/self/status", "utf8"))?.[1] ?? "0";
  return list.split(",").reduce((sum, range) => {
    const [first = 0, last = first] = range.split("-").map(Number);
    return sum + last - first + 1;
  }, 0);
}

function usage(tool: Tool): string {
  return [
    `Usage: ${tool.shortName} [OPTIONS] SOURCE IMAGE`,
    "Options:",
    "  --digest-store=PATH   Store content files in this directory",
    "  --use-epoch           Make all mtimes zero",
    "  --skip-devices        Don't store device nodes",
    "  --skip-xattrs         Don't store file xattrs",
    "  --user-xattrs         Only store user.* xattrs",
    "  --print-digest        Print the digest of the image",
    "  --print-digest-only   Print the digest of the image, don't write image",
    "  --from-file           The source is a dump file, not a directory",
    "  --min-version=N       Use this minimal format version (default=0)",
    "  --max-version=N       Use this maximum format version (default=1)",
    `  --threads=N           Use this to override the default number of threads used to calculate digest and copy files (default=${processors()})`,
    "",
  ].join("\n");
}

/** @throws ToolExit */
export function parseMkcomposefs(tool: Tool, argv: readonly string[], ordered: boolean): MkcomposefsOptions {
  const flags = new Set<string>();
  const operands: string[] = [];
  let digestStore: string | undefined;
  const versions: { min?: bigint; max?: bigint } = {};
  let threads: number | undefined;
  const refuse = (said: string): never => {
    throw new ToolExit(said);
  };
  const number = (what: string, text: string): bigint => parseLong(text) ?? refuse(`Invalid ${what} ${text}\n`);
  for (const argument of getopt(argv, "CR", LONG, ordered)) {
    if (argument.kind === "operand") {
      operands.push(argument.value);
      continue;
    }
    if (argument.kind === "complaint") return refuse(argument.lacksValue ? "option needs a value\n" : usage(tool));
    const value = argument.value ?? "";
    switch (argument.name) {
      case "digest-store":
        digestStore = value;
        break;
      case "min-version":
        versions.min = number("min version", value);
        break;
      case "max-version":
        versions.max = number("max version", value);
        break;
      case "threads":
        threads = toInt(number("threads count", value));
        if (threads <= 0) refuse(`Invalid threads count ${threads}\n`);
        break;
      // accepted by the C tool's table of letters, and by nothing else in it
      case "C":
      case "R":
        return refuse(usage(tool));
      default:
        flags.add(argument.name);
    }
  }
  const digestOnly = flags.has("print-digest-only");
  const [source, image] = operands;
  if (source === undefined) return refuse(`No source path specified\n${usage(tool)}`);
  if (source === "") return fail(tool, "Empty source path specified");
  if (operands.length > 2) refuse(`Too many arguments\n${usage(tool)}`);
  if (image === undefined && !digestOnly) refuse(`No destination path specified\n${usage(tool)}`);
  if (image !== undefined && digestOnly) refuse(`Cannot specify destination path with --print-digest-only\n${usage(tool)}`);
  const given = versions.min !== undefined || versions.max !== undefined;
  return {
    source,
    image,
    fromFile: flags.has("from-file"),
    printDigest: digestOnly || flags.has("print-digest"),
    digestStore,
    useEpoch: flags.has("use-epoch"),
    skipDevices: flags.has("skip-devices"),
    skipXattrs: flags.has("skip-xattrs"),
    userXattrs: flags.has("user-xattrs"),
    minVersion: toInt(versions.min ?? 0n),
    maxVersion: toInt(versions.max ?? (given ? 0n : 1n)),
    threads: threads ?? processors(),
  };
}
