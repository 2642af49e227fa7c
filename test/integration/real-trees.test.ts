/**
 * Systems as they are, a Debian root and this machine's /usr, all of it: our mkcomposefs and Debian's in the same run, from the directory
 * and from the dumpfile that composefs-info makes of the image. Bytes are compared; so are the dumpfiles of both composefs-info, what
 * composefs-dump writes again, and what the kernel shows of the image with the directory.
 */

import { afterAll, describe, expect, test } from "bun:test";
import { createHash } from "node:crypto";
import { createReadStream, mkdirSync, readFileSync, statSync } from "node:fs";
import { join } from "node:path";
import { readImage } from "../../src/erofs/index.ts";
import { fsckErofs } from "../support/erofs-utils.ts";
import { cTools, ourTools } from "../support/peer-tools.ts";
import { TemporaryDirectory } from "../support/temporary.ts";
import { output, run } from "../vm/lab/run.ts";
import { debianTree } from "../vm/lab/tree.ts";

const scratch = new TemporaryDirectory();
afterAll(() => scratch[Symbol.dispose]());
const tools = { ours: ourTools(join(scratch.path, "ours")), theirs: await cTools(join(scratch.path, "theirs")) };
const SIDES = ["ours", "theirs"] as const;
const MINUTES_10 = 600;

/** Files are up to fifty megabytes: they are compared by hash, and by bytes with them. */
async function hashOf(path: string): Promise<string> {
  const hash = createHash("sha256");
  for await (const chunk of createReadStream(path)) hash.update(chunk as Buffer);
  return `${statSync(path).size} ${hash.digest("hex")}`;
}

/** What both tools make of one source, at the same time: their hashes, ours first. */
const both = (place: string, name: string, args: readonly string[]): Promise<readonly string[]> =>
  Promise.all(SIDES.map(async (side) => {
    const path = join(place, `${name}.${side}`);
    await run([join(tools[side], "mkcomposefs"), ...args, path], { timeout: MINUTES_10 });
    return hashOf(path);
  }));

/** What find(1) prints of each file: all that an image keeps of it and its directory shows, sizes of directories and counts of links excepted. */
const [DIRECTORIES, OTHERS] = ["\\( -type d -printf '%P\\t%y\\t%m\\t%U\\t%G\\t%T@\\0' \\)", "-printf '%P\\t%y\\t%m\\t%U\\t%G\\t%T@\\t%s\\t%l\\0'"];
/** The directories of an object store, hidden by whiteouts. */
const NO_STUBS = "\\( -type c -path './[0-9a-f][0-9a-f]' \\)";

describe.each([
  ["a Debian root", debianTree, 4_000, 1_000],
  ["this machine's /usr", () => Promise.resolve("/usr"), 10_000, 1_000],
] as const)("%s", (what, source, leastNames, leastObjects) => {
  const place = join(scratch.path, what.replace(/\W+/g, "-"));
  const image = join(place, "directory.theirs");
  const dumpfile = join(place, "dump.theirs");

  test("from the directory", async () => {
    mkdirSync(place);
    const directory = await source();
    let [own, their] = await both(place, "directory", [directory]);
    // a machine may be at work: what changed between the two is looked at once more
    if (own !== their) [own, their] = await both(place, "directory", [directory]);
    expect(own).toBe(their);
    const names = Number(await output(["sh", "-c", 'find "$0" -printf x | wc -c', directory]));
    expect(names).toBeGreaterThan(leastNames);
    expect(readImage(readFileSync(image)).tree.inodes.count).toBe(names);
  }, 1_200_000);

  test("as a dumpfile", async () => {
    const hashes: string[] = [];
    for (const side of SIDES) {
      const path = join(place, `dump.${side}`);
      await run(["sh", "-c", '"$0" dump "$1" > "$2"', join(tools[side], "composefs-info"), image, path], { timeout: MINUTES_10 });
      hashes.push(await hashOf(path));
    }
    expect(hashes[0]).toBe(hashes[1]);
    const objects = Number(await output(["sh", "-c", '"$0" objects "$1" | wc -l', join(tools.ours, "composefs-info"), image]));
    expect(objects).toBeGreaterThan(leastObjects);
  }, 300_000);

  test.each(["--threads=2", "--min-version=1", "--max-version=0"])("from the dumpfile, %s", async (option) => {
    const [own, their] = await both(place, `dumpfile${option}`, [option, "--from-file", dumpfile]);
    expect(own).toBe(their);
    // nothing of a directory is lost on the way
    if (option === "--threads=2") expect(own).toBe(await hashOf(image));
  }, 300_000);

  test("fsck.erofs finds nothing, and mounted it looks as the directory does", async () => {
    await run([...(await fsckErofs()), image], { timeout: MINUTES_10 });
    const mount = join(place, "mount");
    mkdirSync(mount);
    const script = `view() { cd "$1"; find . ${NO_STUBS} -o ${DIRECTORIES} -o ${OTHERS} | LC_ALL=C sort -z | sha256sum; }; mount -t erofs -o loop,ro "$2" "$1"; view "$0"; view "$1"`;
    const views = await output(["unshare", "--mount", "--propagation=private", "sh", "-ec", script, await source(), mount, image], { timeout: MINUTES_10 });
    expect(views).toMatch(/^([0-9a-f]{64}) {2}-\n\1 {2}-$/);
  }, 300_000);

  test("read and written again", async () => {
    const again = join(place, "again");
    await run([join(tools.ours, "composefs-dump"), image, again]);
    expect(await hashOf(again)).toBe(await hashOf(image));
  }, 300_000);
});
