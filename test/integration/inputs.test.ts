/** What setup-root is told: kernel command line, configuration, surroundings. Bad input ends in one clear error, never in a hang. */

import { describe, expect, test } from "bun:test";
import { writeFileSync } from "node:fs";
import type { ErrorCode } from "../../src/errors/index.ts";
import { image } from "../support/images.ts";
import { Initramfs, type InitramfsOptions } from "../support/initramfs.ts";
import { topMount } from "../support/mount-table.ts";
import { physicalRoot } from "../support/physical-root.ts";
import { program, sealroot, setupRoot, unverified, verified } from "../support/program.ts";
import { bootReport, expectOneBlock, expectRefusal } from "../support/refusal.ts";

async function scene(options: InitramfsOptions = {}): Promise<{ readonly initramfs: Initramfs; readonly digest: string } & Disposable> {
  const digest = await image();
  const initramfs = await Initramfs.create(options);
  await physicalRoot(initramfs, { state: [digest] });
  return { initramfs, digest, [Symbol.dispose]: () => initramfs[Symbol.dispose]() };
}

describe("kernel command line", () => {
  const refused: readonly (readonly [string, ErrorCode, string, (string | RegExp)?])[] = [
    ["empty", "SR-E102", ""],
    ["without an argument", "SR-E102", "root=/dev/sda1 ro quiet"],
    ["a name that only begins alike", "SR-E102", `composefs.digests=${"a".repeat(64)} composefs-digest=x xcomposefs=${"a".repeat(64)}`],
    ["an unknown version", "SR-E103", `composefs.digest=v9-sha256-12:${"a".repeat(64)}`, "EROFS format version v9 is not known here"],
    ["too few digits", "SR-E103", "composefs.digest=v1-sha256-12:abc", "3 hex digits"],
    ["no value", "SR-E103", "composefs", "it has no value"],
    ["a path", "SR-E103", "composefs=../../etc/passwd", /"\." at position 1/],
    ["no image of that name", "SR-E203", `composefs=?${"ab".repeat(64)}`],
  ];
  for (const [title, code, cmdline, says = ""] of refused) {
    test(`${title}: ${code}`, async () => {
      using it = await scene();
      expect(expectRefusal(it.initramfs, code, () => setupRoot(it.initramfs, cmdline)).stderr).toMatch(says);
    });
  }

  test("longer than 64 KiB is refused, whatever it says first", async () => {
    using it = await scene({ cmdline: `${unverified(await image())} ${"x".repeat(70_000)}\n` });
    const done = expectRefusal(it.initramfs, "SR-E103", () => sealroot(it.initramfs, ["setup-root"]));
    expect(done.stderr).toContain("at most 65536 are read");
    expect(done.stderr.length).toBeLessThan(2000);
  });

  test("several arguments: the unknown are skipped, the absent passed over, and all of them named, on the console as well", async () => {
    using it = await scene();
    const absent = "cd".repeat(32);
    const done = setupRoot(it.initramfs, `composefs.digest=v7-blake-1:00 composefs=zz ${verified(absent)} ${unverified(it.digest)} ${unverified(it.digest)}`);
    expect(done.exit).toBe(0);
    expect(bootReport(it.initramfs)).toMatchObject({
      image: { digest: it.digest },
      skipped: [{ text: "composefs.digest=v7-blake-1:00", reason: "unknown" }, { text: "composefs=zz", reason: "malformed" }],
      passedOver: [{ argument: verified(absent), reason: "not in the repository" }],
    });
    for (const text of ["composefs.digest=v7-blake-1:00", "composefs=zz", verified(absent)]) expect(done.stderr).toContain(text);
  });

  test("SHA-512 names, format 2, upper case, and composefs= by its length", async () => {
    const digest = await image();
    const long = "5a".repeat(64);
    for (const cmdline of [`composefs=?${long}`, `composefs.digest=?v1-sha512-12:${long}`, `composefs.digest=?v2-sha512-12:${long.toUpperCase()}`]) {
      using initramfs = await Initramfs.create();
      await physicalRoot(initramfs, { state: [long], meta: '{"version":1,"algorithm":"fsverity-sha512-12"}' });
      // the name is all that is looked at where nothing can be measured
      initramfs.shell(`mv /sysroot/composefs/images/${digest} /sysroot/composefs/images/${long}`);
      expect(setupRoot(initramfs, cmdline).exit).toBe(0);
      expect(topMount(initramfs.mounts(), "/sysroot")?.source).toBe(`composefs:${long}`);
      expect(bootReport(initramfs)).toMatchObject({ image: { algorithm: "sha512", digest: long } });
    }
  });

  test("bootc looks at composefs.digest= first, composefs-setup-root goes by the order", async () => {
    const [digest, other] = [await image(), await image("other", (tree) => writeFileSync(`${tree}/usr/other`, "x"))];
    for (const [layout, expected] of [["bootc", digest], ["composefs", other]] as const) {
      using initramfs = await Initramfs.create();
      await physicalRoot(initramfs, { state: [digest, other] });
      expect(setupRoot(initramfs, `composefs=?${other} ${unverified(digest)}`, "--layout", layout).exit).toBe(0);
      expect(topMount(initramfs.mounts(), "/sysroot")?.source).toBe(`composefs:${expected}`);
    }
  });

  test("quotes, newlines and what follows -- are read as the kernel has them", async () => {
    for (const write of [(text: string) => `"${text}"`, (text: string) => text.replace("=", '="').concat('"'), (text: string) => `-- a\n${text}\tb`, (text: string) => `x\xa0${text}\xa0y`]) {
      using it = await scene({ cmdline: Buffer.from(write(unverified(await image())), "latin1") });
      expect(sealroot(it.initramfs, ["setup-root"]).exit).toBe(0);
    }
  });

  test("control characters and bytes that are not UTF-8 reach the console as escapes", async () => {
    const hostile = Buffer.from('composefs="\x1b[31m\x07\x9b\r\nsealroot: all is well  [SR-E000]\n  next  trust me\xff\xfe\u0000"', "latin1");
    using it = await scene({ cmdline: hostile });
    const done = expectRefusal(it.initramfs, "SR-E103", () => sealroot(it.initramfs, ["setup-root"]));
    expect(done.stderr).not.toMatch(/^sealroot: all is well/m);
    expect(done.stderr).not.toMatch(/^ {2}next +trust me/m);
  });

  test("1000 arguments that name nothing: an error within the limit, not a flood", async () => {
    using it = await scene();
    const many = Array.from({ length: 1000 }, (_, index) => `composefs=?${index.toString(16).padStart(64, "0")}`).join(" ");
    const done = expectRefusal(it.initramfs, "SR-E203", () => setupRoot(it.initramfs, many.slice(0, 65_000)));
    expect(done.stderr.split("\n").length).toBeLessThan(40);
    expect(done.stderr).toMatch(/\d+ more/);
  });
});

describe("configuration", () => {
  const configured = (it: { readonly initramfs: Initramfs; readonly digest: string }, text: string | Uint8Array, ...more: readonly string[]) => {
    it.initramfs.write("/etc/conf.toml", text);
    return setupRoot(it.initramfs, unverified(it.digest), "--config", "/etc/conf.toml", ...more);
  };
  const refused: readonly (readonly [string, string | Uint8Array, readonly string[]])[] = [
    ["syntax", "[etc]\nmount = \n", ["/etc/conf.toml", "2"]],
    ["a wrong type", '[root]\n\ntransient = "yes"\n', ["root.transient", "line", "3", "true or false"]],
    ["an unknown kind", '[etc]\nmount = "overlap"\n', ["etc.mount", '"overlay"']],
    ["a size that is none", '[etc]\nmount = "transient"\nsize = "lots"\n', ["etc.size"]],
    ["bytes that are not UTF-8", new Uint8Array([0x5b, 0xff, 0x5d]), ["UTF-8"]],
    ["a NUL", "[etc]\0\n", ["NUL"]],
    ["too long", "#".repeat(100_000), ["too long"]],
    ["an unknown key in [trust]", '[trust]\nlevel = "none"\nleve = 1\n', ["leve"]],
  ];
  for (const [title, text, says] of refused) {
    test(`${title}: SR-E101`, async () => {
      using it = await scene();
      const done = expectRefusal(it.initramfs, "SR-E101", () => configured(it, text));
      for (const part of says) expect(done.stderr).toContain(part);
    });
  }

  test("an error in it is reported also where the unit only asks whether there is something to do", async () => {
    using it = await scene();
    expectRefusal(it.initramfs, "SR-E101", () => configured(it, "[etc\n", "--if-named"));
  });

  test("a directory: SR-E101", async () => {
    using it = await scene();
    it.initramfs.shell("mkdir /etc/conf.toml");
    expectRefusal(it.initramfs, "SR-E101", () => setupRoot(it.initramfs, unverified(it.digest), "--config", "/etc/conf.toml"));
  });

  test("a FIFO that nobody writes to: SR-E101, no hang", async () => {
    using it = await scene();
    it.initramfs.shell("mkfifo /etc/conf.toml");
    expectRefusal(it.initramfs, "SR-E101", () => setupRoot(it.initramfs, unverified(it.digest), "--config", "/etc/conf.toml"));
  });

  test("a link to nothing is no absent file: SR-E101", async () => {
    using it = await scene();
    it.initramfs.shell("ln -s /etc/nothing /etc/conf.toml");
    expectRefusal(it.initramfs, "SR-E101", () => setupRoot(it.initramfs, unverified(it.digest), "--config", "/etc/conf.toml"));
  });

  test("unknown keys are warned about, on the console and in the report, and the boot goes on", async () => {
    using it = await scene();
    const done = configured(it, '[etc]\nmounts = "none"\n[futrue]\nx = 1\n');
    expect(done.exit).toBe(0);
    expect(done.stderr).toMatch(/^sealroot: .*etc\.mounts.*did you mean "mount"/m);
    expect(done.stderr).toContain("futrue");
    expect(bootReport(it.initramfs)).toMatchObject({ config: { path: "/etc/conf.toml", found: true, warnings: [{ line: 2, key: "etc.mounts" }, { line: 3, key: "futrue" }] } });
  });

  test("absent and empty mean the defaults", async () => {
    for (const text of [undefined, ""]) {
      using it = await scene();
      expect((text === undefined ? setupRoot(it.initramfs, unverified(it.digest)) : configured(it, text)).exit).toBe(0);
    }
  });
});

describe("policy: nothing but the initramfs lowers the level", () => {
  const policed = (it: { readonly initramfs: Initramfs }, level: string, cmdline: string, args: readonly string[] = [], env: Record<string, string> = {}) => {
    it.initramfs.write("/usr/lib/composefs/setup-root-conf.toml", `[trust]\nlevel = "${level}"\nkeys = "/etc/keys"\n`);
    return sealroot(it.initramfs, ["setup-root", "--cmdline", cmdline, ...args], { env });
  };
  const refused: readonly (readonly [string, string, ErrorCode, (digest: string) => string, readonly string[]])[] = [
    ["`?`", "verity", "SR-E106", unverified, []],
    ["`?` and then without", "verity", "SR-E212", (digest) => `${unverified(digest)} ${verified(digest)}`, []],
    ["composefs=?", "verity", "SR-E106", (digest) => `composefs=?${digest}`, []],
    ["`?` with the bootc layout", "verity", "SR-E106", unverified, ["--layout", "bootc"]],
    ["--root-fs", "verity", "SR-E108", verified, ["--root-fs", "/"]],
    ["--root-fs with `?`", "verity", "SR-E108", unverified, ["--root-fs", "/"]],
    ["no argument", "verity", "SR-E102", () => "quiet", []],
    ["no argument, only if named", "verity", "SR-E102", () => "quiet", ["--if-named"]],
    ["no argument at level signed, only if named", "signed", "SR-E102", () => "quiet", ["--if-named"]],
    ["an unreadable argument, only if named", "verity", "SR-E103", () => "composefs=zz", ["--if-named"]],
    ["an image without fs-verity", "verity", "SR-E212", verified, []],
    ["signed, an image without fs-verity", "signed", "SR-E212", verified, []],
    ["signed with `?`", "signed", "SR-E106", unverified, []],
    ["--root-fs at level signed", "signed", "SR-E108", verified, ["--root-fs", "/"]],
  ];
  for (const [title, level, code, cmdline, args] of refused) {
    test(`${title}: ${code}`, async () => {
      using it = await scene();
      expectRefusal(it.initramfs, code, () => policed(it, level, cmdline(it.digest), args));
    });
  }

  test("meta.json, a policy on the disk, and the environment change nothing", async () => {
    const digest = await image();
    using initramfs = await Initramfs.create();
    await physicalRoot(initramfs, { state: [digest], meta: '{"version": 1, "algorithm": "fsverity-sha256-12", "insecure": true, "features": {"compatible": ["insecure", "no-verity"]}}' });
    initramfs.shell('mkdir -p /sysroot/usr/lib/composefs /sysroot/etc; echo "[trust]\nlevel = \\"none\\"\ninsecure-argument = true" | tee /sysroot/usr/lib/composefs/setup-root-conf.toml > /sysroot/composefs/setup-root-conf.toml');
    const env = { SEALROOT_INSECURE: "1", COMPOSEFS_INSECURE: "1", SEALROOT_CONFIG: "/dev/null", COMPOSEFS_SETUP_ROOT_CONF: "/dev/null", SEALROOT_LEVEL: "none" };
    expectRefusal(initramfs, "SR-E106", () => policed({ initramfs }, "verity", unverified(digest), [], env));
    expectRefusal(initramfs, "SR-E212", () => policed({ initramfs }, "verity", verified(digest), [], env));
  });

  test("insecure-argument in the initramfs allows `?`", async () => {
    using it = await scene();
    it.initramfs.write("/usr/lib/composefs/setup-root-conf.toml", '[trust]\nlevel = "verity"\ninsecure-argument = true\n');
    expect(setupRoot(it.initramfs, unverified(it.digest)).exit).toBe(0);
    expect(bootReport(it.initramfs)).toMatchObject({ level: "none", enforced: false });
  });
});

describe("--if-named", () => {
  test("does nothing where nothing is asked, writes nothing, mounts nothing", async () => {
    for (const config of [undefined, '[trust]\nlevel = "none"\n', "[etc]\n"]) {
      using it = await scene();
      if (config !== undefined) it.initramfs.write("/usr/lib/composefs/setup-root-conf.toml", config);
      const before = it.initramfs.mountTable();
      const done = setupRoot(it.initramfs, "quiet", "--if-named");
      expect(done).toMatchObject({ exit: 0, stderr: "" });
      expect(it.initramfs.mountTable()).toEqual(before);
      expect(it.initramfs.exists("/run/sealroot")).toBe(false);
    }
  });

  test("mounts where an argument names an image", async () => {
    using it = await scene();
    expect(setupRoot(it.initramfs, unverified(it.digest), "--if-named").exit).toBe(0);
    expect(topMount(it.initramfs.mounts(), "/sysroot")?.filesystem).toBe("overlay");
  });
});

describe("surroundings", () => {
  test("/proc without cmdline: SR-E104", async () => {
    using it = await scene();
    const done = it.initramfs.run(["unshare", "--mount", "bash", "-c", 'mount -t proc -o subset=pid proc /proc; exec "$@"', "-", ...program(), "setup-root"]);
    expectOneBlock(done.stderr, "SR-E104");
    expect(done.exit).toBe(13);
  });

  for (const [who, prefix] of [["a user", ["setpriv", "--reuid", "65534", "--regid", "65534", "--clear-groups"]], ["root of a user namespace", ["unshare", "--user", "--map-root-user"]], ["root without CAP_SYS_ADMIN", ["setpriv", "--bounding-set", "-sys_admin", "--inh-caps", "-sys_admin"]]] as const) {
    test(`${who}: SR-E105`, async () => {
      using it = await scene();
      const before = it.initramfs.mountTable();
      const done = it.initramfs.run([...prefix, ...program(), "setup-root", "--cmdline", unverified(it.digest)]);
      expectOneBlock(done.stderr, "SR-E105");
      expect(done.exit).toBe(14);
      expect(it.initramfs.mountTable()).toEqual(before);
    });
  }

  test("a repository that a user may not read: SR-E105, also from plan", async () => {
    using it = await scene();
    it.initramfs.shell("chmod 700 /sysroot/composefs");
    for (const command of ["setup-root", "plan"]) {
      const done = it.initramfs.run(["setpriv", "--reuid", "65534", "--regid", "65534", "--clear-groups", ...program(), command, "--cmdline", unverified(it.digest)]);
      expectOneBlock(done.stderr, "SR-E105");
    }
  });

  test("--root-fs works without privilege in a namespace of one's own, as the peer's tests use it", async () => {
    using it = await scene();
    it.initramfs.shell("mkdir -p /tree/{etc,var,sysroot,bin} /target; cp /bin/sh /tree/bin/init; mkdir /tree/lib64; cp /lib64/ld-linux-x86-64.so.2 /tree/lib64/; chmod -R a+rX /tree");
    it.initramfs.write("/etc/conf.toml", '[etc]\nmount = "none"\n[var]\nmount = "none"\n');
    const done = it.initramfs.run(["unshare", "--user", "--map-root-user", "--mount", ...program(), "setup-root", "--root-fs", "/tree", "--target", "/target", "--config", "/etc/conf.toml", "--cmdline", `composefs=${it.digest}`]);
    expect(done.stderr).not.toContain("[SR-E");
    expect(done.exit).toBe(0);
  });

  test("/run full: the boot goes on without a report, and says so", async () => {
    using it = await scene();
    it.initramfs.shell("mount -t tmpfs -o size=4k,nr_inodes=2 full /run; : > /run/x || true");
    const done = setupRoot(it.initramfs, unverified(it.digest));
    expect(done.exit).toBe(0);
    expect(done.stderr).toContain("no /run/sealroot/boot.json");
    expect(topMount(it.initramfs.mounts(), "/sysroot")?.filesystem).toBe("overlay");
  });

  test("/run with room for a directory and not for the report", async () => {
    using it = await scene();
    it.initramfs.shell("mount -t tmpfs -o size=4k full /run; head -c 4096 /dev/zero > /run/x");
    const done = setupRoot(it.initramfs, unverified(it.digest));
    expect(done.exit).toBe(0);
    expect(done.stderr).toContain("ENOSPC");
    expect(it.initramfs.exists("/run/sealroot/boot.json")).toBe(false);
  });

  test("/run missing", async () => {
    using it = await scene();
    it.initramfs.shell("umount /run; rmdir /run");
    const done = setupRoot(it.initramfs, unverified(it.digest));
    expect(done.stderr).toContain("no /run/sealroot/boot.json");
    expect(done.exit).toBe(0);
  });

  test("a read-only /run", async () => {
    using it = await scene();
    it.initramfs.shell("mount -o remount,ro /run");
    const before = it.initramfs.mountTable();
    const done = setupRoot(it.initramfs, verified(it.digest));
    expectOneBlock(done.stderr, "SR-E212");
    expect(it.initramfs.mountTable()).toEqual(before);
  });

  test("standard streams that are closed, full, or gone", async () => {
    for (const redirect of ["<&- >&- 2>&-", "> /dev/full 2> /dev/full", "2>&1 | true"]) {
      using it = await scene();
      const done = it.initramfs.run(["bash", "-c", `set -o pipefail; "$@" ${redirect}`, "-", ...program(), "setup-root", "--cmdline", unverified(it.digest)]);
      expect(done.exit).toBe(0);
      expect(topMount(it.initramfs.mounts(), "/sysroot")?.source).toBe(`composefs:${it.digest}`);
    }
  });

  test("few descriptors and a strange umask", async () => {
    using it = await scene();
    const done = it.initramfs.run(["bash", "-c", 'ulimit -n 64; umask 0777; exec "$@"', "-", ...program(), "setup-root", "--cmdline", unverified(it.digest)]);
    expect(done.exit).toBe(0);
    expect(it.initramfs.shell("stat -c %a /sysroot/etc")).toBe("751\n");
  });

  test("arguments that are not understood: SR-E100, before anything is looked at", async () => {
    using it = await scene();
    for (const args of [["--sysrot", "/x"], ["--sysroot"], ["--json=1"], ["--target", "/a", "--target", "/b"], ["--layout", "dracut"], ["--constructor"], ["--__proto__=1"]]) {
      const done = sealroot(it.initramfs, ["setup-root", ...args]);
      expectOneBlock(done.stderr, "SR-E100");
      expect(done.exit).toBe(2);
      expect(it.initramfs.exists("/run/sealroot")).toBe(false);
    }
  });

  test("a target that is not there, or is a file: SR-E308", async () => {
    using it = await scene();
    for (const target of ["/nowhere", "/etc/initrd-release"]) expectRefusal(it.initramfs, "SR-E308", () => setupRoot(it.initramfs, unverified(it.digest), "--target", target), { report: false });
  });
});
