/** A directory on disk as a tree, by a recipe that says everything that decides the image's digest. */
export { type ContentOptions, Contents } from "./contents.ts";
export { countSource } from "./count.ts";
export { type ContentSink, ContentFailure, type Deliver, type Found, readDirectory } from "./read.ts";
export { digestFile } from "./digest-file.ts";
export {
  type AlgorithmName, type EmptiedDirectory, type FormatName, formatRecipe, isPresetName, type MkcomposefsOptions, mkcomposefsRecipe, parseRecipe, presetOf, type PresetName, PRESETS, type Recipe,
  RECIPE_LIMIT,
} from "./recipe.ts";
export { DigestStore, readSource, type SourceOptions } from "./image-source.ts";
