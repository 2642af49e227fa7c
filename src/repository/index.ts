/**
 * The composefs repository as it lies on the physical root. commits.ts and evidence-files.ts, for level "signed", are imported by
 * name: most boots need none of it.
 */
export { parseMeta, type RepositoryMeta } from "./meta.ts";
export { Repository, REPOSITORY } from "./repository.ts";
