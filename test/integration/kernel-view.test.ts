/**
 * Every golden image, of every format, mounted: the kernel shows all of the tree, and nothing else. Names, types, modes, owners, link
 * counts, device numbers, sizes, times to the nanosecond, targets, contents, hard links, and extended attributes as they are on the
 * disk, overlayfs's own among them.
 */

import { beforeAll, expect, test } from "bun:test";
import { readdirSync, readFileSync, rmdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { type ImageFormat, writeImageBytes } from "../../src/erofs/index.ts";
import { parseDumpfile } from "../fuzz/differential-compare.ts";
import type { Viewed } from "../support/kernel-view.ts";
import { TemporaryDirectory } from "../support/temporary.ts";
import { hostPackages } from "../vm/lab/host.ts";
import { output } from "../vm/lab/run.ts";

const GOLDEN = join(import.meta.dir, "../data/golden");
const dumps = readdirSync(GOLDEN).filter((name) => /^\d\d-.*\.dump$/.test(name)).toSorted();
/** v2 keeps contents and targets behind their inodes only: these two have longer ones. */
const V2_CANNOT = /^0[25]-/;
// each of the option sets of golden.tsv makes one of the first two, as golden.test.ts has it
const cases = dumps.flatMap((file) => (["v0", "v1", "v2"] as const).filter((format) => format !== "v2" || !V2_CANNOT.test(file)).map((format) => [file, format] as const));
const views = new Map<string, Viewed>();

beforeAll(async () => {
  await hostPackages();
  using scratch = new TemporaryDirectory();
  const images = cases.map(([file, format]): readonly [string, string, ImageFormat] => {
    const image = join(scratch.path, `${file}.${format}`);
    writeFileSync(image, writeImageBytes(parseDumpfile(readFileSync(join(GOLDEN, file))), { format }));
    return [image, join(GOLDEN, file), format];
  });
  const script = join(import.meta.dir, "../support/kernel-view.ts");
  const lines = await output(["unshare", "--mount", "--propagation=private", process.execPath, script], { input: JSON.stringify(images), env: { TMPDIR: scratch.path } });
  for (const [index, line] of lines.split("\n").entries()) views.set(cases[index]?.join(" ") ?? "", JSON.parse(line) as Viewed);
  for (const name of readdirSync(scratch.path)) if (name.startsWith("sealroot-view-")) rmdirSync(join(scratch.path, name));
}, 300_000);

test.each(cases)("%s as %s", (file, format) => {
  const view = views.get(`${file} ${format}`);
  expect(view?.different).toEqual([]);
  expect(view?.names).toBeGreaterThan(format === "v2" ? 0 : 256);
});

test("is all of it", () => {
  const sum = (of: (view: Viewed) => number): number => [...views.values()].reduce((all, view) => all + of(view), 0);
  expect([cases.length, sum(({ names }) => names), sum(({ xattrs }) => xattrs), sum(({ bytes }) => bytes)]).toEqual([46, 19806, 4805, 370651]);
});
