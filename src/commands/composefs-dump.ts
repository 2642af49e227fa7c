/** composefs-dump, by its own name or as `sealroot composefs-dump`: reads an image and writes it again, of the same version. */

import { readImage } from "../erofs/index.ts";
import { SealrootError } from "../errors/index.ts";
import type { CommandHelp } from "../terminal/index.ts";
import { writePeerImage } from "./peer-image.ts";
import { openForReading, readImageFile, withFile } from "./peer-input.ts";
import { OutputFile } from "./peer-output.ts";
import { fail, failFor, or, runTool, ToolExit } from "./peer-tool.ts";

export const help: CommandHelp = {
  name: "composefs-dump",
  summary: "Read an image and write it again, as the C tool of that name does.",
  description: "What comes out is what went in, wherever an image says all that was in its source. Images of version 2 are refused, as by the C tool.",
  operands: "SRC DEST",
  options: {},
  examples: [["sealroot composefs-dump image.cfs copy.cfs", "the same image"]],
};

const [MAGIC, HEADER_VERSION, HEADER_SIZE] = [0xd078629a, 1, 32];

export function run(argv: readonly string[], calledAs?: string): Promise<number> {
  return runTool("composefs-dump", calledAs, (tool) => {
    const usage = `usage: ${tool.calledAs} SRC DEST\n`;
    const [source, destination] = argv;
    if (source === undefined) throw new ToolExit(`No source path specified\n${usage}`);
    if (destination === undefined) throw new ToolExit(`No destination path specified\n${usage}`);
    const descriptor = or(tool, `Failed to open '${source}'`, () => openForReading(source));
    const { version, tree } = withFile(descriptor, () => {
      const bytes = or(tool, `Failed to get image version '${source}'`, () => readImageFile(descriptor));
      const header = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
      if (bytes.length < HEADER_SIZE || header.getUint32(0, true) !== MAGIC || header.getUint32(4, true) !== HEADER_VERSION) {
        return fail(tool, `Failed to get image version '${source}': Invalid argument`);
      }
      try {
        return { version: header.getUint32(12, true), tree: readImage(bytes).tree };
      } catch (error) {
        if (error instanceof SealrootError) return fail(tool, `Failed to load '${source}': Invalid argument`);
        return failFor(tool, `Failed to load '${source}'`, error);
      }
    });
    const file = or(tool, `failed to open '${destination}'`, () => new OutputFile(destination));
    or(tool, "cannot write file", () => file.write((write) => writePeerImage(tool, tree, version, version, write)));
    return 0;
  });
}
