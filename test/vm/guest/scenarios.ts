/** What changes a repository, and what each command starts from. */

import { cpSync, existsSync, mkdirSync, readdirSync, readFileSync, readlinkSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { O, openPath } from "../../../src/linux/index.ts";
import { enableVerity } from "../../../src/linux/enable-verity.ts";

export const TOP = "/mnt";
export const REPOSITORY = join(TOP, "composefs");
/** In memory, and the same for every run. */
const INPUT = "/run/input";

export interface Ran {
  readonly exit: number;
  readonly text: string;
}

export const command = (...words: readonly string[]): readonly string[] => ["/lab/sealroot", ...words];

export function run(argv: readonly string[]): Ran {
  const done = Bun.spawnSync([...argv], { stdin: "ignore", stdout: "pipe", stderr: "pipe", env: { PATH: "/usr/sbin:/usr/bin:/sbin:/bin", LC_ALL: "C" } });
  return { exit: done.exitCode, text: `${done.stdout.toString()}${done.stderr.toString()}` };
}

/** @throws Error when it fails */
export function mustRun(argv: readonly string[]): string {
  const { exit, text } = run(argv);
  if (exit !== 0) throw new Error(`${argv.join(" ")} ended with ${exit}: ${text}`);
  return text;
}

const lines = (what: string, count: number): string => `${what}: a line of a file that is long enough for the object store\n`.repeat(count);

/** A tree of files by name and number of lines; the same name has the same content in each. */
function tree(name: string, files: Readonly<Record<string, number>>): string {
  const path = join(INPUT, name);
  for (const [file, count] of Object.entries(files)) {
    mkdirSync(join(path, file, ".."), { recursive: true });
    if (!existsSync(join(path, file))) writeFileSync(join(path, file), lines(file.replace(/^again-/, ""), count));
  }
  return path;
}

/** Two images, of which a reference keeps one, and what is read by the commands. Runs once on an empty filesystem. */
export function firstImages(secure: boolean): void {
  mustRun(command("repo", "init", "--algorithm", "sha256", ...(secure ? [] : ["--insecure"]), REPOSITORY));
  mustRun(command("image", "create", "--recipe", "mkcomposefs", "--name", "kept", "--repo", REPOSITORY, tree("kept", { common: 4, kept: 30, "d/large": 1200 })));
  mustRun(command("image", "create", "--recipe", "mkcomposefs", "--repo", REPOSITORY, tree("unnamed", { common: 4, unnamed: 20, other: 300 })));
  rmSync(join(INPUT, "good"), { recursive: true, force: true });
  cpSync(REPOSITORY, join(INPUT, "good"), { recursive: true, verbatimSymlinks: true });
  // written to, and put on the disk, by whoever makes the filesystem commit
  writeFileSync(join(TOP, "other"), "x");
}

export interface Scenario {
  /** Changes what firstImages() made. */
  readonly prepare?: (secure: boolean) => void;
  readonly command: readonly string[];
  /** Killed before every call that changes something, or before each of this many. */
  readonly every?: number;
  /** Calls that the filesystem does not have. */
  readonly without?: string;
}

const object = (digest: string): string => join(REPOSITORY, "objects", digest.slice(0, 2), digest.slice(2));
const kept = (): string => readlinkSync(join(REPOSITORY, "images/refs/kept")).replace(/.*\//, "");

/** The object with this file's content. */
export function objectOf(file: string): string {
  const content = readFileSync(join(INPUT, file));
  for (const prefix of readdirSync(join(REPOSITORY, "objects"))) {
    for (const rest of readdirSync(join(REPOSITORY, "objects", prefix))) if (readFileSync(object(prefix + rest)).equals(content)) return prefix + rest;
  }
  throw new Error(`there is no object of ${file}`);
}

/** Puts a file with other content, or without fs-verity, in the place of an object. */
export function forge(digest: string, content: Uint8Array | string, verity: boolean): void {
  rmSync(object(digest));
  writeFileSync(object(digest), content);
  using file = openPath(object(digest), O.RDONLY);
  if (verity && enableVerity(file, "sha256") !== "enabled") throw new Error("fs-verity cannot be enabled");
}

export const inInput = (path: string): string => join(INPUT, path);

/** @param names made by tree() */
export const create = (names: readonly string[]): readonly string[] => command("image", "create", "--recipe", "mkcomposefs", "--repo", REPOSITORY, ...names);

export const SCENARIOS: Readonly<Record<string, () => Scenario>> = {
  "image create": () => ({ command: create(["--threads", "1", "--name", "system/a", tree("new", { common: 4, new: 40, "again-new": 40, "d/larger": 1500 })]) }),

  "image create, no unnamed files": () => ({
    command: create(["--threads", "1", "--name", "system/a", tree("new", { common: 4, new: 40, "again-new": 40, "d/larger": 1500 })]),
    without: "openat unnamed",
  }),

  "image create, several threads": () => ({
    // as many bytes as it starts threads for
    command: create(["--threads", "3", "--name", "system/a", tree("many", Object.fromEntries(["a", "b", "c", "d", "e", "f", "g"].map((name) => [name, 20_000])))]),
    every: 4,
  }),

  "image import": () => ({
    prepare: () => {
      rmSync(join(REPOSITORY, "images/refs/kept"));
      for (const digest of [objectOf("kept/kept"), objectOf("kept/d/large"), kept0]) rmSync(object(digest));
      rmSync(join(REPOSITORY, "images", kept0));
    },
    command: command("image", "import", "--repo", REPOSITORY, "--objects", inInput("good"), "--name", "a/b", inInput(`good/objects/${kept0.slice(0, 2)}/${kept0.slice(2)}`)),
  }),

  gc: () => ({
    prepare: () => {
      writeFileSync(join(REPOSITORY, "objects/.tmp-object-aaaaaaaaaaaa"), "x");
      // as a run leaves it
      mkdirSync(join(REPOSITORY, "sealroot/staging-abcdef"), { mode: 0o700 });
      mkdirSync(join(REPOSITORY, "sealroot/staging-abcdef/ab"));
      writeFileSync(join(REPOSITORY, "sealroot/staging-abcdef/ab", "1".repeat(62)), "x");
    },
    command: command("gc", "--no-boot-entries", "--repo", REPOSITORY),
  }),

  "fsck --repair": () => ({
    prepare: (secure) => {
      forge(objectOf("kept/kept"), "another content\n", secure);
      const bare = objectOf("kept/d/large");
      if (secure) forge(bare, readFileSync(join(INPUT, "kept/d/large")), false);
      rmSync(object(objectOf("unnamed/other")));
      rmSync(join(REPOSITORY, "images", kept0));
      symlinkSync(`../objects/00/${"0".repeat(62)}`, join(REPOSITORY, "images", kept0));
    },
    command: command("fsck", "--repo", REPOSITORY, "--repair", inInput("good")),
  }),
};

/** Digest of the image that the reference keeps, from the copy in memory. */
let kept0 = "";
export function rememberKept(): void {
  kept0 = kept();
}
