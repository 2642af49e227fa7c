/** Repairing what a check of a repository found: good copies of bad and missing objects, and links that lead to the wrong one. */

import { SealrootError } from "../errors/index.ts";
import { SyscallError } from "../linux/index.ts";
import { Drafts } from "../repository/drafts.ts";
import type { Fsck, FsckWatcher } from "../repository/fsck.ts";
import type { LinkFindings } from "../repository/fsck-links.ts";
import { ObjectSource } from "../repository/object-source.ts";
import { removeTemporary, replaceImageLink, replaceObject } from "../repository/repair.ts";

export interface Repaired {
  /** Findings after the repair. */
  readonly links: LinkFindings;
  readonly paths: readonly string[];
  readonly failed: readonly { readonly path: string; readonly reason: string }[];
}

/** @param from where good copies are looked for @throws SealrootError SR-E541, SR-E548 */
export function repairAll(fsck: Fsck, links: LinkFindings, from: string, watcher: FsckWatcher): Repaired {
  const { contents, objects } = fsck;
  const paths: string[] = [];
  const failed = new Map<string, string>();
  using source = new ObjectSource(from);
  let findings = links;
  try {
    removeTemporary(contents, objects.temporary);
    using drafts = new Drafts(contents.directory);
    // an image that was missing brings the objects that it needs, and their absence
    for (let round = 0; objects.bad.size > failed.size; round++) {
      const before = paths.length;
      watcher.begin("repairing", { items: objects.bad.size });
      for (const hex of [...objects.bad.keys()]) {
        if (failed.has(hex)) continue;
        const reason = repairObject(fsck, hex, source, drafts);
        if (reason === undefined) paths.push(`objects/${hex.slice(0, 2)}/${hex.slice(2)}`);
        else failed.set(hex, reason);
        watcher.advance(1);
      }
      findings = fsck.checkLinks();
      if (paths.length === before) break;
    }
    for (const { kind, path } of findings.problems) {
      const digest = kind === "link" ? /^images\/([0-9a-f]{64}|[0-9a-f]{128})$/.exec(path)?.[1] : undefined;
      if (digest === undefined || digest.length !== contents.idLength * 2 || objects.size(Uint8Array.fromHex(digest)) === undefined || objects.bad.has(digest)) continue;
      replaceImageLink(contents, digest, drafts.directory);
      paths.push(path);
    }
    findings = fsck.checkLinks();
  } catch (error) {
    if (error instanceof SyscallError) throw new SealrootError("SR-E548", { summary: "the repository cannot be repaired", cause: error });
    throw error;
  }
  return { links: findings, paths, failed: [...failed].map(([hex, reason]) => ({ path: `objects/${hex.slice(0, 2)}/${hex.slice(2)}`, reason })) };
}

/** @returns why not, or undefined when it is good now */
function repairObject({ contents, objects, requireVerity }: Fsck, hex: string, source: ObjectSource, drafts: Drafts): string | undefined {
  const id = Uint8Array.fromHex(hex);
  if (objects.bad.get(hex)?.fault === "type") return "something that is no file has its name";
  let reason = "the source does not have it";
  // the object's own size where nothing else tells: content that changed in place keeps it
  const size = objects.wanted.get(hex) ?? objects.size(id);
  const sizes = new Set([...objects.wanted.values(), ...[...objects.bad.keys()].map((other) => objects.size(Uint8Array.fromHex(other)) ?? -1)]);
  for (const candidate of source.candidates(id, size, sizes)) {
    const { result, size: written } = replaceObject(contents, id, candidate, requireVerity ? "required" : "tried", drafts.directory);
    if (result === "replaced") {
      objects.bad.delete(hex);
      objects.put(id, written);
      return undefined;
    }
    reason = result === "wrong content" ? "what the source has there has other content" : "the copy cannot have fs-verity on this filesystem";
  }
  return reason;
}
