/** `sealroot image create`: a directory becomes an image in a repository. */

import { readFileSync } from "node:fs";
import { formatRecipe, isPresetName, parseRecipe, PRESETS, readSource, countSource, presetOf, type Recipe } from "../directory/index.ts";
import { writeImage } from "../erofs/index.ts";
import { SealrootError } from "../errors/index.ts";
import { descriptorDigest, encodeDescriptor, MerkleTree } from "../fsverity/index.ts";
import { type Descriptor, isTerminal, O, openPath, SyscallError } from "../linux/index.ts";
import type { StoreCounts } from "../repository/object-store.ts";
import { checkReference, checkReferenceFree } from "../repository/publish.ts";
import { Repository, unreadable } from "../repository/repository.ts";
import { repositorySettings, RepositoryWriter } from "../repository/writer.ts";
import { type CommandHelp, parseArguments, type ParsedArguments, printable } from "../terminal/index.ts";
import { formatBytes, formatCount } from "../terminal/progress.ts";
import type { Tree } from "../tree/index.ts";
import { imageArgument, warnInsecureArgument } from "./image-operand.ts";
import { DEFAULT_REPOSITORY, REPOSITORY_OPTION, WAIT_OPTION } from "./open-repository.ts";
import { outputStyle, print, printJson } from "./output.ts";
import { openProgress } from "./progress.ts";
import { repositoryDirectory } from "./repository-directory.ts";

const DEFAULT_RECIPE = "composefs-rs-boot";

export const help: CommandHelp = {
  name: "image create",
  operands: "DIR",
  operandCount: [1, 1],
  summary: "Make an image of a directory, and its files objects of the repository.",
  description:
    "The recipe decides what becomes part of the image, and so its digest; it is kept beside the image (sealroot image inspect shows it).\n" +
    "  composefs-rs-boot  as composefs-rs and bootc do it for a system that boots: / takes its metadata from /usr; /boot, /run and\n" +
    "                     /sysroot are empty; of extended attributes only file capabilities stay; SELinux labels by the policy in DIR\n" +
    "  composefs-rs       as they do it for containers: /boot, /sysroot and labels are as they are left by the rules above\n" +
    "  mkcomposefs        as the C tool does it: everything as it is, hard links as copies\n" +
    "Interrupted, nothing is published, and the next run takes away what was left.",
  options: {
    "repo": REPOSITORY_OPTION,
    "recipe": { kind: "value", value: "NAME", help: `one of those above (default ${DEFAULT_RECIPE}), or a file that holds one` },
    "format": { kind: "value", value: "NAME", help: "EROFS format: v1, v2, or v0 of older C tools (default: the repository's)" },
    "name": { kind: "value", value: "NAME", help: "make images/refs/NAME lead to the image, which keeps it from sealroot gc" },
    "digest-only": { kind: "flag", help: "store nothing; without --repo, --algorithm says which hash" },
    "algorithm": { kind: "value", value: "NAME", help: "sha256 or sha512, with --digest-only (default: the repository's, or sha512)" },
    "print-karg": { kind: "flag", help: "print the kernel argument that boots the image, and nothing else" },
    "threads": { kind: "value", value: "N", help: "threads that hash and store, from 1 to 999 (default: one for each processor)" },
    "wait": WAIT_OPTION,
    "json": { kind: "flag", help: "print JSON" },
  },
  examples: [
    ["sealroot image create --repo /mnt/composefs --name os/42 rootfs", "an image that boots, kept under a name"],
    ["sealroot image create --digest-only --print-karg rootfs", "what the command line of a unified kernel image is to hold"],
    ["sealroot image create --recipe mkcomposefs --digest-only --algorithm sha256 --format v0 tree", "the digest that mkcomposefs prints of a tree without whiteouts (of others: --format v1)"],
  ],
};

const usage = (summary: string): SealrootError => new SealrootError("SR-E100", { summary, next: "see: sealroot image create --help" });

/** The recipe as it was asked for; algorithm and format are the repository's where the recipe is a preset. */
function chooseRecipe(parsed: ParsedArguments, algorithm: "sha256" | "sha512" | undefined, format: "v0" | "v1" | "v2" | undefined): Recipe {
  const name = parsed.value("recipe") ?? DEFAULT_RECIPE;
  const asked = parsed.value("format");
  if (asked !== undefined && asked !== "v0" && asked !== "v1" && asked !== "v2") throw usage(`there is no format ${JSON.stringify(asked)}`);
  if (isPresetName(name)) return { ...PRESETS[name], algorithm: algorithm ?? "sha512", format: asked ?? format ?? "v1" };
  const recipe = readRecipe(name);
  if (algorithm !== undefined && recipe.algorithm !== algorithm) throw new SealrootError("SR-E527", { details: [["recipe", recipe.algorithm], ["repository", algorithm]] });
  return { ...recipe, format: asked ?? recipe.format };
}

function readRecipe(path: string): Recipe {
  try {
    return parseRecipe(readFileSync(path), path);
  } catch (error) {
    if (error instanceof SealrootError) throw error;
    throw new SealrootError("SR-E526", { summary: `there is no recipe ${JSON.stringify(path)}`, meaning: "it is neither the name of one nor a file that can be read", details: [["names", Object.keys(PRESETS).join(", ")]], cause: error });
  }
}

function openSource(path: string): Descriptor {
  try {
    return openPath(path, O.RDONLY | O.DIRECTORY);
  } catch (error) {
    if (!(error instanceof SyscallError)) throw error;
    throw new SealrootError("SR-E520", { details: [["path", path]], cause: error });
  }
}

interface Made {
  readonly recipe: Recipe;
  /** Lower-case hex. */
  readonly digest: string;
  readonly inodes: number;
  readonly threads: number;
  /** Bytes of the image. */
  readonly size: number;
  readonly objects: Readonly<StoreCounts> | undefined;
  readonly secure: boolean | undefined;
  readonly repository: string | undefined;
}

export function run(argv: readonly string[]): number {
  const parsed = parseArguments(help, argv);
  const [path = ""] = parsed.operands;
  const threads = parsed.value("threads");
  if (threads !== undefined && !/^[1-9]\d{0,2}$/.test(threads)) throw usage(`--threads is a number from 1 to 999, not ${JSON.stringify(threads)}`);
  const reference = parsed.value("name");
  if (reference !== undefined) checkReference(reference);
  if (parsed.flag("print-karg") && parsed.flag("json")) throw usage("--print-karg prints the argument alone: leave out one of it and --json, whose field karg has it too");
  const made = parsed.flag("digest-only") ? onlyDigest(parsed, path) : create(parsed, path, reference);
  report(parsed, made, reference);
  return 0;
}

interface Read {
  readonly tree: Tree;
  readonly threads: number;
}

/** Reads the directory, with progress where somebody looks. */
function read(parsed: ParsedArguments, path: string, recipe: Recipe, writer: RepositoryWriter | undefined): Read {
  using source = openSource(path);
  using progress = openProgress();
  progress.begin("looking at what is there");
  progress.begin("reading", isTerminal(2) ? countSource(source, recipe, () => progress.advance(1)) : {});
  const threads = parsed.value("threads");
  let used = 1;
  const tree = readSource(source, recipe, {
    store: writer?.objects,
    ...(threads === undefined ? {} : { threads: Number(threads) }),
    found: () => progress.advance(1),
    done: (bytes) => progress.advance(0, bytes),
    threadsUsed: (count) => (used = count),
  });
  return { tree, threads: used };
}

function onlyDigest(parsed: ParsedArguments, path: string): Made {
  const asked = parsed.value("algorithm");
  if (asked !== undefined && asked !== "sha256" && asked !== "sha512") throw usage(`there is no algorithm ${JSON.stringify(asked)}`);
  const given = parsed.value("repo");
  const repository = given === undefined ? undefined : settingsOf(given);
  const recipe = chooseRecipe(parsed, asked ?? repository?.algorithm ?? (isPresetName(parsed.value("recipe") ?? DEFAULT_RECIPE) ? "sha512" : undefined), repository?.format);
  const { tree, threads } = read(parsed, path, recipe, undefined);
  const merkle = new MerkleTree(recipe.algorithm);
  writeImage(tree, recipe, (portion) => merkle.update(portion));
  const { root, size } = merkle.finish();
  const digest = descriptorDigest(encodeDescriptor(recipe.algorithm, size, root), recipe.algorithm).toHex();
  return { recipe, digest, inodes: tree.inodes.count, threads, size, objects: undefined, secure: undefined, repository: undefined };
}

/** Without a lock, and without a trace: what is asked for is only how its images are made. */
function settingsOf(path: string): { readonly algorithm: "sha256" | "sha512"; readonly format: "v0" | "v1" | "v2" } {
  const found = repositoryDirectory(path);
  try {
    using directory = openPath(found, O.RDONLY | O.DIRECTORY);
    using repository = Repository.at(directory);
    return repositorySettings(repository, found);
  } catch (error) {
    throw unreadable(found, error);
  }
}

function create(parsed: ParsedArguments, path: string, reference: string | undefined): Made {
  if (parsed.value("algorithm") !== undefined) throw usage("--algorithm is for --digest-only: a repository has its own");
  process.umask(0o022);
  const repository = repositoryDirectory(parsed.value("repo") ?? DEFAULT_REPOSITORY);
  using writer = new RepositoryWriter(repository, parsed.flag("wait"));
  if (reference !== undefined) checkReferenceFree(writer.repository.directory, reference);
  const recipe = chooseRecipe(parsed, writer.algorithm, writer.format);
  const { tree, threads } = read(parsed, path, recipe, writer);
  let size = 0;
  using progress = openProgress();
  progress.begin("writing the image");
  const digest = writer.objects.storePortions((sink) => writeImage(tree, recipe, (portion) => {
    size += portion.length;
    progress.advance(0, portion.length);
    sink(portion);
  }));
  progress.begin("waiting for the disk");
  writer.publish(digest, formatRecipe(recipe), reference);
  return { recipe, digest: digest.toHex(), inodes: tree.inodes.count, threads, size, objects: writer.objects.counts, secure: writer.secure, repository };
}

function report(parsed: ParsedArguments, made: Made, reference: string | undefined): void {
  const { recipe, digest, inodes, size, objects, secure, repository } = made;
  // an image without the kernel's protection boots only where the argument says that this is meant
  const karg = imageArgument(recipe.format, recipe.algorithm, digest, secure === false, false);
  if (parsed.flag("print-karg")) {
    print(`${karg}\n`);
    if (secure === false) warnInsecureArgument();
    return;
  }
  if (parsed.flag("json")) {
    printJson({
      digest, format: recipe.format, algorithm: recipe.algorithm, karg, size, inodes, threads: made.threads, recipe: JSON.parse(formatRecipe(recipe)) as unknown, preset: presetOf(recipe) ?? null,
      repository: repository ?? null, name: reference ?? null, secure: secure ?? null, objects: objects ?? null,
    });
    return;
  }
  const style = outputStyle();
  const rows: (readonly [string, string])[] = [
    ["image", `${recipe.algorithm}:${digest}`],
    ["format", `EROFS ${recipe.format}, ${formatBytes(size)}, ${formatCount(inodes)} inodes`],
    ["recipe", presetOf(recipe) ?? `as in ${printable(parsed.value("recipe") ?? "")}`],
  ];
  if (objects !== undefined) {
    rows.push(["objects", `${formatCount(objects.written)} new (${formatBytes(objects.writtenBytes)}), ${formatCount(objects.present)} there already`]);
    if (objects.replaced > 0) rows.push(["replaced", style.yellow(`${formatCount(objects.replaced)} objects that were damaged`)]);
  }
  if (reference !== undefined) rows.push(["name", printable(reference)]);
  if (secure === false) rows.push(["note", style.yellow("the repository does not require fs-verity: the argument has a ? and nothing is enforced")]);
  rows.push(["boots with", karg]);
  const width = Math.max(...rows.map(([label]) => label.length));
  print(`${rows.map(([label, text]) => `${style.bold(label.padEnd(width))}  ${text}`).join("\n")}\n`);
}
