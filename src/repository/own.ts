/** Names in our own directory of a repository: composefs-rs and bootc look only into objects, images and streams. */

export const OWN = "sealroot";
/** In it, the recipes of images: `<digest>.json`. */
export const RECIPES = "recipes";
/** In it, while a run lasts: directories of what is not finished. */
export const STAGING = "staging-";
