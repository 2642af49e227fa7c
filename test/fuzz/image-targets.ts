/**
 * Images, changed where it matters, through the reader; and the rules that must hold for any bytes: a tree or one SealrootError, and
 * what was read can be written, and is then the same after another round. Run at length by erofs.ts, for a moment by the unit tests.
 */

import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { SealrootError } from "../../src/errors/index.ts";
import { type ImageFormat, readImage, writeImageBytes } from "../../src/erofs/index.ts";
import { parseDumpfile } from "./differential-compare.ts";
import type { Target } from "./target.ts";

/** Small trees with everything in them: an image of each is mostly what can go wrong, and reading it takes no time. */
const TREES = [
  `/ 4096 40755 3 0 0 0 1.0 - - - security.selinux=root_t trusted.overlay.opaque=y
/a 4096 40755 2 0 0 0 1.0 - - - security.selinux=dir_t
/a/b 4096 40755 2 0 0 0 1.5 - - -
/a/b/c 5 100644 1 0 0 0 1.0 - hello - user.a=1 user.b=22
/a/link 6 120777 1 0 0 0 1.0 target - -
/a/x 9000 100644 1 0 0 0 2.0 5a/5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a - 5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a security.selinux=dir_t
/a/y 9000 100644 1 0 0 0 2.0 5a/5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a - 5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a
/a/z 0 @100644 - - - - - /a/x - -
`,
  `/ 4096 40755 2 0 0 0 1.0 - - -
/dev 4096 40755 2 0 0 0 1.0 - - - user.overlay.opaque=n
/dev/gone 0 20000 1 0 0 0 1.0 - - - trusted.overlay.whiteout=z
/dev/null 0 20666 1 0 0 259 1.0 - - -
/dev/sda 0 60660 1 0 6 2048 1.0 - - -
/dev/fifo 0 10644 1 0 0 0 1.0 - - - system.posix_acl_access=acl
/dev/sock 0 140755 1 70000 0 0 -5.1 - - -
/hole 8192 100644 1 0 0 0 1.0 - - -
/many 100 100644 1 0 0 0 1.0 some/path - -
`,
  // directories and content in blocks, a link that is moved to one, an index of many chunks
  `/ 4096 40755 2 0 0 0 1.0 - - -
/content 4500 100644 1 0 0 0 1.0 - ${"c".repeat(4500)} -
/huge 9007199254740992 100644 1 0 0 0 1.0 ab/c - -
/long 4090 120777 1 0 0 0 1.0 ${"t".repeat(4090)} - -
${Array.from({ length: 60 }, (_, index) => `/${"n".repeat(60)}${index} 0 100644 1 0 0 0 1.0 - - -\n`).join("")}`,
] as const;

/** v2 more often: without stubs its images are small, and every change tells. */
const FORMATS: readonly ImageFormat[] = ["v0", "v1", "v2", "v2", "v2", "v2"];

const GOLDEN = join(import.meta.dir, "../data/golden");
/** v2 has neither long content nor long targets. */
const V2_CANNOT = /^0[25]-/;

function corpus(): Uint8Array[] {
  const encoder = new TextEncoder();
  const image = (text: Uint8Array, format: ImageFormat): Uint8Array => writeImageBytes(parseDumpfile(text), { format });
  const small = TREES.slice(0, 2).flatMap((text) => FORMATS.map((format) => image(encoder.encode(text), format)));
  const golden = readdirSync(GOLDEN).filter((name) => /^\d\d-.*\.dump$/.test(name)).toSorted().flatMap((name) => {
    const dumpfile = readFileSync(join(GOLDEN, name));
    return (V2_CANNOT.test(name) ? (["v0", "v1"] as const) : (["v0", "v1", "v2"] as const)).map((format) => image(dumpfile, format));
  });
  return [...small, image(encoder.encode(TREES[2]), "v1"), ...golden];
}

const REFUSALS: readonly string[] = ["SR-E501", "SR-E502", "SR-E503"];
const SUPERBLOCK = /^SR-E50[12]|cut short|no EROFS superblock|blocks are not of|features that composefs does not use|not as long as its superblock/;

/** How often each reason was given; "read" for none. */
const outcomes = new Map<string, number>();
let tried = 0;
const count = (outcome: string): void => void outcomes.set(outcome, (outcomes.get(outcome) ?? 0) + 1);

function report(): string {
  const share = (number: number): string => `${((100 * number) / tried).toFixed(2)} %`.padStart(8);
  const superblock = [...outcomes].reduce((sum, [outcome, number]) => sum + (SUPERBLOCK.test(outcome) ? number : 0), 0);
  const lines = [...outcomes].toSorted(([, a], [, b]) => b - a).map(([outcome, number]) => `${share(number)} ${outcome}`);
  return [`${share(tried - superblock)} of ${tried} get past the superblock`, ...lines].join("\n");
}

export const IMAGE_TARGETS: Readonly<Record<string, Target>> = {
  image: {
    corpus,
    report,
    try: (input, generator) => {
      let read;
      tried++;
      try {
        read = readImage(input);
      } catch (error) {
        if (!(error instanceof SealrootError) || !REFUSALS.includes(error.code)) throw error;
        count(`${error.code} ${error.details.find(([label]) => label === "reason")?.[1] ?? ""}`);
        return;
      }
      const { tree, format } = read;
      count(`read as ${format}`);
      // takes several times as long as reading
      if (!generator.chance(16)) return;
      let written;
      try {
        written = writeImageBytes(tree, { format });
      } catch (error) {
        if (!(error instanceof SealrootError) || error.code !== "SR-E500") throw error;
        count(`read as ${format}, not written`);
        return;
      }
      const second = readImage(written);
      if (Buffer.compare(written, writeImageBytes(second.tree, { format: second.format })) !== 0) throw new Error("what was written is not written again");
      count(`read as ${format}, written, read and written again`);
    },
  },
};
