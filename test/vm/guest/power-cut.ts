/**
 * The power fails: nothing is left but what the disk was told to keep. The command runs on a device that records its writes in the order in
 * which they become lasting; then the disk is put together as it was at each moment, mounted, and looked at.
 */

import { closeSync, fsyncSync, openSync, writeSync } from "node:fs";
import { join } from "node:path";
import { type Content, type Filesystem, type Loop, on, Recorded } from "./block.ts";
import { added, type Outcome, problemsAfterNext } from "./killed.ts";
import { look } from "./look.ts";
import { REPOSITORY, type Scenario, TOP } from "./scenarios.ts";
import { mount, request, unmount } from "./system.ts";
import { traced } from "./trace.ts";

const BTRFS_START_SYNC = 0x80089418;
const BTRFS_WAIT_SYNC = 0x40089416;

/** Makes names and inodes lasting as they are, without the data of files that nobody has asked for: what a filesystem does by itself every few seconds. */
function commit(type: string): void {
  if (type === "btrfs") {
    const id = new BigUint64Array(1);
    for (const number of [BTRFS_START_SYNC, BTRFS_WAIT_SYNC]) if (request(TOP, "r", number, id) < 0) throw new Error("btrfs does not commit");
    return;
  }
  const file = openSync(join(TOP, "other"), "r+");
  writeSync(file, "y");
  fsyncSync(file);
  closeSync(file);
}


/**
 * @param eager the filesystem commits before each call, and the disk is looked at as it was then; otherwise after every write that lasts
 * @returns what was wrong after the power came back, and what the next run did not set right
 */
export function cutEverywhere(loop: Loop, log: Loop, start: Content, filesystem: Filesystem, secure: boolean, scenario: Scenario, eager: boolean): Outcome {
  const at = <T>(content: Content, work: () => T): T => on(loop, content, filesystem, TOP, work);
  const before = at(start, () => look(REPOSITORY, secure));
  start.writeTo(loop.file);
  const recorded = new Recorded(loop, log, start.size);
  mount(recorded.device, TOP, filesystem.type, filesystem.options);
  const { calls, threads, exit, text } = traced(scenario.command, TOP, (number, call) => {
    recorded.mark(`call ${number} ${call}`);
    if (eager) commit(filesystem.type);
    return "go on";
  });
  recorded.mark("returned");
  const finished = look(REPOSITORY, secure);
  unmount(TOP);
  const written = recorded.finish();
  const problems = exit === 0 ? added(finished, { wrong: {}, broken: [] }) : [`it ended with ${exit}: ${text}`];

  const content = start.copy();
  const met = new Set<string>();
  let [tried, where, returned, changed] = [0, "the beginning", false, true];
  const check = (): void => {
    if (!changed && !returned) return;
    changed = false;
    const found = at(content, () => {
      const seen = look(REPOSITORY, secure);
      const lost = returned ? finished.listing.filter((path) => !seen.listing.includes(path)).map((path) => `${path} is lost`) : [];
      tried += 1;
      const isNew = met.size < met.add(seen.state).size;
      return [...added(seen, before), ...lost, ...(isNew ? problemsAfterNext(scenario, finished, secure) : [])];
    });
    problems.push(...found.map((what) => `cut off in ${where}: ${what}`));
  };
  for (const { offset, bytes, lasting, mark } of written) {
    if (mark !== undefined) {
      // what the filesystem has committed between two calls is looked at once
      if (eager) check();
      where = mark;
      returned = mark === "returned";
    }
    content.put(offset, bytes);
    changed ||= bytes.length > 0;
    if ((lasting && !eager) || returned) check();
    if (returned) break;
  }
  if (!returned) problems.push("the record has no end");
  return { calls, threads, tried, states: met.size, problems };
}
