/** What is writable and for how long: every kind of /etc and /var, the transient root, its limits, who may enter. */

import { describe, expect, test } from "bun:test";
import { chmodSync, chownSync, statSync } from "node:fs";
import { ETC, image } from "../support/images.ts";
import { Initramfs } from "../support/initramfs.ts";
import { topMount } from "../support/mount-table.ts";
import { physicalRoot } from "../support/physical-root.ts";
import { setupRoot, unverified } from "../support/program.ts";
import { bootReport, expectRefusal } from "../support/refusal.ts";

/** A namespace in which the plain image is mounted with this configuration. */
async function booted(config: string, { cmdline = "", state = true, name = "plain" } = {}): Promise<Initramfs> {
  const digest = await image(name);
  const initramfs = await Initramfs.create();
  await physicalRoot(initramfs, { state: state ? [digest] : [] });
  initramfs.write("/etc/conf.toml", config);
  const done = setupRoot(initramfs, `${unverified(digest)} ${cmdline}`, "--config", "/etc/conf.toml");
  if (done.exit !== 0) throw new Error(done.stderr);
  return initramfs;
}

const writable = (initramfs: Initramfs, path: string): boolean => initramfs.run(["touch", path]).exit === 0;

/** The kernel's error of the last line that failed. */
const failure = (initramfs: Initramfs, script: string): string => initramfs.run(["bash", "-c", script]).stderr;

describe("/etc and /var", () => {
  for (const name of ["etc", "var"]) {
    const path = `/sysroot/${name}`;
    test(`${name}: none and its alias root leave the image's directory`, async () => {
      for (const kind of ["none", "root"]) {
        using initramfs = await booted(`[${name}]\nmount = "${kind}"\n`);
        expect(topMount(initramfs.mounts(), path)).toBeUndefined();
        expect(writable(initramfs, `${path}/new`)).toBe(false);
      }
    });

    test(`${name}: bind shows the deployment's directory`, async () => {
      using initramfs = await booted(`[${name}]\nmount = "bind"\n`);
      expect(topMount(initramfs.mounts(), path)?.filesystem).toBe("tmpfs");
      expect(initramfs.exists(name === "etc" ? `${path}/mine` : `${path}/log/kept`)).toBe(true);
      expect(writable(initramfs, `${path}/new`)).toBe(true);
    });

    test(`${name}: overlay keeps changes in the deployment's directory`, async () => {
      using initramfs = await booted(`[${name}]\nmount = "overlay"\n`);
      expect(topMount(initramfs.mounts(), path)).toMatchObject({ filesystem: "overlay", source: "overlay" });
      expect(writable(initramfs, `${path}/new`)).toBe(true);
      expect(initramfs.shell(`ls /sysroot/sysroot/state/deploy/*/${name}/upper`)).toBe("new\n");
    });

    test(`${name}: transient, its alias volatile and the older key keep changes in memory only`, async () => {
      for (const line of ['mount = "transient"', 'mount = "volatile"', "transient = true"]) {
        using initramfs = await booted(`[${name}]\n${line}\n`);
        expect(topMount(initramfs.mounts(), path)).toMatchObject({ filesystem: "overlay", source: "transient" });
        expect(writable(initramfs, `${path}/new`)).toBe(true);
        expect(initramfs.shell(`find /sysroot/sysroot/state -name new`)).toBe("");
      }
    });
  }

  test("transient takes permissions and owner from the image's directory", async () => {
    using initramfs = await booted('[etc]\nmount = "transient"\n');
    const facts = statSync(initramfs.at("/sysroot/etc"));
    expect(facts.mode & 0o7777).toBe(ETC.permissions);
    expect(facts.gid).toBe(ETC.gid);
  });

  test("no state directory is needed where nothing is kept", async () => {
    using initramfs = await booted('[etc]\nmount = "transient"\n[var]\nmount = "none"\n', { state: false });
    expect(bootReport(initramfs)["state"]).toBeNull();
  });

  test("systemd.volatile=state and overlay leave /var to systemd, yes does not, and a word in the configuration wins", async () => {
    const cases = [["", "state", true], ["", "overlay", true], ["", "yes", false], ["", "no", false], ['[var]\nmount = "bind"\n', "state", false]] as const;
    for (const [config, value, left] of cases) {
      using initramfs = await booted(config, { cmdline: `systemd.volatile=${value}` });
      expect(topMount(initramfs.mounts(), "/sysroot/var") === undefined).toBe(left);
      expect(topMount(initramfs.mounts(), "/sysroot/etc")?.filesystem).toBe("overlay");
    }
  });
});

describe("transient root", () => {
  test("is one overlay, writable, with the permissions of the image's root; an unprivileged user can enter", async () => {
    using initramfs = await booted("[root]\ntransient = true\n");
    const mounts = initramfs.mounts();
    expect(mounts.filter(({ target, filesystem }) => target === "/sysroot" && filesystem === "overlay")).toHaveLength(1);
    expect(topMount(mounts, "/sysroot")?.source).toStartWith("transient:composefs=");
    expect(topMount(mounts, "/sysroot")?.options.filter((option) => option.startsWith("lowerdir"))).toHaveLength(1);
    expect(mounts.filter(({ filesystem, target }) => filesystem === "overlay" && target.startsWith("/sysroot")).map(({ target }) => target)).toEqual(["/sysroot", "/sysroot/etc"]);
    expect(statSync(initramfs.at("/sysroot")).mode & 0o7777).toBe(0o755);
    initramfs.shell("echo x > /sysroot/new; echo x > /sysroot/usr/new; rm /sysroot/usr/lib64/ld-linux-x86-64.so.2; mv /sysroot/usr/lib /sysroot/usr/moved");
    expect(initramfs.run(["setpriv", "--reuid", "65534", "--regid", "65534", "--clear-groups", "cat", "/sysroot/usr/new"]).stdout).toBe("x\n");
    expect(bootReport(initramfs)).toMatchObject({ ok: true, mounts: expect.arrayContaining([expect.objectContaining({ filesystem: "tmpfs" })]) });
  });

  test("takes odd permissions of the image's root as they are", async () => {
    const digest = await image("odd-root", (tree) => {
      chmodSync(tree, 0o1705);
      chownSync(tree, 3, 4);
    });
    using initramfs = await Initramfs.create();
    await physicalRoot(initramfs, { state: [digest] });
    initramfs.write("/etc/conf.toml", "[root]\ntransient = true\n");
    expect(setupRoot(initramfs, unverified(digest), "--config", "/etc/conf.toml").exit).toBe(0);
    const { mode, uid, gid } = statSync(initramfs.at("/sysroot"));
    expect([mode & 0o7777, uid, gid]).toEqual([0o1705, 3, 4]);
  });

  test("transient-ro has the layer, read-only until somebody remounts it", async () => {
    using initramfs = await booted('[root]\ntransient-ro = true\n');
    expect(writable(initramfs, "/sysroot/new")).toBe(false);
    expect(topMount(initramfs.mounts(), "/sysroot")?.source).toStartWith("transient:composefs=");
    initramfs.shell("mount -o remount,rw,bind /sysroot");
    expect(writable(initramfs, "/sysroot/new")).toBe(true);
  });

  test("/etc and /var go on top as they are set", async () => {
    using initramfs = await booted('[root]\ntransient = true\n[etc]\nmount = "transient"\n[var]\nmount = "none"\n');
    initramfs.shell("echo x > /sysroot/etc/new; echo x > /sysroot/var/new; echo x > /sysroot/etc/large");
    expect(topMount(initramfs.mounts(), "/sysroot/var")).toBeUndefined();
  });
});

describe("limits", () => {
  const cases = [["root", "transient = true", "/sysroot"], ["etc", 'mount = "transient"', "/sysroot/etc"], ["var", 'mount = "transient"', "/sysroot/var"]] as const;
  for (const [table, line, path] of cases) {
    test(`${table}: size`, async () => {
      using initramfs = await booted(`[${table}]\n${line}\nsize = "256K"\n`);
      expect(failure(initramfs, `head -c 200K /dev/zero > ${path}/fits && head -c 200K /dev/zero > ${path}/not`)).toContain("No space left on device");
    });

    test(`${table}: inodes`, async () => {
      using initramfs = await booted(`[${table}]\n${line}\ninodes = 20\n`);
      expect(failure(initramfs, `for i in $(seq 5); do : > ${path}/$i || exit 1; done; echo five >&2; for i in $(seq 6 30); do : > ${path}/$i || exit 1; done`)).toMatch(/^five\n.*No space left on device/);
    });
  }

  test("too small for the layer itself: refused, named, nothing left", async () => {
    const digest = await image();
    using initramfs = await Initramfs.create();
    await physicalRoot(initramfs, { state: [digest] });
    initramfs.write("/etc/conf.toml", "[root]\ntransient = true\ninodes = 1\n");
    const done = expectRefusal(initramfs, "SR-E307", () => setupRoot(initramfs, unverified(digest), "--config", "/etc/conf.toml"));
    expect(done.stderr).toContain("ENOSPC");
  });
});

describe("state directory", () => {
  test("is found by another digest on the command line", async () => {
    const [digest, other] = [await image(), "ab".repeat(32)];
    using initramfs = await Initramfs.create();
    await physicalRoot(initramfs, { state: [other] });
    expect(setupRoot(initramfs, `composefs.digest=v2-sha256-12:${other} ${unverified(digest)}`).exit).toBe(0);
    expect(bootReport(initramfs)).toMatchObject({ state: `/sysroot/state/deploy/${other}`, image: { digest }, passedOver: [{ reason: "not in the repository" }] });
  });

  test("of the mounted image is preferred", async () => {
    const [digest, other] = [await image(), "ab".repeat(32)];
    using initramfs = await Initramfs.create();
    await physicalRoot(initramfs, { state: [other, digest] });
    expect(setupRoot(initramfs, `composefs.digest=v2-sha256-12:${other} ${unverified(digest)}`).exit).toBe(0);
    expect(bootReport(initramfs)).toMatchObject({ state: `/sysroot/state/deploy/${digest}` });
  });
});
