/** A program of the Debian package it comes in, installed when it is missing. */

import { spawnSync } from "node:child_process";

/** @returns its path. @throws Error that says why it cannot be had */
export function debianProgram(program: string, packageName: string): string {
  const found = Bun.which(program);
  if (found !== null) return found;
  if (process.getuid?.() !== 0 || Bun.which("apt-get") === null) throw new Error(`${program} is missing: apt-get install ${packageName}`);
  const apt = (...args: string[]) => spawnSync("apt-get", args, { encoding: "utf8", env: { ...process.env, DEBIAN_FRONTEND: "noninteractive" }, timeout: 600_000 });
  const install = ["install", "-y", "-q", "--no-install-recommends", packageName];
  // Lists may be absent or old on a fresh machine: look again only when the first try fails.
  if (apt(...install).status !== 0) {
    apt("update", "-q");
    const again = apt(...install);
    if (again.status !== 0) throw new Error(`${packageName} cannot be installed: ${again.stderr}`);
  }
  const installed = Bun.which(program);
  if (installed === null) throw new Error(`${packageName} has no ${program}`);
  return installed;
}
