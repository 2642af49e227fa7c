/** An image that a command is given: one of a repository, by digest or name, or a file. */

import { SealrootError } from "../errors/index.ts";
import { fsverityDigest } from "../fsverity/index.ts";
import { type Descriptor, HERE, O, openAt, openPath, statAt, SyscallError } from "../linux/index.ts";
import type { Link, RepositoryContents } from "../repository/contents.ts";
import { naming, type ParsedImage, readWhole } from "../repository/image-file.ts";
import { openFile } from "../repository/repository.ts";
import { type ParsedArguments, printable } from "../terminal/index.ts";
import { readImage } from "../erofs/index.ts";
import { objectPath } from "../tree/index.ts";
import { findImage, lockRepository, openRepository, tooShort } from "./open-repository.ts";
import { printError } from "./output.ts";
import { isDigest } from "../repository/object-name.ts";

export class ImageOperand implements Disposable {
  /** As it was given. */
  readonly text: string;
  /** At its beginning. */
  readonly file: Descriptor;
  /** Where it was found; undefined for a file. */
  readonly link: Link | undefined;
  readonly contents: RepositoryContents | undefined;

  constructor(text: string, file: Descriptor, link: Link | undefined, contents: RepositoryContents | undefined) {
    this.text = text;
    this.file = file;
    this.link = link;
    this.contents = contents;
  }

  [Symbol.dispose](): void {
    this.file.close();
    this.contents?.[Symbol.dispose]();
  }

  /** The image, with the digest that it has. @param algorithm of the digest; default that of the repository, or of the image's objects */
  read(algorithm?: "sha256" | "sha512"): ReadOperand {
    const bytes = readWhole(this.file);
    const image = naming(this.link?.path ?? this.text, () => readImage(bytes));
    const hash = algorithm ?? this.contents?.algorithm ?? image.algorithm;
    return { ...image, bytes, hash, digest: fsverityDigest(bytes, hash).toHex() };
  }
}

export interface ReadOperand extends ParsedImage {
  readonly bytes: Uint8Array;
  readonly hash: "sha256" | "sha512";
  /** fs-verity digest of the file as it was read, lower-case hex. */
  readonly digest: string;
}

/**
 * What an image of a repository has that its name does not say: a link named by a digest leads to the object of that digest, and that
 * has it. Whoever can write to `images/` could otherwise have another image booted or mounted under a name that people trust.
 * @param digest of the image, computed or measured, by the repository's algorithm
 * @returns the digest that was expected; undefined where nothing is wrong, or the operand is a file
 */
export function misnamedAs({ link }: Pick<ImageOperand, "link">, digest: string): string | undefined {
  if (link === undefined) return undefined;
  if (isDigest(link.name) && link.name !== digest) return link.name;
  const target = link.id?.toHex();
  return target === undefined || target === digest ? undefined : target;
}

/** Says so where the image is only looked at. */
export function warnMisnamed(operand: ImageOperand, { hash, digest }: ReadOperand): void {
  if (hash === operand.contents?.algorithm && misnamedAs(operand, digest) !== undefined) {
    printError(`sealroot: ${printable(operand.link?.path ?? operand.text)} is another image than its name says: it is ${hash}:${digest}\n`);
  }
}

/** A path that cannot be a reference; `release/44` can. */
const isPath = (text: string): boolean => /^\.{0,2}\//.test(text);

/**
 * An image of a repository is locked, shared, until the operand is disposed of: gc cannot take it away meanwhile.
 * @throws SealrootError SR-E543 when the repository is in use, SR-E544 when there is neither, SR-E603 for a file that cannot be read
 */
export function openImageOperand(parsed: ParsedArguments, text: string): ImageOperand {
  if (isPath(text)) return new ImageOperand(text, openImageFile(text), undefined, undefined);
  const contents = tryRepository(parsed);
  let found: ImageOperand | undefined;
  try {
    let link = contents instanceof SealrootError ? undefined : findImage(contents, text);
    if (link !== undefined && !(contents instanceof SealrootError)) {
      // what is not in the repository needs no lock; what is may have gone before the lock was there
      lockRepository(contents, "shared", parsed.flag("wait"));
      link = findImage(contents, text);
    }
    if (link !== undefined && !(contents instanceof SealrootError)) {
      const file = link.id === undefined ? undefined : openFile(contents.directory, `objects/${objectPath(link.id)}`);
      if (file === undefined) throw new SealrootError("SR-E540", { summary: "the image's object is missing", details: [["image", link.path], ["looked for", link.text]] });
      found = new ImageOperand(text, file, link, contents);
      return found;
    }
  } finally {
    if (found === undefined && !(contents instanceof SealrootError)) contents[Symbol.dispose]();
  }
  if (isFile(text)) return new ImageOperand(text, openImageFile(text), undefined, undefined);
  throw new SealrootError("SR-E544", {
    details: [["looked for", text], ...tooShort(text), contents instanceof SealrootError ? ["repository", [contents.message, ...contents.details.map(([, path]) => path)].join(": ")] : ["repository", contents.directory.label]],
  });
}

/** Without a repository the operand may still be a file. */
function tryRepository(parsed: ParsedArguments): RepositoryContents | SealrootError {
  try {
    return openRepository(parsed);
  } catch (error) {
    if (error instanceof SealrootError && error.code === "SR-E201" && parsed.value("repo") === undefined) return error;
    throw error;
  }
}

function isFile(path: string): boolean {
  try {
    return statAt(HERE, path).type === "regular file";
  } catch {
    return false;
  }
}

export function openImageFile(path: string): Descriptor {
  try {
    // looked at before it is opened: a FIFO would wait
    using found = openPath(path, O.PATH);
    const { type } = statAt(found);
    if (type !== "regular file") throw new SealrootError("SR-E603", { details: [["file", path], ["found", `a ${type}, not a regular file`]] });
    return openAt(HERE, found.path, O.RDONLY, 0);
  } catch (error) {
    if (error instanceof SyscallError) throw new SealrootError("SR-E603", { details: [["file", path]], cause: error });
    throw error;
  }
}

/** Said where the argument alone is printed: it goes into a command line, and nobody sees that a repository has weakened it. */
export function warnInsecureArgument(): void {
  printError("sealroot: the ? lets the image boot without fs-verity, where nothing checks it: the repository does not require fs-verity (repo init --insecure)\n");
}

/**
 * The argument of a kernel command line for an image: V0 and V1 have one name, since the same programs read them.
 * @param insecure whether fs-verity may be missing @param short `composefs=`, all that bootc's own programs understand
 */
export function imageArgument(format: ParsedImage["format"], hash: "sha256" | "sha512", digest: string, insecure: boolean, short: boolean): string {
  const mark = insecure ? "?" : "";
  return short ? `composefs=${mark}${digest}` : `composefs.digest=${mark}v${format === "v2" ? 2 : 1}-${hash}-12:${digest}`;
}
