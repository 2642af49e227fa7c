/** What can go wrong, and the one class that says so. Pure; every room may import it. */
export { CATALOGUE, type CatalogueEntry, type ErrorCode } from "./catalogue.ts";
export { type Detail, describeCause, type ErrorFacts, SealrootError } from "./sealroot-error.ts";
