/** The composefs repository as it lies on the physical root. */
export { parseMeta, type RepositoryMeta } from "./meta.ts";
export { Repository, REPOSITORY } from "./repository.ts";
