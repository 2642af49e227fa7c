/** `sealroot image mount`: an image of a repository, or a file, mounted read-only with its objects. */

import { SealrootError } from "../errors/index.ts";
import { measureVerity, O, openPath, SyscallError } from "../linux/index.ts";
import { mountComposefs } from "../mount/composefs.ts";
import { placeMount } from "../mount/index.ts";
import { demandsVerity } from "../repository/fsck.ts";
import { type CommandHelp, parseArguments, printable } from "../terminal/index.ts";
import { misnamedAs, openImageOperand } from "./image-operand.ts";
import { openRepository, REPOSITORY_OPTION, WAIT_OPTION } from "./open-repository.ts";
import { print, printError } from "./output.ts";

export const help: CommandHelp = {
  name: "image mount",
  operands: "IMAGE DIRECTORY",
  operandCount: [2, 2],
  summary: "Mount an image read-only, with the objects of the repository.",
  description:
    "IMAGE is a digest (or its first digits) or a reference in the repository, or a file. An image of a repository is only mounted if it is\n" +
    "what its name says. umount(8) takes the mount away.",
  options: {
    repo: REPOSITORY_OPTION,
    verity: { kind: "value", value: "HOW", help: "require: the kernel checks every file; off; auto (default): required where the image has fs-verity, or the repository demands it" },
    wait: WAIT_OPTION,
  },
  examples: [
    ["sealroot image mount 3d0e4c /mnt", "look into an image"],
    ["sealroot image mount --verity require 3d0e4c /mnt", "and let nothing be read that nobody vouches for"],
  ],
};

export function run(argv: readonly string[]): number {
  const parsed = parseArguments(help, argv);
  const [text = "", directory = ""] = parsed.operands;
  const verity = parsed.value("verity") ?? "auto";
  if (verity !== "auto" && verity !== "require" && verity !== "off") throw new SealrootError("SR-E100", { summary: `--verity ${JSON.stringify(verity)} is none of require, auto, off`, next: "see: sealroot image mount --help" });
  using operand = openImageOperand(parsed, text);
  using repository = operand.contents === undefined ? openRepository(parsed) : undefined;
  const contents = operand.contents ?? repository;
  if (contents === undefined) throw new Error("unreachable: an operand has a repository, or one was opened");
  // the descriptor that was measured and read is the one that is mounted
  const measured = measureVerity(operand.file);
  const { digest, bytes } = operand.read(contents.algorithm);
  const found = measured.kind === "digest" ? measured.digest : digest;
  const expected = misnamedAs(operand, found);
  if (expected !== undefined) throw new SealrootError("SR-E210", { details: [["image", operand.link?.path ?? text], ["expected", `${contents.algorithm}:${expected}`], ["found", `${contents.algorithm}:${found}`]], next: `see: sealroot fsck --image ${expected.slice(0, 12)}` });
  // where the repository demands it, an object without it is one that somebody else has put there
  const demanded = verity === "require" || (verity === "auto" && operand.link !== undefined && demandsVerity(contents));
  if (demanded && measured.kind !== "digest") throw new SealrootError(measured.kind === "no-verity" ? "SR-E211" : "SR-E212", { details: [["image", operand.link?.path ?? text]] });
  const required = demanded || (verity === "auto" && (measured.kind === "digest" || demandsVerity(contents)));
  using objects = contents.repository.openObjects();
  try {
    using target = openPath(directory, O.PATH | O.DIRECTORY);
    mountComposefs({ source: `composefs:${found}`, image: operand.file, acl: hasAcl(bytes), stores: [objects], verity: required ? "require" : "none", writable: undefined, readOnly: true, idMapping: undefined }, (mount) => placeMount(mount, target));
  } catch (error) {
    if (error instanceof SyscallError) throw new SealrootError("SR-E303", { summary: `${operand.link?.path ?? text} cannot be mounted at ${directory}`, cause: error, meaning: "the mount point is no directory, or the kernel refused the image", next: "the kernel's own words are above; see also dmesg" });
    throw error;
  }
  print(`${contents.algorithm}:${found} is mounted at ${printable(directory)}\n`);
  if (!required) printError("sealroot: without fs-verity: nothing checks what is read from it\n");
  return 0;
}

/** The flag in composefs's own header: without it no file of the image has an ACL. */
const hasAcl = (bytes: Uint8Array): boolean => bytes.length >= 12 && (new DataView(bytes.buffer, bytes.byteOffset).getUint32(8, true) & 1) !== 0;
