/**
 * `sealroot verify` of OSTree deployments: signed ones, mounted and offline; and boots that sealroot leaves to OSTree's program, or
 * to nobody. Each of those is beside what setup-root itself does with the same disk.
 */

import { describe, expect, test } from "bun:test";
import { cpSync, readFileSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { CATALOGUE, type ErrorCode } from "../../src/errors/index.ts";
import { objectPath } from "../../src/ostree/index.ts";
import { cpioArchive } from "../support/archives.ts";
import { type Finished, Initramfs } from "../support/initramfs.ts";
import { type OstreeRoot, ostreeRoot } from "../support/ostree-root.ts";
import { faultySetupRoot, sealroot } from "../support/program.ts";
import { expectOneBlock } from "../support/refusal.ts";
import { expectCode, run, runJson } from "../support/signed-disk.ts";
import { TemporaryDirectory } from "../support/temporary.ts";

const PREPARE_ROOT = "/usr/lib/ostree/prepare-root.conf";
const SETUP_ROOT = "/usr/lib/composefs/setup-root-conf.toml";
const BINDING_KEY = "/etc/ostree/initramfs-root-binding.key";
const enabled = (wish: string): string => `[composefs]\nenabled = ${wish}\n`;

/** A deployment whose commit `sealroot sign` has signed, at /sysroot of a private namespace; and keys outside. */
class Scene implements Disposable {
  readonly #directory = new TemporaryDirectory();
  readonly #initramfs: Initramfs;
  readonly root: OstreeRoot;
  readonly keyId: string;

  private constructor(initramfs: Initramfs, root: OstreeRoot) {
    this.#initramfs = initramfs;
    this.root = root;
    this.keyId = runJson("keygen", "--out", this.at("release"))["keyId"] as string;
    runJson("keygen", "--out", this.at("stranger"));
    runJson("sign", "--key", this.at("release.key"), this.commit);
  }

  static async create(): Promise<Scene> {
    const initramfs = await Initramfs.create();
    return new Scene(initramfs, await ostreeRoot(initramfs));
  }

  at(name: string): string {
    return join(this.#directory.path, name);
  }

  get disk(): string {
    return this.#initramfs.at("/sysroot");
  }

  get commit(): string {
    return join(this.disk, "ostree/repo/objects", objectPath(this.root.commit, "commit"));
  }

  key(name = "release"): string {
    return readFileSync(this.at(`${name}.pub`), "utf8");
  }

  /** Files of the initramfs that is running. */
  write(files: Readonly<Record<string, string>>): void {
    for (const [path, text] of Object.entries(files)) this.#initramfs.write(path, text);
  }

  run(command: string, ...args: readonly string[]): Finished {
    return sealroot(this.#initramfs, [command, ...args]);
  }

  verify(...more: readonly string[]): Finished {
    return this.run("verify", "--cmdline", `quiet ${this.root.argument}`, ...more);
  }

  /** setup-root on this machine, whose kernel has no fs-verity: measuring is made to give this digest, the rest is real. */
  boot(measured: string): Finished {
    return faultySetupRoot(this.#initramfs, { measured }, this.root.argument, "--if-named");
  }

  mounts(): readonly string[] {
    return this.#initramfs.mountTable();
  }

  [Symbol.dispose](): void {
    this.#initramfs[Symbol.dispose]();
    this.#directory[Symbol.dispose]();
  }
}

const json = ({ stdout }: Finished): Record<string, unknown> => JSON.parse(stdout) as Record<string, unknown>;

function expectRefused(scene: Scene, code: ErrorCode, ...more: readonly string[]): void {
  expect(json(scene.verify("--json", ...more))).toMatchObject({ allowed: false, leftTo: null, error: { code } });
  const done = scene.verify(...more);
  expectOneBlock(done.stderr, code);
  expect([done.exit, done.stdout]).toEqual([CATALOGUE[code].exit, ""]);
}

describe("a signed deployment at /sysroot", () => {
  test("allowed by prepare-root.conf and OSTree's own place for the key", async () => {
    using scene = await Scene.create();
    scene.write({ [PREPARE_ROOT]: enabled("signed"), [BINDING_KEY]: scene.key() });
    const before = scene.mounts();
    expect(json(scene.verify("--json"))).toMatchObject({
      allowed: true, leftTo: null, level: "signed", enforce: true, computed: true, digest: null, argument: scene.root.argument,
      measured: { kind: "computed", algorithm: "sha256", digest: scene.root.digest },
      signed: { commit: scene.root.commit, keys: [scene.keyId], timestamp: 1_780_000_000 },
    });
    const done = scene.verify();
    expect([done.exit, done.stderr]).toEqual([0, ""]);
    for (const text of ["this boot would be allowed\n", `computed      sha256:${scene.root.digest}  (by reading the image`, "signed: by trusted keys", scene.keyId, "made          2026-", "a commit with detached metadata"]) expect(done.stdout).toContain(text);
    expect(scene.mounts()).toEqual(before);
  });

  test("allowed by a [trust] table alone, and by the argument that raises the level", async () => {
    using scene = await Scene.create();
    scene.write({ [SETUP_ROOT]: '[trust]\nlevel = "signed"\nkeys = "/etc/keys"\n', "/etc/keys/release.pub": scene.key() });
    expect(json(scene.verify("--json"))).toMatchObject({ allowed: true, level: "signed" });
    scene.write({ [SETUP_ROOT]: "", [BINDING_KEY]: scene.key() });
    expect(json(scene.run("verify", "--json", "--cmdline", `${scene.root.argument} ostree.prepare-root.composefs=signed`))).toMatchObject({ allowed: true, level: "signed" });
  });

  const refused: readonly (readonly [string, ErrorCode, (scene: Scene) => void])[] = [
    ["another key", "SR-E221", (scene) => scene.write({ [BINDING_KEY]: scene.key("stranger") })],
    ["no key", "SR-E230", (scene) => scene.write({ [PREPARE_ROOT]: `${enabled("signed")}keypath = /etc/absent\n` })],
    ["no signature", "SR-E220", (scene) => rmSync(`${scene.commit}meta`)],
    ["a damaged signature", "SR-E224", (scene) => {
      const bytes = readFileSync(`${scene.commit}meta`);
      const at = bytes.length >> 1;
      writeFileSync(`${scene.commit}meta`, bytes.with(at, (bytes[at] ?? 0) ^ 1));
    }],
    ["a changed commit", "SR-E249", (scene) => {
      const bytes = readFileSync(scene.commit);
      writeFileSync(scene.commit, bytes.with(bytes.length - 1, (bytes.at(-1) ?? 0) ^ 1));
    }],
    ["no commit", "SR-E107", (scene) => rmSync(scene.commit)],
    ["a changed image", "SR-E210", (scene) => {
      const path = join(scene.disk, scene.root.deployment, ".ostree.cfs");
      const bytes = readFileSync(path);
      writeFileSync(path, bytes.with(2000, (bytes[2000] ?? 0) ^ 1));
    }],
    ["no image", "SR-E242", (scene) => rmSync(join(scene.disk, scene.root.deployment, ".ostree.cfs"))],
    ["older than the floor", "SR-E228", (scene) => scene.write({ [SETUP_ROOT]: '[trust]\nlevel = "verity"\nnot-before = 2026-11-01T00:00:00Z\n' })],
    ["a link out of the disk", "SR-E241", (scene) => {
      const link = join(scene.disk, "ostree/boot.1.1/debian/0123abcd/0");
      rmSync(link);
      symlinkSync("../../../../../../../etc", link);
    }],
  ];
  for (const [title, code, change] of refused) {
    test(`${title}: ${code}, in the boot as well`, async () => {
      using scene = await Scene.create();
      scene.write({ [PREPARE_ROOT]: enabled("signed"), [BINDING_KEY]: scene.key() });
      change(scene);
      expectRefused(scene, code);
      expect(scene.boot(code === "SR-E210" ? "ab".repeat(32) : scene.root.digest).exit).toBe(CATALOGUE[code].exit);
    });
  }

  test("`ostree.prepare-root.composefs=0` does not lower it", async () => {
    using scene = await Scene.create();
    scene.write({ [PREPARE_ROOT]: enabled("signed"), [BINDING_KEY]: scene.key("stranger") });
    expectRefused(scene, "SR-E221");
    const done = scene.run("verify", "--cmdline", `${scene.root.argument} ostree.prepare-root.composefs=0`);
    expectOneBlock(done.stderr, "SR-E221");
  });
});

describe("a deployment offline, with the policy of an initramfs in a file", () => {
  test("allowed, and refused, by what is in that file alone", async () => {
    using scene = await Scene.create();
    cpSync(scene.disk, scene.at("disk"), { recursive: true, verbatimSymlinks: true });
    const archive = (name: string, files: Readonly<Record<string, string>>): string => {
      writeFileSync(scene.at(name), Bun.zstdCompressSync(cpioArchive(files)));
      return scene.at(name);
    };
    const conf = { [PREPARE_ROOT.slice(1)]: enabled("signed") };
    const verify = (file: string): readonly string[] => ["verify", "--sysroot", scene.at("disk"), "--initramfs", file, "--cmdline", scene.root.argument];
    const good = archive("good", { ...conf, [BINDING_KEY.slice(1)]: scene.key() });
    expect(runJson(...verify(good))).toMatchObject({
      allowed: true, level: "signed", computed: true, signed: { commit: scene.root.commit, keys: [scene.keyId] }, sources: { policy: `${SETUP_ROOT} in ${good}`, commandLine: "--cmdline" },
    });
    expectCode("SR-E221", ...verify(archive("stranger", { ...conf, [BINDING_KEY.slice(1)]: scene.key("stranger") })));
    expectCode("SR-E230", ...verify(archive("keyless", conf)));
    expectCode("SR-E231", ...verify(archive("empty", { ...conf, [BINDING_KEY.slice(1)]: "" })));
    // the keys and the configuration of the system that runs are not asked
    expectCode("SR-E615", ...verify(archive("bare", { "etc/initrd-release": "" })));
  });
});

describe("a boot that sealroot leaves to others", () => {
  /** What the boot's own unit does: nothing, with exit status 0, and no mount. */
  function expectLeft(scene: Scene, cmdline: string, other: string): Finished {
    const before = scene.mounts();
    const boot = scene.run("setup-root", "--if-named", "--cmdline", cmdline);
    expect([boot.exit, boot.stdout]).toEqual([0, "sealroot: no argument names a composefs image, and the policy asks for none\n"]);
    expect(scene.mounts()).toEqual(before);
    expect(json(scene.run("verify", "--json", "--cmdline", cmdline))).toMatchObject({ allowed: false, leftTo: other, error: { code: "SR-E615", exit: 76 } });
    const done = scene.run("verify", "--cmdline", cmdline);
    expectOneBlock(done.stderr, "SR-E615");
    expect([done.exit, done.stdout]).toEqual([76, ""]);
    return done;
  }

  test("to OSTree's program, where nobody asks for composefs", async () => {
    using scene = await Scene.create();
    expect(expectLeft(scene, scene.root.argument, "ostree-prepare-root").stderr).toContain(`left to       ostree-prepare-root, with ${scene.root.argument}`);
    scene.write({ [PREPARE_ROOT]: enabled("no") });
    expect(expectLeft(scene, scene.root.argument, "ostree-prepare-root").stderr).toContain(`${PREPARE_ROOT}  (enabled is no)`);
    scene.write({ [SETUP_ROOT]: '[trust]\nlevel = "none"\n' });
    expect(expectLeft(scene, scene.root.argument, "ostree-prepare-root").stderr).toContain('level = "none"');
  });

  test("for \"maybe\" the disk decides", async () => {
    using scene = await Scene.create();
    scene.write({ [PREPARE_ROOT]: enabled("maybe") });
    expect(json(scene.verify("--json"))).toMatchObject({ allowed: true, leftTo: null, level: "none" });
    expect(scene.verify().stdout).toContain("this boot would be allowed, NOT VERIFIED");
    rmSync(join(scene.disk, scene.root.deployment, ".ostree.cfs"));
    expectLeft(scene, scene.root.argument, "ostree-prepare-root");
    rmSync(join(scene.disk, "ostree/boot.1"));
    expectRefused(scene, "SR-E240");
  });

  test("to nobody, where nothing is named", async () => {
    using scene = await Scene.create();
    expect(expectLeft(scene, "root=/dev/vda1 quiet", "ordinary-root").stderr).toContain("the root file system is booted as it is");
    // an Android boot loader boots systems without OSTree; with a prepare-root.conf its words name a deployment
    for (const word of ["androidboot.mode=normal", "androidboot.slot_suffix=_a"]) expectLeft(scene, `${word} quiet`, "ordinary-root");
    scene.write({ [PREPARE_ROOT]: enabled("no") });
    expectLeft(scene, "androidboot.slot_suffix=_a quiet", "ostree-prepare-root");
    // where the policy insists, leaving the arguments out is refused
    scene.write({ [SETUP_ROOT]: '[trust]\nlevel = "verity"\n' });
    const done = scene.run("verify", "--cmdline", "root=/dev/vda1 quiet");
    expectOneBlock(done.stderr, "SR-E102");
    expect(scene.run("setup-root", "--if-named", "--cmdline", "root=/dev/vda1 quiet").exit).toBe(done.exit);
  });

  test("an argument that cannot be read is nobody else's", async () => {
    using scene = await Scene.create();
    const done = scene.run("verify", "--cmdline", `composefs.digest=v9-x:1 ${scene.root.argument}`);
    expectOneBlock(done.stderr, "SR-E103");
  });

  test("its help says so", () => {
    expect(run(["verify", "--help"]).stdout).toContain("it is 76 (SR-E615)");
  });
});
