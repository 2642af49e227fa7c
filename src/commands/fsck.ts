/** `sealroot fsck`: is everything in a repository what its name says, and what does it hurt where it is not? */

import { type ErrorFacts, SealrootError } from "../errors/index.ts";
import type { RepositoryContents } from "../repository/contents.ts";
import { Fsck } from "../repository/fsck.ts";
import { requireWritable } from "../repository/repository.ts";
import { type CommandHelp, errorRecord, parseArguments, renderError } from "../terminal/index.ts";
import { DEPLOYED_OPTIONS, deployedIfKnown } from "./deployed-options.ts";
import { repairAll } from "./fsck-repair.ts";
import { type FsckReport, fsckText, reportOf } from "./fsck-report.ts";
import { checkAllObjects, checkShard } from "./fsck-shards.ts";
import { lockRepository, openRepository, REPOSITORY_OPTION, requireImage, WAIT_OPTION } from "./open-repository.ts";
import { errorStyle, outputStyle, print, printError, printJson } from "./output.ts";
import { openProgress } from "./progress.ts";

export const help: CommandHelp = {
  name: "fsck",
  summary: "Check a repository: every object against its name, every image, stream, link and reference.",
  description:
    "Says which images, streams, deployments and boot entries a bad object hurts, and which of their files. Objects with fs-verity are measured by\n" +
    "the kernel and read to their end, so that it checks every block; others are hashed, on all processors. --repair copies good objects\n" +
    "from another repository, an object store, or any directory that holds files with that content; each is checked before it takes the\n" +
    "place of the bad one.",
  options: {
    repo: REPOSITORY_OPTION,
    image: { kind: "value", value: "IMAGE", help: "only this image and its objects: a digest, its first digits, or a reference" },
    quick: { kind: "flag", help: "images, links, streams and references; of objects only that they are there, with the right size" },
    repair: { kind: "value", value: "FROM", help: "replace what is bad or missing by good copies from this directory" },
    ...DEPLOYED_OPTIONS,
    jobs: { kind: "value", value: "N", help: "processes that hash objects, from 1 to 999 (default: one for each processor)" },
    wait: WAIT_OPTION,
    json: { kind: "flag", help: "print JSON" },
    shard: { kind: "value", help: "", hidden: true },
  },
  examples: [
    ["sealroot fsck", "everything in /sysroot/composefs"],
    ["sealroot fsck --image 3d0e4c --quick", "can this image be booted, as far as can be told in a moment?"],
    ["sealroot fsck --repair /run/media/usb/composefs", "copy what is bad or missing from another repository"],
  ],
};

export async function run(argv: readonly string[]): Promise<number> {
  const parsed = parseArguments(help, argv);
  using contents = openRepository(parsed);
  const shard = parsed.value("shard");
  if (shard !== undefined) {
    checkShard(contents, shard);
    return 0;
  }
  const from = parsed.value("repair");
  const jobs = parsed.value("jobs");
  if (jobs !== undefined && !/^[1-9]\d{0,2}$/.test(jobs)) throw new SealrootError("SR-E100", { summary: `--jobs is a number from 1 to 999, not ${JSON.stringify(jobs)}`, next: "see: sealroot fsck --help" });
  // what a repair writes is for everybody to read, as what image create writes
  if (from !== undefined) process.umask(0o022);
  if (from !== undefined) requireWritable(contents.repository, contents.directory.label);
  lockRepository(contents, from === undefined ? "shared" : "exclusive", parsed.flag("wait"));
  const named = parsed.value("image");
  const image = named === undefined ? undefined : requireImage(contents, named).name;
  using progress = openProgress();
  const deployed = deployedIfKnown(parsed, contents.directory.label);
  const fsck = new Fsck(contents, { quick: parsed.flag("quick"), image, roots: deployed.images.map(({ digest }) => digest) }, progress);
  if (image !== undefined || parsed.flag("quick")) fsck.checkObjects();
  else await checkAllObjects(fsck, contents.directory.label, Number(jobs ?? 0), progress);
  let links = fsck.checkLinks();
  const repaired = from === undefined ? undefined : repairAll(fsck, links, from, progress);
  if (repaired !== undefined) links = repaired.links;
  const report = reportOf(fsck, links, deployed, repaired, parsed.flag("quick"), image);
  progress.clear();
  return finish(report, contents, parsed.flag("json"), from !== undefined);
}

/** Where no object is bad there is nothing to be restored from a copy. */
function adviceFor({ problems }: FsckReport): Pick<ErrorFacts, "meaning" | "next"> {
  const [references, foreign] = (["reference", "foreign"] as const).map((kind) => problems.filter((problem) => problem.kind === kind).length);
  if (references === undefined || foreign === undefined || references + foreign < problems.length) return {};
  const removeReferences = "remove the references above, or make them lead to an image again (sealroot image import --name)";
  const moveForeign = "look at what is named above and is no link or object, and move it elsewhere";
  return {
    meaning: "every object, image and stream is whole; what is wrong beside them keeps sealroot gc, or composefs-rs and bootc, from cleaning up",
    next: [...(references > 0 ? [removeReferences] : []), ...(foreign > 0 ? [moveForeign] : [])].join("; "),
  };
}

function finish(report: FsckReport, contents: RepositoryContents, json: boolean, repair: boolean): number {
  const error = report.ok ? undefined : new SealrootError(repair ? "SR-E541" : "SR-E540", { details: [["repository", contents.directory.label], ["found", report.summary]], ...adviceFor(report) });
  if (json) printJson({ ...report, ...(error === undefined ? {} : { error: errorRecord(error) }) });
  else {
    print(fsckText(report, outputStyle()));
    if (error !== undefined) printError(renderError(error, undefined, errorStyle()));
  }
  return error?.exit ?? 0;
}
