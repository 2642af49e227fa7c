/**
 * Results of long steps, kept in a directory and found again by a hash of what they were made from.
 *
 * An entry is built beside its final place and renamed when complete, so a killed run leaves nothing half done.
 * Only the newest entry of a kind is kept: a rebuilt executable must not pile up disks.
 */

import { createHash } from "node:crypto";
import { existsSync, mkdirSync, readdirSync, readFileSync, renameSync, rmSync, writeFileSync } from "node:fs";
import { join, resolve } from "node:path";

/** The top of the project. */
export const projectTop = resolve(import.meta.dir, "../../..");

/** Where everything is kept that is downloaded or built; `SEALROOT_CACHE` moves it. */
export const cacheTop = resolve(process.env["SEALROOT_CACHE"] ?? join(projectTop, ".cache"));

const running = new Map<string, Promise<string>>();

/**
 * The directory of `kind` made from `recipe`; `build` fills it when it is not there yet.
 * @param recipe everything that the result depends on, as text
 */
export function cached(kind: string, recipe: readonly string[], build: (directory: string) => Promise<void>): Promise<string> {
  const hash = createHash("sha256").update(JSON.stringify(recipe)).digest("hex").slice(0, 16);
  const final = join(cacheTop, `${kind}.${hash}`);
  const known = running.get(final);
  if (known !== undefined) return known;
  const made = make(kind, final, build);
  running.set(final, made);
  return made;
}

async function make(kind: string, final: string, build: (directory: string) => Promise<void>): Promise<string> {
  mkdirSync(cacheTop, { recursive: true });
  if (existsSync(final)) return final;
  await lock(kind, final);
  try {
    if (existsSync(final)) return final;
    const draft = `${final}.draft`;
    rmSync(draft, { recursive: true, force: true });
    mkdirSync(draft);
    await build(draft);
    renameSync(draft, final);
    prune(kind, final);
    return final;
  } finally {
    rmSync(`${final}.lock`, { force: true });
  }
}

/** Two runs at once (tests and demo) build an entry once; a lock whose holder is gone is taken over. */
async function lock(kind: string, final: string): Promise<void> {
  const path = `${final}.lock`;
  for (let waited = 0; waited < 900; waited++) {
    try {
      writeFileSync(path, String(process.pid), { flag: "wx" });
      return;
    } catch {
      const holder = existsSync(path) ? readFileSync(path, "utf8") : "";
      if (holder !== "" && !existsSync(`/proc/${holder}`)) rmSync(path, { force: true });
      else await Bun.sleep(1000);
    }
  }
  throw new Error(`another run has been building ${kind} for 15 minutes; if there is none, remove ${path}`);
}

function prune(kind: string, keep: string): void {
  for (const name of readdirSync(cacheTop)) {
    const path = join(cacheTop, name);
    if (path === keep || !name.startsWith(`${kind}.`) || !/\.[0-9a-f]{16}$/.test(name)) continue;
    rmSync(path, { recursive: true, force: true });
  }
}

/** SHA-256 of a file, for recipes. */
export async function fileHash(path: string): Promise<string> {
  const hash = createHash("sha256");
  for await (const chunk of Bun.file(path).stream()) hash.update(chunk);
  return hash.digest("hex");
}
