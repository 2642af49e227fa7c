/** Our executable under the names of the C tools, and those beside it, where the kernel has fs-verity. */

import { copyFileSync, existsSync, mkdirSync, readFileSync, readlinkSync, symlinkSync } from "node:fs";
import { join } from "node:path";
import { forge, inInput, objectOf, REPOSITORY, TOP } from "./scenarios.ts";
import { tryUnmount } from "./system.ts";

const OURS = "/run/ours";
const THEIRS = "/lab/c";
const POINT = "/run/point";

/** By what it is called, and where it is. */
const TOOLS = [["ours", OURS, ""], ["theirs", THEIRS, "/lab/c"]] as const;

export interface Told {
  readonly exit: number;
  readonly stdout: string;
  readonly stderr: string;
  /** Of a mount: the options of the overlay that came of it, and what reading its files gave. */
  readonly options?: readonly string[];
  readonly read?: Readonly<Record<string, string>>;
}

function tell(directory: string, libraries: string, [name, ...words]: readonly [string, ...string[]]): Told {
  const done = Bun.spawnSync([join(directory, name), ...words], { stdin: "ignore", stdout: "pipe", stderr: "pipe", env: { PATH: "/usr/sbin:/usr/bin", LC_ALL: "C", ...(libraries === "" ? {} : { LD_LIBRARY_PATH: libraries }) } });
  const told = { exit: done.exitCode, stdout: done.stdout.toString(), stderr: done.stderr.toString() };
  const line = readFileSync("/proc/self/mountinfo", "utf8").split("\n").find((each) => each.split(" ")[4] === POINT);
  if (line === undefined) return told;
  // the directories are named by whoever mounts; what the kernel is told to check is what counts
  const options = (line.split(" - ")[1] ?? "").split(" ")[2]?.split(",").filter((option) => !/^(?:lowerdir|datadir)/.test(option)).sort() ?? [];
  const read = Object.fromEntries(["common", "kept", "d/large"].map((file) => [file, contentOf(join(POINT, file), inInput(`kept/${file}`))]));
  while (tryUnmount(POINT) === 0);
  return { ...told, options, read };
}

function contentOf(path: string, expected: string): string {
  try {
    return readFileSync(path).equals(readFileSync(expected)) ? "right" : "wrong";
  } catch (error) {
    return error instanceof Error && "code" in error ? String(error.code) : String(error);
  }
}

/** Runs each command of both. The repository is one of scenarios.ts, and is damaged by it. */
export function tools(): Readonly<Record<string, Readonly<Record<"ours" | "theirs", Told>>>> {
  mkdirSync(POINT, { recursive: true });
  mkdirSync(OURS, { recursive: true });
  for (const name of ["composefs-info", "mount.composefs"]) if (!existsSync(join(OURS, name))) symlinkSync("/lab/sealroot", join(OURS, name));
  const image = readlinkSync(join(REPOSITORY, "images/refs/kept")).replace(/.*\//, "");
  const path = (digest: string): string => join(REPOSITORY, "objects", digest.slice(0, 2), digest.slice(2));
  const large = objectOf("kept/d/large");
  const [file, bare, store, wrong] = [path(image), inInput("kept/kept"), `basedir=${join(REPOSITORY, "objects")}`, "0".repeat(64)];
  const bareImage = join(TOP, "bare.cfs");
  copyFileSync(file, bareImage);
  const commands: Record<string, readonly [string, ...string[]]> = {
    "measure an object": ["composefs-info", "measure-file", path(large)],
    "measure several": ["composefs-info", "measure-file", file, path(large), bare],
    "measure a file without fs-verity": ["composefs-info", "measure-file", bare],
    "measure nothing": ["composefs-info", "measure-file", join(TOP, "absent")],
    mount: ["mount.composefs", "-o", store, file, POINT],
    "with verity": ["mount.composefs", "-o", `${store},verity`, file, POINT],
    "with tryverity": ["mount.composefs", "-o", `${store},tryverity`, file, POINT],
    "with the digest": ["mount.composefs", "-o", `${store},digest=${image},verity`, file, POINT],
    "with another digest": ["mount.composefs", "-o", `${store},digest=${wrong},verity`, file, POINT],
    "with a digest and no verity": ["mount.composefs", "-o", `${store},digest=${image}`, file, POINT],
    "with half of the digest": ["mount.composefs", "-o", `${store},digest=${image.slice(0, 32)},verity`, file, POINT],
    "an image without fs-verity, with verity": ["mount.composefs", "-o", `${store},verity`, bareImage, POINT],
    "an image without fs-verity, with its digest": ["mount.composefs", "-o", `${store},digest=${image},verity`, bareImage, POINT],
  };
  const results: Record<string, Record<"ours" | "theirs", Told>> = {};
  const both = (name: string, words: readonly [string, ...string[]]): void => {
    results[name] = Object.fromEntries(TOOLS.map(([who, directory, libraries]) => [who, tell(directory, libraries, words)])) as Record<"ours" | "theirs", Told>;
  };
  for (const [name, words] of Object.entries(commands)) both(name, words);
  /** sealroot's own command, beside what does the same there. */
  const own = (name: string, beside: string): void => {
    const theirs = results[beside]?.theirs;
    if (theirs !== undefined) results[name] = { ours: tell("/lab", "", ["sealroot", "image", "mount", "--repo", REPOSITORY, image, POINT]), theirs };
  };
  own("image mount", "with the digest");
  // from here on one object has lost its fs-verity, and another has other content
  forge(large, readFileSync(inInput("kept/d/large")), false);
  forge(objectOf("kept/kept"), "other content\n", true);
  both("damaged objects, with verity", commands["with the digest"] ?? [""]);
  both("damaged objects, without", commands["mount"] ?? [""]);
  own("image mount, damaged objects", "damaged objects, with verity");
  return results;
}
