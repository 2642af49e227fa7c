/** One tree through both writers. */

import { chooseFormat, readImage, writeImageBytes } from "../../src/erofs/index.ts";
import { DumpfileParser } from "../../src/dumpfile/index.ts";
import { SealrootError } from "../../src/errors/index.ts";
import type { Tree } from "../../src/tree/index.ts";

/** What decides a version; none of them: the tool's own choice. */
export const OPTION_SETS: readonly (readonly string[])[] = [[], ["--min-version=1"], ["--max-version=0"]];

export interface Comparison {
  readonly outcome: "equal" | "both refuse" | "only mkcomposefs refuses" | "different";
  readonly text: string;
}

export function parseDumpfile(dumpfile: Uint8Array): Tree {
  const parser = new DumpfileParser({ strict: false });
  parser.push(dumpfile);
  return parser.finish();
}

/** The version that mkcomposefs makes of a tree with these options. */
export function formatFor(tree: Tree, options: readonly string[]): "v0" | "v1" {
  return options.includes("--min-version=1") ? chooseFormat(tree, 1, 0) : options.includes("--max-version=0") ? chooseFormat(tree, 0, 0) : chooseFormat(tree, 0, 1);
}

const textOf = (bytes: Uint8Array): string => Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length).toString("latin1");

/** Its one known fault: replacing a long value that the user gave one of its own marks, it counts below zero, and takes that for too much. */
const REPLACED_MARK = /(?:trusted\.overlay\.(?:whiteouts?|opaque)|user\.overlay\.(?:whiteouts?|opaque))=\S{20}/;

/** @param tool mkcomposefs and what runs it */
export async function compare(tool: readonly string[], dumpfile: Uint8Array, options: readonly string[]): Promise<Comparison> {
  const child = Bun.spawn([...tool, ...options, "--from-file", "-", "-"], { stdin: dumpfile, stdout: "pipe", stderr: "pipe" });
  let ours: Uint8Array | undefined;
  let refusal = "";
  try {
    const tree = parseDumpfile(dumpfile);
    ours = writeImageBytes(tree, { format: formatFor(tree, options) });
  } catch (error) {
    if (!(error instanceof SealrootError)) throw error;
    refusal = `${error.message}: ${error.details.map(([, text]) => text).join(", ")}`;
  }
  const [theirs, message, exit] = await Promise.all([new Response(child.stdout).bytes(), new Response(child.stderr).text(), child.exited]);
  if (exit !== 0 && ours === undefined) return { outcome: "both refuse", text: refusal };
  if (exit !== 0) return { outcome: message.includes("Numerical result out of range") && REPLACED_MARK.test(textOf(dumpfile)) ? "only mkcomposefs refuses" : "different", text: message.trim() };
  if (ours === undefined) return { outcome: "different", text: `only we refuse: ${refusal}` };
  const at = firstDifference(ours, theirs);
  if (at !== undefined) return { outcome: "different", text: `byte ${at} of ${ours.length} and ${theirs.length}` };
  const again = rewrite(ours);
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
  const text = textOf(dumpfile);
  return / @/.test(text) || /(user\.overlay\.whiteouts?|trusted\.overlay\.whiteouts?|trusted\.overlay\.overlay\.whiteout)=/.test(text) || / 8589934592 [26]0/.test(text) || /user\.overlay\.opaque=/.test(text);
}
