/** Where everything is put and how, in both layouts, by every name that the program is called by. */

import { describe, expect, test } from "bun:test";
import { readdirSync, rmSync, statSync } from "node:fs";
import { ETC, image, INIT, INTERPRETER } from "../support/images.ts";
import { Initramfs } from "../support/initramfs.ts";
import { parseMountTable, topMount } from "../support/mount-table.ts";
import { physicalRoot, shareVar } from "../support/physical-root.ts";
import { faultySetupRoot, sealroot, setupRoot, unverified } from "../support/program.ts";
import { bootReport, expectOneBlock, expectRefusal } from "../support/refusal.ts";

/** An image whose /etc has a label. */
const labelled = (): Promise<string> => image("labelled", (tree) => {
  const done = Bun.spawnSync(["setfattr", "-n", "security.selinux", "-v", "system_u:object_r:etc_t:s0", `${tree}/etc`]);
  if (done.exitCode !== 0) throw new Error(done.stderr.toString());
});

describe("composefs layout", () => {
  test("root, /sysroot, /etc, /var, report and mount sources", async () => {
    const digest = await image();
    using initramfs = await Initramfs.create();
    await physicalRoot(initramfs, { kind: "ext4", state: [digest] });
    const done = setupRoot(initramfs, unverified(digest));
    expect(done).toMatchObject({ exit: 0, stdout: "" });
    expect(done.stderr).toBe(`sealroot: / is composefs:${digest} (NOT VERIFIED); /etc overlay, /var bind\n`);

    const mounts = initramfs.mounts().filter(({ target }) => target.startsWith("/sysroot"));
    expect(mounts.map(({ target, filesystem }) => [target, filesystem])).toEqual([
      ["/sysroot/sysroot", "ext4"], ["/sysroot", "overlay"], ["/sysroot/etc", "overlay"], ["/sysroot/var", "ext4"],
    ]);
    const root = topMount(mounts, "/sysroot");
    expect(root).toMatchObject({ source: `composefs:${digest}` });
    expect(root?.attributes).toContain("ro");
    expect(root?.options).toEqual(expect.arrayContaining(["ro", "metacopy=on", "redirect_dir=on"]));
    expect(topMount(mounts, "/sysroot/etc")?.source).toBe("overlay");
    expect(topMount(mounts, "/sysroot/sysroot")?.attributes).toContain("rw");
    expect(topMount(mounts, "/sysroot/var")?.root).toBe(`/state/deploy/${digest}/var`);

    expect(readdirSync(initramfs.at("/sysroot/sysroot"))).toEqual(expect.arrayContaining(["composefs", "state"]));
    expect(initramfs.read("/sysroot/etc/hostname")).toBe("sealed\n");
    initramfs.shell("echo changed > /sysroot/etc/hostname; echo new > /sysroot/var/new; ! (: > /sysroot/usr/new) 2> /dev/null");
    expect(initramfs.read(`/sysroot/sysroot/state/deploy/${digest}/etc/upper/hostname`)).toBe("changed\n");
    expect(initramfs.read(`/sysroot/sysroot/state/deploy/${digest}/var/new`)).toBe("new\n");

    expect(bootReport(initramfs)).toMatchObject({
      format: 1, ok: true, layout: "composefs", level: "none", enforced: false, placement: "beneath",
      image: { argument: unverified(digest), digest, algorithm: "sha256" },
      proof: [{ path: INIT, bytes: statSync("/bin/sh").size }, { path: INTERPRETER, bytes: statSync(INTERPRETER).size }],
      rungs: { image: "file", root: "detached descriptors", tree: "detached" },
      state: `/sysroot/state/deploy/${digest}`, notes: [],
    });
    expect(readdirSync(initramfs.at("/run/sealroot"))).toEqual(["boot.json"]);
    expect(statSync(initramfs.at("/run/sealroot/boot.json")).mode & 0o777).toBe(0o644);
  });

  test("the upper directory of /etc takes permissions, owner and label from the image's", async () => {
    const digest = await labelled();
    using initramfs = await Initramfs.create();
    await physicalRoot(initramfs, { kind: "ext4", state: [digest] });
    expect(setupRoot(initramfs, unverified(digest)).exit).toBe(0);
    for (const path of ["/sysroot/etc", `/sysroot/sysroot/state/deploy/${digest}/etc/upper`]) {
      expect(statSync(initramfs.at(path)).mode & 0o7777).toBe(ETC.permissions);
      expect(statSync(initramfs.at(path)).gid).toBe(ETC.gid);
      expect(initramfs.shell(`getfattr --absolute-names --only-values -n security.selinux ${path}`)).toBe("system_u:object_r:etc_t:s0");
    }
    expect(statSync(initramfs.at(`/sysroot/sysroot/state/deploy/${digest}/etc/work`)).mode & 0o7777).toBe(0o700);
  });

  test("an upper directory that is there already keeps what it has", async () => {
    const digest = await image();
    using initramfs = await Initramfs.create();
    await physicalRoot(initramfs, { state: [digest] });
    initramfs.shell(`mkdir -m 700 /sysroot/state/deploy/${digest}/etc/upper; echo mine > /sysroot/state/deploy/${digest}/etc/upper/hostname`);
    expect(setupRoot(initramfs, unverified(digest)).exit).toBe(0);
    expect(initramfs.read("/sysroot/etc/hostname")).toBe("mine\n");
    expect(statSync(initramfs.at("/sysroot/etc")).mode & 0o7777).toBe(0o700);
  });
});

describe("bootc layout", () => {
  for (const how of ["--layout bootc", "initramfs-setup", "/usr/lib/bootc/initramfs-setup"]) {
    test(how, async () => {
      const digest = await image();
      using initramfs = await Initramfs.create();
      await physicalRoot(initramfs, { kind: "ext4", state: [digest] });
      rmSync(initramfs.at(`/sysroot/state/deploy/${digest}/var`), { recursive: true });
      shareVar(initramfs.at("/sysroot"), digest);
      const named = how.startsWith("--");
      const done = sealroot(initramfs, [...(named ? ["setup-root", ...how.split(" ")] : ["setup-root"]), "--cmdline", `composefs=?${digest}`], named ? {} : { calledAs: how });
      expect(done.stderr).toBe(`sealroot: / is composefs:${digest} (NOT VERIFIED); /etc bind, /var bind\n`);
      expect(done.exit).toBe(0);

      const mounts = initramfs.mounts();
      expect(topMount(mounts, "/sysroot")).toMatchObject({ filesystem: "overlay", source: `composefs:${digest}` });
      expect(topMount(mounts, "/sysroot/sysroot")?.attributes).toContain("ro");
      expect(topMount(mounts, "/sysroot/etc")).toMatchObject({ filesystem: "ext4", root: `/state/deploy/${digest}/etc` });
      expect(topMount(mounts, "/sysroot/var")).toMatchObject({ filesystem: "ext4", root: "/state/os/default/var" });
      expect(initramfs.read("/sysroot/etc/mine")).toBe("from the deployment\n");
      expect(initramfs.read("/sysroot/var/log/kept")).toBe("shared\n");
      // the binds are writable, the physical root is not
      initramfs.shell("echo x > /sysroot/etc/new; echo x > /sysroot/var/new; ! (: > /sysroot/sysroot/new) 2> /dev/null");
      expect(bootReport(initramfs)).toMatchObject({ layout: "bootc" });
    });
  }

  test("a transient root has the source by which bootc knows it", async () => {
    const digest = await image();
    using initramfs = await Initramfs.create();
    await physicalRoot(initramfs, { state: [digest] });
    initramfs.write("/etc/conf.toml", "[root]\ntransient = true\n");
    expect(setupRoot(initramfs, unverified(digest), "--layout", "bootc", "--config", "/etc/conf.toml").exit).toBe(0);
    expect(topMount(initramfs.mounts(), "/sysroot")?.source).toBe(`transient:composefs=${digest}`);
  });
});

describe("composefs-setup-root", () => {
  test("takes its options, and ignores the positional command", async () => {
    const digest = await image();
    using initramfs = await Initramfs.create();
    initramfs.shell("mkdir /disk");
    await physicalRoot(initramfs, { state: [digest], target: "/disk" });
    initramfs.write("/etc/conf.toml", '[etc]\nmount = "transient"\n');
    const done = sealroot(initramfs, ["ignored", "--sysroot=/disk", "--config", "/etc/conf.toml", "also", "--cmdline", `quiet ${unverified(digest)}`, "--", "--too"], {
      calledAs: "/usr/bin/composefs-setup-root",
    });
    expect(done.stderr).toContain("/etc transient, /var bind");
    expect(done.exit).toBe(0);
    expect(topMount(initramfs.mounts(), "/disk")?.source).toBe(`composefs:${digest}`);
    expect(topMount(initramfs.mounts(), "/disk/etc")?.source).toBe("transient");
  });

  test("without options: /proc/cmdline, /sysroot, /usr/lib/composefs/setup-root-conf.toml", async () => {
    const digest = await image();
    using initramfs = await Initramfs.create({ cmdline: `BOOT_IMAGE=/vmlinuz root=UUID=1 ${unverified(digest)} quiet\n` });
    await physicalRoot(initramfs, { state: [digest] });
    initramfs.write("/usr/lib/composefs/setup-root-conf.toml", '[var]\nmount = "none"\n');
    const done = sealroot(initramfs, [], { calledAs: "composefs-setup-root" });
    expect(done.stderr).toContain("/etc overlay, /var none");
    expect(done.exit).toBe(0);
    expect(topMount(initramfs.mounts(), "/sysroot/var")).toBeUndefined();
  });

  test("a link of that name to the executable", async () => {
    using initramfs = await Initramfs.create();
    const done = sealroot(initramfs, ["--version"], { calledAs: "composefs-setup-root" });
    expect(done).toMatchObject({ exit: 0, stdout: expect.stringMatching(/^sealroot \d+\.\d+\.\d+\n$/), stderr: "" });
  });

  test("--target puts the root elsewhere, leaves the sysroot and the boot's report alone", async () => {
    const digest = await image();
    using initramfs = await Initramfs.create();
    await physicalRoot(initramfs, { state: [digest] });
    initramfs.shell("mkdir /target");
    const sysroot = topMount(initramfs.mounts(), "/sysroot");
    expect(setupRoot(initramfs, unverified(digest), "--target", "/target").exit).toBe(0);
    expect(topMount(initramfs.mounts(), "/sysroot")).toEqual(sysroot);
    expect(topMount(initramfs.mounts(), "/target")?.source).toBe(`composefs:${digest}`);
    expect(initramfs.exists("/run/sealroot/boot.json")).toBe(false);
    expect(initramfs.exists("/run/systemd")).toBe(false);
  });

  test("--root-fs takes a tree instead of an image", async () => {
    const digest = await image();
    using initramfs = await Initramfs.create();
    await physicalRoot(initramfs, { state: [digest] });
    initramfs.shell("mkdir -p /tree/{etc,var,sysroot,bin}; cp /bin/sh /tree/bin/init; mkdir /tree/lib64; cp /lib64/ld-linux-x86-64.so.2 /tree/lib64/");
    const done = setupRoot(initramfs, unverified(digest), "--root-fs", "/tree");
    expect(done.exit).toBe(0);
    expect(initramfs.exists("/sysroot/sysroot/composefs")).toBe(true);
    expect(topMount(initramfs.mounts(), "/sysroot/etc")?.filesystem).toBe("overlay");
    expect(initramfs.read("/sysroot/var/log/kept")).toBe("from the deployment\n");
  });

  test("--root-fs and transient go together, as with the peer", async () => {
    const digest = await image();
    using initramfs = await Initramfs.create();
    await physicalRoot(initramfs, { state: [digest] });
    initramfs.shell("mkdir -p /tree/{etc,var,sysroot,bin}; cp /bin/sh /tree/bin/init; mkdir /tree/lib64; cp /lib64/ld-linux-x86-64.so.2 /tree/lib64/");
    initramfs.write("/etc/conf.toml", "[root]\ntransient = true\n");
    expect(setupRoot(initramfs, unverified(digest), "--root-fs", "/tree", "--config", "/etc/conf.toml").exit).toBe(0);
    initramfs.shell("echo x > /sysroot/new");
    expect(initramfs.exists("/tree/new")).toBe(false);
  });
});

test("--json prints the report", async () => {
  const digest = await image();
  using initramfs = await Initramfs.create();
  await physicalRoot(initramfs, { state: [digest] });
  const done = setupRoot(initramfs, unverified(digest), "--json");
  expect(done).toMatchObject({ exit: 0, stderr: "" });
  expect(JSON.parse(done.stdout)).toEqual(bootReport(initramfs));
});

test("--json prints a refusal as well, beside the block", async () => {
  using initramfs = await Initramfs.create();
  await physicalRoot(initramfs, {});
  const done = setupRoot(initramfs, `composefs=?${"ab".repeat(32)}`, "--json");
  expect(JSON.parse(done.stdout)).toMatchObject({ ok: false, error: { code: "SR-E203", exit: 23 } });
  expectOneBlock(done.stderr, "SR-E203");
  expect(done.exit).toBe(23);
});

test("a second run finds no repository in the new root, and changes nothing", async () => {
  const digest = await image();
  using initramfs = await Initramfs.create();
  await physicalRoot(initramfs, { state: [digest] });
  expect(setupRoot(initramfs, unverified(digest)).exit).toBe(0);
  expectRefusal(initramfs, "SR-E201", () => setupRoot(initramfs, unverified(digest)));
});

test("an image without /sysroot boots; the physical root is out of reach, and the report says so", async () => {
  const digest = await image("no-sysroot", (tree) => rmSync(`${tree}/sysroot`, { recursive: true }));
  using initramfs = await Initramfs.create();
  await physicalRoot(initramfs, { state: [digest] });
  expect(setupRoot(initramfs, unverified(digest)).exit).toBe(0);
  expect(bootReport(initramfs)["notes"]).toEqual(["the image has no /sysroot: the physical root is not mounted"]);
});

test("a repository without meta.json, as old ones are", async () => {
  const digest = await image();
  using initramfs = await Initramfs.create();
  await physicalRoot(initramfs, { state: [digest], meta: false });
  expect(setupRoot(initramfs, unverified(digest)).exit).toBe(0);
});

test("nothing is written to the repository", async () => {
  const digest = await image();
  using initramfs = await Initramfs.create();
  await physicalRoot(initramfs, { state: [digest] });
  const list = (top: string): string => initramfs.shell(`cd ${top}/composefs; find . -printf '%p %y %m %s %T@ %C@\\n' | sort`);
  const before = list("/sysroot");
  expect(setupRoot(initramfs, unverified(digest)).exit).toBe(0);
  expect(list("/sysroot/sysroot")).toBe(before);
});

test("a sysroot that is a directory and no mount of its own: the root goes on top", async () => {
  const digest = await image();
  using initramfs = await Initramfs.create();
  await physicalRoot(initramfs, { state: [digest] });
  initramfs.shell("mkdir -p /sysroot/below; mv /sysroot/composefs /sysroot/state /sysroot/below/");
  expect(setupRoot(initramfs, unverified(digest), "--sysroot", "/sysroot/below").exit).toBe(0);
  expect(bootReport(initramfs)).toMatchObject({ placement: "on top" });
  expect(topMount(initramfs.mounts(), "/sysroot/below")?.source).toBe(`composefs:${digest}`);
});

describe("shared propagation, as systemd sets it", () => {
  for (const [name, faults] of [["this kernel", {}], ["scratch directory", { kernel: "6.12" }], ["on top", { kernel: "6.1" }]] as const) {
    test(`${name}: the same mounts as without, and none elsewhere`, async () => {
      const digest = await image();
      const targets: string[][] = [];
      for (const propagation of ["private", "shared"]) {
        using initramfs = await Initramfs.create();
        await physicalRoot(initramfs, { kind: "ext4", state: [digest] });
        initramfs.shell(`mkdir /elsewhere; mount --make-r${propagation} /`);
        // a namespace that receives what is propagated
        const peer = initramfs.start(["unshare", "--mount", "--propagation", "slave", "bash", "-c", "touch /tmp/ready; while [ ! -e /tmp/done ]; do sleep 0.02; done; cat /proc/self/mountinfo"]);
        while (!initramfs.exists("/tmp/ready")) await Bun.sleep(10);
        const before = new Set(initramfs.mounts().map(({ id }) => id));
        expect(faultySetupRoot(initramfs, faults, unverified(digest)).exit).toBe(0);
        targets.push(initramfs.mounts().filter(({ id }) => !before.has(id)).map(({ target }) => target).toSorted());
        initramfs.write("/tmp/done", "");
        const seen = parseMountTable((await peer).stdout);
        expect(seen.filter(({ target }) => target.startsWith("/run/"))).toEqual([]);
      }
      expect(targets[0]).toEqual(["/sysroot", "/sysroot/etc", "/sysroot/sysroot", "/sysroot/var"]);
      expect(targets[1]).toEqual(targets[0] ?? []);
    });
  }
});

test("the sysroot's path, however it is written", async () => {
  const digest = await image();
  for (const path of ["/sysroot/", "//sysroot", "/sysroot/.", "sysroot", "/run/../sysroot", "/link"]) {
    using initramfs = await Initramfs.create();
    initramfs.shell("ln -s sysroot /link");
    await physicalRoot(initramfs, { state: [digest] });
    expect(setupRoot(initramfs, unverified(digest), "--sysroot", path).exit).toBe(0);
    expect(initramfs.mounts().filter(({ target }) => target === "/sysroot").map(({ source }) => source)).toEqual([`composefs:${digest}`]);
  }
});

test("a state filesystem that keeps no labels", async () => {
  const digest = await labelled();
  using initramfs = await Initramfs.create();
  await physicalRoot(initramfs, { state: [digest] });
  expect(faultySetupRoot(initramfs, { failAll: { call: "setxattr" }, errno: 95 }, unverified(digest)).exit).toBe(0);
});
