/**
 * Images beside those who deal with them otherwise: the real mkcomposefs writes the same bytes, fsck.erofs finds nothing, the kernel
 * mounts them and shows the tree.
 */

import { describe, expect, test } from "bun:test";
import { mkdirSync, readdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { type ImageFormat, writeImageBytes } from "../../src/erofs/index.ts";
import { binaryOf, type Inode, isDirectory, isRegular, isSymlink, ROOT, type Tree, TYPE, typeOf } from "../../src/tree/index.ts";
import { compare, OPTION_SETS, parseDumpfile } from "../fuzz/differential-compare.ts";
import { RandomDumpfile } from "../fuzz/random-dumpfile.ts";
import { fsckErofs } from "../support/erofs-utils.ts";
import { TemporaryDirectory } from "../support/temporary.ts";
import { hostPackages } from "../vm/lab/host.ts";
import { output, run } from "../vm/lab/run.ts";
import { composefsTool } from "../vm/lab/tree.ts";

const GOLDEN = join(import.meta.dir, "../data/golden");
const dumps = readdirSync(GOLDEN).filter((name) => /^\d\d-.*\.dump$/.test(name)).toSorted();
const tree = (file: string): Tree => parseDumpfile(readFileSync(join(GOLDEN, file)));
const FORMATS: readonly ImageFormat[] = ["v0", "v1", "v2"];
/** v2 keeps contents and targets behind their inodes only: these two have longer ones. */
const V2_CANNOT = /^0[25]-/;

test("random trees are the same images as the real mkcomposefs makes", async () => {
  await hostPackages();
  using scratch = new TemporaryDirectory();
  const cases = Array.from({ length: 240 }, (_, index) => ({ dumpfile: new RandomDumpfile(1_000_000 + index).make(), options: OPTION_SETS[index % OPTION_SETS.length] ?? [] }));
  const comparisons = await compare(await composefsTool("mkcomposefs"), scratch.path, cases);
  expect(comparisons.flatMap(({ outcome, text }, index) => (outcome === "different" ? [`seed ${1_000_000 + index}: ${text}`] : []))).toEqual([]);
  // what both refuse says nothing of images
  expect(comparisons.filter(({ outcome }) => outcome === "equal").length).toBeGreaterThanOrEqual(220);
});

test("fsck.erofs accepts every image", async () => {
  const fsck = await fsckErofs();
  using scratch = new TemporaryDirectory();
  for (const file of dumps) {
    for (const format of FORMATS) {
      if (format === "v2" && V2_CANNOT.test(file)) continue;
      const path = join(scratch.path, `${file}.${format}`);
      writeFileSync(path, writeImageBytes(tree(file), { format }));
      await run([...fsck, path]);
    }
  }
});

describe("the kernel shows the tree", () => {
  const cases = dumps.filter((file) => /^0[1-9]|^1[0245]/.test(file)).flatMap((file) => FORMATS.filter((format) => format !== "v2" || !V2_CANNOT.test(file)).map((format) => [file, format] as const));

  test.each(cases)("%s as %s", async (file, format) => {
    await hostPackages();
    const source = tree(file);
    using scratch = new TemporaryDirectory();
    const [image, target] = [join(scratch.path, "image"), join(scratch.path, "mount")];
    mkdirSync(target);
    writeFileSync(image, writeImageBytes(source, { format }));
    const fields = ["%P", "%y", "%m", "%U", "%G", "%s", "%T@", "%l"].join("\\0");
    const listing = `mount -t erofs -o loop,ro "${image}" "${target}" && find "${target}" -printf '${fields}\\0' > "${scratch.path}/listing" && cd "${target}" && find . -type f -size -2 -print0 | sort -z | xargs -0 cat > /dev/null`;
    await output(["unshare", "--mount", "--propagation=private", "sh", "-ec", listing]);
    const shown = entriesOf(readFileSync(join(scratch.path, "listing"), "latin1"));
    const expected = expectedOf(source, format);
    expect([...shown.keys()].toSorted()).toEqual([...expected.keys()].toSorted());
    for (const [path, words] of expected) expect([path, shown.get(path)]).toEqual([path, words]);
  });

  /** Path to everything else of it, as find prints it. */
  function entriesOf(listing: string): Map<string, string> {
    const fields = listing.split("\0");
    const entries = new Map<string, string>();
    for (let at = 0; at + 8 <= fields.length; at += 8) {
      const [path = "", type = "", mode, uid, gid, size, time = "", target] = fields.slice(at, at + 8);
      entries.set(path, [type, mode, uid, gid, type === "f" || type === "l" ? size : "", /^-?\d+\.\d{9}/.exec(time)?.[0], target].join(" "));
    }
    return entries;
  }

  function expectedOf(source: Tree, format: ImageFormat): Map<string, string> {
    const inodes = source.inodes;
    const entries = new Map<string, string>();
    const owner = (id: number): number => (id === 2 ** 32 - 1 ? 65534 : id);
    const say = (path: string, inode: Inode): void => {
      const mode = inodes.mode(inode);
      const whiteout = format !== "v2" && typeOf(mode) === TYPE.characterDevice && inodes.rdev(inode) === 0;
      const type = isDirectory(mode) ? "d" : isRegular(mode) || whiteout ? "f" : isSymlink(mode) ? "l" : ({ [TYPE.characterDevice]: "c", [TYPE.blockDevice]: "b", [TYPE.fifo]: "p", [TYPE.socket]: "s" }[typeOf(mode)] ?? "?");
      const target = inodes.target(inode);
      const size = type === "l" ? (target?.length ?? 0) : type === "f" ? (whiteout ? 0 : inodes.size(inode)) : "";
      const time = `${inodes.seconds(inode)}.${String(format === "v2" ? 0 : inodes.nanoseconds(inode)).padStart(9, "0")}`;
      entries.set(path, [type, (mode & 0o7777).toString(8), owner(inodes.uid(inode)), owner(inodes.gid(inode)), size, time, target === undefined ? "" : binaryOf(target)].join(" "));
    };
    const walk = (directory: Inode, prefix: string): void => {
      for (const entry of source.children(directory)) {
        const path = `${prefix}${binaryOf(source.name(entry))}`;
        say(path, source.target(entry));
        if (isDirectory(inodes.mode(source.target(entry)))) walk(source.target(entry), `${path}/`);
      }
    };
    say("", ROOT);
    const root = (entries.get("") ?? "").split(" ");
    if (format !== "v2") for (let stub = 0; stub < 256; stub++) entries.set(stub.toString(16).padStart(2, "0"), ["c", "644", root[2], root[3], "", root[5], ""].join(" "));
    walk(ROOT, "");
    return entries;
  }
});
