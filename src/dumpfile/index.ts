/** The text form of a tree, one line a file: what mkcomposefs --from-file reads and composefs-info dump prints. Pure. */
export { type DumpfileOptions, DumpfileParser, MAX_LINE, MEMORY_FACTOR } from "./parser.ts";
export { eachObject, printDumpfile, printListing } from "./print.ts";
