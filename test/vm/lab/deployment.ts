/**
 * The system that is deployed: the Debian tree made bootable as an image, and a composefs repository made from it by mkcomposefs.
 */

import { chmodSync, existsSync, mkdirSync, renameSync, rmSync, symlinkSync, utimesSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { output, run } from "./run.ts";
import { composefsTool } from "./tree.ts";

/** Lines that the deployed system prints around its facts. */
export const REPORT_BEGIN = "SYSTEM-REPORT-BEGIN";
export const REPORT_END = "SYSTEM-REPORT-END";

/** Units that a test system has no use for and that only cost time. */
const MASKED = [
  "getty@tty1.service", "serial-getty@.service", "getty.target", "apt-daily.timer", "apt-daily-upgrade.timer", "fstrim.timer",
  "e2scrub_all.timer", "e2scrub_reap.service", "dpkg-db-backup.timer", "systemd-tmpfiles-clean.timer", "systemd-logind.service",
  "modprobe@drm.service", "modprobe@efi_pstore.service", "modprobe@configfs.service", "modprobe@fuse.service", "systemd-modules-load.service",
  "sys-kernel-debug.mount", "sys-kernel-tracing.mount", "sys-kernel-config.mount", "dev-hugepages.mount", "dev-mqueue.mount",
  "proc-sys-fs-binfmt_misc.automount",
];

const REPORT_UNIT = `[Unit]
Description=Tells what was mounted, then powers off
After=multi-user.target
[Service]
StandardInput=null
StandardOutput=journal+console
StandardError=journal+console
ExecStart=/usr/libexec/system-report
[Install]
WantedBy=multi-user.target
`;

const REPORT_SCRIPT = `#!/bin/sh
# Prints facts about the running system between two markers on the console, then powers off.
facts() {
  echo "${REPORT_BEGIN}"
  echo "kernel $(uname -r)"
  echo "uptime $(cut -d' ' -f1 /proc/uptime)"
  for at in / /etc /var /sysroot; do findmnt -rn -o TARGET,SOURCE,FSTYPE,OPTIONS "$at" | sed 's/^/mount /'; done
  for at in /usr /etc /var /; do
    if (: > "$at/.write-test") 2>/dev/null; then rm -f "$at/.write-test"; echo "write $at yes"; else echo "write $at no"; fi
  done
  if grep -q lab.blame /proc/cmdline; then systemd-analyze --no-pager; systemd-analyze --no-pager blame | head -40; systemd-analyze --no-pager critical-chain; fi
  sed "s/^/mountinfo /" /proc/self/mountinfo
  echo "volatile-root $(readlink /run/systemd/volatile-root || echo none)"
  echo "state $(timeout 20 systemctl is-system-running --wait)"
  systemctl --failed --no-legend --plain | sed 's/^/failed /'
  if grep -q lab.proof /proc/cmdline; then cat /run/sealroot/boot.json | sed 's/^/boot.json /'; fi
  if [ -x /usr/bin/sealroot ]; then /usr/bin/sealroot status; echo "status-exit $?"; fi 2>&1 | sed 's/^/status: /'
  for file in $(tr ' ' '\\n' < /proc/cmdline | sed -n 's/^lab.read=//p'); do
    if cat "$file" > /dev/null 2> /run/read-error; then echo "read $file ok"; else echo "read $file failed: $(cat /run/read-error)"; fi
  done
  echo "${REPORT_END}"
}
facts > /dev/console 2>&1
systemctl poweroff --force --force
`;

/** Copies the Debian tree to `target` and makes a system of it that boots from an image, reports and powers off. */
export async function deployableTree(debian: string, target: string, executable: string | undefined): Promise<void> {
  await run(["cp", "-a", "--reflink=auto", debian, target]);
  const put = (path: string, text: string, mode = 0o644): void => {
    const full = join(target, path);
    mkdirSync(dirname(full), { recursive: true });
    rmSync(full, { force: true });
    writeFileSync(full, text);
    chmodSync(full, mode);
  };
  rmSync(join(target, "boot"), { recursive: true });
  for (const folder of ["boot", "sysroot"]) mkdirSync(join(target, folder));
  put("etc/machine-id", "5ea1ed00000000000000000000000001\n");
  // Says that /etc and /var are up to date with /usr, so that the caches that Debian's packages made are not made again.
  for (const at of ["etc", "var"]) {
    put(`${at}/.updated`, "TIMESTAMP_NSEC=4102444800000000000\n");
    utimesSync(join(target, at, ".updated"), 4102444800, 4102444800);
  }
  put("etc/hostname", "sealed\n");
  put("etc/fstab", "");
  for (const unit of MASKED) {
    const path = join(target, "etc/systemd/system", unit);
    rmSync(path, { force: true });
    symlinkSync("/dev/null", path);
  }
  put("usr/lib/systemd/system/system-report.service", REPORT_UNIT);
  put("usr/libexec/system-report", REPORT_SCRIPT, 0o755);
  const wants = join(target, "etc/systemd/system/multi-user.target.wants");
  mkdirSync(wants, { recursive: true });
  symlinkSync("/usr/lib/systemd/system/system-report.service", join(wants, "system-report.service"));
  if (executable !== undefined) await run(["install", "-m", "0755", executable, join(target, "usr/bin/sealroot")]);
}

/**
 * Makes `physical`/composefs and `physical`/state from a tree with the C mkcomposefs, in the layout that composefs-rs defines.
 * @returns the image's digest (SHA-256, hexadecimal)
 */
export async function composefsRepository(tree: string, physical: string): Promise<string> {
  const composefs = join(physical, "composefs");
  for (const folder of ["objects", "images", "streams/refs"]) mkdirSync(join(composefs, folder), { recursive: true });
  const draft = join(physical, "image");
  const tool = await composefsTool("mkcomposefs");
  const digest = await output([...tool, "--min-version=1", "--print-digest", `--digest-store=${join(composefs, "objects")}`, tree, draft]);
  if (!/^[0-9a-f]{64}$/.test(digest)) throw new Error(`mkcomposefs printed no digest: ${digest}`);
  addImage(physical, draft, digest);
  writeFileSync(join(composefs, "meta.json"), metaJson("sha256"));
  return digest;
}

/** Moves an image file among the objects and links it from `images/`. */
export function addImage(physical: string, file: string, digest: string): void {
  const object = objectPath(digest);
  mkdirSync(dirname(join(physical, "composefs", object)), { recursive: true });
  renameSync(file, join(physical, "composefs", object));
  const link = join(physical, "composefs/images", digest);
  if (!existsSync(link)) symlinkSync(`../${object}`, link);
}

/** Path of an object inside a repository. */
export const objectPath = (digest: string): string => `objects/${digest.slice(0, 2)}/${digest.slice(2)}`;

/** The repository's description as composefs-rs and bootc write it. */
export function metaJson(algorithm: "sha256" | "sha512"): string {
  const features = { compatible: [], "read-only-compatible": ["v1_erofs"], incompatible: [] };
  return `${JSON.stringify({ version: 1, algorithm: `fsverity-${algorithm}-12`, features, erofs_formats: { default: 1 } }, null, 2)}\n`;
}

/** The deployment's state directory: /etc as an overlay's upper layer, /var with the tree's content. */
export async function stateDirectory(physical: string, digest: string, tree: string): Promise<void> {
  const state = join(physical, "state/deploy", digest);
  for (const folder of ["etc/upper", "etc/work"]) mkdirSync(join(state, folder), { recursive: true });
  await run(["cp", "-a", join(tree, "var"), join(state, "var")]);
}
