/** The guard's script against made-up states of an initramfs: a directory stands for its root. */

import { afterAll, describe, expect, test } from "bun:test";
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { CATALOGUE } from "../../../src/errors/index.ts";

const GUARD = join(import.meta.dir, "../../../dracut/37sealroot/guard.sh");
const top = mkdtempSync(join(tmpdir(), "sealroot-guard-"));
afterAll(() => rmSync(top, { recursive: true }));

const DIGEST = "3d".repeat(32);
const ARGUMENT = `composefs.digest=v1-sha256-12:${DIGEST}`;
const GOOD_REPORT = `${JSON.stringify({ format: 1, ok: true, level: "verity" }, null, 2)}\n`;
const BARE = "25 1 253:1 / /sysroot rw,relatime shared:3 - ext4 /dev/vda rw\n";
const IMAGE = `${BARE}60 1 0:40 / /sysroot ro,relatime - overlay composefs:${DIGEST} ro,lowerdir+=x,verity=require\n`;
const VERITY = '[trust]\nlevel = "verity"\n';

interface State {
  readonly cmdline?: string;
  readonly report?: string;
  readonly mounts?: string;
  readonly config?: string;
}

let count = 0;

function guard({ cmdline, report, mounts = BARE, config }: State): { exit: number; said: string } {
  const root = join(top, String(count++));
  const files: Readonly<Record<string, string | undefined>> = {
    "proc/cmdline": cmdline, "run/sealroot/boot.json": report, "proc/self/mountinfo": mounts, "usr/lib/composefs/setup-root-conf.toml": config,
  };
  for (const [path, text] of Object.entries(files)) {
    if (text === undefined) continue;
    mkdirSync(dirname(join(root, path)), { recursive: true });
    writeFileSync(join(root, path), text);
  }
  const done = Bun.spawnSync(["/bin/sh", GUARD, root], { stdin: "ignore", stdout: "pipe", stderr: "pipe", env: {}, timeout: 10_000 });
  expect(done.stdout.toString()).toBe("");
  return { exit: done.exitCode, said: done.stderr.toString() };
}

const STOP = CATALOGUE["SR-E610"].exit;

describe("lets a boot pass", () => {
  test.each<[string, State]>([
    ["that is not ours", { cmdline: "root=/dev/vda1 quiet\n" }],
    ["with a policy that asks for nothing", { cmdline: "quiet\n", config: '[etc]\nmount = "bind"\n[trust]\nlevel = "none"\n' }],
    ["with a policy that only speaks of verity", { cmdline: "quiet\n", config: '  # level = "verity"\n' }],
    ["that went well", { cmdline: `quiet ${ARGUMENT}\n`, report: GOOD_REPORT, mounts: IMAGE }],
    ["that went well, by policy", { cmdline: `${ARGUMENT}\n`, report: GOOD_REPORT, mounts: IMAGE, config: VERITY }],
    ["with a transient root", { cmdline: `composefs=${DIGEST}\n`, report: GOOD_REPORT, mounts: IMAGE.replace("overlay composefs:", "overlay transient:composefs=") }],
    ["of which systemd.volatile=yes left only /usr", { cmdline: `${ARGUMENT}\n`, report: GOOD_REPORT, mounts: `25 1 0:9 / /sysroot rw - tmpfs tmpfs rw\n60 25 0:40 /usr /sysroot/usr ro - overlay composefs:${DIGEST} ro\n` }],
    ["in which the word stands inside another argument", { cmdline: `note="first composefs=1 last" root=LABEL=composefs xcomposefs=1 composefs.other=2\n` }],
    ["with a long command line", { cmdline: `${"a=b ".repeat(500)}\n` }],
  ])("%s", (_, state) => {
    expect(guard(state)).toEqual({ exit: 0, said: "" });
  });
});

describe("stops a boot", () => {
  const over = (more: string): string => `${IMAGE}${more}`;
  test.each<[string, string]>([
    ["a disk at /usr, by mount.usr= or an fstab in the deployment's own /etc", over("70 60 8:1 / /sysroot/usr ro - ext4 /dev/vdb1 ro\n")],
    ["a disk over the whole image", over("70 60 8:1 / /sysroot ro - ext4 /dev/vdb1 ro\n")],
    ["only /usr of an image, on a disk", `25 1 8:1 / /sysroot rw - ext4 /dev/vda rw\n60 25 0:40 /usr /sysroot/usr ro - overlay composefs:${DIGEST} ro\n`],
    ["an overlay without a digest", "60 25 0:40 / /sysroot ro - overlay composefs: ro\n"],
  ])("whose report is good and whose root is not: %s", (_, mounts) => {
    const { exit, said } = guard({ cmdline: `${ARGUMENT}\n`, report: GOOD_REPORT, mounts });
    expect(exit).toBe(STOP);
    expect(said).toContain("no image is mounted");
  });

  test.each<[string, State]>([
    ["a # in a string before the level", { cmdline: "quiet\n", config: 'trust = { revoked = ["#1"], level = "verity" }\n' }],
    ["OSTree's argument", { cmdline: "quiet ostree.prepare-root.composefs=signed\n" }],
  ])("that asks by %s", (_, state) => expect(guard(state).exit).toBe(STOP));

  test("and does not write control characters of the command line to the console", () => {
    expect(guard({ cmdline: "composefs=\x1b[2Jx\n" }).said).not.toContain("\x1b");
  });

  const spellings = [
    ARGUMENT, `composefs=${DIGEST}`, `composefs=?${DIGEST}`, "composefs.digest=", "composefs", "composefs.digest", `"${ARGUMENT}"`, `composefs.digest="v1"`, `'${ARGUMENT}'`,
    `\\${ARGUMENT}`, `quiet\t${ARGUMENT}`, `a\v${ARGUMENT}`, `a\r${ARGUMENT} b`, `x="a b" ${ARGUMENT}`, `-- ${ARGUMENT}`, `a="x y"z ${ARGUMENT}`,
  ];
  test.each(spellings)("that asks for an image and has none: %j", (cmdline) => {
    const { exit, said } = guard({ cmdline: `quiet ${cmdline}\n` });
    expect(exit).toBe(STOP);
    expect(said).toStartWith("sealroot-guard: boot stopped");
    expect(said).toContain("[SR-E610]");
    expect(said).toContain("did not run");
    for (const label of ["asked", "found", "meaning", "next"]) expect(said).toMatch(new RegExp(`^  ${label} +\\S`, "m"));
  });

  test.each([
    VERITY, '[trust]\nlevel = "signed" # all of them\n', "trust.level='verity'", 'trust = { level = "verity" }\n', '[trust]\n  "level"="verity"\r\n', '[trust]\nlevel\t=\t"""verity"""\n',
  ])("that the policy asks for, whatever the command line says: %j", (config) => {
    expect(guard({ cmdline: "quiet\n", config })).toMatchObject({ exit: STOP, said: expect.stringContaining("level in ") });
  });

  test.each<[string, State, string]>([
    ["that sealroot refused", { cmdline: ARGUMENT, report: JSON.stringify({ ok: false, error: { code: "SR-E210" } }, null, 2) }, "sealroot refused this boot"],
    ["whose report is cut off", { cmdline: ARGUMENT, report: "{", mounts: IMAGE }, "sealroot refused this boot"],
    ["whose report is empty", { cmdline: ARGUMENT, report: "", mounts: IMAGE }, "sealroot refused this boot"],
    ["whose report only quotes a good one", { cmdline: ARGUMENT, report: JSON.stringify({ ok: false, text: GOOD_REPORT, 'x"ok': true, nested: { ok: true } }, null, 2), mounts: IMAGE }, "sealroot refused this boot"],
    ["whose good report is of an earlier attempt: nothing is mounted", { cmdline: ARGUMENT, report: GOOD_REPORT, mounts: BARE }, "no image is mounted at /sysroot"],
    ["with an image mounted elsewhere", { cmdline: ARGUMENT, report: GOOD_REPORT, mounts: IMAGE.replaceAll("/sysroot", "/mnt") }, "no image is mounted at /sysroot"],
    ["with an overlay of something else", { cmdline: ARGUMENT, report: GOOD_REPORT, mounts: IMAGE.replace("overlay composefs:", "overlay overlay:") }, "no image is mounted at /sysroot"],
    ["with another filesystem that has the name of an image", { cmdline: ARGUMENT, report: GOOD_REPORT, mounts: IMAGE.replace("- overlay", "- ext4") }, "no image is mounted at /sysroot"],
    ["with a mount table that cannot be read", { cmdline: ARGUMENT, report: GOOD_REPORT, mounts: "" }, "no image is mounted at /sysroot"],
  ])("%s", (_, state, found) => {
    expect(guard(state)).toMatchObject({ exit: STOP, said: expect.stringContaining(found) });
  });

  test("when the command line cannot be read", () => {
    expect(guard({}).exit).not.toBe(0);
  });
});
