/**
 * mkcomposefs, by its own name or as `sealroot mkcomposefs`: an image from a directory or a dumpfile, byte for byte the C tool's, with
 * its options, messages and exit statuses (mkcomposefs(1)). Where that takes what cannot be meant, this refuses; how the image file is
 * written is said in peer-output.ts.
 */

import { DumpfileParser } from "../dumpfile/index.ts";
import { isTerminal } from "../linux/index.ts";
import type { CommandHelp } from "../terminal/index.ts";
import type { Tree } from "../tree/index.ts";
import { parseMkcomposefs } from "./mkcomposefs-options.ts";
import { readSourceDirectory } from "./mkcomposefs-source.ts";
import { print } from "./output.ts";
import { ImageDigest, writePeerImage } from "./peer-image.ts";
import { openForReading, readAll, withFile } from "./peer-input.ts";
import { OutputFile, writeWhole } from "./peer-output.ts";
import { errnoOf, fail, or, runTool, type Tool } from "./peer-tool.ts";

export const help: CommandHelp = {
  name: "mkcomposefs",
  summary: "Make a composefs image, with the options and messages of the C tool of that name.",
  description:
    "IMAGE - is standard output; SOURCE - with --from-file is standard input. Options may be shortened and may follow operands.\n" +
    "For new work there is sealroot image create, which knows repositories and recipes.",
  operands: "SOURCE [IMAGE]",
  options: {
    "digest-store": { kind: "value", value: "DIR", help: "copy files larger than 64 bytes to DIR, by their fs-verity digests" },
    "use-epoch": { kind: "flag", help: "make all modification times zero" },
    "skip-devices": { kind: "flag", help: "leave out devices, whiteouts among them" },
    "skip-xattrs": { kind: "flag", help: "leave out extended attributes" },
    "user-xattrs": { kind: "flag", help: "keep only those of user.*" },
    "print-digest": { kind: "flag", help: "print the image's fs-verity digest" },
    "print-digest-only": { kind: "flag", help: "the same, and write no image" },
    "from-file": { kind: "flag", help: "SOURCE is a dumpfile, not a directory" },
    "min-version": { kind: "value", value: "N", help: "lowest version of the format (0 or 1; default 0)" },
    "max-version": { kind: "value", value: "N", help: "highest version, which whiteouts ask for (default 1)" },
    threads: { kind: "value", value: "N", help: "digest so many files at once (default: one for each processor)" },
  },
  examples: [
    ["sealroot mkcomposefs --digest-store=objects rootfs image.cfs", "image and objects of a directory"],
    ["sealroot mkcomposefs --print-digest-only --from-file root.dump", "digest of the image that a dumpfile describes"],
  ],
};

export function run(argv: readonly string[], calledAs?: string): Promise<number> {
  return runTool("mkcomposefs", calledAs, (tool) => {
    const options = parseMkcomposefs(tool, argv, process.env["POSIXLY_CORRECT"] !== undefined);
    const output = openOutput(tool, options.image);
    const tree = options.fromFile ? readDumpfile(tool, options.source) : readSourceDirectory(tool, options);
    const digest = options.printDigest ? new ImageDigest() : undefined;
    output((write) =>
      writePeerImage(tool, tree, options.minVersion, options.maxVersion, (bytes) => {
        digest?.update(bytes);
        write(bytes);
      }),
    );
    if (digest !== undefined) print(`${digest.finish()}\n`);
    return 0;
  });
}

type Write = (bytes: Uint8Array) => void;

/** @returns what hands the place of the image's bytes to their maker */
function openOutput(tool: Tool, image: string | undefined): (fill: (write: Write) => void) => void {
  if (image === undefined) return (fill) => fill(() => undefined);
  if (image === "-") {
    if (isTerminal(1)) fail(tool, "stdout is a tty.  Refusing to use it");
    return (fill) => fill((bytes) => writeWhole(1, bytes));
  }
  const file = or(tool, "failed to open output file", () => new OutputFile(image));
  return (fill) => or(tool, "close output file", () => file.write(fill));
}

function readDumpfile(tool: Tool, source: string): Tree {
  const parser = new DumpfileParser({ strict: process.env["CFS_PARSE_STRICT"] !== undefined });
  const descriptor = source === "-" ? 0 : or(tool, `open \`${source}\``, () => openForReading(source));
  const read = (): void => {
    try {
      readAll(descriptor, (portion) => parser.push(portion));
    } catch (error) {
      if (errnoOf(error) !== undefined) fail(tool, "Error reading from file");
      throw error;
    }
  };
  if (source === "-") read();
  else withFile(descriptor, read);
  return parser.finish();
}
