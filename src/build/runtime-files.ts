/** Gets the runtime of a target: the one that runs the build where that is it, else from the npm registry. */

import { existsSync, mkdirSync, mkdtempSync, readFileSync, renameSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { spawnSync } from "node:child_process";
import { RUNTIME_VERSION, type Runtime } from "./targets.ts";

function sha256(bytes: Uint8Array): string {
  return new Bun.CryptoHasher("sha256").update(bytes).digest("hex");
}

/** Fetches the package with the machine's own npm (its registry, its proxy), and checks it against the pin. */
function download(runtime: Runtime, directory: string): Uint8Array {
  const spec = `${runtime.packageName}@${RUNTIME_VERSION}`;
  const npm = spawnSync("npm", ["pack", spec, "--json", "--pack-destination", directory], { encoding: "utf8", stdio: ["ignore", "pipe", "pipe"] });
  if (npm.error !== undefined || npm.status !== 0) throw new Error(`npm pack ${spec} failed: ${npm.error?.message ?? npm.stderr.trim()}`);
  const name = `${runtime.packageName.replace("@", "").replace("/", "-")}-${RUNTIME_VERSION}.tgz`;
  const archive = readFileSync(join(directory, name));
  const integrity = `sha512-${new Bun.CryptoHasher("sha512").update(archive).digest("base64")}`;
  if (integrity !== runtime.integrity) throw new Error(`${spec}: integrity ${integrity}, expected ${runtime.integrity}`);
  const tar = spawnSync("tar", ["-xzOf", join(directory, name), "package/bin/bun"], { maxBuffer: 2 ** 30, stdio: ["ignore", "pipe", "pipe"] });
  if (tar.status !== 0) throw new Error(`${spec}: tar failed: ${tar.stderr.toString().trim()}`);
  return tar.stdout;
}

/**
 * @param cache directory for downloads; what is in it is checked like what was just fetched
 * @returns path of a file with exactly the pinned bytes
 */
export function runtimeFile(runtime: Runtime, cache: string): string {
  const own = process.execPath;
  if (sha256(readFileSync(own)) === runtime.sha256) return own;
  const path = join(cache, `bun-${RUNTIME_VERSION}-${runtime.sha256.slice(0, 16)}`);
  if (existsSync(path) && sha256(readFileSync(path)) === runtime.sha256) return path;
  mkdirSync(cache, { recursive: true });
  const directory = mkdtempSync(join(cache, "download-"));
  try {
    const bytes = download(runtime, directory);
    if (sha256(bytes) !== runtime.sha256) throw new Error(`${runtime.packageName}: bin/bun is not the pinned file`);
    writeFileSync(join(directory, "bun"), bytes, { mode: 0o755 });
    renameSync(join(directory, "bun"), path);
  } finally {
    rmSync(directory, { recursive: true, force: true });
  }
  return path;
}
