/** A Debian deployed by the real `ostree admin`, at level signed, under real dracut and systemd: boots, and what must not. */

import { beforeAll, describe, expect, test } from "bun:test";
import { DEFAULT_BINDING_KEY, PREPARE_ROOT_PATHS } from "../../src/config/index.ts";
import { parseMountTable, topMount } from "../support/mount-table.ts";
import { REPORT_BEGIN, REPORT_END } from "./lab/deployment.ts";
import { LABEL } from "./lab/disks.ts";
import { extraArchive } from "./lab/extra-archive.ts";
import type { BootFiles } from "./lab/initramfs.ts";
import { kernel } from "./lab/kernel.ts";
import { ostreeBootFiles } from "./lab/ostree-initramfs.ts";
import { type OstreeDisk, ostreeDisk, PREPARE_ROOT } from "./lab/ostree-disk.ts";
import { boot, type BootResult } from "./lab/qemu.ts";

const LIMIT = 1_800_000;
/** The end of a boot that was refused. */
const STOPPED = /emergency mode|SR-E610|Kernel panic/;

let disk: OstreeDisk;
let boots: Readonly<Record<"signed" | "plain" | "lowered" | "unnamed" | "masked", Promise<BootResult>>>;

/** All machines at once: they take turns by themselves. */
beforeAll(async () => {
  disk = await ostreeDisk(await kernel("7.2"));
  const files = await ostreeBootFiles("7.2", PREPARE_ROOT, disk.key);
  boots = {
    signed: start("signed", files, disk.argument),
    // a later archive replaces the file
    plain: start("plain", files, disk.argument, [extraArchive({ [PREPARE_ROOT_PATHS[0].slice(1)]: { content: "[composefs]\nenabled = no\n" } })]),
    lowered: start("lowered", files, `${disk.argument} ostree.prepare-root.composefs=0`, [extraArchive({ [DEFAULT_BINDING_KEY.slice(1)]: { content: disk.otherKey } })]),
    unnamed: start("unnamed", files, "quiet"),
    masked: start("masked", files, `${disk.argument} ostree.prepare-root.composefs=0 rd.systemd.mask=sealroot-setup-root.service`),
  };
  for (const result of Object.values(boots)) result.catch(() => undefined); // the test that waits for it reports the failure
}, LIMIT);

const start = (name: string, files: BootFiles, argument: string, extra: readonly string[] = []): Promise<BootResult> =>
  boot({
    name: `ostree ${name}`,
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
    const text = report(await boots.signed);
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
    const booted = JSON.parse(facts(text, "boot.json").join("\n")) as Record<string, unknown>;
    expect(booted).toMatchObject({ ok: true, level: "signed", deployment: { commit: disk.commit }, signed: { commit: disk.commit }, rungs: { tree: "detached" } });
    expect(facts(text, "state")).toEqual(["running"]);
    expect(Buffer.from(facts(text, "booted")[0] ?? "", "hex").toString("latin1")).toContain("composefs.signed\0");
  }, LIMIT);
});

describe("without composefs in prepare-root.conf", () => {
  test("OSTree's own program in the same initramfs boots it", async () => {
    const text = report(await boots.plain);
    const mounts = parseMountTable(facts(text, "mountinfo").join("\n"));
    expect(topMount(mounts, "/")).toMatchObject({ filesystem: "ext4", root: `/${disk.deployment}` });
    expect(facts(text, "boot.json")).toEqual([]);
    expect(text).toMatch(new RegExp(`^ostree: \\* debian ${disk.commit}\\.0`, "m"));
  }, LIMIT);
});

describe("refused, with the whole initramfs around it", () => {
  function expectStopped({ text }: BootResult, code: string): void {
    expect(text).toContain(`[${code}]`);
    expect(text).not.toContain(REPORT_BEGIN);
    // OSTree's own program, which would have booted some of them, did not run
    expect(text).not.toContain("ostree-prepare-root[");
  }

  test("an argument that asks for less, and a key that did not sign", async () => expectStopped(await boots.lowered, "SR-E221"), LIMIT);
  test("an argument that masks sealroot, so that OSTree's program would boot it with less", async () => expectStopped(await boots.masked, "SR-E610"), LIMIT);
  test("no argument at all", async () => expectStopped(await boots.unnamed, "SR-E102"), LIMIT);
});
