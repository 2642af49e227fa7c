/** Initramfs images by real dracut, oldest to newest, with the project's module; and what check-initramfs says of them. */

import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { chmodSync, cpSync, existsSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { unpack, type Unpacked } from "../../src/initramfs/unpack.ts";
import { dracut, type DracutTree, dracutTree, layOut, put, type Release, SMALL } from "../support/dracut-tree.ts";
import { program } from "../support/program.ts";
import { SignedDisk } from "../support/signed-disk.ts";
import { TemporaryDirectory } from "../support/temporary.ts";
import { projectTop } from "../vm/lab/cache.ts";
import { inTree } from "../vm/lab/tree.ts";

const directory = new TemporaryDirectory();
afterAll(() => directory[Symbol.dispose]());

const MODULE = "usr/lib/dracut/modules.d/37sealroot/module-setup.sh";
const CONFIG = "usr/lib/composefs/setup-root-conf.toml";
const UNITS = "/usr/lib/systemd/system";
const DIGEST = "3d".repeat(32);

interface Report {
  readonly exit: number | null;
  readonly helper?: string;
  readonly kernels: readonly string[];
  readonly segments: readonly { readonly compression: string }[];
  readonly findings: readonly { readonly check: string; readonly verdict: string; readonly text: string; readonly profile?: string }[];
}

function check(name: string, ...options: readonly string[]): Report {
  const done = Bun.spawnSync([...program(), "check-initramfs", "--json", ...options, join(directory.path, name)], { stdin: "ignore", stdout: "pipe", stderr: "pipe", timeout: 120_000 });
  if (done.stdout.length === 0) throw new Error(`check-initramfs ended with ${done.exitCode}: ${done.stderr.toString()}`);
  return { exit: done.exitCode, ...JSON.parse(done.stdout.toString()) };
}

const said = ({ findings }: Report, verdict: string): readonly string[] => findings.filter((one) => one.verdict === verdict).map(({ check: what, text }) => `${what}: ${text}`);

/** Layers with sealroot's files: the executable, which is big, in one that all share, the rest changed as a test needs it. */
function layer(name: string, change: (path: string) => void = () => undefined, without: readonly string[] = []): readonly string[] {
  const shared = join(directory.path, "layer-executable");
  if (!existsSync(shared)) layOut(shared, ["dracut/37sealroot", "systemd"]);
  const own = join(directory.path, `layer-${name}`);
  layOut(own, ["dist/sealroot", ...without]);
  change(own);
  return without.includes("dist/sealroot") ? [own] : [own, shared];
}

const open = (name: string): Promise<Unpacked> =>
  unpack(Uint8Array.from(readFileSync(join(directory.path, name))), { keep: (path, size) => (/(^|\/)sealroot$/.test(path) ? size : 0), limit: 2 ** 31 });

let trixie: DracutTree;
let disk: SignedDisk;
beforeAll(async () => {
  trixie = await dracutTree("trixie");
  disk = await SignedDisk.create();
  // of the first second of November 2026
  disk.sign(disk.commit("--version", "1"), "trusted");
}, 1_200_000);
afterAll(() => disk[Symbol.dispose]());

const KEY = "etc/sealroot/release.pub";
const publicKey = (number: number): string => `${new Uint8Array(32).fill(number).toBase64()}\n`;
const FLOOR = "/usr/lib/composefs/setup-root-not-before";
const policyText = (more = ""): string => `[trust]\nlevel = "signed"\nkeys = "/${KEY}"\n${more}\n`;

/** Would the disk boot by this initramfs? @returns the level, or the code of the refusal */
function verdict(name: string): string {
  const done = Bun.spawnSync([...program(), "verify", "--json", "--sysroot", disk.root, "--cmdline", disk.argument, "--initramfs", join(directory.path, name)], { stdin: "ignore", stdout: "pipe", stderr: "pipe", timeout: 120_000 });
  const { level, error } = JSON.parse(done.stdout.toString()) as { level?: string; error?: { code: string } };
  return level ?? error?.code ?? "";
}

interface Floor {
  readonly policy?: string;
  readonly dracutConf?: string;
  /** Shell, before dracut. */
  readonly before?: string;
  /** Changes the layer. */
  readonly change?: (path: string) => void;
}

/** An initramfs with this floor. @returns what it says about it, and when it was made */
async function withFloor(tree: DracutTree, name: string, { policy = policyText('not-before = "build"'), dracutConf, before, change }: Floor): Promise<{ text: string | undefined; from: number; to: number }> {
  const layers = layer(name, (path) => {
    put(path, { [CONFIG]: policy, [KEY]: readFileSync(disk.key("trusted").public, "utf8"), ...(dracutConf === undefined ? {} : { "etc/dracut.conf.d/sealroot.conf": `${dracutConf}\n` }) });
    // the executable is not looked at here, and most of what an initramfs weighs
    put(path, { "usr/bin/sealroot": "#!/bin/sh\n" });
    chmodSync(join(path, "usr/bin/sealroot"), 0o755);
    change?.(path);
  }, ["dist/sealroot"]);
  const from = Math.floor(Date.now() / 1000);
  await dracut(tree, { layers, directory: directory.path, name, arguments: ["--no-hostonly", ...SMALL], ...(before === undefined ? {} : { script: `${before}\n"$@"` }) });
  const { tree: files } = await unpack(Uint8Array.from(readFileSync(join(directory.path, name))), { keep: (path, size) => (path.endsWith("not-before") ? size : 0), limit: 2 ** 31 });
  const data = files.file(FLOOR)?.inode.data;
  return { text: data === undefined ? undefined : new TextDecoder().decode(data), from, to: Math.ceil(Date.now() / 1000) };
}

describe.each<[Release, string]>([["bookworm", "059"], ["trixie", "106"], ["forky", "112"]])("Debian %s, dracut %s", (release, version) => {
  let tree: DracutTree;
  beforeAll(async () => {
    tree = await dracutTree(release);
  }, 1_200_000);

  test("a general initramfs has everything", async () => {
    expect(readFileSync(join(tree.root, "var/lib/dpkg/status"), "utf8")).toMatch(new RegExp(`^Package: dracut\\n(.+\\n)*?Version: ${version}`, "m"));
    await dracut(tree, { layers: layer(release), directory: directory.path, name: release, arguments: ["--no-hostonly", "--compress", "zstd -1"] });
    const report = check(release);
    expect(said(report, "error")).toEqual([]);
    expect({ exit: report.exit, helper: report.helper, kernels: report.kernels }).toEqual({ exit: 0, helper: "sealroot", kernels: [tree.kernel.version] });
    expect(report.segments.at(-1)?.compression).toBe("zstd");

    const { tree: files } = await open(release);
    for (const unit of ["sealroot-setup-root.service", "sealroot-guard.service"]) {
      expect(files.find(`${UNITS}/initrd-root-fs.target.wants/${unit}`)?.path).toBe(`${UNITS}/${unit}`);
    }
    expect(files.find("/usr/bin/composefs-setup-root")?.path).toBe("/usr/bin/sealroot");
    expect(files.find(`${UNITS}/composefs-setup-root.service`)?.path).toBe(`${UNITS}/sealroot-setup-root.service`);
    // What the kernel hashes fs-verity blocks with, where it is not built in.
    const modules = [...files.list(`/usr/lib/modules/${tree.kernel.version}/kernel/arch/x86/crypto`)];
    if (release !== "forky") expect(modules.some((name) => name.startsWith("sha256-ssse3.ko"))).toBe(true);
  }, 900_000);

  test("the executable went through strip and still runs", async () => {
    const { tree: files } = await open(release);
    const found = files.file("/usr/bin/sealroot")?.inode;
    const path = join(directory.path, `sealroot-${release}`);
    writeFileSync(path, found?.data ?? new Uint8Array(0), { mode: 0o755 });
    chmodSync(path, 0o755);
    const run = (file: string): string => Bun.spawnSync([file, "explain"], { stdin: "ignore", stdout: "pipe", stderr: "pipe", env: {} }).stdout.toString();
    expect(run(path)).toBe(run(join(projectTop, "dist/sealroot")));
    expect(found?.size).toBeLessThan(readFileSync(join(projectTop, "dist/sealroot")).length);
    rmSync(path);
  }, 60_000);

  test("it is included when dracut looks at this machine only", async () => {
    await dracut(tree, { layers: layer(`${release}-host`), directory: directory.path, name: `${release}-host`, arguments: ["--hostonly", "--no-compress"] });
    expect(said(check(`${release}-host`), "error")).toEqual([]);
  }, 300_000);

  test("policy and keys come along", async () => {
    const keys = layer(`${release}-keys`, (path) =>
      put(path, {
        [CONFIG]: '[root]\ntransient = false\n[trust] # who may sign\nlevel = "signed" # "/not/a/key"\nkeys = [\n  "/etc/sealroot/one.pub",\n  \'/usr/share/sealroot/keys\', "/etc/sealroot/two.pub",\n]\n',
        "etc/sealroot/one.pub": publicKey(1),
        "etc/sealroot/two.pub": publicKey(2),
        "usr/share/sealroot/keys/three.pub": publicKey(3),
        "usr/share/sealroot/keys/four.pub": publicKey(4),
      }),
    );
    await dracut(tree, { layers: keys, directory: directory.path, name: `${release}-keys`, arguments: ["--no-hostonly", ...SMALL] });
    const report = check(`${release}-keys`);
    // bookworm's own kernel is too old for any policy
    expect(said(report, "error").filter((text) => !text.startsWith("kernel: 6.1."))).toEqual([]);
    expect(said(report, "ok").find((text) => text.startsWith("keys: "))).toMatch(/^keys: \/etc\/sealroot\/one\.pub, \/usr\/share\/sealroot\/keys, \/etc\/sealroot\/two\.pub: (?:[0-9a-f]{12}…(?:, |$)){4}$/);
    expect(said(report, "ok")).toContain(`policy: /${CONFIG}, level signed`);
    const { tree: files } = await open(`${release}-keys`);
    expect(files.file("/usr/share/sealroot/keys/four.pub")).toBeDefined();
  }, 300_000);
});

describe("the floor that an initramfs is built with", () => {
  describe.each<Release>(["bookworm", "trixie", "forky"])("%s", (release) => {
    let tree: DracutTree;
    beforeAll(async () => {
      tree = await dracutTree(release);
    }, 1_200_000);

    test('not-before = "build" is the time of the build', async () => {
      const { text, from, to } = await withFloor(tree, `${release}-now`, {});
      expect(text).toMatch(/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ\n$/);
      const time = Date.parse((text ?? "").trimEnd()) / 1000;
      expect(time).toBeGreaterThanOrEqual(from);
      expect(time).toBeLessThanOrEqual(to);
      // the disk's commit is of November 2026
      expect(verdict(`${release}-now`)).toBe(time > Date.UTC(2026, 10, 1) / 1000 ? "SR-E228" : "signed");
    }, 300_000);

    test("a time from dracut's configuration; what is as old boots, what is older does not", async () => {
      expect((await withFloor(tree, `${release}-date`, { dracutConf: "sealroot_not_before=2026-11-01T00:00:00Z" })).text).toBe("2026-11-01T00:00:00Z\n");
      expect(verdict(`${release}-date`)).toBe("signed");
      await withFloor(tree, `${release}-later`, { policy: policyText(), dracutConf: 'sealroot_not_before="2026-11-01T00:00:01Z"' });
      expect(verdict(`${release}-later`)).toBe("SR-E228");
    }, 300_000);

    test("the builder's SOURCE_DATE_EPOCH is the time of the build; the age of /usr that of the image", async () => {
      expect((await withFloor(tree, `${release}-epoch`, { before: "export SOURCE_DATE_EPOCH=1790000000" })).text).toBe("2026-09-21T14:13:20Z\n");
      expect((await withFloor(tree, `${release}-image`, { dracutConf: "sealroot_not_before=image", before: "touch -d @1790000001 /usr" })).text).toBe("2026-09-21T14:13:21Z\n");
    }, 300_000);
  });

  test("it raises a date in the policy and never lowers it", async () => {
    await withFloor(trixie, "raise", { policy: policyText("not-before = 2020-01-01T00:00:00Z"), dracutConf: "sealroot_not_before=2026-11-01T00:00:01Z" });
    expect(verdict("raise")).toBe("SR-E228");
    await withFloor(trixie, "keep", { policy: policyText("not-before = 2026-11-01T00:00:01Z"), dracutConf: "sealroot_not_before=2020-01-01T00:00:00Z" });
    expect(verdict("keep")).toBe("SR-E228");
  }, 300_000);

  test("none where nobody asks for one; a comment does not", async () => {
    expect((await withFloor(trixie, "no-floor", { policy: policyText('# not-before = "build"') })).text).toBeUndefined();
    expect(verdict("no-floor")).toBe("signed");
  }, 300_000);

  test("a file that is missing or changed in its form stops the boot, and is found before", async () => {
    const without = (path: string): void => {
      const file = join(path, MODULE);
      writeFileSync(file, readFileSync(file, "utf8").replace(/^    _sealroot_install_floor$/m, "    :"));
    };
    expect((await withFloor(trixie, "missing", { change: without })).text).toBeUndefined();
    expect(verdict("missing")).toBe("SR-E246");
    expect(said(check("missing"), "error")).toContainEqual(expect.stringContaining("SR-E246"));
    const garbled = (path: string): void => {
      const file = join(path, MODULE);
      writeFileSync(file, readFileSync(file, "utf8").replace("'%s\\n' \"$time\"", "'%s' \"$time\""));
    };
    expect((await withFloor(trixie, "garbled", { change: garbled, dracutConf: "sealroot_not_before=2020-01-01T00:00:00Z" })).text).toBe("2020-01-01T00:00:00Z");
    expect(verdict("garbled")).toBe("SR-E246");
  }, 300_000);
});

describe("what is missing is said", () => {
  const without = (pattern: RegExp, replacement: string) => (path: string) => {
    const file = join(path, MODULE);
    const text = readFileSync(file, "utf8");
    const changed = text.replace(pattern, replacement);
    expect(changed).not.toBe(text);
    writeFileSync(file, changed);
  };
  test.each<[string, (path: string) => void, string | RegExp]>([
    ["the wants links", without(/^ *ln_r "\$units\/\$unit".*$/m, ":"), /^wants link: nothing starts sealroot-setup-root.service/],
    ["links where dracut 109 lost them", without(/\$units\/initrd-root-fs/g, "/initrd-root-fs"), /^wants link: \/initrd-root-fs.target.wants\/sealroot-setup-root.service is where systemd does not look/],
    ["the executable", without(/^ *inst_multiple \/usr\/bin\/sealroot.*$/m, ":"), "executable: /usr/bin/sealroot is not in it"],
    ["the unit", without(/^ *inst_multiple "\$units\/\$unit".*$/m, ":"), /^unit: sealroot-setup-root.service is not in it/],
    ["the kernel modules", without(/^installkernel\(\) \{/m, "installkernel() {\n    return 0"), /^kernel: .*: erofs is neither a module in it nor built in$/],
  ])("%s", async (name, change, error) => {
    const part = name.replaceAll(" ", "-");
    await dracut(trixie, { layers: layer(part, change), directory: directory.path, name: part, arguments: ["--no-hostonly", ...SMALL] });
    const report = check(part);
    expect(report.exit).toBe(70);
    expect(said(report, "error")).toContainEqual(typeof error === "string" ? error : expect.stringMatching(error));
  }, 120_000);

  test("an initramfs that nobody told of sealroot", async () => {
    await dracut(trixie, { layers: layer("none"), directory: directory.path, name: "none", arguments: ["--no-hostonly", "--no-compress", "--modules", "systemd-initrd base"] });
    const report = check("none");
    expect(report.exit).toBe(70);
    expect(said(report, "error")).toEqual(expect.arrayContaining(["executable: /usr/bin/sealroot is not in it", expect.stringMatching(/^unit: /), expect.stringMatching(/^kernel: .*erofs/)]));
  }, 120_000);
});

test("OSTree's two files: the key that the boot takes, and a directory of keys", async () => {
  const make = async (name: string, files: Readonly<Record<string, string>>): Promise<Report> => {
    await dracut(trixie, { layers: layer(name, (path) => put(path, files)), directory: directory.path, name, arguments: ["--no-hostonly", ...SMALL] });
    return check(name);
  };
  const [first, second] = ["usr/lib/ostree/prepare-root.conf", "etc/ostree/prepare-root.conf"];
  const replaced = await make("ostree-key", { [first]: "[composefs]\nenabled = signed\nkeypath = /etc/k1\n", [second]: "[composefs]\nenabled = signed\n", "etc/k1": publicKey(1), "etc/ostree/initramfs-root-binding.key": publicKey(2) });
  expect(said(replaced, "error")).toEqual([]);
  expect(said(replaced, "ok").filter((text) => text.startsWith("keys: "))).toEqual([expect.stringMatching(/^keys: \/etc\/ostree\/initramfs-root-binding\.key: [0-9a-f]{12}…$/)]);
  const several = await make("ostree-keys", { [first]: "[composefs]\nenabled = signed\nkeypath = /etc/keys/\n", "etc/keys/a.pub": publicKey(1), "etc/keys/b.pub": publicKey(2) });
  expect(said(several, "error")).toEqual([]);
  expect(said(several, "ok").find((text) => text.startsWith("keys: "))).toMatch(/^keys: \/etc\/keys\/: [0-9a-f]{12}…, [0-9a-f]{12}…$/);
}, 300_000);

describe("dracut refuses to make what would not boot", () => {
  const refused = async (name: string, layers: readonly string[], modules?: string): Promise<string> => {
    const run = dracut(trixie, { layers, directory: directory.path, name, arguments: ["--no-hostonly", ...SMALL], ...(modules === undefined ? {} : { modules }) });
    const error = await run.then(() => undefined, (thrown: unknown) => thrown);
    if (!(error instanceof Error)) throw new Error("dracut made it");
    expect(existsSync(join(directory.path, name))).toBe(false);
    return error.message;
  };

  test("without the executable", async () => {
    expect(await refused("r1", layer("r1", undefined, ["dist/sealroot"]))).toContain("sealroot: /usr/bin/sealroot is missing");
  }, 120_000);

  test("without the units", async () => {
    expect(await refused("r2", layer("r2", undefined, ["systemd"]))).toContain("sealroot-setup-root.service is missing");
  }, 120_000);

  test("without a key that the policy names", async () => {
    const layers = layer("r3", (at) => put(at, { [CONFIG]: 'trust = { level = "signed", keys = ["/etc/sealroot/gone.pub"] }\n' }));
    expect(await refused("r3", layers)).toContain("names the key /etc/sealroot/gone.pub, which does not exist");
  }, 120_000);

  test.each([
    ["yesterday", 'sealroot_not_before="yesterday"'], ["2026-02-30T00:00:00Z", "sealroot_not_before=2026-02-30T00:00:00Z"], ["2026-11-01", "sealroot_not_before=2026-11-01"], ["a local time", "sealroot_not_before=2026-11-01T00:00:00"],
  ])("with a floor that is no time: %s", async (name, line) => {
    const layers = layer(`r5-${name.replaceAll(/\W/g, "")}`, (at) => put(at, { [CONFIG]: '[trust]\nlevel = "verity"\n', "etc/dracut.conf.d/sealroot.conf": `${line}\n` }));
    expect(await refused("r5", layers)).toContain("sealroot_not_before: expected now, image, or a time");
  }, 120_000);

  test("with a SOURCE_DATE_EPOCH that is no time of a build", async () => {
    const layers = layer("r8", (at) => put(at, { [CONFIG]: '[trust]\nlevel = "signed"\nkeys = "/etc/k"\nnot-before = "build"\n', "etc/k": "" }));
    const run = dracut(trixie, { layers, directory: directory.path, name: "r8", arguments: ["--no-hostonly", ...SMALL], script: 'export SOURCE_DATE_EPOCH=0\n"$@"' });
    expect(await run.then(() => "dracut made it", (thrown: unknown) => String(thrown))).toContain("is 1970-01-01T00:00:00Z here");
  }, 120_000);

  test("with the age of a /usr that has none", async () => {
    const layers = layer("r6", (at) => put(at, { [CONFIG]: '[trust]\nlevel = "signed"\nkeys = "/etc/k"\n', "etc/k": "", "etc/dracut.conf.d/sealroot.conf": "sealroot_not_before=image\n" }));
    const run = dracut(trixie, { layers, directory: directory.path, name: "r6", arguments: ["--no-hostonly", ...SMALL], script: 'touch -d @0 /usr\n"$@"' });
    expect(await run.then(() => "dracut made it", (thrown: unknown) => String(thrown))).toContain("says nothing; give a time");
  }, 120_000);

  test("without OSTree's key, where both files ask for signatures", async () => {
    const layers = layer("r7", (at) => put(at, { [CONFIG]: '[trust]\nlevel = "signed"\nkeys = "/etc/k"\n', "etc/k": "", "usr/lib/ostree/prepare-root.conf": "[composefs]\nenabled = signed\n" }));
    expect(await refused("r7", layers)).toContain("asks for signatures, names the key /etc/ostree/initramfs-root-binding.key, which does not exist");
  }, 120_000);

  test("for a kernel without erofs", async () => {
    const base = join(directory.path, "without-erofs");
    const { version, modules } = trixie.kernel;
    cpSync(modules, join(base, "lib/modules"), { recursive: true });
    rmSync(join(base, "lib/modules", version, "kernel/fs/erofs"), { recursive: true });
    expect(Bun.spawnSync(["depmod", "-b", base, version]).exitCode).toBe(0);
    expect(await refused("r4", layer("r4"), join(base, "lib/modules"))).toContain("has no erofs or no overlay filesystem");
  }, 120_000);
});

describe("every compression that the kernel takes", () => {
  // The options that dracut itself uses, but for the levels: these are fast.
  test.each([
    ["gzip", "gzip -n -1"],
    ["bzip2", "bzip2 -1"],
    ["lzma", "xz --format=lzma -0"],
    ["xz", "xz --check=crc32 --lzma2=preset=0,dict=1MiB"],
    ["xz", "xz --check=crc32 --x86 --lzma2=preset=0"],
    ["lzo", "lzop -1"],
    ["lz4", "lz4 -l -1"],
    ["zstd", "zstd -q -1"],
  ])("%s by %s", async (compression, command) => {
    if (!existsSync(join(directory.path, "small"))) {
      await dracut(trixie, { layers: layer("small"), directory: directory.path, name: "small", arguments: ["--no-hostonly", ...SMALL] });
    }
    const compress = `${command} -c < /out/small > /out/compressed; printf '\\0\\0\\0' >> /out/compressed`;
    await dracut(trixie, { layers: [], directory: directory.path, name: "compressed", arguments: [], script: compress });
    const report = check("compressed");
    expect(report.segments.map((segment) => segment.compression)).toEqual([compression]);
    expect(said(report, "error")).toEqual([]);
  }, 180_000);
});

describe("unified kernel images", () => {
  test("one by dracut, with its own command line", async () => {
    const build = (name: string, argument: string): Promise<string> =>
      dracut(trixie, { layers: layer(name), directory: directory.path, name, arguments: ["--no-hostonly", ...SMALL, "--uefi", "--kernel-image", "/kernel/vmlinuz", "--kernel-cmdline", `quiet ${argument}`] });
    await build("good.efi", `composefs.digest=v1-sha256-12:${DIGEST}`);
    const good = check("good.efi");
    expect(said(good, "error")).toEqual([]);
    expect(said(good, "ok")).toContain(`command line: composefs.digest=v1-sha256-12:${DIGEST}`);
    await build("bad.efi", `composefs.digest=v1-sha256-12:${DIGEST.slice(1)}`);
    const bad = check("bad.efi");
    expect(bad.exit).toBe(70);
    expect(said(bad, "error")).toEqual([expect.stringContaining("the sha256 digest has 63 hex digits, expected are 64")]);
  }, 180_000);

  test("one with profiles by ukify", async () => {
    const { version } = trixie.kernel;
    const script = [
      `"$@"`,
      `ukify build --profile='ID=rescue' --cmdline='rescue' --output=/tmp/rescue.efi`,
      `ukify build --linux=/kernel/vmlinuz --initrd=/out/uki-initramfs --uname=${version} --cmdline='composefs=${DIGEST}' --profile='ID=main' --join-profile=/tmp/rescue.efi --output=/out/profiles.efi`,
    ].join("\n");
    await dracut(trixie, { layers: layer("profiles"), directory: directory.path, name: "uki-initramfs", arguments: ["--no-hostonly", ...SMALL], script });
    const report = check("profiles.efi");
    expect(report.exit).toBe(70);
    expect(report.findings.filter(({ verdict }) => verdict === "error")).toMatchObject([{ profile: "rescue", text: expect.stringContaining("it names no image") }]);
    expect(report.findings.filter(({ profile, verdict }) => profile === "main" && verdict === "ok").map(({ check: what }) => what)).toContain("command line");
  }, 180_000);
});

test("the scripts hold no surprises: shellcheck", async () => {
  const run = (...args: readonly string[]): Promise<string> => inTree(trixie.root, ["shellcheck", ...args], { binds: [[join(projectTop, "dracut/37sealroot"), "/module"]] });
  expect(await run("--shell=bash", "/module/module-setup.sh")).toBe("");
  expect(await run("--shell=sh", "/module/guard.sh")).toBe("");
}, 600_000);
