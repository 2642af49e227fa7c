/** What reading may take that nobody has authenticated, each in a process of its own: the bounds are those that the readers state. */

import { describe, expect, test } from "bun:test";
import { join } from "node:path";
import { TemporaryDirectory } from "../support/temporary.ts";
import { output } from "../vm/lab/run.ts";

const script = (name: string, ...args: readonly string[]): Promise<string> => output([process.execPath, join(import.meta.dir, "../support", name), ...args]);

// what takes most for its length, of each kind that there is
test.each(["names", "inline", "shared", "sets", "subsets", "tiny", "links", "deep", "objects"])("memory for reading an image of many %s keeps its bound", async (kind) => {
  expect(await script("image-memory.ts", kind)).toBe("within the bound");
});

describe("memory for an image of two gigabytes that is nearly all hole is that of what is not", () => {
  test.each(["tail", "directory", "content"])("%s", async (kind) => {
    using scratch = new TemporaryDirectory();
    expect(await script("sparse-image.ts", kind, join(scratch.path, "image"))).toBe("within the bound");
  });
});

test.each(["files", "backwards", "links", "chain", "directories", "short", "flags", "empty", "pairs", "values", "sets"])("memory for parsing a dumpfile of many %s keeps its bound", async (kind) => {
  expect(await script("dumpfile-memory.ts", kind)).toBe("within the bound");
});
