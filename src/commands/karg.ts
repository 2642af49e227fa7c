/** `sealroot karg`: the argument of a kernel command line that boots an image. */

import { SealrootError } from "../errors/index.ts";
import { demandsVerity } from "../repository/fsck.ts";
import { type CommandHelp, parseArguments } from "../terminal/index.ts";
import { imageArgument, misnamedAs, openImageOperand, warnInsecureArgument } from "./image-operand.ts";
import { REPOSITORY_OPTION, WAIT_OPTION } from "./open-repository.ts";
import { print } from "./output.ts";

export const help: CommandHelp = {
  name: "karg",
  operands: "IMAGE",
  operandCount: [1, 1],
  summary: "Print the kernel argument that boots an image.",
  description:
    "IMAGE is a digest (or its first digits) or a reference in the repository, or a file. The digest is computed from the image, and an\n" +
    "image of a repository that is not what its name says is refused. Where the repository does not require fs-verity (repo init\n" +
    "--insecure) the argument has a ?, as image create and composefs-rs print it.",
  options: {
    repo: REPOSITORY_OPTION,
    algorithm: { kind: "value", value: "NAME", help: "sha256 or sha512, for a file (default: as its objects have it)" },
    short: { kind: "flag", help: "composefs=DIGEST, which bootc's own programs understand; it does not say the format" },
    insecure: { kind: "flag", help: "with ?: boot also where there is no fs-verity" },
    "require-verity": { kind: "flag", help: "without ?, also where the repository does not require fs-verity" },
    wait: WAIT_OPTION,
  },
  examples: [
    ["sealroot karg 3d0e4c", "composefs.digest=v1-sha256-12:3d0e4c…"],
    ["sealroot karg build/system.erofs", "for the command line of a unified kernel image"],
  ],
};

export function run(argv: readonly string[]): number {
  const parsed = parseArguments(help, argv);
  const algorithm = parsed.value("algorithm");
  if (algorithm !== undefined && algorithm !== "sha256" && algorithm !== "sha512") throw new SealrootError("SR-E100", { summary: `there is no algorithm "${algorithm}"`, next: "see: sealroot karg --help" });
  using operand = openImageOperand(parsed, parsed.operands[0] ?? "");
  // its objects are named by the repository's: an argument with another would find nothing
  if (operand.contents !== undefined && algorithm !== undefined && algorithm !== operand.contents.algorithm) {
    throw new SealrootError("SR-E100", { summary: `--algorithm ${algorithm}: the images of this repository are named by ${operand.contents.algorithm}`, next: "leave it out, or give the image as a file" });
  }
  const { format, hash, digest } = operand.read(algorithm);
  const expected = misnamedAs(operand, digest);
  if (operand.link !== undefined && expected !== undefined) {
    throw new SealrootError("SR-E540", { summary: "the image does not match its name", details: [["image", operand.link.path], ["expected", `${hash}:${expected}`], ["found", `${hash}:${digest}`]], next: `see: sealroot fsck --image ${operand.link.name.slice(0, 12)}` });
  }
  if (parsed.flag("insecure") && parsed.flag("require-verity")) throw new SealrootError("SR-E100", { summary: "--insecure and --require-verity contradict each other", next: "see: sealroot karg --help" });
  const weakened = !parsed.flag("insecure") && !parsed.flag("require-verity") && operand.contents !== undefined && !demandsVerity(operand.contents);
  print(`${imageArgument(format, hash, digest, parsed.flag("insecure") || weakened, parsed.flag("short"))}\n`);
  if (weakened) warnInsecureArgument();
  return 0;
}
