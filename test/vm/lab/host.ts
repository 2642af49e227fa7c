/** The Debian packages that the lab needs on this machine; installs what is missing. */

import { existsSync, readFileSync } from "node:fs";
import { run } from "./run.ts";
import { step } from "./progress.ts";

/** Debian's keys, by which apt and mmdebstrap check what they download. */
export const KEYRING = "/usr/share/keyrings/debian-archive-keyring.gpg";

/** Package name to the program that shows that it is there. */
const NEEDED: Readonly<Record<string, string>> = {
  mmdebstrap: "mmdebstrap",
  e2fsprogs: "debugfs",
  "btrfs-progs": "mkfs.btrfs",
  xfsprogs: "mkfs.xfs",
  dosfstools: "mkfs.vfat",
  "erofs-utils": "mkfs.erofs",
  attr: "setfattr",
  "busybox-static": "busybox",
  kmod: "depmod",
  // the C tools' test suite makes its random trees with it
  python3: "python3",
  lz4: "lz4",
  "xz-utils": "xz",
  zstd: "zstd",
  "util-linux": "unshare",
};

let done: Promise<void> | undefined;

/** Makes sure that the host has every program of the lab. @throws Error that says what is missing and how to get it */
export function hostPackages(): Promise<void> {
  return (done ??= install());
}

async function install(): Promise<void> {
  if (process.getuid?.() !== 0) throw new Error("the VM tests need root: they unpack a Debian tree and make disks with its owners and modes");
  const path = `${process.env["PATH"] ?? ""}:/usr/sbin:/sbin`;
  process.env["PATH"] = path;
  const names = Object.entries(NEEDED).flatMap(([name, program]) => (Bun.which(program, { PATH: path }) === null ? [name] : []));
  if (!existsSync(KEYRING)) names.push("debian-archive-keyring");
  if (names.length === 0) return;
  if (Bun.which("apt-get", { PATH: path }) === null) {
    throw new Error(`these programs are missing, and this is no Debian that could install them: ${names.join(", ")} (${release()})`);
  }
  await step(`installing ${names.join(", ")} with apt-get`, async () => {
    const env = { DEBIAN_FRONTEND: "noninteractive" };
    const install = ["apt-get", "install", "-y", "-q", "--no-install-recommends", ...names];
    // Lists may be absent or old on a fresh machine: look again only when the first try fails.
    const first = await run(install, { env, timeout: 600, accept: [0, 100] });
    if (first.exit === 0) return;
    await run(["apt-get", "update", "-q"], { env, timeout: 300 });
    await run(install, { env, timeout: 600 });
  });
}

function release(): string {
  const line = /^PRETTY_NAME="?([^"\n]*)/m.exec(readFileSync("/etc/os-release", "utf8"));
  return line?.[1] ?? "unknown system";
}
