/** kill -9 before every call that changes the filesystem, of each command that changes a repository. */

import { type Content, type Filesystem, type Loop, on } from "./block.ts";
import { look, type Seen } from "./look.ts";
import { REPOSITORY, run, type Scenario, TOP } from "./scenarios.ts";
import { traced } from "./trace.ts";

export interface Outcome {
  /** Calls that change something, of the command left alone. */
  readonly calls: readonly string[];
  /** Threads that made them. */
  readonly threads: number;
  /** Places at which it was cut off. */
  readonly tried: number;
  /** States in which that left the repository: in each of them the next run was tried. */
  readonly states: number;
  /** What was not as it has to be, and where. */
  readonly problems: readonly string[];
}

/** What is wrong now and was not before. */
export function added(seen: Seen, before: Pick<Seen, "wrong" | "broken">): string[] {
  return [
    ...Object.entries(seen.wrong).filter(([digest]) => before.wrong[digest] === undefined).map(([digest, why]) => `object ${digest}: ${why}`),
    ...seen.broken.filter((what) => !before.broken.includes(what)),
  ];
}

/** The command once more: it ends well, everything is right, and the repository is as if nothing had been cut off. */
export function problemsAfterNext(scenario: Scenario, finished: Seen, secure: boolean): string[] {
  const again = run(scenario.command);
  if (again.exit !== 0) return [`the next run ended with ${again.exit}: ${again.text}`];
  const seen = look(REPOSITORY, secure);
  return [
    ...added(seen, { wrong: {}, broken: [] }).map((what) => `after the next run: ${what}`),
    ...seen.listing.filter((path) => !finished.listing.includes(path)).map((path) => `the next run left ${path}`),
    ...finished.listing.filter((path) => !seen.listing.includes(path)).map((path) => `the next run did not make ${path}`),
  ];
}

/** Once for each call: everything is as it was, the command is killed there, the repository looked at, and the command run again. */
export function killEverywhere(loop: Loop, start: Content, filesystem: Filesystem, secure: boolean, scenario: Scenario): Outcome {
  const at = <T>(work: () => T): T => on(loop, start, filesystem, TOP, work);
  const before = at(() => look(REPOSITORY, secure));
  const { calls, threads, finished } = at(() => {
    const done = traced(scenario.command, TOP, (_, call) => (call === scenario.without ? "refuse" : "go on"));
    if (done.exit !== 0) throw new Error(`${scenario.command.join(" ")} ended with ${done.exit}: ${done.text}`);
    return { calls: done.calls, threads: done.threads, finished: look(REPOSITORY, secure) };
  });
  const problems = added(finished, { wrong: {}, broken: [] });
  let tried = 0;
  // the next run cannot do anything else in a state that it has met
  const met = new Set<string>();
  for (let number = 0; number < calls.length; number += scenario.every ?? 1) {
    const found = at(() => {
      const killed = traced(scenario.command, TOP, (current, call) => (current === number ? "kill" : call === scenario.without ? "refuse" : "go on"));
      // with several threads the number of calls may differ by a few
      if (!killed.killed) return killed.exit === 0 && scenario.every !== undefined ? [] : [`it was not killed, and ended with ${killed.exit}: ${killed.text}`];
      tried += 1;
      const seen = look(REPOSITORY, secure);
      const isNew = met.size < met.add(seen.state).size;
      return [...added(seen, before), ...(isNew ? problemsAfterNext(scenario, finished, secure) : [])];
    });
    problems.push(...found.map((what) => `killed before call ${number}, ${calls[number]}: ${what}`));
  }
  return { calls, threads, tried, states: met.size, problems };
}
