/**
 * `npm run demo`: a Debian system as a sealed image boots in a virtual machine, and does not boot any more once a single byte
 * of the image was changed. Everything in it is real: mkcomposefs, dracut, systemd, a kernel with fs-verity.
 */

import { CATALOGUE } from "../../src/errors/index.ts";
import { styleFor } from "../../src/terminal/index.ts";
import { projectTop } from "../vm/lab/cache.ts";
import { REPORT_BEGIN, REPORT_END } from "../vm/lab/deployment.ts";
import { debianDisk, LABEL, type SystemDisk } from "../vm/lab/disks.ts";
import { damagedDisk, flippedByte, onDisk } from "../vm/lab/faults.ts";
import { type BootFiles, bootFiles, executable } from "../vm/lab/initramfs.ts";
import { boot, type BootResult, type ConsoleLine } from "../vm/lab/qemu.ts";
import { qemuCommand } from "../vm/lab/qemu-package.ts";
import { output } from "../vm/lab/run.ts";

const STEPS = 5;
const KERNEL = "6.12";
/** Byte of the image to change: in the superblock, so that the mount itself fails. */
const POSITION = 1200;

const { bold, dim, green, red } = styleFor(process.stdout.isTTY === true);

const print = (line = ""): void => console.log(line);
const heading = (number: number, text: string): void => print(`\n${bold(`${number}/${STEPS}  ${text}`)}`);
const fact = (label: string, text: string): void => print(`  ${label.padEnd(11)} ${text}`);

/** Lines of the console that show where the boot is. */
const MILESTONES = /Linux version|Mounted sysroot\.mount|(Starting|Finished|Failed to start) (sealroot|initrd-switch-root)|sealroot\[\d+\]: sealroot:|Welcome to|Reached target (multi-user|emergency)|emergency mode/;

function milestone({ at, text }: ConsoleLine): void {
  if (!MILESTONES.test(text) || /systemd\[1\]/.test(text)) return;
  const shown = text.replace(/^\[ *\d+\.\d+\] /, "").replace(/ \(debian-kernel@.*/, "").trim();
  print(dim(`  ${at.toFixed(1).padStart(5)} s  ${shown.slice(0, 130)}`));
}

function start(name: string, { kernel, initramfs }: BootFiles, disk: string, argument: string): Promise<BootResult> {
  return boot({
    name,
    kernel,
    initramfs: [initramfs],
    cmdline: `root=LABEL=${LABEL} rw ${argument}`,
    disks: [{ path: disk }],
    until: /You are in emergency mode|Reached target emergency\.target|Kernel panic/,
    linger: 1,
    timeout: 180,
    onLine: milestone,
  });
}

async function prepare(): Promise<{ disk: SystemDisk; files: BootFiles }> {
  heading(1, "Build dist/sealroot");
  print(`  ${await output([process.execPath, `${projectTop}/build.ts`])}`);
  heading(2, "A disk with a Debian system as a composefs image, and an initramfs");
  print(dim("  downloads come from the Debian archive that apt is set up with; they are kept in .cache"));
  const disk = await debianDisk({ filesystem: "ext4", algorithm: "sha256", executable: executable() });
  const files = await bootFiles(KERNEL);
  await qemuCommand();
  fact("image", `${Bun.file(disk.image).size} bytes of EROFS, by mkcomposefs`);
  fact("digest", disk.digest);
  fact("objects", `${await output(["sh", "-c", 'find "$0" -type f -size +64c | wc -l', disk.tree])} files of a Debian trixie tree, fs-verity on each`);
  fact("initramfs", `by dracut, for Linux ${files.kernel.version}`);
  fact("argument", disk.argument);
  return { disk, files };
}

/** Prints what the booted system said about itself. */
function showReport(result: BootResult): boolean {
  const texts = result.lines.map(({ text }) => text);
  const [begin, end] = [texts.findIndex((text) => text.includes(REPORT_BEGIN)), texts.indexOf(REPORT_END)];
  if (begin < 0 || end < 0) {
    print(red(`  the system did not come up (${result.end}); its console ends so:`));
    for (const text of texts.slice(-25)) print(`  ${text}`);
    return false;
  }
  const lines = texts.slice(begin + 1, end);
  const rest = (word: string): string[] => lines.filter((line) => line.startsWith(`${word} `)).map((line) => line.slice(word.length + 1));
  print(green(`  multi-user after ${result.seconds.toFixed(0)} s of emulation; systemd says: ${rest("state")[0] ?? "?"}`));
  print("\n  mounted");
  for (const [target = "", source = "", kind = "", options = ""] of rest("mount").map((line) => line.split(" "))) {
    const notable = options.split(",").filter((option) => /^(ro|rw|metacopy|redirect_dir|verity)/.test(option)).join(",");
    print(`    ${target.padEnd(9)} ${kind.padEnd(8)} ${shortened(source).padEnd(44)} ${notable}`);
  }
  print("\n  writable");
  for (const line of rest("write")) print(`    ${line}`);
  print("\n  sealroot status, in the machine");
  for (const line of rest("status:").filter((text) => !text.startsWith("status-exit"))) print(`    ${line}`);
  return true;
}

/** Digests take the room of everything else. */
const shortened = (text: string): string => text.replaceAll(/([0-9a-f]{12})[0-9a-f]{52}/g, "$1…");

/** Prints the block that a person at the console would see. */
function showRefusal(result: BootResult): boolean {
  const block = result.lines.map(({ text }) => /sealroot\[\d+\]: (.*)/.exec(text)?.[1]).filter((text) => text !== undefined);
  const code = Object.keys(CATALOGUE).find((name) => block.some((line) => line.endsWith(`[${name}]`)));
  const booted = result.text.includes(REPORT_BEGIN);
  if (booted || code === undefined) {
    print(red(booted ? "  THE CHANGED IMAGE BOOTED" : `  no refusal is to be seen (${result.end})`));
    return false;
  }
  print(green(`  refused with ${code}, and the boot stopped in the initramfs:`));
  print();
  for (const line of block) print(`    ${line}`);
  return true;
}

async function main(): Promise<number> {
  print(bold("sealroot: a sealed root, booted and then tampered with"));
  const { disk, files } = await prepare();

  heading(3, "Boot it (QEMU, emulated; no KVM needed)");
  const good = showReport(await start("demo boot", files, disk.path, disk.argument));

  heading(4, "Change one byte of the image on the disk");
  const patch = await flippedByte(disk.path, onDisk(disk.digest), POSITION);
  const damaged = await damagedDisk("demo", disk.path, [patch]);
  fact("file", shortened(onDisk(disk.digest)));
  fact("byte", `${POSITION} of the image, ${patch.offset} of the disk: one bit flipped`);

  heading(5, "Boot it again");
  const refused = showRefusal(await start("demo refusal", files, damaged, disk.argument));

  print();
  print(good && refused ? green("The system booted verified, and a changed image was refused.") : red("The demo did not go as it should."));
  return good && refused ? 0 : 1;
}

try {
  process.exitCode = await main();
} catch (error) {
  console.error(`demo: ${error instanceof Error ? error.message : String(error)}`);
  process.exitCode = 1;
}
