/** Trees through both mkcomposefs, and what came of them compared to the byte: the image, its digest, or the words of the refusal. */

import { readFileSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { parseMkcomposefs } from "../../src/commands/mkcomposefs-options.ts";
import { ImageDigest, writePeerImage } from "../../src/commands/peer-image.ts";
import { reasonOf, type Tool, ToolExit } from "../../src/commands/peer-tool.ts";
import { DumpfileParser } from "../../src/dumpfile/index.ts";
import { readImage, writeImageBytes } from "../../src/erofs/index.ts";
import { SealrootError } from "../../src/errors/index.ts";
import type { Tree } from "../../src/tree/index.ts";

/** What decides a version; none of them: the tool's own choice. */
export const OPTION_SETS: readonly (readonly string[])[] = [[], ["--min-version=1"], ["--max-version=0"]];

export interface Comparison {
  readonly outcome: "equal" | "both refuse" | "different";
  readonly text: string;
}

export interface Case {
  readonly dumpfile: Uint8Array;
  readonly options: readonly string[];
}

interface Made {
  readonly image: Uint8Array;
  /** As --print-digest prints it. */
  readonly digest: string;
}

/** A moment is enough; this is for a machine that has none to spare. */
const PATIENCE_MS = 600_000;

const TOOL: Tool = { shortName: "mkcomposefs", calledAs: "mkcomposefs" };

export function parseDumpfile(dumpfile: Uint8Array): Tree {
  const parser = new DumpfileParser({ strict: false });
  parser.push(dumpfile);
  return parser.finish();
}

/** mkcomposefs --from-file as the command does it, but for its files. @returns what it says on standard error when it refuses */
function make({ dumpfile, options }: Case): Made | string {
  const portions: Uint8Array[] = [];
  try {
    const { minVersion, maxVersion } = parseMkcomposefs(TOOL, [...options, "--from-file", "-", "-"], false);
    const digest = new ImageDigest();
    writePeerImage(TOOL, parseDumpfile(dumpfile), minVersion, maxVersion, (bytes) => {
      digest.update(bytes);
      portions.push(bytes.slice());
    });
    return { image: Buffer.concat(portions), digest: `${digest.finish()}\n` };
  } catch (error) {
    if (error instanceof ToolExit) return error.said;
    if (error instanceof SealrootError) return `${TOOL.shortName}: ${reasonOf(error)}\n`;
    throw error;
  }
}

/**
 * Every case through both. The C tool runs once for each, started by one shell, while ours are made here: a process started from here
 * would cost more than the tool takes.
 * @param tool mkcomposefs and what runs it @param directory for the files of this call, best in memory; nothing is left in it
 */
export async function compare(tool: readonly string[], directory: string, cases: readonly Case[]): Promise<readonly Comparison[]> {
  const path = (index: number, kind: string): string => join(directory, `${index}.${kind}`);
  const script = cases.map(({ options }, index) => `"$@" ${options.join(" ")} --print-digest --from-file ${index}.dump ${index}.image > ${index}.digest 2> ${index}.error; echo $?`);
  try {
    cases.forEach(({ dumpfile }, index) => writeFileSync(path(index, "dump"), dumpfile));
    const child = Bun.spawn(["sh", "-c", script.join("\n"), "sh", ...tool], { cwd: directory, env: {}, stdin: "ignore", stdout: "pipe", stderr: "inherit", timeout: PATIENCE_MS });
    const ours = cases.map(make);
    const exits = (await child.stdout.text()).trim().split("\n");
    if ((await child.exited) !== 0) throw new Error(`${tool.at(-1) ?? ""} did not end: ${exits.length} of ${cases.length} trees were done`);
    return cases.map((one, index) => {
      const own = ours[index] ?? "";
      if (exits[index] !== "0") return refused(own, exits[index], readFileSync(path(index, "error"), "latin1"));
      return judge(one, own, { image: readFileSync(path(index, "image")), digest: readFileSync(path(index, "digest"), "latin1") });
    });
  } finally {
    for (let index = 0; index < cases.length; index++) for (const kind of ["dump", "image", "digest", "error"]) rmSync(path(index, kind), { force: true });
  }
}

function refused(own: Made | string, exit: string | undefined, said: string): Comparison {
  if (own === said && exit === "1") return { outcome: "both refuse", text: said.trim() };
  return { outcome: "different", text: `mkcomposefs ends with ${exit ?? "nothing"} and ${said.trim()}, we ${typeof own === "string" ? `with ${own.trim()}` : "make an image"}` };
}

function judge({ dumpfile }: Case, own: Made | string, their: Made): Comparison {
  if (typeof own === "string") return { outcome: "different", text: `only we refuse: ${own.trim()}` };
  const at = firstDifference(own.image, their.image);
  if (at !== undefined) return { outcome: "different", text: `byte ${at} of ${own.image.length} and ${their.image.length}` };
  if (own.digest !== their.digest) return { outcome: "different", text: `of the same image ${own.digest.trim()} and ${their.digest.trim()}` };
  const again = rewrite(own.image);
  return again === undefined || isLossy(dumpfile) ? { outcome: "equal", text: "" } : { outcome: "different", text: again };
}

/** What is wrong with an image that was read and written again; undefined for nothing. */
export function rewrite(image: Uint8Array): string | undefined {
  const { tree, format } = readImage(image);
  const at = firstDifference(image, writeImageBytes(tree, { format }));
  return at === undefined ? undefined : `byte ${at} after reading and writing`;
}

function firstDifference(a: Uint8Array, b: Uint8Array): number | undefined {
  if (a.length === b.length && Buffer.compare(a, b) === 0) return undefined;
  let at = 0;
  while (at < a.length && a[at] === b[at]) at++;
  return at;
}

/** Whether an image of this tree does not hold all of it: a hard link that comes before its file, sizes of what has none, the user's own marks. */
export function isLossy(dumpfile: Uint8Array): boolean {
  const text = Buffer.from(dumpfile.buffer, dumpfile.byteOffset, dumpfile.length).toString("latin1");
  return / @/.test(text) || /(user\.overlay\.whiteouts?|trusted\.overlay\.whiteouts?|trusted\.overlay\.overlay\.whiteout)=/.test(text) || / 8589934592 [26]0/.test(text) || /user\.overlay\.opaque=/.test(text);
}
