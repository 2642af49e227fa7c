/** `sealroot image diff`: where two images differ, by path and attribute. For whoever has two digests that should have been one. */

import { SealrootError } from "../errors/index.ts";
import { compareTrees, type Difference } from "../tree/diff.ts";
import { type CommandHelp, parseArguments, type ParsedArguments, printable, type Style } from "../terminal/index.ts";
import { isDirectoryPath, readDirectoryOperand, recipeFor } from "./directory-operand.ts";
import { openImageOperand, type ReadOperand, warnMisnamed } from "./image-operand.ts";
import { REPOSITORY_OPTION, WAIT_OPTION } from "./open-repository.ts";
import { outputStyle, print, printJson } from "./output.ts";

export const help: CommandHelp = {
  name: "image diff",
  operands: "A B",
  operandCount: [2, 2],
  summary: "Say where two images differ: the first differing paths and their attributes.",
  description:
    "A and B are digests (or their first digits) or references in the repository, or files. One of them may be a directory: it is compared\n" +
    "as the image that it would become, by the recipe of the other one (which image create keeps beside it) or by --recipe.\n" +
    "The exit status is 0 if the images are the same, 1 if they differ, as with diff.",
  options: {
    repo: REPOSITORY_OPTION,
    wait: WAIT_OPTION,
    limit: { kind: "value", value: "N", help: "how many differing paths are told (default 10)" },
    recipe: { kind: "value", value: "NAME", help: "how a directory becomes an image: see sealroot image create" },
    all: { kind: "flag", help: "tell them all" },
    json: { kind: "flag", help: "print JSON" },
  },
  examples: [
    ["sealroot image diff 3d0e4c 91ab77", "two images of the repository"],
    ["sealroot image diff 3d0e4c rootfs", "what has changed in the directory since the image was made of it"],
    ["sealroot image diff --all old.erofs new.erofs", "two files, every difference"],
  ],
};

const DEFAULT_LIMIT = 10;
const DIFFERENT = 1;

export function run(argv: readonly string[]): number {
  const parsed = parseArguments(help, argv);
  const [textA = "", textB = ""] = parsed.operands;
  const limit = parsed.flag("all") ? Number.POSITIVE_INFINITY : Number(parsed.value("limit") ?? DEFAULT_LIMIT);
  if (Number.isNaN(limit) || limit < 0) throw new SealrootError("SR-E100", { summary: `--limit ${JSON.stringify(parsed.value("limit"))} is no number`, next: "see: sealroot image diff --help" });
  const [a, b] = readBoth(parsed, textA, textB);
  const found: Difference[] = [];
  let count = 0;
  compareTrees(a.tree, b.tree, (difference) => {
    if (++count <= limit) found.push(difference);
    return true;
  });
  const same = count === 0 && a.bytes.length === b.bytes.length && a.bytes.every((byte, at) => byte === b.bytes[at]);
  if (parsed.flag("json")) printJson({ equal: same, sameTree: count === 0, a: facts(textA, a), b: facts(textB, b), differences: count, told: found });
  else if (!same) print(text({ textA, a, textB, b, found, count }, outputStyle()));
  return same ? 0 : DIFFERENT;
}

function readBoth(parsed: ParsedArguments, textA: string, textB: string): readonly [ReadOperand, ReadOperand] {
  const [directoryA, directoryB] = [isDirectoryPath(textA), isDirectoryPath(textB)];
  if (directoryA && directoryB) throw new SealrootError("SR-E100", { summary: "two directories: one of the two is to be an image", next: "make an image of one: sealroot image create; or compare them with diff" });
  const read = (text: string): ReadOperand => {
    using operand = openImageOperand(parsed, text);
    const image = operand.read();
    warnMisnamed(operand, image);
    return image;
  };
  if (!directoryA && !directoryB) return [read(textA), read(textB)];
  using operand = openImageOperand(parsed, directoryA ? textB : textA);
  const image = operand.read();
  warnMisnamed(operand, image);
  const directory = readDirectoryOperand(directoryA ? textA : textB, recipeFor(parsed.value("recipe"), operand, image), image.hash);
  return directoryA ? [directory, image] : [image, directory];
}

const facts = (operand: string, { format, hash, digest, bytes, tree }: ReadOperand): Record<string, unknown> => ({ operand, digest: `${hash}:${digest}`, format, size: bytes.length, inodes: tree.inodes.count });

interface Compared {
  readonly textA: string;
  readonly a: ReadOperand;
  readonly textB: string;
  readonly b: ReadOperand;
  readonly found: readonly Difference[];
  readonly count: number;
}

function text({ textA, a, textB, b, found, count }: Compared, style: Style): string {
  const head = (mark: string, operand: string, { format, hash, digest }: ReadOperand): string => `${mark} ${printable(operand)}  ${format}, ${hash}:${digest}`;
  const lines = [style.red(head("---", textA, a)), style.green(head("+++", textB, b))];
  for (const difference of found) {
    if (difference.kind !== "changed") {
      const { kind, path, type, below } = difference;
      const line = `${kind === "only in a" ? "-" : "+"} ${printable(path)}  (${type}${below === 0 ? "" : ` with ${below} below it`})`;
      lines.push(kind === "only in a" ? style.red(line) : style.green(line));
      continue;
    }
    lines.push(`  ${style.bold(printable(difference.path))}`);
    const width = Math.max(...difference.attributes.map(({ name }) => printable(name).length));
    for (const { name, a: left, b: right } of difference.attributes) {
      lines.push(`      ${style.dim(printable(name).padEnd(width))}  ${style.red(printable(left ?? "none"))}`, `      ${" ".repeat(width)}  ${style.green(printable(right ?? "none"))}`);
    }
  }
  if (count > found.length) lines.push(style.dim(`and ${count - found.length} more paths: --all`));
  if (count === 0) {
    lines.push(a.format === b.format ? "the files in them are the same; the images are laid out differently" : `the files in them are the same; the formats are ${a.format} and ${b.format}`);
  }
  return `${lines.join("\n")}\n`;
}
