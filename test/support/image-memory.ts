/** Reads an image that takes as much memory as possible for its length, and says whether the bound was kept. Run by test/integration/hostile-memory.test.ts, in a process of its own: what counts is its peak. */

import { readFileSync } from "node:fs";
import { MEMORY_FACTOR, readImage, writeImageBytes } from "../../src/erofs/index.ts";
import { type Inode, ROOT, type Xattr } from "../../src/tree/index.ts";
import { builder, DIRECTORY, FILE, name } from "../unit/erofs/trees.ts";

const value = (size: number): Uint8Array => new Uint8Array(size).fill(120);
const base36 = (number: number): string => number.toString(36);
const tree = builder();
const KINDS: Readonly<Record<string, () => void>> = {
  // short names of empty files
  names: () => { for (let index = 0; index < 60_000; index++) tree.add(ROOT, name(base36(index)), FILE); },
  // as many small attributes as fit, each of another name
  inline: () => {
    for (let file = 0, number = 0; file < 200; file++) tree.add(ROOT, name(base36(file)), FILE, Array.from({ length: 1600 }, (): Xattr => ({ name: `user.${base36(number++)}`, value: value(1) })));
  },
  // a table of many entries, all of them referred to
  shared: () => {
    for (let file = 0; file < 1000; file++) for (const twin of "ab") tree.add(ROOT, name(`${base36(file)}.${twin}`), FILE, Array.from({ length: 120 }, (_, index): Xattr => ({ name: `user.${base36(file * 120 + index)}`, value: value(1) })));
  },
  // few large values in ever other sets
  sets: () => {
    const large = Array.from({ length: 15 }, (_, index): Xattr => ({ name: `user.${index}`, value: value(2000) }));
    for (let file = 1; file < 2 ** 15; file++) tree.add(ROOT, name(base36(file)), FILE, large.filter((_, index) => (file & (1 << index)) !== 0));
  },
  // all ways of having half of a few hundred references
  subsets: () => {
    const flags = Array.from({ length: 200 }, (_, index): Xattr => ({ name: `user.${String.fromCharCode(0x100 - 1 - index)}`, value: new Uint8Array() }));
    for (let file = 1, bits = 1; file < 20_000; file++) {
      const seed = (bits = Math.imul(bits, 1664525) + 1013904223);
      tree.add(ROOT, name(base36(file)), FILE, flags.filter((_, index) => ((seed >>> (index % 31)) ^ (index >> 5)) & 1));
    }
  },
  // a few bytes each, in ever other sets, none of them shared with enough others to matter
  tiny: () => {
    for (let file = 0; file < 20_000; file++) tree.add(ROOT, name(base36(file)), FILE, Array.from({ length: 60 }, (_, index): Xattr => ({ name: `user.${base36(index)}`, value: new Uint8Array([(file >> (index % 14)) & 0xff, file & 0xff]) })));
  },
  links: () => {
    const file = tree.add(ROOT, name("file"), FILE);
    for (let index = 0; index < 200_000; index++) tree.link(ROOT, name(`.${base36(index)}`), file);
  },
  // a system: files of the store, each with a label
  objects: () => {
    for (let file = 0; file < 100_000; file++) {
      const digest = new Uint8Array(32).fill(file);
      new DataView(digest.buffer).setUint32(0, file);
      const path = digest.toHex();
      tree.add(ROOT, name(base36(file)), { ...FILE, size: 1000 }, [{ name: "security.selinux", value: value(20) }], { kind: "external", payload: name(`${path.slice(0, 2)}/${path.slice(2)}`), digest });
    }
  },
  deep: () => {
    for (let chain = 0; chain < 10; chain++) for (let level = 1, parent: Inode = ROOT; level < 4000; level++) parent = tree.add(parent, name(base36(chain)), DIRECTORY);
  },
};

const status = (field: string): number => Number(new RegExp(`${field}:\\s+(\\d+)`).exec(readFileSync("/proc/self/status", "utf8"))?.[1]) * 1024;

if (process.argv[3] === undefined) {
  KINDS[process.argv[2] ?? ""]?.();
  const image = writeImageBytes(tree.seal(), { format: "v2" });
  const child = Bun.spawn([process.execPath, import.meta.path, "", "read"], { stdin: image, stdout: "inherit", stderr: "inherit" });
  process.exit(await child.exited);
}
const image = new Uint8Array(await Bun.stdin.bytes());
Bun.gc(true);
const before = status("VmRSS");
const read = readImage(image);
const taken = status("VmHWM") - before;
const bound = MEMORY_FACTOR * image.length + 32 * 2 ** 20;
console.log(taken <= bound ? "within the bound" : `${taken} bytes for an image of ${image.length}, ${(taken / image.length).toFixed(1)} for each`);
if (process.env["SEALROOT_SHOW"] !== undefined) console.error(`${image.length} bytes, ${read.tree.inodes.count} inodes: ${taken} bytes, ${(taken / image.length).toFixed(1)} for each`);
