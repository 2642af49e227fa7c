/** The arguments of `sealroot commit` as parts of a commit. */

import { LATEST_TIME, parseTime } from "../config/index.ts";
import { SealrootError } from "../errors/index.ts";
import { type CommitParts, dirmeta, emptyDirtree, type MetadataEntry, writeCommit } from "../ostree/index.ts";
import type { ParsedArguments } from "../terminal/index.ts";
import { measureFile, type NamedImage, parseDigest } from "./image-digest.ts";

const refuse = (summary: string): SealrootError => new SealrootError("SR-E100", { summary, next: "see: sealroot commit --help" });

/** Of a root directory that nothing is in: a commit here names an image, not a tree of OSTree's. */
export const ROOT_DIRECTORY = { tree: emptyDirtree(), meta: dirmeta(0, 0, 0o40755) } as const;

/** The images that the commit is for, each digest once. @param warn told what a person should know about them @throws SealrootError SR-E100, SR-E603 */
export function imagesOf(parsed: ParsedArguments, warn: (text: string) => void): NamedImage[] {
  const descriptor = parsed.value("descriptor") ?? "v1-sha256-12";
  const images = [
    ...parsed.all("digest").map((text) => parseDigest(text, "commit")),
    ...parsed.all("image").map((path) => measureFile(path, descriptor, "commit", warn)),
  ];
  if (images.length === 0) throw refuse("--digest or --image names the image, and both are missing");
  const byDescriptor = new Map<string, NamedImage>();
  for (const image of images) {
    const other = byDescriptor.get(image.descriptor);
    if (other !== undefined && other.digest !== image.digest) throw refuse(`two images of the format ${image.descriptor}: a commit names one of each`);
    byDescriptor.set(image.descriptor, image);
  }
  return [...byDescriptor.values()];
}

/** Seconds since 1970, UTC. */
function secondsOf(text: string, where: string): bigint {
  const seconds = /^\d{1,12}$/.test(text) ? Number(text) : parseTime(text);
  if (seconds === undefined || seconds < 0 || seconds > LATEST_TIME) {
    throw refuse(`${where} ${JSON.stringify(text)} is neither seconds since 1970 nor a date and time with its offset, such as 2026-11-01T00:00:00Z`);
  }
  return BigInt(seconds);
}

/** --timestamp, then SOURCE_DATE_EPOCH (reproducible-builds.org), then the clock. */
function timestampOf(parsed: ParsedArguments): bigint {
  const given = parsed.value("timestamp");
  if (given !== undefined) return secondsOf(given, "--timestamp");
  const epoch = process.env["SOURCE_DATE_EPOCH"];
  return epoch === undefined || epoch === "" ? BigInt(Math.floor(Date.now() / 1000)) : secondsOf(epoch, "SOURCE_DATE_EPOCH");
}

function addedMetadata(text: string): MetadataEntry {
  const equals = text.indexOf("=");
  if (equals < 1) throw refuse(`--add-metadata ${JSON.stringify(text)} is not of the form KEY=VALUE`);
  const key = text.slice(0, equals);
  // as a string it would name no image, and keep --digest from naming one
  if (/^(?:ostree\.)?composefs\.digest\./.test(key)) throw refuse(`--add-metadata ${JSON.stringify(key)}: images are named by --digest and --image`);
  return { key, type: "s", value: text.slice(equals + 1) };
}

/** @throws SealrootError SR-E100 when these make no commit */
export function commitBytes(parsed: ParsedArguments, images: readonly NamedImage[]): Uint8Array {
  const version = parsed.value("version");
  const parent = parsed.value("parent");
  const parts: CommitParts = {
    metadata: [
      ...(version === undefined ? [] : [{ key: "version", type: "s", value: version }]),
      ...images.map(({ descriptor, digest }) => ({ key: `composefs.digest.${descriptor}`, type: "ay", value: Uint8Array.fromHex(digest) })),
      ...parsed.all("add-metadata").map(addedMetadata),
    ],
    parent: parent?.toLowerCase(),
    subject: parsed.value("subject") ?? "",
    body: parsed.value("body") ?? "",
    timestamp: timestampOf(parsed),
    rootDirtree: ROOT_DIRECTORY.tree.id,
    rootDirmeta: ROOT_DIRECTORY.meta.id,
  };
  try {
    return writeCommit(parts);
  } catch (error) {
    if (error instanceof RangeError) throw refuse(`these make no commit: ${error.message}`);
    throw error;
  }
}
