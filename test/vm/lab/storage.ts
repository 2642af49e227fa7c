/**
 * Machines on which the executable stores images while it is killed, the power fails, or the filesystem lacks something. What they do is in
 * test/vm/guest, run there by the bare Bun.
 */

import { readFileSync, rmSync, truncateSync, writeFileSync } from "node:fs";
import { basename, join } from "node:path";
import { cached, projectTop } from "./cache.ts";
import type { ArchiveFile } from "./cpio.ts";
import { extraArchive } from "./extra-archive.ts";
import { hostPackages } from "./host.ts";
import { type BootFiles, dracutInitramfs, executable } from "./initramfs.ts";
import type { KernelSeries } from "./kernel.ts";
import { say } from "./progress.ts";
import { boot, type Disk } from "./qemu.ts";
import { run } from "./run.ts";
import { composefsPackage, debianTree } from "./tree.ts";

/** How an empty filesystem is made. */
const EMPTY = {
  "ext4 verity": { mib: 32, make: ["mke2fs", "-q", "-t", "ext4", "-F", "-O", "verity", "-b", "4096", "-E", "lazy_itable_init=0,lazy_journal_init=0", "-J", "size=4"] },
  ext4: { mib: 32, make: ["mke2fs", "-q", "-t", "ext4", "-F", "-b", "4096", "-E", "lazy_itable_init=0,lazy_journal_init=0", "-J", "size=4"] },
  // mkfs.xfs refuses less
  xfs: { mib: 320, make: ["mkfs.xfs", "-q", "-f"] },
  vfat: { mib: 64, make: ["mkfs.vfat"] },
  btrfs: { mib: 128, make: ["mkfs.btrfs", "-q", "-f", "-m", "single", "-d", "single"] },
} as const;
export type EmptyKind = keyof typeof EMPTY;

/** A disk with an empty filesystem, the same whenever it is asked for. */
export async function emptyDisk(kind: EmptyKind): Promise<string> {
  const { mib, make } = EMPTY[kind];
  await hostPackages();
  const directory = await cached(`empty-${kind.replace(" ", "-")}`, [String(mib), ...make], async (draft) => {
    const path = join(draft, "disk");
    writeFileSync(path, "");
    truncateSync(path, mib * 2 ** 20);
    await run([...make, path]);
  });
  return join(directory, "disk");
}

const LIBRARIES = ["c.so.6", "m.so.6", "dl.so.2", "pthread.so.0"].map((name) => `/usr/lib/x86_64-linux-gnu/lib${name}`);
const DRIVERS = ["loop", "dm-log-writes", "xfs", "vfat", "nls_cp437", "nls_ascii", "nls_utf8", "overlay", "erofs"];

/** Kernel and initramfs without sealroot: it is added for each machine, so that another build of it does not ask for another initramfs. */
const files = (series: KernelSeries): Promise<BootFiles> => dracutInitramfs(series, "storage-initramfs", [], [], ["--install", LIBRARIES.join(" "), "--add-drivers", DRIVERS.join(" ")]);

const INIT = `#!/lab/busybox sh
/lab/busybox mkdir -p /lab/bin /proc /sys /dev /run /tmp
/lab/busybox --install -s /lab/bin
export PATH=/usr/bin:/usr/sbin:/lab/bin
mount -t proc proc /proc; mount -t sysfs sys /sys; mount -t devtmpfs dev /dev; mount -t tmpfs run /run
/usr/sbin/modprobe -a virtio_pci virtio_blk ext4 btrfs loop dm-log-writes sha256_ssse3
tries=0
until [ -b /dev/vda ] || [ $tries -ge 50 ]; do sleep 0.1; tries=$((tries + 1)); done
# the compiler in Bun asks for a libc to link with, and takes the one that is loaded
: > /usr/lib/x86_64-linux-gnu/libc.so
/lab/bun /lab/main.js 2>&1
echo "GUEST ENDED $?"
# returns when all of that has left the machine: the kernel's last words come in between otherwise
stty opost < /dev/console
poweroff -f
`;

/** The C tools, with the libraries that an initramfs lacks. */
async function peerTools(): Promise<Record<string, ArchiveFile>> {
  const [composefs, debian] = await Promise.all([composefsPackage(), debianTree()]);
  const libraries = "usr/lib/x86_64-linux-gnu";
  const files = [join(composefs, "usr/bin/composefs-info"), join(composefs, "usr/sbin/mount.composefs"), join(composefs, libraries, "libcomposefs.so.1"), join(debian, libraries, "libcrypto.so.3")];
  return Object.fromEntries(files.map((path) => [`lab/c/${basename(path)}`, { content: readFileSync(path), mode: 0o755 }]));
}

export interface StorageMachine {
  readonly name: string;
  readonly series: KernelSeries;
  readonly disks: readonly Disk[];
  /** What main.ts is told, as JSON. */
  readonly jobs: unknown;
  readonly timeout: number;
  /** The machine is killed at once when the guest says this. */
  readonly killAt?: RegExp;
}

/** @returns what the guest said of each job, by its name @throws Error with the console's end when it did not come to an end */
export async function storageMachine({ name, series, disks, jobs, timeout, killAt }: StorageMachine): Promise<ReadonlyMap<string, Record<string, unknown>>> {
  const { kernel, initramfs } = await files(series);
  const guest = join(projectTop, "test/vm/guest");
  const bundle = await Bun.build({ entrypoints: [join(guest, "main.ts")], target: "bun" });
  if (!bundle.success) throw new Error(bundle.logs.join("\n"));
  const archive = extraArchive({
    "lab/init": { content: INIT, mode: 0o755 },
    "lab/busybox": { content: readFileSync(Bun.which("busybox") ?? "/bin/busybox"), mode: 0o755 },
    "lab/bun": { content: readFileSync(process.execPath), mode: 0o755 },
    "lab/sealroot": { content: readFileSync(executable()), mode: 0o755 },
    "lab/main.js": { content: (await bundle.outputs[0]?.text()) ?? "" },
    "lab/trace.c": { content: readFileSync(join(guest, "trace.c")) },
    ...(await peerTools()),
    "lab/jobs.json": { content: JSON.stringify(jobs) },
  });
  const machine = await boot({ name: `storage ${name} ${series}`, kernel, initramfs: [initramfs, archive], cmdline: "rdinit=/lab/init quiet", disks, memory: 2048, timeout, ...(killAt === undefined ? {} : { until: killAt, signal: "SIGKILL" }) });
  rmSync(archive, { force: true });
  const results = new Map<string, Record<string, unknown>>();
  for (const { text } of machine.lines) {
    const found = /^RESULT (\{.*\})$/.exec(text)?.[1];
    if (found === undefined) continue;
    const result = JSON.parse(found) as Record<string, unknown>;
    results.set(String(result["name"]), result);
  }
  if (killAt === undefined ? !machine.text.includes("GUEST ENDED 0") : machine.end !== "pattern") throw new Error(`the machine "${name}" of ${series} did not finish (${machine.end} after ${machine.seconds.toFixed(0)} s):\n${machine.lines.slice(-40).map(({ text }) => text).join("\n")}`);
  say(`${name} on ${series}: ${machine.seconds.toFixed(1)} s`);
  return results;
}

