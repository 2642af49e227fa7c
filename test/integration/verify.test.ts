/** `sealroot verify` with the policy of an initramfs and of a unified kernel image; and the boot itself at level signed, as far as it can go here. */

import { describe, expect, test } from "bun:test";
import { appendFileSync, copyFileSync, mkdirSync, readdirSync, readFileSync, rmSync, symlinkSync, truncateSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import type { ErrorCode } from "../../src/errors/index.ts";
import { image } from "../support/images.ts";
import { Initramfs } from "../support/initramfs.ts";
import { physicalRoot } from "../support/physical-root.ts";
import type { Faults } from "../support/faults/rules.ts";
import { faultyProgram, faultySetupRoot, program, verified } from "../support/program.ts";
import { bootReport, expectRefusal } from "../support/refusal.ts";
import { expectCode, run, runJson, SignedDisk } from "../support/signed-disk.ts";
import { cpioArchive, unifiedKernelImage } from "../support/archives.ts";

const CONFIG = "usr/lib/composefs/setup-root-conf.toml";

interface Scene extends Disposable {
  readonly disk: SignedDisk;
  readonly argument: string;
  /** An initramfs with these files. */
  archive(files: Readonly<Record<string, string | Uint8Array | { readonly link: string }>>): string;
  verify(...args: readonly string[]): readonly string[];
}

async function signed(): Promise<Scene> {
  const disk = await SignedDisk.create();
  disk.sign(disk.commit("--version", "1"), "trusted");
  let count = 0;
  return {
    disk,
    argument: disk.argument,
    archive(files) {
      const path = disk.at(`initramfs-${++count}`);
      writeFileSync(path, Bun.zstdCompressSync(cpioArchive(files)));
      return path;
    },
    verify: (...args) => ["verify", "--sysroot", disk.root, ...args],
    [Symbol.dispose]: () => disk[Symbol.dispose](),
  };
}

const POLICY = '[trust]\nlevel = "signed"\nkeys = "/usr/lib/keys/"\n';

describe("the policy of an initramfs in a file", () => {
  test("policy and keys are those inside; this machine's are not looked at", async () => {
    using scene = await signed();
    const key = readFileSync(scene.disk.key("trusted").public, "utf8");
    const file = scene.archive({ [CONFIG]: POLICY, "usr/lib/keys/release.pub": key });
    expect(runJson(...scene.verify("--initramfs", file, "--cmdline", scene.argument))).toMatchObject({ level: "signed", computed: true, configFound: true, signed: { keys: [scene.disk.key("trusted").id] } });
    const other = scene.archive({ [CONFIG]: POLICY, "usr/lib/keys/release.pub": readFileSync(scene.disk.key("stranger").public, "utf8") });
    expectCode("SR-E221", ...scene.verify("--initramfs", other, "--cmdline", scene.argument));
  });

  test("links inside are followed inside", async () => {
    using scene = await signed();
    const key = readFileSync(scene.disk.key("trusted").public, "utf8");
    const file = scene.archive({ "etc/policy.toml": POLICY, [CONFIG]: { link: "/etc/policy.toml" }, "usr/lib/real/release.pub": key, "usr/lib/keys": { link: "real" } });
    expect(runJson(...scene.verify("--initramfs", file, "--cmdline", scene.argument))).toMatchObject({ level: "signed" });
  });

  test("OSTree's configuration inside raises the level", async () => {
    using scene = await signed();
    const key = readFileSync(scene.disk.key("trusted").public, "utf8");
    const files = { [CONFIG]: "[root]\ntransient = true\n", "usr/lib/ostree/prepare-root.conf": "[composefs]\nenabled = signed\n" };
    expectCode("SR-E230", ...scene.verify("--initramfs", scene.archive(files), "--cmdline", scene.argument));
    expect(runJson(...scene.verify("--initramfs", scene.archive({ ...files, "etc/ostree/initramfs-root-binding.key": key }), "--cmdline", scene.argument))).toMatchObject({ level: "signed" });
  });

  const refused: readonly (readonly [string, ErrorCode, Parameters<Scene["archive"]>[0]])[] = [
    ["a typo in the level", "SR-E101", { [CONFIG]: '[trust]\nlevel = "singed"\n' }],
    ["a configuration that is a link to nowhere", "SR-E101", { [CONFIG]: { link: "/nowhere" } }],
    ["keys that are missing", "SR-E230", { [CONFIG]: POLICY }],
    ["an empty directory of keys", "SR-E231", { [CONFIG]: POLICY, "usr/lib/keys/.keep": "" }],
    ["an empty key file", "SR-E231", { [CONFIG]: POLICY, "usr/lib/keys/a.pub": "" }],
    ["a key of a wrong length", "SR-E232", { [CONFIG]: POLICY, "usr/lib/keys/a.pub": "AAAA\n" }],
    ["a key file that is too large", "SR-E229", { [CONFIG]: POLICY, "usr/lib/keys/a.pub": "A".repeat(200_000) }],
  ];
  test.each(refused)("%s: %s", async (_title, code, files) => {
    using scene = await signed();
    expectCode(code, ...scene.verify("--initramfs", scene.archive(files), "--cmdline", scene.argument));
  });

  test("what is no initramfs, or damaged, or not there", async () => {
    using scene = await signed();
    writeFileSync(scene.disk.at("text"), "no initramfs\n");
    expectCode("SR-E601", ...scene.verify("--initramfs", scene.disk.at("text"), "--cmdline", scene.argument));
    const whole = readFileSync(scene.archive({ [CONFIG]: POLICY }));
    writeFileSync(scene.disk.at("cut"), whole.subarray(0, whole.length - 20));
    expectCode("SR-E602", ...scene.verify("--initramfs", scene.disk.at("cut"), "--cmdline", scene.argument));
    // nothing was judged then
    for (const path of [scene.disk.at("absent"), scene.disk.at("."), "/dev/zero"]) {
      expect(expectCode("SR-E603", ...scene.verify("--initramfs", path, "--cmdline", scene.argument)).stderr).not.toContain("refused");
    }
    writeFileSync(scene.disk.at("zeros"), "");
    truncateSync(scene.disk.at("zeros"), 2 ** 26);
    expectCode("SR-E601", ...scene.verify("--initramfs", scene.disk.at("zeros"), "--cmdline", scene.argument));
  });

  test("an image that nobody could read in a day is refused at once", async () => {
    using scene = await signed();
    const image = join(scene.disk.root, "composefs/images", scene.argument.slice(-64));
    rmSync(image);
    writeFileSync(image, "");
    truncateSync(image, 500 * 2 ** 30);
    scene.disk.policy(["trusted"]);
    scene.disk.expectRefused("SR-E213");
  });

  test("standard output that cannot take the report is no permission", async () => {
    using scene = await signed();
    scene.disk.policy(["trusted"]);
    const done = Bun.spawnSync(["bash", "-c", 'exec "$@" > /dev/full', "-", ...program(), ...scene.disk.verifyArguments, "--json"], { stderr: "pipe" });
    expect(done.exitCode).toBe(78);
    expect(done.stderr.toString()).toContain("[SR-E617]");
  });

  test("a unified kernel image brings its command line along", async () => {
    using scene = await signed();
    const initramfs = new Uint8Array(readFileSync(scene.archive({ [CONFIG]: POLICY, "usr/lib/keys/a.pub": readFileSync(scene.disk.key("trusted").public, "utf8") })));
    const uki = (cmdline: string): string => {
      const path = scene.disk.at("system.efi");
      writeFileSync(path, unifiedKernelImage({ ".cmdline": new TextEncoder().encode(cmdline), ".initrd": initramfs }));
      return path;
    };
    expect(runJson(...scene.verify("--initramfs", uki(`root=/dev/vda ${scene.argument}\n`)))).toMatchObject({ level: "signed", sources: { commandLine: `in ${scene.disk.at("system.efi")}` } });
    expectCode("SR-E102", ...scene.verify("--initramfs", uki("root=/dev/vda quiet")));
    expectCode("SR-E106", ...scene.verify("--initramfs", uki(scene.argument.replace("=", "=?"))));
    // what is given wins
    expect(runJson(...scene.verify("--initramfs", uki("quiet"), "--cmdline", scene.argument))).toMatchObject({ level: "signed", sources: { commandLine: "--cmdline" } });
  });
});

/** What the boot would find when it mounts: found as well, and not touched. */
describe("the deployment's state", () => {
  for (const name of ["etc", "var"]) {
    for (const mount of ["bind", "overlay"]) {
      const damages: readonly (readonly [string, ErrorCode, (path: string) => void])[] = [
        ["missing", "SR-E306", () => undefined],
        ["a file", "SR-E306", (path) => writeFileSync(path, "")],
        ["an absolute link", "SR-E204", (path) => symlinkSync(`/${name}`, path)],
        ["a link out", "SR-E204", (path) => symlinkSync(`../../../../${name}`, path)],
        ["a link to nowhere", "SR-E306", (path) => symlinkSync("nothing", path)],
      ];
      test.each(damages)(`${name}, ${mount}: %s: %s`, async (_what, code, damage) => {
        using scene = await signed();
        scene.disk.policy(["trusted"], `[${name}]\nmount = "${mount}"`);
        scene.disk.expectAllowed();
        const path = join(scene.disk.root, "state/deploy", scene.disk.digest, name);
        rmSync(path, { recursive: true });
        damage(path);
        scene.disk.expectRefused(code);
        // what is not mounted is not looked at
        for (const unused of ["none", "transient"]) {
          scene.disk.policy(["trusted"], `[${name}]\nmount = "${unused}"`);
          scene.disk.expectAllowed();
        }
      });
    }
  }

  test("a link within the physical root is followed, and nothing is made for an overlay", async () => {
    using scene = await signed();
    const directory = join(scene.disk.root, "state/deploy", scene.disk.digest);
    rmSync(join(directory, "var"), { recursive: true });
    mkdirSync(join(scene.disk.root, "state/os/default/var"), { recursive: true });
    symlinkSync("../../os/default/var", join(directory, "var"));
    scene.disk.policy(["trusted"], '[etc]\nmount = "overlay"\n[var]\nmount = "bind"');
    scene.disk.expectAllowed();
    expect(readdirSync(join(directory, "etc"))).toEqual([]);
  });
});

describe("what it says", () => {
  test("for people", async () => {
    using scene = await signed();
    scene.disk.policy(["trusted"]);
    const done = run(scene.disk.verifyArguments);
    expect([done.exit, done.stderr]).toEqual([0, ""]);
    for (const text of ["this boot would be allowed\n", `by reading the image: there is no fs-verity here`, "signed: by trusted keys, and to be enforced by the kernel that boots", "made          2026-11-01T00:00:00Z", scene.disk.key("trusted").id]) {
      expect(done.stdout).toContain(text);
    }
    scene.disk.cmdline = scene.argument.replace("=", "=?");
    writeFileSync(scene.disk.config, "");
    expect(run(scene.disk.verifyArguments).stdout).toContain("this boot would be allowed, NOT VERIFIED");
    // a machine with fs-verity would refuse another image under this name, `?` or not
    appendFileSync(join(scene.disk.root, "composefs/images", scene.argument.slice(-64)), "x");
    expect(run(scene.disk.verifyArguments).stderr).toContain("[SR-E210]");
  });

  test("the files of the policy, who asks, and the floor", async () => {
    using scene = await signed();
    const key = readFileSync(scene.disk.key("trusted").public, "utf8");
    const by = (files: Parameters<Scene["archive"]>[0], more = ""): readonly string[] => scene.verify("--initramfs", scene.archive(files), "--cmdline", `${scene.argument}${more}`);
    const floor = { "usr/lib/composefs/setup-root-not-before": "2026-10-31T00:00:00Z\n" };
    const table = by({ [CONFIG]: `${POLICY}not-before = "build"\n`, ...floor, "usr/lib/keys/a.pub": key });
    expect(run(table).stdout).toMatch(/policy .*\(\[trust\] level = "signed"\)\n[^]*floor +2026-10-31T00:00:00Z {2}\(the initramfs says when it was built\)\n[^]*because +level = "signed", by \[trust\]\n/);
    expect(run(table).stdout).not.toContain("OSTree's");
    expect(runJson(...table)).toMatchObject({ policy: { level: "signed", askedBy: "[trust]", notBefore: Date.UTC(2026, 9, 31) / 1000, notBeforeFrom: "the initramfs says when it was built" } });

    const conf = "/etc/ostree/prepare-root.conf";
    const ostree = by({ [conf.slice(1)]: "[composefs]\nenabled = signed\n", "etc/ostree/initramfs-root-binding.key": key });
    const { stdout } = run(ostree);
    expect(stdout).not.toContain("composefs-setup-root's rules");
    for (const text of [`OSTree's      ${conf}  (enabled is signed, by ${conf})`, "floor         none: a commit of any age is accepted", `because       level = "signed", by ${conf}\n`]) expect(stdout).toContain(text);

    const argument = "ostree.prepare-root.composefs=signed";
    const raised = by({ "etc/ostree/initramfs-root-binding.key": key }, ` ${argument}`);
    expect(run(raised).stdout).toContain(`OSTree's      there is no prepare-root.conf  (enabled is signed, by ${argument} on the kernel command line)`);
    // nor do refusals name a file that is not there
    expectNobodysFile(expectCode("SR-E221", ...by({ "etc/ostree/initramfs-root-binding.key": readFileSync(scene.disk.key("stranger").public, "utf8") }, ` ${argument}`)).stderr);
    expectNobodysFile(expectCode("SR-E245", ...by({ [CONFIG]: POLICY, "usr/lib/keys/a.pub": key, "etc/ostree/initramfs-root-binding.key": readFileSync(scene.disk.key("stranger").public, "utf8") }, ` ${argument}`)).stderr.replace(/^ +meaning.*\n/m, ""));
  });

  const expectNobodysFile = (stderr: string): void => {
    expect(stderr).toContain("ostree.prepare-root.composefs=signed on the kernel command line");
    expect(stderr).not.toMatch(/prepare-root\.conf|in the initramfs"/);
  };

  test("its help says where the floor is looked for", () => {
    expect(run(["verify", "--help"]).stdout).toMatch(/setup-root-not-before, is looked for beside --config FILE/);
  });

  test("nothing is written, and nothing mounted", async () => {
    using scene = await signed();
    scene.disk.policy(["trusted"]);
    const [mounts, listing] = [readFileSync("/proc/self/mountinfo", "utf8"), (): string => Bun.spawnSync(["find", scene.disk.root, "-printf", "%p %s %T@ %C@\n"]).stdout.toString()];
    const before = listing();
    scene.disk.expectAllowed();
    expect(listing()).toBe(before);
    expect(readFileSync("/proc/self/mountinfo", "utf8")).toBe(mounts);
  });

  test("arguments of a boot only are not taken", async () => {
    using scene = await signed();
    for (const option of ["--target", "--root-fs"]) expectCode("SR-E100", ...scene.verify(option, "/mnt"));
    expectCode("SR-E200", "verify", "--sysroot", scene.disk.at("absent"), "--cmdline", scene.argument);
  });
});

/** setup-root on this machine, whose kernel has no fs-verity: measuring is made to give the image's digest, the rest is real. */
describe("the boot itself", () => {
  async function boot(change: (at: { readonly commits: string; readonly initramfs: Initramfs; readonly disk: SignedDisk }) => void = () => undefined): Promise<{ readonly initramfs: Initramfs; readonly digest: string } & Disposable> {
    using scene = await signed();
    const { disk } = scene;
    const digest = await image();
    const initramfs = await Initramfs.create();
    await physicalRoot(initramfs, { kind: "ext4", state: [digest] });
    const commits = initramfs.at(`/sysroot/composefs/commits/${digest}`);
    mkdirSync(commits, { recursive: true });
    for (const name of disk.names()) copyFileSync(join(disk.commits, name), join(commits, name));
    initramfs.write("/etc/keys/a.pub", readFileSync(disk.key("trusted").public, "utf8"));
    initramfs.write("/etc/conf.toml", '[trust]\nlevel = "signed"\nkeys = "/etc/keys"\n');
    change({ commits, initramfs, disk });
    return { initramfs, digest, [Symbol.dispose]: () => initramfs[Symbol.dispose]() };
  }
  const setUp = ({ initramfs, digest }: { readonly initramfs: Initramfs; readonly digest: string }, cmdline = verified(digest)) =>
    faultySetupRoot(initramfs, { measured: digest }, cmdline, "--config", "/etc/conf.toml");

  test("a signed image is accepted, and mounted; that its objects have no fs-verity here is found in the proof", async () => {
    using it = await boot();
    const done = expectRefusal(it.initramfs, "SR-E400", () => setUp(it));
    expect(done.stderr).not.toContain("SR-E22");
  });

  const refused: readonly (readonly [string, ErrorCode, Parameters<typeof boot>[0], ((digest: string) => string)?])[] = [
    ["unsigned", "SR-E107", ({ commits }) => rmSync(commits, { recursive: true })],
    ["another key", "SR-E221", ({ initramfs, disk }) => initramfs.write("/etc/keys/a.pub", readFileSync(disk.key("stranger").public, "utf8"))],
    ["no key", "SR-E231", ({ initramfs }) => rmSync(initramfs.at("/etc/keys/a.pub"))],
    ["a link out", "SR-E204", ({ commits, disk }) => {
      rmSync(commits, { recursive: true });
      mkdirSync(join(dirname(commits), "../../../etc/found"), { recursive: true });
      for (const name of disk.names()) copyFileSync(join(disk.commits, name), join(dirname(commits), "../../../etc/found", name));
      symlinkSync("../../../etc/found", commits);
    }],
    ["`?`", "SR-E106", () => undefined, (digest) => `composefs.digest=?v1-sha256-12:${digest}`],
    ["no argument", "SR-E102", () => undefined, () => "ro quiet"],
  ];
  for (const [title, code, change, cmdline = verified] of refused) {
    test(`${title}: ${code}`, async () => {
      using it = await boot(change);
      expectRefusal(it.initramfs, code, () => setUp(it, cmdline(it.digest)));
      expect(bootReport(it.initramfs)).toMatchObject({ ok: false, error: { code } });
    });
  }

  test("without fs-verity nothing takes its place: SR-E212, and no digest is computed", async () => {
    using it = await boot();
    const done = expectRefusal(it.initramfs, "SR-E212", () => faultySetupRoot(it.initramfs, {}, verified(it.digest), "--config", "/etc/conf.toml"));
    expect(done.stderr).not.toContain("computed");
  });
});

describe("a verification whose nth system call fails", () => {
  test.each([["EIO", 5], ["EACCES", 13], ["EPERM", 1]] as const)("%s: refused with a code, or signed all the same", async (_name, errno) => {
    using scene = await signed();
    scene.disk.policy(["trusted"]);
    const verify = (faults: Faults): { readonly exit: number; readonly stdout: string; readonly stderr: string } => {
      const done = Bun.spawnSync([...faultyProgram(), ...scene.disk.verifyArguments, "--json"], { stdin: "ignore", stdout: "pipe", stderr: "pipe", timeout: 20_000, env: { PATH: "/usr/bin:/bin", FAULTS: JSON.stringify(faults) } });
      return { exit: done.exitCode, stdout: done.stdout.toString(), stderr: done.stderr.toString() };
    };
    const log = scene.disk.at("calls");
    expect(verify({ log }).exit).toBe(0);
    const calls = readFileSync(log, "utf8").trimEnd().split("\n");
    expect(calls.length).toBeGreaterThan(40);
    const seen = new Set<number>();
    for (const [number, call] of calls.entries()) {
      // what it prints is told by the exit status alone then
      if (call.includes(" write ")) continue;
      const { exit, stdout, stderr } = verify({ failCall: number, errno });
      seen.add(exit);
      const report = JSON.parse(stdout) as { allowed: boolean; level?: string; error?: { code: string } };
      expect(report.allowed, call).toBe(exit === 0);
      if (report.allowed) expect(report.level, call).toBe("signed");
      else expect(report.error?.code, `${call}\n${stdout}${stderr}`).toMatch(/^SR-E(?!900)/);
    }
    expect(seen.size).toBeGreaterThan(3);
  }, 300_000);
});
