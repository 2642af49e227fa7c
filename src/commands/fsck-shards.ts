/**
 * Objects checked several at once: hashing keeps one processor busy, so each gets a process of its own with its share of the
 * directories `objects/xx`. Where the kernel vouches for the objects there is nothing to share.
 */

import { availableParallelism } from "node:os";
import { SealrootError } from "../errors/index.ts";
import type { CheckedObject, ObjectFault } from "../repository/check-object.ts";
import type { RepositoryContents } from "../repository/contents.ts";
import { checkObjectDirectories, demandsVerity, type Fsck, type FsckWatcher } from "../repository/fsck.ts";
import { print } from "./output.ts";

/** Less is done before another process has started. */
const WORTH_SHARING = 32 * 2 ** 20;
const MOST_PROCESSES = 16;
/** Milliseconds between two words about progress. */
const INTERVAL = 100;

/** What a process says, a line each. */
interface Message {
  readonly items: number;
  readonly bytes: number;
  readonly measured: number;
  readonly bad: readonly { readonly hex: string; readonly fault: ObjectFault; readonly found: string }[];
}

/** Which directories are a process's: "0/2" is every second one, from the first. @throws SealrootError SR-E100 */
function parseShard(text: string): (prefix: string) => boolean {
  const [, index, of] = /^(\d{1,3})\/(\d{1,3})$/.exec(text) ?? [];
  if (index === undefined || of === undefined || Number(of) === 0) throw new SealrootError("SR-E100", { summary: `${JSON.stringify(text)} is no share of the work` });
  return (prefix) => Number.parseInt(prefix, 16) % Number(of) === Number(index);
}

/** One process's share: results go to standard output. */
export function checkShard(contents: RepositoryContents, shard: string): void {
  const mine = parseShard(shard);
  const parent = process.ppid;
  let [items, bytes, measured] = [0, 0, 0];
  let bad: { hex: string; fault: ObjectFault; found: string }[] = [];
  let last = performance.now();
  const tell = (): void => {
    print(`${JSON.stringify({ items, bytes, measured, bad } satisfies Message)}\n`);
    [items, bytes, measured, bad, last] = [0, 0, 0, [], performance.now()];
    // whoever asked is gone
    if (process.ppid !== parent) process.exit(1);
  };
  const sink = (hex: string, checked: CheckedObject): void => {
    if (checked.measured) measured += 1;
    if (checked.fault !== undefined) bad.push({ hex, fault: checked.fault, found: checked.found });
  };
  checkObjectDirectories(contents, contents.objectDirectories().filter(mine), demandsVerity(contents), sink, (moreItems, moreBytes) => {
    items += moreItems;
    bytes += moreBytes;
    if (performance.now() - last >= INTERVAL) tell();
  });
  tell();
}

/** This program, to be started again. */
const program = (): string[] => (Bun.main.startsWith("/$bunfs/") ? [process.execPath] : [process.execPath, Bun.main]);

/** Checks all objects, in several processes where that is worth it. @param jobs 0: as many as there are processors */
export async function checkAllObjects(fsck: Fsck, path: string, jobs: number, watcher: FsckWatcher): Promise<void> {
  const count = Math.min(jobs === 0 ? availableParallelism() : jobs, MOST_PROCESSES);
  if (count < 2 || fsck.requireVerity || fsck.work.bytes < WORTH_SHARING) {
    fsck.checkObjects();
    return;
  }
  watcher.begin("checking objects", fsck.work);
  await Promise.all(Array.from({ length: count }, (_, index) => runShard(fsck, [...program(), "fsck", "--repo", path, "--shard", `${index}/${count}`], watcher)));
}

async function runShard(fsck: Fsck, command: string[], watcher: FsckWatcher): Promise<void> {
  const child = Bun.spawn(command, { argv0: "sealroot", stdin: "ignore", stdout: "pipe", stderr: "pipe", env: {} });
  const decoder = new TextDecoder();
  let rest = "";
  const take = (line: string): void => {
    const { items, bytes, measured, bad } = JSON.parse(line) as Message;
    watcher.advance(items, bytes);
    fsck.checked += items;
    fsck.measured += measured;
    for (const { hex, fault, found } of bad) fsck.objects.checked(hex, { fault, found });
  };
  for await (const chunk of child.stdout) {
    const lines = (rest + decoder.decode(chunk, { stream: true })).split("\n");
    rest = lines.pop() ?? "";
    for (const line of lines) take(line);
  }
  const [exit, errors] = await Promise.all([child.exited, child.stderr.text()]);
  // nothing that it found may be lost
  if (exit !== 0 || rest !== "") throw new SealrootError("SR-E900", { summary: "a process that checks objects ended early", details: [["status", String(exit)], ["cause", errors.trim() === "" ? "it was stopped" : errors.trim()]] });
}
