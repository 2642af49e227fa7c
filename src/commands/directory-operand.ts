/** A directory where an image could stand: what it would become by a recipe, in memory, to be compared. */

import { isPresetName, parseRecipe, PRESETS, readSource, type Recipe, RECIPE_LIMIT } from "../directory/index.ts";
import { readImage, writeImageBytes } from "../erofs/index.ts";
import { SealrootError } from "../errors/index.ts";
import { fsverityDigest } from "../fsverity/index.ts";
import { HERE, O, openPath, readUpTo, statAt } from "../linux/index.ts";
import { naming } from "../repository/image-file.ts";
import { openRecipe } from "../repository/writer.ts";
import { readInputFile } from "./input-file.ts";
import type { ImageOperand, ReadOperand } from "./image-operand.ts";
import { openProgress } from "./progress.ts";

export function isDirectoryPath(path: string): boolean {
  try {
    return statAt(HERE, path).type === "directory";
  } catch {
    return false;
  }
}

/**
 * The recipe for a directory that is compared with an image: the one that is asked for, in the image's format, or that the image was
 * made by.
 * @throws SealrootError SR-E100 when neither is known
 */
export function recipeFor(asked: string | undefined, operand: ImageOperand, image: ReadOperand): Recipe {
  const { format, algorithm } = image;
  if (asked !== undefined) return { ...(isPresetName(asked) ? PRESETS[asked] : parseRecipe(readInputFile(asked, RECIPE_LIMIT), asked)), format, algorithm };
  using recorded = operand.contents === undefined ? undefined : openRecipe(operand.contents.directory, image.digest);
  if (recorded !== undefined) return parseRecipe(readUpTo(recorded, RECIPE_LIMIT + 1), recorded.label);
  throw new SealrootError("SR-E100", {
    summary: "how the directory becomes an image is not known: the other image has no recipe beside it",
    next: `say it: --recipe ${Object.keys(PRESETS).join(", ")}, or a file`,
  });
}

/** @throws SealrootError as image create does */
export function readDirectoryOperand(path: string, recipe: Recipe, hash: "sha256" | "sha512"): ReadOperand {
  using source = openPath(path, O.RDONLY | O.DIRECTORY);
  using progress = openProgress();
  progress.begin("reading");
  const tree = readSource(source, recipe, { store: undefined, found: () => progress.advance(1), done: (bytes) => progress.advance(0, bytes) });
  const bytes = writeImageBytes(tree, recipe);
  // read back, so that both sides are what an image says
  return { ...naming(path, () => readImage(bytes)), bytes, hash, digest: fsverityDigest(bytes, hash).toHex() };
}
