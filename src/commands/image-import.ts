/** `sealroot image import`: an image file that somebody else made becomes an image of the repository. */

import { SealrootError } from "../errors/index.ts";
import { enableVerity } from "../linux/enable-verity.ts";
import { type Descriptor, measureVerity, statAt, SyscallError } from "../linux/index.ts";
import type { RepositoryContents } from "../repository/contents.ts";
import { Drafts } from "../repository/drafts.ts";
import { demandsVerity } from "../repository/fsck.ts";
import { objectsNeeded } from "../repository/image-file.ts";
import { ObjectSource } from "../repository/object-source.ts";
import { checkReference, checkReferenceFree, publishImage } from "../repository/publish.ts";
import { hasContent, Replacements } from "../repository/repair.ts";
import { openFile, requireWritable } from "../repository/repository.ts";
import { writeFacts } from "../repository/write-errors.ts";
import { pathText } from "../tree/diff.ts";
import { type CommandHelp, parseArguments, printable } from "../terminal/index.ts";
import { objectPath } from "../tree/index.ts";
import { parseDigest } from "./image-digest.ts";
import { ImageOperand, imageArgument, openImageFile, type ReadOperand } from "./image-operand.ts";
import { lockRepository, openRepository, REPOSITORY_OPTION, WAIT_OPTION } from "./open-repository.ts";
import { print, printError, printJson } from "./output.ts";
import { openProgress } from "./progress.ts";

export const help: CommandHelp = {
  name: "image import",
  operands: "FILE",
  operandCount: [1, 1],
  summary: "Take an image file into the repository: read and checked whole, stored as an object, and given its name.",
  description: "Nothing is published before the image and its objects are on the disk. The objects that it needs have to be in the repository, or\nare copied from --objects.",
  options: {
    repo: REPOSITORY_OPTION,
    name: { kind: "value", value: "NAME", help: "a reference, which keeps the image when sealroot gc runs" },
    digest: { kind: "value", value: "DIGEST", help: "the digest that the image must have, as its builder printed it" },
    objects: { kind: "value", value: "FROM", help: "where missing objects are: a store, a repository, or any directory with those files" },
    "allow-missing": { kind: "flag", help: "import it although objects are missing, and say how many" },
    wait: WAIT_OPTION,
    json: { kind: "flag", help: "print JSON" },
  },
  examples: [
    ["sealroot image import system.erofs --objects store --name system", "what mkcomposefs --digest-store=store has made"],
    ["sealroot image import system.erofs --digest v1-sha256-12:3d0e…", "only if it is this very image"],
  ],
};

const MOST_NAMED = 8;

export function run(argv: readonly string[]): number {
  const parsed = parseArguments(help, argv);
  const [path = ""] = parsed.operands;
  const reference = parsed.value("name");
  if (reference !== undefined) checkReference(reference);
  // as image create does it: objects and links are for everybody to read
  process.umask(0o022);
  using contents = openRepository(parsed);
  requireWritable(contents.repository, contents.directory.label);
  lockRepository(contents, "shared", parsed.flag("wait"));
  if (reference !== undefined) checkReferenceFree(contents.directory, reference);
  using operand = new ImageOperand(path, openImageFile(path), undefined, undefined);
  const image = operand.read(contents.algorithm);
  checkDigest(image, parsed.value("digest"), path);
  using progress = openProgress();
  const verity = demandsVerity(contents) ? "required" : "tried";
  progress.begin("checking objects");
  const missing = missingObjects(contents, image, path, verity, (bytes) => progress.advance(1, bytes));
  const from = parsed.value("objects");
  try {
    using drafts = new Drafts(contents.directory);
    const replacements = new Replacements(contents, drafts.directory, verity);
    let copied = 0;
    if (from !== undefined && missing.size > 0) {
      using source = new ObjectSource(from);
      const sizes = new Set([...missing.values()].map(({ size }) => size));
      progress.begin("copying objects", { items: missing.size, bytes: [...missing.values()].reduce((sum, { size }) => sum + size, 0) });
      for (const [hex, { size, path: file }] of [...missing]) {
        const id = Uint8Array.fromHex(hex);
        for (const candidate of source.candidates(id, size, sizes)) {
          const staged = replacements.stage(id, candidate, size);
          if (staged.result !== "staged") continue;
          if (staged.size !== size) throw lie(path, file, size, staged.size);
          replacements.add(id, size, () => (copied += 1));
          missing.delete(hex);
          break;
        }
        progress.advance(1, size);
      }
    }
    progress.clear();
    if (missing.size > 0 && !parsed.flag("allow-missing")) {
      const named = [...missing].slice(0, MOST_NAMED).map(([hex, { path: file }]) => ["missing", `objects/${hex.slice(0, 2)}/${hex.slice(2)}  (${file})`] as const);
      throw new SealrootError("SR-E546", { details: [["image", path], ...named, ...(missing.size > named.length ? [["…", `and ${missing.size - named.length} more`] as const] : [])] });
    }
    store(contents, image, operand, replacements);
    progress.begin("waiting for the disk");
    replacements.place();
    progress.clear();
    publishImage(contents.directory, image.digest, reference, drafts.directory);
    const argument = imageArgument(image.format, image.hash, image.digest, verity !== "required", false);
    if (parsed.flag("json")) printJson({ digest: image.digest, algorithm: image.hash, format: image.format, argument, reference: reference ?? null, copied, missing: [...missing.keys()] });
    else print(`${image.hash}:${image.digest}\n`);
    if (missing.size > 0) printError(`sealroot: ${missing.size} objects that ${printable(path)} needs are missing\n`);
    return 0;
  } catch (error) {
    if (error instanceof SyscallError) throw new SealrootError("SR-E548", { summary: "the image cannot be stored", ...writeFacts(contents.directory.label, error) });
    throw error;
  }
}

function checkDigest({ digest, hash, format }: ReadOperand, expected: string | undefined, path: string): void {
  if (expected === undefined) return;
  const named = parseDigest(expected, "image import");
  if (named.digest === digest && named.algorithm === hash && (!expected.includes(":") || named.descriptor.startsWith(format === "v2" ? "v2" : "v1"))) return;
  throw new SealrootError("SR-E547", { details: [["file", path], ["expected", `${named.descriptor}:${named.digest}`], ["found", `${format === "v2" ? "v2" : "v1"}-${hash}-12:${digest}`]] });
}

/** The object has the content that the image asks for, which is not as long as the image says: every read of the file would fail. */
const lie = (image: string, file: string, said: number, found: number): SealrootError =>
  new SealrootError("SR-E503", { summary: "the image says another size of a file than its content has", details: [["image", image], ["file", file], ["expected", `${said} bytes`], ["found", `${found} bytes in the object`]] });

/**
 * By id in hexadecimal digits, with the first file that has this content. An object that is there and is not what its name says counts as
 * missing: the image would boot, and its files not be readable, or hold something else.
 * @throws SealrootError SR-E503 when an object is right and the image says another size, SR-E527 for an image of another algorithm
 */
function missingObjects(contents: RepositoryContents, { tree, algorithm }: ReadOperand, image: string, verity: "required" | "tried", advance: (bytes: number) => void): Map<string, { readonly size: number; readonly path: string }> {
  const sizes = new Map<string, number>();
  const missing = new Map<string, { readonly size: number; readonly path: string }>();
  const nameOf = (inode: number): string => pathText(tree.path(inode));
  objectsNeeded(tree, contents.idLength, (id, size, inode) => {
    const hex = id.toHex();
    const known = sizes.get(hex);
    if (known !== undefined) {
      if (known !== size) throw lie(image, nameOf(inode), size, known);
      return;
    }
    sizes.set(hex, size);
    using file = openFile(contents.directory, `objects/${objectPath(id)}`);
    if (file === undefined || !isRight(file, id, contents.algorithm, verity)) missing.set(hex, { size, path: nameOf(inode) });
    else if (statAt(file).size !== size) throw lie(image, nameOf(inode), size, statAt(file).size);
    advance(size);
  }, (inode) => {
    throw new SealrootError("SR-E527", {
      summary: `the image is not for a ${contents.algorithm} repository`,
      details: [["image", image], ["file", nameOf(inode)], ["found", `content in no object of that algorithm${algorithm === contents.algorithm ? "" : `; the image's objects are of ${algorithm}`}`]],
      meaning: "an image names its objects by digests of one algorithm, and a repository has objects of one",
      next: "build it with the repository's algorithm, or make a repository of the other",
    });
  });
  return missing;
}

/** The kernel's word, where fs-verity is required; else its word, or the content's digest. */
function isRight(file: Descriptor, id: Uint8Array, algorithm: "sha256" | "sha512", verity: "required" | "tried"): boolean {
  let measured = measureVerity(file);
  if (measured.kind === "no-verity" && verity === "required") {
    enableVerity(file, algorithm);
    measured = measureVerity(file);
  }
  if (measured.kind === "digest" && measured.algorithm === algorithm) return measured.digest === id.toHex();
  return verity === "tried" && hasContent(file, statAt(file).size, algorithm, id) === true;
}

/** With the objects that wait. */
function store(contents: RepositoryContents, { digest, bytes: image }: ReadOperand, operand: ImageOperand, replacements: Replacements): void {
  const id = Uint8Array.fromHex(digest);
  // the bytes are read once more, and compared with the digest while they are copied
  using again = openImageFile(operand.file.path);
  const { result } = replacements.stage(id, again, image.length);
  if (result === "wrong content" || result === "unreadable") throw new SealrootError("SR-E547", { summary: "the file changed while it was read", details: [["file", operand.text]] });
  if (result === "no fs-verity") throw new SealrootError("SR-E548", { summary: "the repository demands fs-verity, and its filesystem has none", details: [["repository", contents.directory.label]] });
  replacements.add(id, image.length, () => undefined);
}
