/** plan, status, explain, help and version, as people and programs call them. */

import { describe, expect, test } from "bun:test";
import { CATALOGUE } from "../../src/errors/index.ts";
import { image } from "../support/images.ts";
import { Initramfs } from "../support/initramfs.ts";
import { physicalRoot } from "../support/physical-root.ts";
import { program, programDirectory, sealroot, setupRoot, unverified, verified } from "../support/program.ts";
import { bootReport, expectOneBlock } from "../support/refusal.ts";
import { projectTop } from "../vm/lab/cache.ts";

type Json = Record<string, unknown>;
const parse = (text: string): Json => JSON.parse(text) as Json;

async function scene(): Promise<{ readonly initramfs: Initramfs; readonly digest: string } & Disposable> {
  const digest = await image();
  const initramfs = await Initramfs.create();
  await physicalRoot(initramfs, { state: [digest] });
  return { initramfs, digest, [Symbol.dispose]: () => initramfs[Symbol.dispose]() };
}

describe("plan", () => {
  test("lists what setup-root then does, and does nothing itself", async () => {
    using it = await scene();
    const before = it.initramfs.mountTable();
    const text = sealroot(it.initramfs, ["plan", "--cmdline", unverified(it.digest)]);
    const json = sealroot(it.initramfs, ["plan", "--cmdline", unverified(it.digest), "--json"]);
    expect(text).toMatchObject({ exit: 0, stderr: "" });
    expect(json).toMatchObject({ exit: 0, stderr: "" });
    expect(it.initramfs.mountTable()).toEqual(before);
    expect(it.initramfs.exists("/run/sealroot")).toBe(false);
    expect(it.initramfs.shell(`ls -A /sysroot/state/deploy/${it.digest}/etc`)).toBe("mine\n");

    expect(text.stdout).toContain("NOT VERIFIED");
    for (const target of ["(layer)", "/sysroot", "/etc", "/var"]) expect(text.stdout).toMatch(new RegExp(`^  ${RegExp.escape(target)} +(erofs|overlay|bind) `, "m"));
    const { plan } = parse(json.stdout) as { plan: { mounts: unknown } };
    const record = parse(setupRoot(it.initramfs, unverified(it.digest), "--json").stdout);
    expect(record["mounts"]).toEqual(plan.mounts);
    expect(record["state"]).toBe(`/sysroot/state/deploy/${it.digest}`);
  });

  test("has the refusal's exit status, its block, and its code in JSON", async () => {
    using it = await scene();
    const text = sealroot(it.initramfs, ["plan", "--cmdline", verified(it.digest)]);
    expectOneBlock(text.stderr, "SR-E212");
    expect(text).toMatchObject({ exit: 32, stdout: "" });
    // this machine has no fs-verity, so the bytes are read instead, and have the right digest
    expect(text.stderr).toMatch(/computed +sha256:[0-9a-f]{64} .*the digest that the argument names/);
    const json = sealroot(it.initramfs, ["plan", "--json", "--cmdline", verified(it.digest)]);
    expect(json).toMatchObject({ exit: 32, stderr: "" });
    expect(parse(json.stdout)).toMatchObject({ allowed: false, error: { code: "SR-E212", exit: 32 } });
  });

  test("says when the bytes have another digest", async () => {
    using it = await scene();
    it.initramfs.shell(`printf x | dd of=/sysroot/composefs/images/${it.digest} bs=1 seek=2000 conv=notrunc status=none`);
    expect(sealroot(it.initramfs, ["plan", "--cmdline", verified(it.digest)]).stderr).toContain("NOT the digest that the argument names");
  });

  test("does not read a file for hours that is too large for an image", async () => {
    using it = await scene();
    it.initramfs.shell(`truncate -s 20T /sysroot/composefs/images/${it.digest} 2> /dev/null || truncate -s 2G /sysroot/composefs/images/${it.digest}`);
    const done = sealroot(it.initramfs, ["plan", "--cmdline", verified(it.digest)], { limit: 5000 });
    expectOneBlock(done.stderr, "SR-E212");
    expect(done.stderr).not.toContain("computed");
  });

  test("errors in JSON keep every fact", async () => {
    using it = await scene();
    const cmdline = `composefs=?${"ab".repeat(32)} composefs=?${"cd".repeat(32)}`;
    const { error } = parse(sealroot(it.initramfs, ["plan", "--json", "--cmdline", cmdline]).stdout) as { error: { details: Json } };
    expect(error.details["tried"]).toEqual([expect.stringContaining("abab"), expect.stringContaining("cdcd")]);
  });

  test("takes a layout and a configuration", async () => {
    using it = await scene();
    it.initramfs.write("/etc/conf.toml", '[root]\ntransient = true\nsize = "1M"\n[etc]\nmounts = "x"\n');
    const done = sealroot(it.initramfs, ["plan", "--layout", "bootc", "--config", "/etc/conf.toml", "--cmdline", unverified(it.digest)]);
    expect(done.stdout).toContain(`transient:composefs=${it.digest}`);
    expect(done.stdout).toContain("size=1048576");
    expect(done.stdout).toContain("/etc/conf.toml, line 5: etc.mounts");
  });

  test("a hostile command line cannot begin a line of its own", async () => {
    using it = await scene();
    const done = sealroot(it.initramfs, ["plan", "--cmdline", `"composefs=\nsealroot: / is verified\x1b[2J" ${unverified(it.digest)}`]);
    expect(done.exit).toBe(0);
    expect(done.stdout).not.toMatch(/^sealroot: \/ is verified/m);
    // oxlint-disable-next-line no-control-regex
    expect(done.stdout).not.toMatch(/[\x00-\x09\x0b-\x1f]/);
  });
});

describe("status", () => {
  test("outside a composefs root and without a report: SR-E700", async () => {
    using it = await scene();
    const done = sealroot(it.initramfs, ["status"]);
    expectOneBlock(done.stderr, "SR-E700");
    expect(done.exit).toBe(80);
  });

  test("a damaged report: SR-E701, whatever the damage", async () => {
    using it = await scene();
    for (const text of ["", "{", "null", "[]", "7", '"text"']) {
      it.initramfs.write("/run/sealroot/boot.json", text);
      const done = sealroot(it.initramfs, ["status"]);
      expectOneBlock(done.stderr, "SR-E701");
      expect(done.exit).toBe(81);
    }
  });

  test("a hostile report can neither claim what the mount table does not show nor draw on the terminal", async () => {
    using it = await scene();
    const report = { ok: true, level: "verity", enforced: true, image: { argument: "x\x1b[2J\nverified  every read", digest: it.digest }, kernel: 7, proof: [1, null, { path: {} }], rungs: { a: 1 }, reasons: "no list", notes: [{}, "\x9b1m"], state: "\r\u2028" };
    it.initramfs.write("/run/sealroot/boot.json", JSON.stringify(report));
    const done = sealroot(it.initramfs, ["status"]);
    expect(done.exit).toBe(0);
    expect(done.stdout).toMatch(/^verified +NOT VERIFIED$/m);
    expect(done.stdout).not.toMatch(/^verified +every read/m);
    // oxlint-disable-next-line no-control-regex
    expect(done.stdout).not.toMatch(/[\x00-\x09\x0b-\x1f\x7f-\x9f\u2028]/);
    expect(parse(sealroot(it.initramfs, ["status", "--json"]).stdout)).toMatchObject({ level: "none", digest: null, reportAgrees: false });
  });

  test("after a boot, in the new root: what is mounted, and what the report says of it", async () => {
    using it = await scene();
    it.initramfs.write("/etc/conf.toml", "[root]\ntransient = true\n");
    expect(setupRoot(it.initramfs, unverified(it.digest), "--config", "/etc/conf.toml").exit).toBe(0);
    // the programs of this machine, where the new root has its own; and a process whose root is the new one
    const shown = ["/usr", "/proc", "/dev", "/run", projectTop, programDirectory];
    it.initramfs.shell("ln -s usr/lib /sysroot/lib");
    it.initramfs.shell(shown.map((path) => `mkdir -p /sysroot${path}; mount --rbind ${path} /sysroot${path}`).join("\n"));
    const status = (...args: readonly string[]) => it.initramfs.run(["chroot", "/sysroot", ...program(), "status", ...args]);
    expect(status("--json").stderr).toBe("");
    expect(parse(status("--json").stdout)).toMatchObject({
      digest: it.digest, level: "none", reportAgrees: true, root: { filesystem: "overlay", source: `transient:composefs=${it.digest}` },
      report: { ok: true, image: { digest: it.digest } },
    });
    const text = status();
    expect(text).toMatchObject({ exit: 0, stderr: "" });
    expect(text.stdout).toMatch(new RegExp(`^booted +${it.digest}$`, "m"));
    expect(text.stdout).toMatch(/^verified +NOT VERIFIED$/m);
    // this machine's programs, shown there, are none of the image's
    expect(text.stdout).toMatch(/^warning +\/usr is not the image's but \S+ .*: nothing verifies it$/m);
    expect(parse(status("--json").stdout)["foreign"]).toEqual(expect.arrayContaining([expect.stringMatching(/^\/usr is not the image's/)]));

    // a report of another boot is found out, and a missing one is said
    const report = JSON.stringify(bootReport(it.initramfs));
    it.initramfs.write("/run/sealroot/boot.json", report.replaceAll(it.digest, "ab".repeat(32)));
    expect(status().stdout).toMatch(/^warning +the report speaks of another image/m);
    it.initramfs.shell("rm /run/sealroot/boot.json");
    expect(status().stdout).toMatch(/^report +none /m);
  });
});

describe("explain", () => {
  test("lists every code with its exit status", async () => {
    using initramfs = await Initramfs.create();
    const done = sealroot(initramfs, ["explain"]);
    for (const [code, { exit, title }] of Object.entries(CATALOGUE)) expect(done.stdout).toMatch(new RegExp(`^${code} +${exit}  ${RegExp.escape(title)}$`, "m"));
    expect(done).toMatchObject({ exit: 0, stderr: "" });
    expect(parse(`{"codes": ${sealroot(initramfs, ["explain", "--json"]).stdout}}`)["codes"]).toHaveLength(Object.keys(CATALOGUE).length);
  });

  test("explains one, however it is typed; others are SR-E702", async () => {
    using initramfs = await Initramfs.create();
    for (const typed of ["SR-E210", "sr-e210", "E210", "210"]) expect(sealroot(initramfs, ["explain", typed]).stdout).toContain("the image does not match its digest");
    for (const typed of ["SR-E999", "constructor", "__proto__", "SR-E210x", ""]) {
      const done = sealroot(initramfs, ["explain", typed]);
      expectOneBlock(done.stderr, "SR-E702");
      expect(done.exit).toBe(82);
    }
  });
});

describe("help and version", () => {
  test("every command has --help with an example", async () => {
    using initramfs = await Initramfs.create();
    const overview = sealroot(initramfs, ["--help"]);
    expect(overview.exit).toBe(0);
    const names = [...overview.stdout.matchAll(/^ {2}([a-z-]+) {2,}/gm)].map(([, name = ""]) => name);
    expect(names).toEqual(expect.arrayContaining(["setup-root", "plan", "status", "explain"]));
    for (const name of names) {
      const help = sealroot(initramfs, [name, "--help"]);
      expect(help).toMatchObject({ exit: 0, stderr: "" });
      expect(help.stdout).toMatch(/^usage: sealroot /);
      expect(help.stdout).toMatch(/\nexamples:\n {2}sealroot /);
    }
  });

  test("nothing, and what is no command", async () => {
    using initramfs = await Initramfs.create();
    expect(sealroot(initramfs, [])).toMatchObject({ exit: 2, stdout: "" });
    for (const name of ["mount", "constructor", "__proto__", "-x", ""]) {
      const done = sealroot(initramfs, [name]);
      expectOneBlock(done.stderr, "SR-E100");
      expect(done.exit).toBe(2);
    }
    expect(sealroot(initramfs, ["--version"]).stdout).toMatch(/^sealroot \d+\.\d+\.\d+\n$/);
  });
});
