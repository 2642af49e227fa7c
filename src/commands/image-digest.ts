/** Naming an image on the command line of a command: by its digest, or by the file. */

import { type ImageArgument, parseImageArguments } from "../cmdline-parser/index.ts";
import { SealrootError } from "../errors/index.ts";
import { EROFS_START, isErofs } from "../erofs/index.ts";
import { fsverityDigest, type VerityAlgorithm } from "../fsverity/index.ts";
import { type Descriptor, O, openPath, readAt, statAt, SyscallError } from "../linux/index.ts";
import { pieces } from "../linux/pieces.ts";

export interface NamedImage {
  /** e.g. "v1-sha256-12" */
  readonly descriptor: string;
  readonly algorithm: VerityAlgorithm;
  /** fs-verity digest, lower-case hex. */
  readonly digest: string;
}

/** The fs-verity digest of an open file, from its position on, by reading it. @returns hex */
const digestOf = (image: Descriptor, algorithm: VerityAlgorithm): string => fsverityDigest(pieces(image), algorithm).toHex();

/** Bytes. An image holds no file content; a larger file is none, and must not keep a person waiting for hours. */
const LARGEST_IMAGE = 1 << 30;

/** The same for an image on somebody's disk. @returns undefined where it cannot be read; the refusal has its own reason */
export function computeDigest(image: Descriptor, algorithm: VerityAlgorithm): string | undefined {
  try {
    return statAt(image).size > LARGEST_IMAGE ? undefined : digestOf(image, algorithm);
  } catch (error) {
    if (error instanceof SyscallError) return undefined;
    throw error;
  }
}

const refuse = (summary: string, command: string): SealrootError => new SealrootError("SR-E100", { summary, next: `see: sealroot ${command} --help` });

/**
 * A digest as builders print it: hex digits, or with the descriptor before them, or the whole argument of a kernel command line.
 * Hex digits alone are of EROFS format v1.
 * @throws SealrootError SR-E100
 */
export function parseDigest(text: string, command: string): NamedImage {
  const value = text.replace(/^composefs\.digest=/, "").replace(/^\?/, "");
  const hash = value.length === 128 ? "sha512" : "sha256";
  const argument = value.includes(":") ? value : `v1-${hash}-12:${value}`;
  const { candidates, skipped } = parseImageArguments([{ key: "composefs.digest", value: argument, raw: text, offset: 0, length: text.length, afterDashes: false, openQuote: false }]);
  const [found] = candidates;
  if (found === undefined) throw refuse(`the digest ${JSON.stringify(text)} cannot be read: ${skipped[0]?.explanation ?? "it names no image"}`, command);
  return { descriptor: descriptorOf(found), algorithm: found.algorithm, digest: found.digest };
}

const descriptorOf = ({ version, algorithm }: ImageArgument): string => `v${version ?? 1}-${algorithm}-12`;

/** @param warn told what a person should know about the file @throws SealrootError SR-E100 for a descriptor that is not known here, SR-E603 for a file that cannot be read */
export function measureFile(path: string, descriptor: string, command: string, warn: (text: string) => void): NamedImage {
  const algorithm = /^v[12]-(sha256|sha512)-12$/.exec(descriptor)?.[1];
  if (algorithm !== "sha256" && algorithm !== "sha512") throw refuse(`there is no image descriptor "${descriptor}"; known are v1-sha256-12, v1-sha512-12, v2-sha256-12 and v2-sha512-12`, command);
  try {
    using file = openPath(path, O.RDONLY | O.NONBLOCK);
    const { type, size } = statAt(file);
    if (type !== "regular file") throw new SealrootError("SR-E603", { details: [["file", path], ["found", `a ${type}, not a regular file`]] });
    if (size > LARGEST_IMAGE) {
      const meaning = "a composefs image holds no file content, so that none is larger than 1 GiB; this is something else, such as a whole disk";
      throw new SealrootError("SR-E603", { details: [["file", path], ["found", `${size} bytes`]], meaning, next: "give the path of the image, or its digest: --digest" });
    }
    if (!isErofs(readAt(file, 0, EROFS_START))) warn(`${path} is no EROFS image: no boot will take it`);
    return { descriptor, algorithm, digest: digestOf(file, algorithm) };
  } catch (error) {
    throw error instanceof SealrootError ? error : new SealrootError("SR-E603", { details: [["file", path]], cause: error });
  }
}
