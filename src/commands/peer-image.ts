/** Writing an image for the tools by their known names: version, digest, and errors as the C library words them. */

import { chooseFormat, writeImage } from "../erofs/index.ts";
import { SealrootError } from "../errors/index.ts";
import { descriptorDigest, encodeDescriptor, MerkleTree } from "../fsverity/index.ts";
import type { Tree } from "../tree/index.ts";
import { fail, failFor, type Tool, ToolExit } from "./peer-tool.ts";
import { accountingWraps } from "./xattr-accounting.ts";

/** Computes an image's fs-verity digest while it is written. */
export class ImageDigest {
  readonly #tree = new MerkleTree("sha256");

  update(bytes: Uint8Array): void {
    this.#tree.update(bytes);
  }

  /** In hexadecimal digits. */
  finish(): string {
    const { root, size } = this.#tree.finish();
    return descriptorDigest(encodeDescriptor("sha256", size, root), "sha256").toHex();
  }
}

const CANNOT_WRITE = "cannot write file";

/**
 * @param minVersion @param maxVersion as they were given: what no version is, is refused here, where the C tool does it
 * @throws ToolExit before anything is written when the tree cannot become an image
 */
export function writePeerImage(tool: Tool, tree: Tree, minVersion: number, maxVersion: number, write: (bytes: Uint8Array) => void): void {
  const most = Math.max(minVersion >>> 0, maxVersion >>> 0);
  if (most > 1) fail(tool, `${CANNOT_WRITE}: Invalid argument`);
  const format = chooseFormat(tree, minVersion, maxVersion);
  if (accountingWraps(tree, format === "v1")) fail(tool, `${CANNOT_WRITE}: Numerical result out of range`);
  try {
    writeImage(tree, { format }, write);
  } catch (error) {
    if (error instanceof ToolExit) throw error;
    if (error instanceof SealrootError) fail(tool, `${CANNOT_WRITE}: ${error.details.find(([label]) => label === "reason")?.[1] ?? error.message}`);
    failFor(tool, CANNOT_WRITE, error);
  }
}
