/** `sealroot gc`: removes from a repository what nothing needs any more. */

import { resolve } from "node:path";
import { type DeployedMachine, showsAllProcesses } from "../deployments/index.ts";
import { SealrootError } from "../errors/index.ts";
import { planGc, type GcPlan, type Root } from "../repository/gc.ts";
import { performGc } from "../repository/gc-sweep.ts";
import { type Repository, requireWritable } from "../repository/repository.ts";
import { type CommandHelp, fewLines, parseArguments, type ParsedArguments, printable } from "../terminal/index.ts";
import { formatBytes, formatCount } from "../terminal/progress.ts";
import { DEPLOYED_OPTIONS, deployedOf } from "./deployed-options.ts";
import { lockRepository, openRepository, REPOSITORY_OPTION, WAIT_OPTION } from "./open-repository.ts";
import { outputStyle, print, printJson } from "./output.ts";
import { openProgress } from "./progress.ts";

export const help: CommandHelp = {
  name: "gc",
  summary: "Remove from a repository what nothing needs any more.",
  description:
    "Kept is what references (images/refs, streams/refs), deployments (state/deploy), boot entries and unified kernel images name, the\n" +
    "running system's image and what is mounted, in other mount namespaces too, and all that these refer to. If one of them cannot be\n" +
    "read, is not what its name says, or names an image that is not there, nothing is removed; nor when no boot entry is found, when the\n" +
    "machine has a boot partition that is not mounted (name it with --boot), or when a mount has files of the repository and does not\n" +
    "say of which image. An image that nothing names goes, and its signatures with it. What is no part of a repository is left alone.",
  options: {
    repo: REPOSITORY_OPTION,
    ...DEPLOYED_OPTIONS,
    "keep-signed": { kind: "flag", help: "a commit or signature keeps its image too" },
    "no-boot-entries": { kind: "flag", help: "there are no boot entries but those that are found: without this gc refuses when that is none, or a boot partition is not mounted" },
    "ignore-mount": { kind: "value", value: "DIR", repeat: true, help: "what is mounted there, and does not say which image it is, may lose its files" },
    "ignore-missing": { kind: "value", value: "DIGEST", repeat: true, help: "a deployment, a boot entry or a stream may name this, which is not here" },
    "dry-run": { kind: "flag", help: "only say what would be removed" },
    list: { kind: "flag", help: "with --dry-run: every path that would be removed, one a line, and nothing else" },
    wait: WAIT_OPTION,
    json: { kind: "flag", help: "print JSON" },
  },
  examples: [
    ["sealroot gc --dry-run", "what would go, how much that is, and what keeps the rest"],
    ["sealroot gc --repo build/repo --sysroot none --keep-signed", "a repository that images are built in"],
  ],
};

export function run(argv: readonly string[]): number {
  const parsed = parseArguments(help, argv);
  const dryRun = parsed.flag("dry-run") || parsed.flag("list");
  using contents = openRepository(parsed);
  lockRepository(contents, dryRun ? "shared" : "exclusive", parsed.flag("wait"));
  if (!dryRun) requireWritable(contents.repository, contents.directory.label);
  using progress = openProgress();
  const deployed = deployedOf(parsed, contents.directory.label);
  requireMachine(deployed, parsed, contents.directory.label);
  const roots: Root[] = deployed.images.map(({ digest, by }) => ({ name: digest, by }));
  roots.push(...deployed.streams.map((stream) => ({ ...stream, optional: true })));
  roots.push(...deployed.elsewhere.map(({ digest, by }) => ({ name: digest, by, optional: true })));
  if (parsed.flag("keep-signed")) roots.push(...contents.commitDirectories().map((digest) => ({ name: digest, by: `commits/${digest}`, optional: true })));
  const paths: string[] = [];
  const plan = planGc(contents, roots, new Set(parsed.all("ignore-missing")), progress, parsed.flag("list") ? (path) => void paths.push(path) : undefined);
  if (!dryRun) performGc(contents, plan, progress);
  progress.clear();
  if (parsed.flag("list")) {
    print([...plan.commits.map((digest) => `commits/${digest}`), ...plan.recipes.map((digest) => `sealroot/recipes/${digest}.json`), ...plan.links.map(({ path }) => path), ...plan.temporary, ...plan.interrupted, ...paths].map((path) => `${printable(path)}\n`).join(""));
    return 0;
  }
  const notes = [...(dryRun ? refusalOf(contents.repository, contents.directory.label) : []), ...deployed.notes, ...deployed.unseen, ...plan.notes];
  if (deployed.sysroot !== undefined && !showsAllProcesses()) notes.push("mounts of processes outside this PID namespace are not seen: in a container, run gc outside");
  if (parsed.flag("json")) printJson(record(plan, notes, deployed.places, dryRun));
  else print(text(plan, notes, dryRun));
  return 0;
}

/** Why the run itself would remove nothing, for one that only looks. */
function refusalOf(repository: Repository, path: string): string[] {
  try {
    requireWritable(repository, path);
    return [];
  } catch (error) {
    if (!(error instanceof SealrootError)) throw error;
    return [`without --dry-run nothing is removed: ${error.message} (${error.details.map((detail) => detail.join(": ")).join(", ")})`];
  }
}

/** Whoever does not see the boot entries of a machine would remove what it boots. */
function requireMachine({ sysroot, entries, nameless, unseen }: DeployedMachine, parsed: ParsedArguments, repository: string): void {
  if (sysroot === undefined && parsed.value("sysroot") !== "none") {
    throw new SealrootError("SR-E542", {
      summary: "nothing was removed: which machine the repository belongs to is not known",
      details: [["repository", repository]],
      meaning: "no physical root has it as composefs, so deployments and boot entries that need its images are not seen",
      next: "name the physical root: --sysroot DIR; for a repository that no machine boots from: --sysroot none",
    });
  }
  const ignored = new Set(parsed.all("ignore-mount").map((path) => resolve(path)));
  for (const at of nameless) {
    const path = at.replace(/ of process \d+$/, "");
    if (ignored.has(path)) continue;
    throw new SealrootError("SR-E542", {
      summary: "nothing was removed: what is mounted is not known",
      details: [["mounted at", at]],
      meaning: "its files are objects of the repository, and it does not say of which image, as mounts by mount.composefs",
      next: `unmount it; or keep its image by a name and go on: --ignore-mount ${path}`,
    });
  }
  if (sysroot === undefined || parsed.flag("no-boot-entries")) return;
  if (entries === 0) {
    throw new SealrootError("SR-E542", {
      summary: "nothing was removed: no boot entry was found that names an image",
      details: [["physical root", sysroot]],
      meaning: "the partition with the boot entries may not be mounted, and what they boot would be lost",
      next: "mount it, or name it: --boot DIR; if there are none: --no-boot-entries",
    });
  }
  // whoever names boot partitions knows which there are
  if (unseen.length === 0 || parsed.all("boot").length > 0) return;
  throw new SealrootError("SR-E542", {
    summary: "nothing was removed: a boot partition was not seen",
    details: unseen.map((reason) => ["found", reason] as const),
    meaning: "what its entries and kernels boot would be lost",
    next: "mount it, or name it: --boot DIR; if no entry is on it that names an image: --no-boot-entries",
  });
}

const some = (count: number, one: string, many = `${one}s`): string => `${formatCount(count)} ${count === 1 ? one : many}`;

function text(plan: GcPlan, notes: readonly string[], dryRun: boolean): string {
  const style = outputStyle();
  const links = (category: string): number => plan.links.filter((link) => link.category === category).length;
  const others = plan.commits.length + plan.recipes.length + plan.temporary.length + plan.interrupted.length;
  const parts = [some(links("images"), "image"), some(links("streams"), "stream"), `${some(plan.objects, "object")} (${formatBytes(plan.bytes)})`];
  if (others > 0) parts.push(`${some(others, "other thing")} (${formatBytes(plan.otherBytes)})`);
  const kept = [some(plan.kept.filter(({ link }) => link.category === "images").length, "image"), some(plan.kept.filter(({ link }) => link.category === "streams").length, "stream"), some(plan.keptObjects, "object")];
  const rows: (readonly [string, string])[] = [["kept", kept.join(", ")]];
  const add = (label: string, lines: readonly string[]): void => void rows.push(...fewLines(lines).map((line) => [label, line] as const));
  add("needed", plan.kept.map(({ link, by }) => `${link.path}  (${by.join(", ")})`));
  add(dryRun ? "would go" : "removed", plan.links.map(({ path }) => path));
  add("signatures", plan.commits.map((digest) => `commits/${digest}`));
  add("recipes", plan.recipes);
  add("unfinished", [...plan.temporary, ...plan.interrupted]);
  add("left alone", plan.foreign.map(({ path, found }) => `${path}  (${found})`));
  add("note", notes);
  const width = Math.max(...rows.map(([label]) => label.length));
  return [
    style.bold(`${dryRun ? "would remove" : "removed"} ${parts.join(", ")}`),
    ...rows.map(([label, value]) => `  ${style.dim(label.padEnd(width))}  ${printable(value)}`),
    "",
  ].join("\n");
}

function record(plan: GcPlan, notes: readonly string[], places: readonly string[], dryRun: boolean): Record<string, unknown> {
  const namesOf = (category: string): string[] => plan.links.filter((link) => link.category === category).map(({ name }) => name);
  return {
    dryRun,
    removed: {
      objects: plan.objects, bytes: plan.bytes, otherBytes: plan.otherBytes, images: namesOf("images"), streams: namesOf("streams"), commits: plan.commits, recipes: plan.recipes,
      temporary: plan.temporary, interrupted: plan.interrupted,
    },
    kept: { objects: plan.keptObjects, entries: plan.kept.map(({ link, by }) => ({ path: link.path, by })) },
    foreign: plan.foreign,
    lookedAt: places,
    notes,
  };
}
