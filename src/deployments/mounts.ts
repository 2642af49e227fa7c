/**
 * Images that are mounted, in any namespace that can be looked into. A mount does not say which image it is but by its source, and only
 * where whoever made it says so; which objects it reads, the kernel says.
 */

import { readdirSync, readFileSync, readlinkSync } from "node:fs";
import { dataLayers, digestOfSource, type MountEntry, parseMountTable } from "./mount-table.ts";
import { factsOf, isSameFile, readSystemFile } from "./places.ts";

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

interface MountTable {
  /** Below which its paths are found from here. */
  readonly root: string;
  /** Whose it is, to be said after a path. */
  readonly of: string;
  readonly entries: readonly MountEntry[];
}

/** @param repository its directory @throws SealrootError SR-E542 when the own table cannot be read */
export function imageMounts(repository: string): ImageMount[] {
  const objects = factsOf(`${repository}/objects`);
  const name = `${repository.slice(repository.lastIndexOf("/") + 1)}/objects`;
  const isOurs = (root: string, layer: string): boolean => {
    // through /proc it would be another process's file
    const facts = layer.startsWith("/") && !layer.startsWith("/proc/") ? factsOf(`${root}${layer}`) : undefined;
    if (facts !== undefined) return isSameFile(facts, objects);
    // a path that leads nowhere from here, such as a relative one
    return layer === "objects" || layer === name || layer.endsWith(`/${name}`);
  };
  return mountTables().flatMap(({ root, of, entries }) => entries.flatMap((entry) => {
    const digest = digestOfSource(entry.source);
    const ours = dataLayers(entry).some((layer) => isOurs(root, layer));
    return digest === undefined && !ours ? [] : [{ at: `${entry.path}${of}`, isRoot: of === "" && (entry.path === "/" || entry.path === "/usr"), digest, ours }];
  }));
}

/** The own table first, then one for each other namespace. Those that may not be looked into are another user's, or gone. */
function mountTables(): MountTable[] {
  const tables: MountTable[] = [{ root: "", of: "", entries: parseMountTable(readSystemFile("/proc/self/mountinfo")) }];
  const seen = new Set([namespaceOf("self")]);
  for (const pid of readdirSync("/proc").filter((entry) => /^\d+$/.test(entry))) {
    const namespace = namespaceOf(pid);
    if (namespace === undefined || seen.has(namespace)) continue;
    try {
      tables.push({ root: `/proc/${pid}/root`, of: ` of process ${pid}`, entries: parseMountTable(readFileSync(`/proc/${pid}/mountinfo`, "utf8")) });
      seen.add(namespace);
    } catch {
      // it has ended; another one of the namespace may live
    }
  }
  return tables;
}

function namespaceOf(pid: string): string | undefined {
  try {
    return readlinkSync(`/proc/${pid}/ns/mnt`);
  } catch {
    return undefined;
  }
}
