/** Parses a dumpfile that takes as much memory as possible for its length, and says whether the bound was kept. Run by test/integration/hostile-memory.test.ts, in a process of its own: what counts is its peak. */

import { readFileSync } from "node:fs";
import { DumpfileParser, MEMORY_FACTOR } from "../../src/dumpfile/index.ts";

const ROOT = "/ 0 40755 1 0 0 0 0.0 - - -\n";
const LINES = 200_000;
const base36 = (number: number): string => number.toString(36);
const file = (index: number, more = ""): string => `${base36(index)} 0 100644 1 0 0 0 0.0 - - -${more}\n`;

/** Files whose xattrs are made by `xattr`, from the number of all before them. */
function* xattrs(files: number, each: number, xattr: (number: number) => string): Generator<string> {
  for (let index = 0, number = 0; index < files; index++) {
    let more = "";
    for (let left = each; left > 0; left--) more += ` ${xattr(number++)}`;
    yield file(index, more);
  }
}

const letters = (number: number): string => String.fromCharCode(0x21 + (number % 26) + 0x20, 0x41 + (Math.floor(number / 26) % 26));

const SHORT = [...'!"#$%&()*+,-./0123456789:;<>?@ABCDEFGHIJKLMNOPQRSTUVWXYZ[]^_`abcdefghijklmnopqrstuvwxyz{|}~'];
function shuffled(seed: number): string[] {
  const names = [...SHORT];
  for (let at = names.length - 1, left = seed; left > 0; at--) {
    const other = left % (at + 1);
    left = Math.floor(left / (at + 1));
    [names[at], names[other]] = [names[other] ?? "", names[at] ?? ""];
  }
  return names;
}

const KINDS: Readonly<Record<string, () => Iterable<string>>> = {
  files: function* () { for (let index = 0; index < LINES; index++) yield file(index); },
  // names that come in no order: an index of all of them is needed
  backwards: function* () { for (let index = LINES; index > 0; index--) yield file(index); },
  links: function* () {
    yield file(0);
    for (let index = 1; index < LINES; index++) yield `${base36(index)} 0 @100644 - - - - - 0\n`;
  },
  // each to the one before it
  chain: function* () {
    yield file(0);
    for (let index = 1; index < LINES; index++) yield `${base36(index)} 0 @100644 - - - - - ${base36(index - 1)}\n`;
  },
  directories: function* () { for (let index = 0; index < LINES; index++) yield `${base36(index)} 0 40755 1 0 0 0 0.0 - - -\n`; },
  // as many as fit, without a value, and never the same set
  empty: () => xattrs(400, 3000, (number) => `${letters(number)}${base36(Math.floor(number / 3000))}=`),
  // names of one byte, in ever other orders: the shortest that there can be
  short: function* () { for (let index = 0; index < 20_000; index++) yield file(index, shuffled(index).map((name) => ` ${name}=`).join("")); },
  flags: function* () { for (let index = 0; index < 20_000; index++) yield file(index, shuffled(index).map((name) => ` ${name}=${base36(index % 36)}`).join("")); },
  pairs: () => xattrs(300, 2400, (number) => `${letters(number)}=${base36(number % 1296)}`),
  values: () => xattrs(300, 2000, (number) => `${letters(number)}=${base36(number)}`),
  sets: () => xattrs(100_000, 1, (number) => `a=${base36(number)}`),
};

const status = (field: string): number => Number(new RegExp(`${field}:\\s+(\\d+)`).exec(readFileSync("/proc/self/status", "utf8"))?.[1]) * 1024;

if (process.argv[3] === undefined) {
  const lines = [ROOT, ...(KINDS[process.argv[2] ?? ""]?.() ?? [])];
  const child = Bun.spawn([process.execPath, import.meta.path, "", "read"], { stdin: Buffer.from(lines.join("")), stdout: "inherit", stderr: "inherit" });
  process.exit(await child.exited);
}
const dumpfile = new Uint8Array(await Bun.stdin.bytes());
Bun.gc(true);
const before = status("VmRSS");
const parser = new DumpfileParser({ strict: false });
parser.push(dumpfile);
const tree = parser.finish();
const taken = status("VmHWM") - before;
const bound = MEMORY_FACTOR * dumpfile.length + 32 * 2 ** 20;
console.log(taken <= bound ? "within the bound" : `${taken} bytes for a dumpfile of ${dumpfile.length}, ${(taken / dumpfile.length).toFixed(1)} for each`);
if (process.env["SEALROOT_SHOW"] !== undefined) console.error(`${dumpfile.length} bytes, ${tree.inodes.count} inodes: ${taken} bytes, ${(taken / dumpfile.length).toFixed(1)} for each`);
