/** An object that has the right name and is wrong: what image create, fsck and fsck --repair make of it. */

import { mkdirSync, readFileSync, rmSync, symlinkSync } from "node:fs";
import { join } from "node:path";
import { type Content, contentOf, type Filesystem, type Loop, on } from "./block.ts";
import { look } from "./look.ts";
import { command, create, forge, inInput, objectOf, REPOSITORY, run, TOP } from "./scenarios.ts";

const FILE = "kept/d/large";
const pathOf = (digest: string): string => join(REPOSITORY, "objects", digest.slice(0, 2), digest.slice(2));

const DAMAGE: Readonly<Record<string, (digest: string) => void>> = {
  "other content, with fs-verity": (digest) => forge(digest, "other content\n", true),
  "other content of the same size, with fs-verity": (digest) => forge(digest, readFileSync(inInput(FILE)).fill(0x78), true),
  "other content of the same size, without fs-verity": (digest) => forge(digest, readFileSync(inInput(FILE)).fill(0x78), false),
  "the right content, without fs-verity": (digest) => forge(digest, readFileSync(inInput(FILE)), false),
  "a link to the right content": (digest) => {
    rmSync(pathOf(digest));
    symlinkSync(inInput(FILE), pathOf(digest));
  },
  "an empty directory": (digest) => {
    rmSync(pathOf(digest));
    mkdirSync(pathOf(digest));
  },
  missing: (digest) => rmSync(pathOf(digest)),
};

export interface Treated {
  /** Exit status of fsck before. */
  readonly fsck: number;
  readonly create: { readonly exit: number; readonly text: string };
  /** What is wrong after image create, and after fsck --repair instead of it. */
  readonly afterCreate: readonly string[];
  readonly repair: { readonly exit: number; readonly text: string };
  readonly afterRepair: readonly string[];
}

export function damaged(loop: Loop, start: Content, filesystem: Filesystem): Readonly<Record<string, Treated>> {
  const at = <T>(content: Content, work: () => T): T => on(loop, content, filesystem, TOP, work);
  const states = new Map<string, Content>();
  for (const [name, damage] of Object.entries(DAMAGE)) {
    at(start, () => damage(objectOf(FILE)));
    states.set(name, contentOf(loop));
  }
  states.set("a byte flipped on the disk, below fs-verity", flipped(start));
  const treated: Record<string, Treated> = {};
  for (const [name, state] of states) {
    const problems = (): string[] => {
      const { wrong, broken } = look(REPOSITORY, true);
      return [...Object.values(wrong), ...broken];
    };
    const [fsck, made, afterCreate] = at(state, () => [run(command("fsck", "--repo", REPOSITORY)).exit, run([...create(["--json", "--name", "kept"]), inInput("kept")]), problems()]);
    const [repair, afterRepair] = at(state, () => [run(command("fsck", "--repo", REPOSITORY, "--repair", inInput("good"))), problems()]);
    treated[name] = { fsck, create: made, afterCreate, repair, afterRepair };
  }
  return treated;
}

/** The file's content lies on the disk as it is, in whole blocks. */
function flipped(start: Content): Content {
  const content = start.copy();
  const at = content.find(readFileSync(inInput(FILE)).subarray(4096, 8192));
  content.put(at + 100, Uint8Array.of(0x00));
  return content;
}
