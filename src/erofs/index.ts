/** Images: trees become EROFS files of the three formats that composefs has, and such files become trees. Pure. */
export { checkHeader, EROFS_START, isErofs } from "./check-header.ts";
export { chooseFormat } from "./choose.ts";
export { type ImageFormat, MAX_DEPTH } from "./format.ts";
export { MEMORY_FACTOR, readImage, type ReadImage } from "./read.ts";
export { type ImageOptions, writeImage, writeImageBytes } from "./write.ts";
