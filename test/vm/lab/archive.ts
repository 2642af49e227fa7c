/**
 * The Debian archive that this machine's apt uses, for other releases than the machine's own.
 *
 * The address is asked of apt itself at run time, whatever form its sources have, and kept nowhere. Each release gets a
 * private apt state; the machine's own is not touched. Signatures are checked by apt against Debian's keyring.
 */

import { mkdirSync, readdirSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { cacheTop } from "./cache.ts";
import { hostPackages, KEYRING } from "./host.ts";
import { step } from "./progress.ts";
import { output, run } from "./run.ts";

export type Release = "bookworm" | "trixie" | "forky";

/** Names that a machine's own sources may use for the release whose archive we look for. */
const SUITES = new Set(["bookworm", "trixie", "forky", "sid", "stable", "oldstable", "oldoldstable", "testing", "unstable"]);

/** Archive addresses in the order of apt's sources; Debian's own is among them. */
async function candidates(): Promise<readonly string[]> {
  const uris = await output(["apt-get", "--print-uris", "-q", "update"]);
  const bases = new Set<string>();
  for (const line of uris.split("\n")) {
    const found = /^'(.+)\/dists\/([^/']+)\/InRelease'/.exec(line);
    if (found?.[1] !== undefined && SUITES.has(found[2] ?? "")) bases.add(found[1]);
  }
  if (bases.size === 0) throw new Error("apt has no source for a Debian release; the VM tests take their kernels and their Debian tree from it");
  return [...bases];
}

const states = new Map<Release, Promise<string>>();
let archive: string | undefined;

/** The address under which `release` can be had. */
export async function archiveFor(release: Release): Promise<string> {
  await state(release);
  if (archive === undefined) throw new Error("no archive");
  return archive;
}

/** Directory of the private apt state for a release, its package lists fetched. */
function state(release: Release): Promise<string> {
  let known = states.get(release);
  if (known === undefined) states.set(release, (known = prepare(release)));
  return known;
}

async function prepare(release: Release): Promise<string> {
  await hostPackages();
  const directory = join(cacheTop, `apt-${release}`);
  mkdirSync(directory, { recursive: true });
  // What a killed run left behind.
  for (const name of readdirSync(directory)) if (/^(sources|download)-/.test(name)) rmSync(join(directory, name), { recursive: true });
  for (const part of ["lists/partial", "archives/partial", "parts"]) mkdirSync(join(directory, part), { recursive: true });
  writeFileSync(join(directory, "status"), "");
  let last: unknown;
  for (const base of archive === undefined ? await candidates() : [archive]) {
    try {
      await step(`package lists of Debian ${release}`, () =>
        withSources(directory, base, release, (options) => run(["apt-get", ...options, "-q", "update", "--error-on=any"], { timeout: 300 })),
      );
      archive = base;
      return directory;
    } catch (error) {
      last = error;
    }
  }
  throw new Error(`Debian ${release} cannot be had through any of apt's sources: ${last instanceof Error ? last.message : String(last)}`);
}

/** The list of sources exists only while apt runs. */
async function withSources<T>(directory: string, base: string, release: Release, work: (options: readonly string[]) => Promise<T>, kind: "deb" | "deb-src" = "deb"): Promise<T> {
  const list = join(directory, `sources-${process.pid}.list`);
  writeFileSync(list, `${kind} [signed-by=${KEYRING}] ${base} ${release} main\n`);
  const settings: Readonly<Record<string, string>> = {
    "Dir::Etc::sourcelist": list,
    "Dir::Etc::sourceparts": join(directory, "parts"),
    "Dir::Etc::preferences": "/dev/null",
    "Dir::Etc::preferencesparts": join(directory, "parts"),
    "Dir::State::lists": join(directory, "lists"),
    "Dir::State::status": join(directory, "status"),
    "Dir::Cache": directory,
    "Acquire::Retries": "3",
    "Debug::NoLocking": "1",
    "APT::Sandbox::User": "root",
    "APT::Default-Release": "",
    "Acquire::Languages": "none",
    "Acquire::IndexTargets::deb::DEP-11::DefaultEnabled": "false",
    "Acquire::IndexTargets::deb::Contents-deb::DefaultEnabled": "false",
  };
  try {
    return await work(Object.entries(settings).flatMap(([name, value]) => ["-o", `${name}=${value}`]));
  } finally {
    rmSync(list, { force: true });
  }
}

/** Names of the packages that `root` depends on, itself included, as far as `wanted` holds. */
export async function dependencies(release: Release, root: string, wanted: RegExp): Promise<readonly string[]> {
  const directory = await state(release);
  const without = ["recommends", "suggests", "conflicts", "breaks", "replaces", "enhances"].map((kind) => `--no-${kind}`);
  const text = await withSources(directory, archive ?? "", release, (options) =>
    output(["apt-cache", ...options, "depends", "--recurse", ...without, root]),
  );
  return [...new Set(text.split("\n").filter((line) => wanted.test(line)))].sort();
}

/** The version that apt would install. */
export async function candidateVersion(release: Release, name: string): Promise<string> {
  const directory = await state(release);
  const text = await withSources(directory, archive ?? "", release, (options) => output(["apt-cache", ...options, "policy", name]));
  const version = /Candidate: (\S+)/.exec(text)?.[1];
  if (version === undefined || version === "(none)") throw new Error(`Debian ${release} has no package ${name}`);
  return version;
}

/** Downloads packages and unpacks their files into `target`; nothing of them is run. */
export async function unpack(release: Release, names: readonly string[], target: string): Promise<void> {
  const directory = await state(release);
  const download = join(directory, `download-${process.pid}-${Bun.hash(names.join()).toString(16)}`);
  rmSync(download, { recursive: true, force: true });
  mkdirSync(download);
  try {
    await withSources(directory, archive ?? "", release, (options) => run(["apt-get", ...options, "-q", "download", ...names], { cwd: download, timeout: 600 }));
    for (const file of readdirSync(download)) await run(["dpkg-deb", "-x", join(download, file), target]);
  } finally {
    rmSync(download, { recursive: true, force: true });
  }
}

/** Downloads the upstream source of a source package and unpacks it into `target`: the original archive, without Debian's own files. */
export async function unpackSource(release: Release, name: string, target: string): Promise<void> {
  const base = await archiveFor(release);
  // lists of its own: apt removes those that are not of the sources at hand
  const directory = join(cacheTop, `apt-${release}-source`);
  const download = join(directory, `download-${process.pid}`);
  for (const part of ["lists/partial", "archives/partial", "parts"]) mkdirSync(join(directory, part), { recursive: true });
  writeFileSync(join(directory, "status"), "");
  rmSync(download, { recursive: true, force: true });
  mkdirSync(download);
  try {
    await withSources(
      directory, base, release,
      async (options) => {
        await run(["apt-get", ...options, "-q", "update", "--error-on=any"], { timeout: 300 });
        await run(["apt-get", ...options, "-q", "source", "--download-only", name], { cwd: download, timeout: 600 });
      },
      "deb-src",
    );
    const original = readdirSync(download).find((file) => /\.orig\.tar\.[a-z0-9]+$/.test(file));
    if (original === undefined) throw new Error(`the source package ${name} has no original archive: ${readdirSync(download).join(", ")}`);
    await run(["tar", "-xf", join(download, original), "-C", target, "--strip-components=1"]);
  } finally {
    rmSync(download, { recursive: true, force: true });
  }
}

/** apt settings of this machine that a bootstrap must keep: proxies, whether the age of lists counts, and the like. */
export async function acquireSettings(): Promise<readonly string[]> {
  const dump = await output(["apt-config", "dump"]);
  return dump.split("\n").filter((line) => /^Acquire::(http|https|ftp|Retries|ForceIPv|Check-Valid-Until|Check-Date)/.test(line) && !line.endsWith('"";'));
}
