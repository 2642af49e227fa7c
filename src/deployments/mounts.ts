/**
 * Images that are mounted, in any namespace that can be looked into. A mount does not say which image it is but by its source, and only
 * where whoever made it says so; which objects it reads, the kernel says.
 */

import { readdirSync, readlinkSync } from "node:fs";
import { ERRNO, type FileFacts, isErrno, O, openAt, openPath, readUpTo, RESOLVE, statAt } from "../linux/index.ts";
import { dataLayers, digestOfSource, isComposefs, type MountEntry, parseMountTable } from "./mount-table.ts";
import { factsOf, isSameFile, LARGEST_TEXT, readSystemFile, tooLong } from "./places.ts";

export interface ImageMount {
  /** For people. */
  readonly at: string;
  /** What runs here runs from it. */
  readonly isRoot: boolean;
  /** Lower-case hex; undefined for one that does not say. */
  readonly digest: string | undefined;
  /** Its content lies in the repository's objects: what it needs must not go, whatever it is. */
  readonly ours: boolean;
}

/** The PID namespace that the kernel starts with (include/linux/proc_ns.h, PROC_PID_INIT_INO). */
const FIRST_NAMESPACE = "pid:[4026531836]";

/** Whether /proc has every process of the machine, and with them every namespace that has mounts. */
export function showsAllProcesses(): boolean {
  // process 1 is of the namespace that /proc was mounted for, which may be another one than ours; only root may look
  return (namespaceOf("1", "pid") ?? namespaceOf("self", "pid")) === FIRST_NAMESPACE;
}

interface MountTable {
  /** Below which its paths are found from here. */
  readonly root: string;
  /** Whose it is, to be said after a path. */
  readonly of: string;
  readonly entries: readonly MountEntry[];
}

/** Where a layer leads: to the repository's objects, to something else, or to what this process may not look at. */
type Whither = "ours" | "elsewhere" | "hidden";

/** @param repository its directory @throws SealrootError SR-E542 when the own table cannot be read */
export function imageMounts(repository: string): ImageMount[] {
  const objects = factsOf(`${repository}/objects`);
  const name = `${repository.slice(repository.lastIndexOf("/") + 1)}/objects`;
  const tables = mountTables();
  // what one namespace does not see, another one may: services that hide directories have the mounts of all others
  const known = new Map<string, Whither>();
  for (const { root, entries } of tables) {
    for (const entry of entries) {
      for (const layer of dataLayers(entry)) {
        const key = `${entry.device} ${layer}`;
        const found = known.get(key) === "ours" ? undefined : whither(root, layer, objects);
        if (found === "ours" || (found !== undefined && (known.get(key) ?? "hidden") === "hidden")) known.set(key, found);
      }
    }
  }
  const isOurs = ({ device, source }: MountEntry, layer: string, own: boolean): boolean => {
    const found = known.get(`${device} ${layer}`);
    if (found === "ours" || found === "elsewhere") return found === "ours";
    if (layer === "objects" || layer === name || layer.endsWith(`/${name}`)) return true;
    // a descriptor of whoever made the mount (kernels before 6.13), or a path that is gone; of paths in other namespaces most never were here
    return found === undefined && isComposefs(source) && (own || layer.startsWith("/proc/"));
  };
  const seen = new Set<string>();
  return tables.flatMap(({ of, entries }) => {
    const found = entries.flatMap((entry) => {
      const digest = digestOfSource(entry.source);
      const ours = dataLayers(entry).some((layer) => isOurs(entry, layer, of === ""));
      // each namespace has the mounts of the one that it comes from
      if ((digest === undefined && !ours) || seen.has(entry.device)) return [];
      return [{ device: entry.device, at: `${entry.path}${of}`, isRoot: of === "" && (entry.path === "/" || entry.path === "/usr"), digest, ours }];
    });
    for (const { device } of found) seen.add(device);
    return found;
  });
}

/** undefined for a path that leads nowhere. @param root of whose table has it */
function whither(root: string, layer: string, objects: FileFacts | undefined): Whither | undefined {
  // through /proc it would be another process's file
  if (!layer.startsWith("/") || layer.startsWith("/proc/")) return undefined;
  try {
    using top = openPath(root === "" ? "/" : root, O.PATH | O.DIRECTORY);
    // links of another root lead on from there
    using found = openAt(top, layer, O.PATH, RESOLVE.IN_ROOT);
    return isSameFile(statAt(found), objects) ? "ours" : "elsewhere";
  } catch (error) {
    return isErrno(error, ERRNO.ENOENT, ERRNO.ENOTDIR) ? undefined : "hidden";
  }
}

/** The own table first, then one for each other namespace. Those that may not be looked into are another user's, or gone. */
function mountTables(): MountTable[] {
  const tables: MountTable[] = [{ root: "", of: "", entries: parseMountTable(readSystemFile("/proc/self/mountinfo")) }];
  const seen = new Set([namespaceOf("self", "mnt")]);
  for (const pid of readdirSync("/proc").filter((entry) => /^\d+$/.test(entry))) {
    const namespace = namespaceOf(pid, "mnt");
    if (namespace === undefined || seen.has(namespace)) continue;
    const text = tableOf(pid);
    if (text === undefined) continue;
    tables.push({ root: `/proc/${pid}/root`, of: ` of process ${pid}`, entries: parseMountTable(text) });
    seen.add(namespace);
  }
  return tables;
}

/** Anybody may fill a namespace of his own with mounts. undefined when the process has ended; another one of the namespace may live. @throws SealrootError SR-E542 */
function tableOf(pid: string): string | undefined {
  let bytes: Uint8Array;
  try {
    using file = openPath(`/proc/${pid}/mountinfo`, O.RDONLY);
    bytes = readUpTo(file, LARGEST_TEXT);
  } catch {
    return undefined;
  }
  if (bytes.length === LARGEST_TEXT) throw tooLong(`/proc/${pid}/mountinfo`, `end process ${pid} if it is nobody's, then run it again`);
  return new TextDecoder().decode(bytes);
}

function namespaceOf(pid: string, kind: "mnt" | "pid"): string | undefined {
  try {
    return readlinkSync(`/proc/${pid}/ns/${kind}`);
  } catch {
    return undefined;
  }
}
