/** `sealroot image inspect`: what is known of one image. */

import { readdirSync } from "node:fs";
import { join } from "node:path";
import { parseRecipe, presetOf, RECIPE_LIMIT } from "../directory/index.ts";
import { readUpTo } from "../linux/index.ts";
import { commitDirectory } from "../repository/commits.ts";
import type { RepositoryContents } from "../repository/contents.ts";
import { demandsVerity } from "../repository/fsck.ts";
import { IdSet } from "../repository/id-set.ts";
import { objectsNeeded } from "../repository/image-file.ts";
import { idLengthOf } from "../repository/object-name.ts";
import { openFile } from "../repository/repository.ts";
import { openRecipe } from "../repository/writer.ts";
import { isRegular, objectPath, type Tree, typeName } from "../tree/index.ts";
import { type CommandHelp, parseArguments, printable } from "../terminal/index.ts";
import { formatBytes, formatCount } from "../terminal/progress.ts";
import { imageArgument, misnamedAs, openImageOperand } from "./image-operand.ts";
import { REPOSITORY_OPTION, WAIT_OPTION } from "./open-repository.ts";
import { outputStyle, print, printJson } from "./output.ts";

export const help: CommandHelp = {
  name: "image inspect",
  operands: "IMAGE",
  operandCount: [1, 1],
  summary: "Say what an image is: digest, format, what is in it, which objects it needs, how it was made.",
  description: "IMAGE is a digest (or its first digits) or a reference in the repository, or a file.",
  options: { repo: REPOSITORY_OPTION, wait: WAIT_OPTION, json: { kind: "flag", help: "print JSON" } },
  examples: [
    ["sealroot image inspect 3d0e4c", "for people"],
    ["sealroot image inspect system.erofs --json | jq -r .argument", "for programs"],
    ["sealroot image inspect os/42 --json | jq .recipe > recipe.json", "for sealroot image create --recipe recipe.json"],
  ],
};

interface Inspected {
  readonly digest: string;
  readonly algorithm: "sha256" | "sha512";
  readonly format: string;
  readonly argument: string;
  /** Bytes of the image. */
  readonly size: number;
  /** Names and inodes of each type. */
  readonly inodes: Readonly<Record<string, number>>;
  readonly hardLinks: number;
  /** Distinct objects, and bytes in them. */
  readonly objects: { readonly count: number; readonly bytes: number; readonly missing: number | null };
  /** Files kept in the image itself, and bytes in them. */
  readonly inline: { readonly count: number; readonly bytes: number };
  readonly references: readonly string[];
  /** Files in `commits/<digest>`. */
  readonly commits: readonly string[];
  /** The record as `image create` keeps it and takes it again, with its version; null for images that somebody else made. */
  readonly recipe: Readonly<Record<string, unknown>> | null;
  /** The preset that it is, apart from format and algorithm. */
  readonly preset: string | null;
  /** The name in the repository is that of another image. */
  readonly misnamed: boolean;
}

export function run(argv: readonly string[]): number {
  const parsed = parseArguments(help, argv);
  using operand = openImageOperand(parsed, parsed.operands[0] ?? "");
  const { tree, format, hash, digest, bytes } = operand.read();
  const { contents, link } = operand;
  const inspected: Inspected = {
    digest, algorithm: hash, format, argument: imageArgument(format, hash, digest, contents !== undefined && !demandsVerity(contents), false), size: bytes.length,
    ...countInodes(tree), objects: countObjects(tree, hash, contents),
    references: contents === undefined || link === undefined ? [] : contents.category("images").references.filter(({ entry }) => entry === link.name).map(({ name }) => name),
    commits: contents === undefined ? [] : commitsOf(contents, digest),
    ...(contents === undefined ? { recipe: null, preset: null } : recipeOf(contents, digest)),
    misnamed: misnamedAs(operand, digest) !== undefined,
  };
  if (parsed.flag("json")) printJson(inspected);
  else print(text(operand.text, inspected));
  return 0;
}

function countInodes(tree: Tree): Pick<Inspected, "inodes" | "hardLinks" | "inline"> {
  const counts = new Map<string, number>();
  const inline = { count: 0, bytes: 0 };
  const { inodes } = tree;
  let names = 0;
  for (let inode = 0; inode < inodes.count; inode++) {
    const mode = inodes.mode(inode);
    const type = typeName(mode) ?? "unknown";
    counts.set(type, (counts.get(type) ?? 0) + 1);
    names += tree.childCount(inode);
    const content = isRegular(mode) ? inodes.content(inode) : undefined;
    if (content !== undefined) {
      inline.count += 1;
      inline.bytes += content.length;
    }
  }
  return { inodes: Object.fromEntries([...counts].sort(([a], [b]) => (a < b ? -1 : 1))), hardLinks: names - (inodes.count - 1), inline };
}

function countObjects(tree: Tree, hash: "sha256" | "sha512", contents: RepositoryContents | undefined): Inspected["objects"] {
  const idLength = contents?.idLength ?? idLengthOf(hash);
  const needed = new IdSet(idLength);
  let [bytes, missing] = [0, 0];
  objectsNeeded(tree, idLength, (id, size) => {
    if (!needed.add(id)) return;
    bytes += size;
    if (contents === undefined) return;
    using file = openFile(contents.directory, `objects/${objectPath(id)}`);
    if (file === undefined) missing += 1;
  });
  return { count: needed.size, bytes, missing: contents === undefined ? null : missing };
}

function commitsOf({ directory }: RepositoryContents, digest: string): string[] {
  try {
    return readdirSync(join(directory.label, commitDirectory(digest))).sort();
  } catch {
    return [];
  }
}

function recipeOf({ directory }: RepositoryContents, digest: string): Pick<Inspected, "recipe" | "preset"> {
  using file = openRecipe(directory, digest);
  if (file === undefined) return { recipe: null, preset: null };
  const bytes = readUpTo(file, RECIPE_LIMIT + 1);
  const preset = presetOf(parseRecipe(bytes, file.label)) ?? null;
  return { recipe: JSON.parse(new TextDecoder().decode(bytes)) as Readonly<Record<string, unknown>>, preset };
}

/** A recipe as a person reads it: the preset that it is, and rule by rule. */
function recipeRows({ recipe, preset }: Inspected): (readonly [string, string])[] {
  if (recipe === null) return [];
  // the version is that of the record's form, no rule
  const rules = Object.entries(recipe).filter(([rule]) => rule !== "version");
  return [["recipe", preset ?? "of its own"], ...rules.map(([rule, value]) => ["", printable(`${rule} = ${JSON.stringify(value)}`)] as const)];
}

function text(operand: string, image: Inspected): string {
  const style = outputStyle();
  const { inodes, objects, inline } = image;
  const rows: (readonly [string, string])[] = [
    ["digest", `${image.algorithm}:${image.digest}`],
    ...(image.misnamed ? [["name", style.red("is that of another image: the repository is damaged")] as const] : []),
    ["argument", image.argument],
    ["format", image.format],
    ["size", formatBytes(image.size)],
    ...Object.entries(inodes).map(([type, count]) => [`${type}s`.replace("directorys", "directories"), formatCount(count)] as const),
    ...(image.hardLinks === 0 ? [] : [["hard links", formatCount(image.hardLinks)] as const]),
    ["objects", `${formatCount(objects.count)} (${formatBytes(objects.bytes)})${objects.missing === null ? "" : objects.missing === 0 ? ", all there" : style.red(`, ${formatCount(objects.missing)} missing`)}`],
    ["inline", `${formatCount(inline.count)} (${formatBytes(inline.bytes)})`],
    ...image.references.map((reference) => ["reference", printable(reference)] as const),
    ...image.commits.map((file) => ["signature", printable(file)] as const),
    ...recipeRows(image),
  ];
  const width = Math.max(...rows.map(([label]) => label.length));
  return [style.bold(printable(operand)), ...rows.map(([label, value]) => `  ${style.dim(label.padEnd(width))}  ${value}`), ""].join("\n");
}
