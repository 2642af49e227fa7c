/** The mount table of a process as values that can be compared: without the numbers that the kernel hands out anew each time. */

import { readFileSync } from "node:fs";

export interface MountEntry {
  readonly id: number;
  readonly parent: number;
  /** Device as "major:minor". */
  readonly device: string;
  /** The part of the filesystem that is mounted. */
  readonly root: string;
  readonly target: string;
  readonly attributes: readonly string[];
  readonly filesystem: string;
  readonly source: string;
  readonly options: readonly string[];
}

const unescape = (text: string): string => text.replace(/\\([0-7]{3})/g, (_, octal: string) => String.fromCharCode(Number.parseInt(octal, 8)));

/** Lines of /proc/PID/mountinfo (proc(5)), in the order of the file: of several on one target the last is on top. */
export function parseMountTable(text: string): MountEntry[] {
  return text.trimEnd().split("\n").map((line) => {
    const [before = "", after = ""] = line.split(" - ", 2);
    const [id, parent, device = "", root = "", target = "", attributes = ""] = before.split(" ");
    const [filesystem = "", source = "", options = ""] = after.split(" ");
    return {
      id: Number(id), parent: Number(parent), device, root: unescape(root), target: unescape(target), attributes: attributes.split(","), filesystem,
      source: unescape(source), options: options.split(","),
    };
  });
}

export function readMountTable(pid: number): MountEntry[] {
  return parseMountTable(readFileSync(`/proc/${pid}/mountinfo`, "utf8"));
}

/** One line a mount, with its parent's target instead of ids; two tables are the same when these lists are. */
export function describeMountTable(table: readonly MountEntry[]): string[] {
  const targets = new Map(table.map(({ id, target }) => [id, target]));
  return table.map(({ parent, device, root, target, attributes, filesystem, source, options }) =>
    [target, `on ${targets.get(parent) ?? "-"}`, filesystem, source, device, root, attributes.join(), options.join()].join(" "));
}

/** What is seen at `target`: the mount on top. */
export function topMount(table: readonly MountEntry[], target: string): MountEntry | undefined {
  return table.findLast((mount) => mount.target === target);
}
