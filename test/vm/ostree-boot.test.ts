/** A Debian deployed by the real `ostree admin`, at level signed, under real dracut and systemd: boots, and what must not. */

import { beforeAll, describe, expect, test } from "bun:test";
import { parseMountTable, topMount } from "../support/mount-table.ts";
import { REPORT_BEGIN, REPORT_END } from "./lab/deployment.ts";
import { LABEL } from "./lab/disks.ts";
import { extraArchive } from "./lab/extra-archive.ts";
import { type BootFiles, executable } from "./lab/initramfs.ts";
import { kernel } from "./lab/kernel.ts";
import { ostreeBootFiles } from "./lab/ostree-initramfs.ts";
import { type OstreeDisk, ostreeDisk, PREPARE_ROOT } from "./lab/ostree-disk.ts";
import { boot, type BootResult } from "./lab/qemu.ts";

const LIMIT = 1_800_000;
/** The end of a boot that was refused. */
const STOPPED = /emergency mode|SR-E610|Kernel panic/;

let disk: OstreeDisk;
let files: BootFiles;

beforeAll(async () => {
  disk = await ostreeDisk(await kernel("7.2"), executable());
  files = await ostreeBootFiles("7.2", PREPARE_ROOT, disk.key);
}, LIMIT);

const start = (argument: string, extra: readonly string[] = []): Promise<BootResult> =>
  boot({
    kernel: files.kernel,
    initramfs: [files.initramfs, ...extra],
    cmdline: `root=LABEL=${LABEL} rw rd.shell=0 rd.emergency=poweroff systemd.show_status=false ${argument}`,
    disks: [{ path: disk.path }],
    until: STOPPED,
    linger: 2,
  });

function report({ text, end, lines }: BootResult): string {
  const begin = text.indexOf(REPORT_BEGIN);
  const stop = text.indexOf(REPORT_END);
  if (begin < 0 || stop < 0) throw new Error(`the system did not report (${end}):\n${lines.slice(-60).map((line) => line.text).join("\n")}`);
  return text.slice(begin, stop);
}

/** The lines of the report that begin with a word, without it. */
const facts = (text: string, word: string): string[] => text.split("\n").filter((line) => line.startsWith(`${word} `)).map((line) => line.slice(word.length + 1));

describe("a Debian deployed by ostree, Linux 7.2", () => {
  test("signed: boots, and ostree knows the booted deployment", async () => {
    const text = report(await start(disk.argument));
    const mounts = parseMountTable(facts(text, "mountinfo").join("\n"));
    const at = (target: string) => topMount(mounts, target);
    expect(at("/")).toMatchObject({ filesystem: "overlay", source: `composefs:${disk.digest}` });
    expect(at("/")?.options).toEqual(expect.arrayContaining(["verity=require", "metacopy=on"]));
    expect(at("/etc")).toMatchObject({ filesystem: "ext4", root: `/${disk.deployment}/etc` });
    expect(at("/var")).toMatchObject({ filesystem: "ext4", root: "/ostree/deploy/debian/var" });
    expect(at("/sysroot")).toMatchObject({ filesystem: "ext4", root: "/" });
    expect(at("/sysroot")?.attributes).toContain("ro");
    expect(facts(text, "write")).toEqual(["/ no", "/usr no", "/etc yes", "/var yes", "/sysroot no", "/boot no"]);
    expect(facts(text, "volatile-root")).toEqual([`/dev/block/${at("/sysroot")?.device}`]);
    expect(facts(text, "ostree-exit")).toEqual(["0"]);
    // the asterisk marks the booted deployment
    expect(text).toMatch(new RegExp(`^ostree: \\* debian ${disk.commit}\\.0`, "m"));
    expect(facts(text, "remount")).toEqual(["ActiveState=active", "Result=success"]);
    expect(facts(text, "failed")).toEqual([]);
    expect(facts(text, "state")).toEqual(["running"]);
    expect(Buffer.from(facts(text, "booted")[0] ?? "", "hex").toString("latin1")).toContain("composefs.signed\0");
  }, LIMIT);
});

describe("refused, with the whole initramfs around it", () => {
  const refused = async (code: string, argument: () => string, extra: () => readonly string[] = () => []): Promise<void> => {
    const result = await start(argument(), extra());
    expect(result.text).toContain(`[${code}]`);
    expect(result.text).not.toContain(REPORT_BEGIN);
    // OSTree's own program, which would have booted some of them, did not run
    expect(result.text).not.toContain("ostree-prepare-root[");
  };

  test("an argument that asks for less, and a key that did not sign", async () => {
    await refused("SR-E221", () => `${disk.argument} ostree.prepare-root.composefs=0`, () => [extraArchive({ "etc/ostree/initramfs-root-binding.key": { content: disk.otherKey } })]);
  }, LIMIT);

  test("no argument at all", async () => {
    await refused("SR-E102", () => "quiet");
  }, LIMIT);
});
