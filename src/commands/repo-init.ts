/** `sealroot repo init`: a new repository. */

import { SealrootError } from "../errors/index.ts";
import { initRepository } from "../repository/init.ts";
import { type CommandHelp, parseArguments, printable } from "../terminal/index.ts";
import { DEFAULT_REPOSITORY } from "./open-repository.ts";
import { outputStyle, print, printJson } from "./output.ts";

export const help: CommandHelp = {
  name: "repo init",
  operands: "[DIR]",
  operandCount: [0, 1],
  summary: "Make a composefs repository, which composefs-rs and bootc use as well.",
  description:
    "Every object is to have fs-verity, so that the kernel notices when one is changed. Without it there is --insecure: the choice is kept\n" +
    "in the repository (meta.json has fs-verity itself, or has not), and cannot be changed later.\n" +
    `DIR is ${DEFAULT_REPOSITORY} unless given. A repository of the same kind that is there already is left as it is; one\n` +
    "that is older than meta.json gets it, with the hash that its objects are named by.",
  options: {
    algorithm: { kind: "value", value: "NAME", help: "hash that objects are named by: sha256 or sha512 (default; what bootc uses)" },
    format: { kind: "value", value: "NAME", help: "EROFS format of images: v1 (default) or v2" },
    insecure: { kind: "flag", help: "objects may lack fs-verity: for filesystems without it, and for tests" },
    json: { kind: "flag", help: "print JSON" },
  },
  examples: [
    ["sealroot repo init /mnt/composefs", "a repository on the filesystem of a new machine"],
    ["sealroot repo init --insecure --algorithm sha256 ./repo", "one to build images in, where there is no fs-verity"],
  ],
};

function oneOf<T extends string>(option: string, value: string, ...known: readonly T[]): T {
  const found = known.find((name) => name === value);
  if (found === undefined) throw new SealrootError("SR-E100", { summary: `--${option} is ${known.join(" or ")}, not ${JSON.stringify(value)}`, next: "see: sealroot repo init --help" });
  return found;
}

export function run(argv: readonly string[]): number {
  const parsed = parseArguments(help, argv);
  const path = parsed.operands[0] ?? DEFAULT_REPOSITORY;
  const asked = parsed.value("algorithm");
  const format = oneOf("format", parsed.value("format") ?? "v1", "v1", "v2");
  process.umask(0o022);
  const { created, algorithm, secure } = initRepository(path, { algorithm: asked === undefined ? undefined : oneOf("algorithm", asked, "sha256", "sha512"), format, insecure: parsed.flag("insecure") });
  if (parsed.flag("json")) {
    printJson({ repository: path, created, algorithm, format, secure });
    return 0;
  }
  const style = outputStyle();
  print([
    `${style.bold("repository")}  ${printable(path)}${created ? "" : "  (was there already)"}`,
    `${style.bold("objects   ")}  named by ${algorithm}, ${secure ? style.green("fs-verity required") : style.yellow("fs-verity not required: the kernel does not notice changed objects")}`,
    `${style.bold("images    ")}  EROFS ${format}`,
    "",
  ].join("\n"));
  return 0;
}
