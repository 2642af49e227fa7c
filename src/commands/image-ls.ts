/** `sealroot image ls`: the images of a repository, and what needs them. */

import { SealrootError } from "../errors/index.ts";
import { statAt } from "../linux/index.ts";
import type { Link, RepositoryContents } from "../repository/contents.ts";
import { readImageFile } from "../repository/image-file.ts";
import { openFile } from "../repository/repository.ts";
import { imagesOfStreams } from "../repository/stream-keepers.ts";
import { type CommandHelp, parseArguments, printable } from "../terminal/index.ts";
import { formatBytes, formatCount } from "../terminal/progress.ts";
import { objectPath } from "../tree/index.ts";
import { DEPLOYED_OPTIONS, deployedIfKnown } from "./deployed-options.ts";
import { lockRepository, openRepository, REPOSITORY_OPTION, WAIT_OPTION } from "./open-repository.ts";
import { outputStyle, print, printError, printJson } from "./output.ts";
import { openProgress } from "./progress.ts";
import { misnamedAs } from "./image-operand.ts";

export const help: CommandHelp = {
  name: "image ls",
  summary: "List the images of a repository, and what needs each.",
  description: "An image that nothing needs is removed by the next sealroot gc.",
  options: {
    repo: REPOSITORY_OPTION,
    ...DEPLOYED_OPTIONS,
    digests: { kind: "flag", help: "only the digests, one a line, in full" },
    wait: WAIT_OPTION,
    json: { kind: "flag", help: "print JSON" },
  },
  examples: [
    ["sealroot image ls", "of /sysroot/composefs"],
    ["sealroot image ls --repo build/repo --json", "for programs"],
  ],
};

interface Listed {
  readonly name: string;
  readonly digest: string | null;
  readonly format: string | null;
  /** Bytes of the image itself. */
  readonly size: number | null;
  readonly inodes: number | null;
  readonly references: readonly string[];
  readonly neededBy: readonly string[];
  readonly commits: boolean;
  /** Why it cannot be used. */
  readonly fault: string | null;
}

export function run(argv: readonly string[]): number {
  const parsed = parseArguments(help, argv);
  using contents = openRepository(parsed);
  lockRepository(contents, "shared", parsed.flag("wait"));
  const { links, references } = contents.category("images");
  if (parsed.flag("digests")) {
    print(links.map(({ name }) => `${printable(name)}\n`).join(""));
    return 0;
  }
  using progress = openProgress();
  const deployed = deployedIfKnown(parsed, contents.directory.label);
  const commits = new Set(contents.commitDirectories());
  progress.begin("reading images and streams");
  const streams = imagesOfStreams(contents, deployed.streams, (items) => progress.advance(items));
  const images = links.map((link) => {
    const neededBy = [...deployed.images.filter(({ digest }) => digest === link.name).map(({ by }) => by), ...(streams.get(link.id?.toHex() ?? "") ?? [])];
    const listed = describe(contents, link, references.filter(({ entry }) => entry === link.name).map(({ name }) => name), neededBy, commits);
    progress.advance(1);
    return listed;
  });
  progress.clear();
  if (parsed.flag("json")) printJson({ repository: contents.directory.label, algorithm: contents.algorithm, images, notes: deployed.notes });
  else {
    print(text(images));
    for (const note of deployed.notes) printError(`sealroot: ${printable(note)}\n`);
  }
  return 0;
}

function describe(contents: RepositoryContents, link: Link, references: readonly string[], neededBy: readonly string[], commits: ReadonlySet<string>): Listed {
  const base = { name: link.name, digest: link.id?.toHex() ?? null, references, commits: commits.has(link.name), neededBy };
  try {
    using file = link.id === undefined ? undefined : openFile(contents.directory, `objects/${objectPath(link.id)}`);
    if (file === undefined) return { ...base, format: null, size: null, inodes: null, fault: "its object is missing" };
    const { size } = statAt(file);
    if (misnamedAs({ link }, base.digest ?? "") !== undefined) return { ...base, format: null, size, inodes: null, fault: "its link leads to another object" };
    const { format, tree } = readImageFile(file);
    return { ...base, format, size, inodes: tree.inodes.count, fault: null };
  } catch (error) {
    if (!(error instanceof SealrootError)) throw error;
    return { ...base, format: null, size: null, inodes: null, fault: error.message };
  }
}

/** Digits shown of a digest: enough to be given to any command. */
const SHORT = 12;

function text(images: readonly Listed[]): string {
  const style = outputStyle();
  if (images.length === 0) return "no images\n";
  const head = ["IMAGE", "FORMAT", "SIZE", "FILES", "NEEDED BY"];
  const rows = images.map(({ name, format, size, inodes, references, neededBy, commits, fault }) => [
    name.length > 2 * SHORT ? name.slice(0, SHORT) : name, format ?? "-", size === null ? "-" : formatBytes(size), inodes === null ? "-" : formatCount(inodes),
    fault !== null ? style.red(printable(fault)) : printable([...references, ...neededBy].join(", ")) || (commits ? "nothing (signed)" : "nothing"),
  ]);
  const widths = head.map((label, column) => Math.max(label.length, ...rows.map((row) => printable(row[column] ?? "").length)));
  const line = (row: readonly string[]): string => row.map((cell, column) => {
    const shown = column === row.length - 1 ? cell : printable(cell);
    return column === 2 || column === 3 ? shown.padStart(widths[column] ?? 0) : column === row.length - 1 ? shown : shown.padEnd(widths[column] ?? 0);
  }).join("  ");
  return [style.dim(line(head)), ...rows.map(line), ""].join("\n");
}
