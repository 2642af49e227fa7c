/**
 * What level "signed" adds to a boot, on real fs-verity in a virtual machine: `sealroot setup-root` at level verity and at level
 * signed, for an image of a composefs repository and for an OSTree deployment; and beside it OSTree's own ostree-prepare-root on the
 * same deployment, where one is given.
 *
 *   npm run bench:signed [-- --runs N] [--peer /path/to/ostree-prepare-root] [--json]
 *
 * All run in turn on one machine (A B C A B C …), each on a freshly mounted disk. The machine is emulated (QEMU's TCG, one
 * processor), which makes everything some ten to thirty times slower: what counts are differences and ratios. It keeps code that it has
 * translated from one round to the next, as long as nothing on the machine generates code: a neighbour that does makes all slower.
 *
 * The peer must be able to check Ed25519, and Debian's ostree is built without. To build one, in a Debian forky (its libraries are the
 * ones that the machine has) with gcc, make, autoconf, automake, libtool, bison, pkgconf, libglib2.0-dev, libcomposefs-dev,
 * libssl-dev, zlib1g-dev, liblzma-dev, libext2fs-dev, libmount-dev and libsystemd-dev: `apt-get source ostree`, or a clone of its
 * repository at v2026.4 with the submodules libglnx and bsdiff; then
 *
 *   NOCONFIGURE=1 ./autogen.sh
 *   ./configure --prefix=/usr --with-crypto=openssl --with-composefs --without-curl --without-soup --without-gpgme \
 *     --without-libarchive --without-selinux --without-avahi --disable-man --disable-gtk-doc --disable-introspection --disable-rofiles-fuse
 *   make libglnx-config.h && make ostree-prepare-root
 *
 * --with-ed25519-libsodium in the place of --with-crypto=openssl needs libsodium in the machine.
 */

import { cpSync, mkdirSync, readFileSync, rmSync } from "node:fs";
import { join, resolve } from "node:path";
import { parseArgs } from "node:util";
import { DEFAULT_BINDING_KEY, PREPARE_ROOT_PATHS } from "../../src/config/index.ts";
import { cached, fileHash } from "../vm/lab/cache.ts";
import { debianDisk } from "../vm/lab/disks.ts";
import { extraArchive } from "../vm/lab/extra-archive.ts";
import { type BootFiles, dracutInitramfs, sealrootPackage } from "../vm/lab/initramfs.ts";
import { kernel } from "../vm/lab/kernel.ts";
import { ostreeDisk } from "../vm/lab/ostree-disk.ts";
import { ostreeTree } from "../vm/lab/ostree-tree.ts";
import { boot } from "../vm/lab/qemu.ts";
import { signedDisk } from "../vm/lab/signed-initramfs.ts";
import { inTree } from "../vm/lab/tree.ts";

export interface Contestant {
  readonly name: string;
  /** Serial of its disk. */
  readonly disk: string;
  /** Files of the initramfs, by path. */
  readonly files: Readonly<Record<string, string>>;
  readonly command: readonly string[];
}

export interface Plan {
  readonly contestants: readonly Contestant[];
  readonly rounds: number;
}

export interface Sample {
  readonly name: string;
  /** Milliseconds. */
  readonly wall: number;
  readonly cpu: number;
}

const PREPARE_ROOT = "/usr/lib/ostree/ostree-prepare-root";
const INIT = `#!/bin/sh
export PATH=/usr/bin:/usr/sbin:/bin:/sbin
mount -t proc proc /proc; mount -t sysfs sys /sys; mount -t devtmpfs dev /dev; mount -t tmpfs run /run; mkdir -p /sysroot /tmp
modprobe -a virtio_pci virtio_blk ext4 erofs overlay sha256_ssse3
for i in 1 2 3 4 5 6 7 8 9 10; do [ -b /dev/vdb ] && break; sleep 0.2; done
/lab/bun /lab/signed-boot-guest.ts
echo o > /proc/sysrq-trigger
sleep 10
`;

/** An initramfs of forky's dracut, with sealroot, and with the peer in the place of OSTree's own program. */
async function initramfs(peer: string | undefined): Promise<BootFiles> {
  if (peer === undefined) return dracutInitramfs("7.2", "bench-initramfs", ["sealroot"], [await sealrootPackage()], [], await ostreeTree());
  const layer = await cached("bench-peer", [await fileHash(peer)], async (draft) => {
    mkdirSync(join(draft, "usr/lib/ostree"), { recursive: true });
    cpSync(peer, join(draft, PREPARE_ROOT));
  });
  const missing = (await inTree(await ostreeTree(), ["ldd", PREPARE_ROOT], { layers: [layer] })).split("\n").filter((line) => line.includes("not found"));
  if (missing.length > 0) throw new Error(`${peer} needs libraries that a Debian forky with ostree does not have:\n${missing.join("\n")}`);
  return dracutInitramfs("7.2", "bench-initramfs", ["sealroot", "ostree"], [layer, await sealrootPackage()], [], await ostreeTree());
}

async function measure(peer: string | undefined, rounds: number): Promise<readonly Sample[]> {
  const [files, deployed, repository] = [await initramfs(peer), await ostreeDisk(await kernel("7.2")), await signedDisk("bench", await debianDisk({ filesystem: "ext4", algorithm: "sha256" }))];
  const setupRoot = (config: string, argument: string): string[] => ["/usr/bin/sealroot", "setup-root", "--config", config, "--cmdline", argument];
  const ostree = (level: string): Record<string, string> => ({ [PREPARE_ROOT_PATHS[0]]: `[composefs]\nenabled = ${level}\n`, [DEFAULT_BINDING_KEY]: deployed.key });
  const contestants: Contestant[] = [
    ...["verity", "signed"].map((level) => ({
      name: `sealroot, repository, ${level}`,
      disk: "repository",
      files: { "/lab/policy.toml": `[trust]\nlevel = "${level}"\nkeys = "/lab/release.pub"\n`, "/lab/release.pub": `${repository.key.public}\n` },
      command: setupRoot("/lab/policy.toml", repository.argument),
    })),
    ...["verity", "signed"].flatMap((level) => [
      { name: `sealroot, OSTree, ${level}`, disk: "deployment", files: ostree(level), command: setupRoot("/lab/none.toml", deployed.argument) },
      ...(peer === undefined ? [] : [{ name: `ostree-prepare-root, ${level}`, disk: "deployment", files: ostree(level), command: [PREPARE_ROOT, "/sysroot", deployed.argument] }]),
    ]),
  ];
  const archive = extraArchive({
    "lab/init": { content: INIT, mode: 0o755 },
    "lab/bun": { content: readFileSync(process.execPath), mode: 0o755 },
    "lab/plan.json": { content: JSON.stringify({ contestants, rounds } satisfies Plan) },
    "lab/signed-boot-guest.ts": { content: readFileSync(join(import.meta.dir, "signed-boot-guest.ts")) },
  });
  const machine = await boot({
    name: "bench signed",
    kernel: files.kernel,
    initramfs: [files.initramfs, archive],
    cmdline: "rdinit=/lab/init quiet",
    disks: [{ path: repository.path, serial: "repository" }, { path: deployed.path, serial: "deployment" }],
    memory: 2048,
    timeout: 120 + rounds * contestants.length * 8,
  });
  rmSync(archive, { force: true });
  if (!machine.text.includes("BENCH DONE")) throw new Error(`the machine did not finish (${machine.end}):\n${machine.lines.slice(-30).map(({ text }) => text).join("\n")}`);
  return [...machine.text.matchAll(/^SAMPLE (.*)$/gm)].map(([, text = ""]) => JSON.parse(text) as Sample);
}

const median = (numbers: readonly number[]): number => numbers.toSorted((a, b) => a - b)[numbers.length >> 1] ?? NaN;

function report(samples: readonly Sample[]): { rows: Record<string, { wall: number; cpu: number }>; comparisons: Record<string, { wall: number; cpu: number; ratio: number }> } {
  const names = [...new Set(samples.map(({ name }) => name))];
  const of = (name: string, key: "wall" | "cpu"): number[] => samples.filter((sample) => sample.name === name).map((sample) => sample[key]);
  const rows = Object.fromEntries(names.map((name) => [name, { wall: median(of(name, "wall")), cpu: median(of(name, "cpu")) }]));
  const compare = (name: string, base: string): { wall: number; cpu: number; ratio: number } => {
    const pairs = (key: "wall" | "cpu"): [number, number][] => of(name, key).map((value, round) => [value, of(base, key)[round] ?? NaN]);
    const difference = (key: "wall" | "cpu"): number => median(pairs(key).map(([a, b]) => a - b));
    return { wall: difference("wall"), cpu: difference("cpu"), ratio: median(pairs("wall").map(([a, b]) => a / b)) };
  };
  const comparisons = Object.fromEntries(names.flatMap((name) => {
    const bases = [name.endsWith("signed") ? name.replace(/signed$/, "verity") : undefined, name.startsWith("sealroot, OSTree") ? name.replace("sealroot, OSTree", "ostree-prepare-root") : undefined];
    return bases.flatMap((base) => (base === undefined || !names.includes(base) ? [] : [[`${name} to ${base}`, compare(name, base)] as const]));
  }));
  return { rows, comparisons };
}

if (import.meta.main) {
  const { values } = parseArgs({ args: process.argv.slice(2), options: { runs: { type: "string", default: "15" }, peer: { type: "string" }, json: { type: "boolean", default: false } } });
  const { rows, comparisons } = report(await measure(values.peer === undefined ? undefined : resolve(values.peer), Number(values.runs)));
  if (values.json) console.log(JSON.stringify({ runs: Number(values.runs), emulated: true, rows, comparisons }, null, 2));
  else {
    console.log(`Linux 7.2 under emulation (TCG, one processor); medians of ${values.runs} runs in turn, milliseconds\n`);
    console.log(`${"".padEnd(34)}${["wall", "CPU"].map((title) => title.padStart(10)).join("")}`);
    for (const [name, { wall, cpu }] of Object.entries(rows)) console.log(`${name.padEnd(34)}${[wall, cpu].map((value) => value.toFixed(0).padStart(10)).join("")}`);
    console.log(`\n${"run by run".padEnd(66)}${["wall", "CPU", "wall ratio"].map((title) => title.padStart(11)).join("")}`);
    for (const [name, { wall, cpu, ratio }] of Object.entries(comparisons)) {
      console.log(`${name.padEnd(66)}${[wall, cpu].map((value) => `${value < 0 ? "" : "+"}${value.toFixed(0)}`.padStart(11)).join("")}${ratio.toFixed(2).padStart(11)}`);
    }
    if (values.peer === undefined) console.log("\nno --peer was given: how to build ostree-prepare-root with Ed25519 stands at the top of this file");
  }
}
