/**
 * The rungs below the best one. This kernel is made to refuse what an older one refuses (test/support/faults), everything that
 * it does not refuse happens for real. Kernels 6.1, 6.12 and 7.2 themselves are in test/vm.
 */

import { describe, expect, test } from "bun:test";
import { readdirSync, readFileSync } from "node:fs";
import { image } from "../support/images.ts";
import { Initramfs } from "../support/initramfs.ts";
import { topMount } from "../support/mount-table.ts";
import { physicalRoot } from "../support/physical-root.ts";
import type { Faults } from "../support/faults/rules.ts";
import { faultySetupRoot, unverified } from "../support/program.ts";
import { bootReport, expectRefusal } from "../support/refusal.ts";

type Kernel = NonNullable<Faults["kernel"]>;

const EXPECTED: Readonly<Record<Kernel, { readonly image: string; readonly root: string; readonly tree: string; readonly placement: string }>> = {
  "6.14": { image: "file", root: "descriptors", tree: "private mount point", placement: "beneath" },
  "6.12": { image: "file", root: "lowerdir+", tree: "private mount point", placement: "beneath" },
  "6.6": { image: "loop device", root: "lowerdir=a::b", tree: "private mount point", placement: "beneath" },
  "6.5": { image: "loop device", root: "lowerdir=a::b", tree: "private mount point", placement: "beneath" },
  "6.1": { image: "loop device", root: "lowerdir=a:b", tree: "private mount point", placement: "on top" },
};

const CONFIGS: Readonly<Record<string, string>> = {
  plain: "",
  "transient root": "[root]\ntransient = true\n",
  "transient etc and var": '[etc]\nmount = "transient"\n[var]\nmount = "transient"\n',
  "everything transient": '[root]\ntransient = true\n[etc]\nmount = "transient"\n[var]\nmount = "overlay"\n',
};

/** Loop devices whose file is an image. */
function imagesOnLoopDevices(initramfs: Initramfs, digest: string): number {
  return readdirSync("/sys/block").filter((name) => {
    try {
      return readFileSync(`/sys/block/${name}/loop/backing_file`, "utf8").includes(digest.slice(2));
    } catch {
      return false;
    }
  }).length + (initramfs.pid > 0 ? 0 : 1);
}

describe("as on a kernel that counts a file-backed image as a level of stacking", () => {
  for (const [kind, config] of [["overlay", ""], ["transient", '[etc]\nmount = "transient"\n']] as const) {
    for (const kernel of [undefined, "6.12"] as const) {
      test(`/etc ${kind}${kernel === undefined ? "" : `, ${kernel}`}: on a second overlay of the same image by a loop device`, async () => {
        const digest = await image();
        using initramfs = await Initramfs.create();
        await physicalRoot(initramfs, { kind: "ext4", state: [digest] });
        initramfs.write("/etc/conf.toml", config);
        const done = faultySetupRoot(initramfs, { countsFiles: true, ...(kernel === undefined ? {} : { kernel }) }, unverified(digest), "--config", "/etc/conf.toml");
        expect(done.exit).toBe(0);
        expect(bootReport(initramfs)).toMatchObject({ rungs: { image: "file", etc: expect.stringMatching(/^stacked on a loop device, /) } });
        // a file of which only the metadata changes must keep its content for a boot that knows nothing of metacopy
        initramfs.shell("chmod 600 /sysroot/etc/large");
        if (kind === "overlay") {
          const upper = initramfs.shell(`getfattr -d -m - /sysroot/sysroot/state/deploy/${digest}/etc/upper/large 2>/dev/null; cat /sysroot/sysroot/state/deploy/${digest}/etc/upper/large`);
          expect(upper).not.toContain("metacopy");
          expect(upper).toContain("a line that is long");
        }
        expect(initramfs.read("/sysroot/etc/large")).toStartWith("a line that is long");
      });
    }
  }
});

describe("as on an older kernel", () => {
  for (const kernel of Object.keys(EXPECTED).filter((name): name is Kernel => Object.hasOwn(EXPECTED, name))) {
    for (const [name, config] of Object.entries(CONFIGS)) {
      test(`${kernel}: ${name}`, async () => {
        const digest = await image();
        using initramfs = await Initramfs.create();
        await physicalRoot(initramfs, { kind: "ext4", state: [digest] });
        initramfs.write("/etc/conf.toml", config);
        const before = initramfs.mounts().filter(({ target }) => !target.startsWith("/sysroot"));
        const done = faultySetupRoot(initramfs, { kernel }, unverified(digest), "--config", "/etc/conf.toml");
        expect(done.stderr).toStartWith("sealroot: / is ");
        expect(done.exit).toBe(0);
        const { placement, ...rungs } = EXPECTED[kernel];
        expect(bootReport(initramfs)).toMatchObject({ placement, rungs });

        // nothing is left but what belongs to the new root, and it works
        expect(initramfs.mounts().filter(({ target }) => !target.startsWith("/sysroot"))).toEqual(before);
        expect(readdirSync(initramfs.at("/run/sealroot"))).toEqual(["boot.json"]);
        const root = topMount(initramfs.mounts(), "/sysroot");
        expect(root?.source).toBe(config.includes("[root]") ? `transient:composefs=${digest}` : `composefs:${digest}`);
        expect(root?.options).toContain("metacopy=on");
        expect(initramfs.read("/sysroot/etc/large")).toStartWith("a line that is long");
        expect(initramfs.exists("/sysroot/sysroot/composefs/objects")).toBe(true);
        initramfs.shell("echo x >> /sysroot/etc/large; echo x > /sysroot/var/new; head -1 /sysroot/etc/large > /dev/null");
        if (config.includes("[root]")) initramfs.shell("echo x > /sysroot/usr/new");
        expect(imagesOnLoopDevices(initramfs, digest)).toBe(rungs.image === "loop device" ? 1 : 0);
      });
    }
  }

  test("6.1 with verity wanted: refused with that reason, not mounted by a lesser rung", async () => {
    const digest = await image();
    using initramfs = await Initramfs.create();
    await physicalRoot(initramfs, { kind: "ext4", state: [digest] });
    // measured as it would be where there is fs-verity
    const faults: Faults = { kernel: "6.1", measured: digest };
    const done = expectRefusal(initramfs, "SR-E302", () => faultySetupRoot(initramfs, faults, `composefs.digest=v1-sha256-12:${digest}`));
    expect(done.stderr).toContain("overlayfs of Linux 6.4 or older");
    expect(faultySetupRoot(initramfs, faults, unverified(digest)).exit).toBe(0);
    expect(bootReport(initramfs)).toMatchObject({ level: "none", enforced: false });
  });

  test("a measured image is mounted with verity=require on every rung that can, and then an object without fs-verity stops the boot", async () => {
    for (const kernel of [undefined, "6.14", "6.12", "6.6"] as const) {
      const digest = await image();
      using initramfs = await Initramfs.create();
      await physicalRoot(initramfs, { kind: "ext4", state: [digest] });
      const done = expectRefusal(initramfs, "SR-E400", () => faultySetupRoot(initramfs, { ...(kernel === undefined ? {} : { kernel }), measured: digest }, `composefs.digest=v1-sha256-12:${digest}`));
      expect(done.stderr).toContain("EIO");
    }
  });

  test("measured, and another digest than the argument's: refused before anything is mounted, `?` or not", async () => {
    const digest = await image();
    for (const cmdline of [`composefs.digest=v1-sha256-12:${digest}`, unverified(digest)]) {
      using initramfs = await Initramfs.create();
      await physicalRoot(initramfs, { kind: "ext4", state: [digest] });
      const done = expectRefusal(initramfs, "SR-E210", () => faultySetupRoot(initramfs, { measured: "ab".repeat(32) }, cmdline));
      expect(done.stderr).toContain(`expected  sha256:${digest}`);
      expect(done.stderr).toContain(`found     sha256:${"ab".repeat(32)}`);
    }
  });
});

describe("loop device", () => {
  test("is used where EROFS cannot mount a file of this filesystem, and is gone with the mount", async () => {
    const digest = await image();
    using initramfs = await Initramfs.create();
    await physicalRoot(initramfs, { kind: "tmpfs", state: [digest] });
    expect(faultySetupRoot(initramfs, {}, unverified(digest), "--target", "/tmp").exit).toBe(0);
    expect(imagesOnLoopDevices(initramfs, digest)).toBe(1);
    initramfs.shell("umount -R /tmp");
    for (let attempt = 0; attempt < 100 && imagesOnLoopDevices(initramfs, digest) > 0; attempt++) await Bun.sleep(20);
    expect(imagesOnLoopDevices(initramfs, digest)).toBe(0);
  });

  test("without a device node: one is made where nobody sees it", async () => {
    const digest = await image();
    using initramfs = await Initramfs.create({ ownDevices: true });
    await physicalRoot(initramfs, { kind: "tmpfs", state: [digest] });
    initramfs.shell("rm /dev/loop-control");
    expect(faultySetupRoot(initramfs, {}, unverified(digest)).exit).toBe(0);
    expect(initramfs.exists("/dev/loop-control")).toBe(false);
    expect(readdirSync(initramfs.at("/run/sealroot"))).toEqual(["boot.json"]);
  });

  test("no loop driver: said so, not blamed on EROFS", async () => {
    const digest = await image();
    using initramfs = await Initramfs.create();
    await physicalRoot(initramfs, { kind: "tmpfs", state: [digest] });
    const LOOP_CTL_GET_FREE = 0x4c82;
    const done = expectRefusal(initramfs, "SR-E300", () => faultySetupRoot(initramfs, { failAll: { call: "ioctl", what: LOOP_CTL_GET_FREE }, errno: 19 }, unverified(digest)));
    expect(done.stderr).toContain("loop");
    expect(done.stderr).toMatch(/(meaning|next) .*loop/);
  });

  test("every number taken by others: gives up", async () => {
    const digest = await image();
    using initramfs = await Initramfs.create();
    await physicalRoot(initramfs, { kind: "tmpfs", state: [digest] });
    const LOOP_CONFIGURE = 0x4c0a;
    const done = expectRefusal(initramfs, "SR-E303", () => faultySetupRoot(initramfs, { failAll: { call: "ioctl", what: LOOP_CONFIGURE }, errno: 16 }, unverified(digest)));
    expect(done.stderr).toContain("EBUSY");
  });
});

describe("drivers that are missing", () => {
  for (const [type, code] of [["erofs", "SR-E300"], ["overlay", "SR-E301"], ["tmpfs", "SR-E307"]] as const) {
    test(`${type}: ${code}`, async () => {
      const digest = await image();
      using initramfs = await Initramfs.create();
      await physicalRoot(initramfs, { kind: "ext4", state: [digest] });
      initramfs.write("/etc/conf.toml", "[root]\ntransient = true\n");
      const done = expectRefusal(initramfs, code, () => faultySetupRoot(initramfs, { failAll: { call: "fsopen", what: type }, errno: 19 }, unverified(digest), "--config", "/etc/conf.toml"));
      expect(done.stderr).toContain(`fsopen("${type}"): ENODEV`);
    });
  }
});
