/** gc on a machine: images that are mounted, boot partitions that are not, boot files that are no files, the firmware's own boot options. */

import { describe, expect, test } from "bun:test";
import { cpSync, mkdirSync, rmSync, symlinkSync } from "node:fs";
import { CATALOGUE } from "../../src/errors/index.ts";
import { Initramfs } from "../support/initramfs.ts";
import { program } from "../support/program.ts";
import { expectOneBlock } from "../support/refusal.ts";
import { runProgram, TestRepository } from "../support/repositories.ts";
import { splitstream } from "../support/splitstream.ts";

function sh(script: string): void {
  const { exitCode, stderr } = Bun.spawnSync(["sh", "-ec", script]);
  if (exitCode !== 0) throw new Error(stderr.toString());
}

/** A namespace with a copy of the repository at /tmp/root/composefs. */
async function machine(repository: TestRepository, cmdline = "quiet"): Promise<Initramfs> {
  const namespace = await Initramfs.create({ show: [repository.top], cmdline });
  mkdirSync(namespace.at("/tmp/root"));
  cpSync(repository.path, namespace.at("/tmp/root/composefs"), { recursive: true, verbatimSymlinks: true });
  namespace.shell("mkdir /tmp/mount");
  return namespace;
}

describe("an image that is mounted", () => {
  const gc = (namespace: Initramfs, ...args: readonly string[]): ReturnType<Initramfs["run"]> => namespace.run([...program(), "gc", "--repo", "/tmp/root/composefs", "--no-boot-entries", ...args]);

  test("by image mount is kept", async () => {
    using repository = new TestRepository("sha256-v1");
    const { unnamed } = repository;
    using namespace = await machine(repository);
    namespace.shell(`${program().join(" ")} image mount --verity off --repo /tmp/root/composefs ${unnamed} /tmp/mount`);
    for (const sysroot of ["/tmp/root", "none"]) expect(gc(namespace, "--sysroot", sysroot).stdout).toStartWith("removed 0 images, 0 streams, 0 objects");
    // though nothing of the image is there but what it needs
    namespace.shell(`cd /tmp/root/composefs && rm images/${unnamed} objects/${unnamed.slice(0, 2)}/${unnamed.slice(2)}`);
    const { stderr } = gc(namespace);
    expectOneBlock(stderr, "SR-E542");
    expect(stderr).toContain("mounted at /tmp/mount");
    namespace.shell("umount /tmp/mount");
    expect(gc(namespace).stdout).toStartWith("removed 0 images, 0 streams, 1 object");
  });

  test("by mount.composefs, which does not say which: nothing goes", async () => {
    using repository = new TestRepository("sha256-v1");
    using namespace = await machine(repository);
    for (const basedir of ["/tmp/root/composefs/objects", "composefs/objects"]) {
      namespace.shell(`cd /tmp/root; ${program("mount.composefs").map((word) => `'${word}'`).join(" ")} -o basedir=${basedir} composefs/images/${repository.unnamed} /tmp/mount`);
      const { exit, stderr } = gc(namespace);
      expect(exit).toBe(CATALOGUE["SR-E542"].exit);
      expectOneBlock(stderr, "SR-E542");
      expect(stderr).toContain("--ignore-mount /tmp/mount");
      namespace.shell("umount /tmp/mount");
    }
    // as older tools do it, with paths that mean nothing to anybody else
    namespace.shell(`cd /tmp/root; mkdir /tmp/lower; mount -t erofs -o loop,ro composefs/images/${repository.unnamed} /tmp/lower; mount -t overlay x -o ro,metacopy=on,redirect_dir=on,lowerdir=/tmp/lower::composefs/objects /tmp/mount`);
    expectOneBlock(gc(namespace).stderr, "SR-E542");
    expect(gc(namespace, "--ignore-mount", "/tmp/mount/").stdout).toStartWith("removed 1 image");
  });

  test("by a path that means nothing any more, as kernels before 6.13 write it: nothing goes", async () => {
    using repository = new TestRepository("sha256-v1");
    using namespace = await machine(repository);
    namespace.shell(`cd /tmp/root; mkdir /tmp/lower /tmp/bound; mount -t erofs -o loop,ro composefs/images/${repository.unnamed} /tmp/lower`);
    const MOUNTS = [
      "exec 7</tmp/root/composefs/objects 8</tmp/lower; mount -t overlay composefs -o ro,metacopy=on,redirect_dir=on,lowerdir=/proc/self/fd/8::/proc/self/fd/7 /tmp/mount",
      "exec 7</tmp/root/composefs/objects 8</tmp/lower; mount -t overlay composefs -o ro,metacopy=on,redirect_dir=on,lowerdir=/proc/self/fd/8:/proc/self/fd/7 /tmp/mount",
      `mount --bind /tmp/root/composefs /tmp/bound; ${program("mount.composefs").map((word) => `'${word}'`).join(" ")} -o basedir=/tmp/bound/objects /tmp/root/composefs/images/${repository.unnamed} /tmp/mount; umount /tmp/bound`,
    ];
    for (const mount of MOUNTS) {
      namespace.shell(mount);
      const { stderr } = gc(namespace, "--sysroot", "none");
      expectOneBlock(stderr, "SR-E542");
      expect(stderr).toContain("--ignore-mount /tmp/mount");
      namespace.shell("umount /tmp/mount");
    }
    expect(gc(namespace, "--sysroot", "none").stdout).toStartWith("removed 1 image");
  });

  test("and that other namespaces have too is told once, and seen where it can be", async () => {
    using repository = new TestRepository("sha256-v1");
    using namespace = await machine(repository);
    const outside = "/tmp/store/objects";
    namespace.shell(`${program().join(" ")} image mount --verity off --repo /tmp/root/composefs ${repository.unnamed} /tmp/mount
      mkdir /tmp/other /tmp/store; cp -r /tmp/root/composefs/objects ${outside}; ${program("mount.composefs").map((word) => `'${word}'`).join(" ")} -o basedir=${outside} /tmp/root/composefs/images/${repository.unnamed} /tmp/other`);
    // as services hide directories
    const service = Bun.spawn(["nsenter", `--mount=/proc/${namespace.pid}/ns/mnt`, "--", "unshare", "-m", "sh", "-c", `mount -t tmpfs x /tmp/store; mount -t tmpfs x /tmp/root; echo ready; exec sleep 60`], { stdout: "pipe" });
    try {
      await service.stdout.getReader().read();
      const { stdout, stderr } = gc(namespace, "--sysroot", "none");
      expect(stderr).toBe("");
      expect(stdout).toContain("mounted at /tmp/mount)");
      expect(stdout).not.toContain("of process");
    } finally {
      service.kill();
      await service.exited;
    }
  });

  test("of another store keeps nobody from cleaning up", async () => {
    using repository = new TestRepository("sha256-v1");
    using namespace = await machine(repository);
    namespace.shell(`cp -r /tmp/root/composefs/objects /tmp/objects; cd /tmp/root; ${program("mount.composefs").map((word) => `'${word}'`).join(" ")} -o basedir=/tmp/objects composefs/images/${repository.unnamed} /tmp/mount`);
    expect(gc(namespace).stdout).toStartWith("removed 1 image");
  });

  test("might be in a table of mounts that is too long to be read: nothing goes, and nobody waits", async () => {
    using repository = new TestRepository("sha256-v1");
    using namespace = await Initramfs.create();
    const name = "a".repeat(240);
    namespace.shell(`mkdir /tmp/all; mount -t tmpfs all /tmp/all; cd /tmp/all; for i in $(seq 14); do mkdir ${name}; cd ${name}; done; for i in $(seq 11); do mkdir $i; mount --rbind /tmp/all $i; done`);
    const { stderr } = repository.run("gc --no-boot-entries");
    expectOneBlock(stderr, "SR-E542");
    expect(stderr).toContain(`/proc/${namespace.pid}/mountinfo`);
  });

  test("in another mount namespace is kept", async () => {
    using repository = new TestRepository("sha256-v1");
    using namespace = await machine(repository);
    namespace.shell(`${program().join(" ")} image mount --verity off --repo ${repository.path} ${repository.unnamed} /tmp/mount`);
    const { value } = repository.json("gc --no-boot-entries");
    expect(value["removed"]).toMatchObject({ objects: 0 });
    expect(JSON.stringify(value["kept"])).toContain("mounted at /tmp/mount of process");
  });
});

test("in a PID namespace of its own gc says that others have mounts too", () => {
  using repository = new TestRepository("sha256-v1");
  const gc = (...args: readonly string[]): string => {
    const done = Bun.spawnSync(["unshare", "--mount", "--pid", "--fork", "--mount-proc", ...program(), "gc", "--dry-run", "--no-boot-entries", "--repo", repository.path, ...args], { stdin: "ignore", timeout: 60_000 });
    expect(done.stderr.toString()).toBe("");
    return done.stdout.toString();
  };
  expect(gc()).toContain("outside this PID namespace are not seen");
  // no machine's, so nobody's to boot from
  expect(gc("--sysroot", "none")).not.toContain("PID namespace");
});

describe("the running system", () => {
  const gc = (namespace: Initramfs, ...args: readonly string[]): ReturnType<Initramfs["run"]> => namespace.run([...program(), "gc", "--repo", "/sysroot/composefs", ...args]);
  const start = async (repository: TestRepository, cmdline: string): Promise<Initramfs> => {
    const namespace = await machine(repository, cmdline);
    namespace.shell("mount --bind /tmp/root /sysroot; mount -t tmpfs firmware /sys/firmware");
    return namespace;
  };

  test("needs the image on its command line; after a soft reboot that on its root", async () => {
    using repository = new TestRepository("sha256-v1");
    const { unnamed } = repository;
    const gone = "e".repeat(64);
    using namespace = await start(repository, `composefs=${gone}`);
    expectOneBlock(gc(namespace, "--no-boot-entries").stderr, "SR-E542");
    // as in a new root: its mount says what it is
    namespace.shell(`mkdir /tmp/other; mount -t overlay composefs:${unnamed} -o ro,lowerdir=/usr:/tmp/other /usr`);
    expect(gc(namespace, "--no-boot-entries").stdout).toStartWith("removed 0 images, 0 streams, 0 objects");
    namespace.shell(`cd /sysroot/composefs && rm images/${unnamed} objects/${unnamed.slice(0, 2)}/${unnamed.slice(2)}`);
    expectOneBlock(gc(namespace, "--no-boot-entries").stderr, "SR-E542");
  });

  test("was started by EFI firmware, and the partition for that is not mounted", async () => {
    using repository = new TestRepository("sha256-v1");
    const { kept } = repository;
    using namespace = await start(repository, `composefs=${kept}`);
    namespace.write("/tmp/root/boot/loader/entries/a.conf", `linux /v\noptions composefs=${kept}\n`);
    expect(gc(namespace, "--dry-run").stdout).toStartWith("would remove 1 image");
    namespace.shell("mkdir /sys/firmware/efi");
    const { stderr } = gc(namespace);
    expectOneBlock(stderr, "SR-E542");
    expect(stderr).toContain("no EFI system partition is mounted");
    expect(gc(namespace, "--dry-run", "--no-boot-entries").stdout).toContain("no EFI system partition is mounted");
    namespace.shell("mkdir /tmp/esp");
    expect(gc(namespace, "--dry-run", "--boot", "/tmp/esp").stdout).toStartWith("would remove 1 image");
  });

  test("has a unit or a line of fstab for a partition that is not mounted", async () => {
    using repository = new TestRepository("sha256-v1");
    const { kept } = repository;
    using namespace = await start(repository, `composefs=${kept}`);
    namespace.write("/tmp/root/boot/loader/entries/a.conf", `linux /v\noptions composefs=${kept}\n`);
    // one that is masked mounts nothing
    namespace.write("/run/systemd/generator/boot-efi.mount", "[Mount]\n");
    namespace.write("/etc/fstab", "UUID=1 /boot/efi vfat defaults 0 0\n");
    namespace.shell("mkdir -p /etc/systemd/system; ln -s /dev/null /etc/systemd/system/boot-efi.mount");
    expect(gc(namespace, "--dry-run").exit).toBe(0);
    namespace.shell("rm /etc/systemd/system/boot-efi.mount /run/systemd/generator/boot-efi.mount /etc/fstab");
    for (const [file, text] of [["/etc/fstab", "# /dev/sda1 /efi vfat defaults 0 0\nUUID=1 /boot/efi/ vfat umask=077,noauto 0 2\n"], ["/run/systemd/generator/boot.mount", "[Mount]\n"]] as const) {
      expect(gc(namespace, "--dry-run").exit).toBe(0);
      namespace.write(file, text);
      const { stderr } = gc(namespace);
      expectOneBlock(stderr, "SR-E542");
      expect(stderr).toContain(file);
      namespace.shell(`rm ${file}`);
    }
    namespace.write("/etc/fstab", "UUID=1 /boot ext4 defaults 0 0\n");
    namespace.shell("mkdir /boot; mount --bind /tmp/root/boot /boot");
    expect(gc(namespace, "--dry-run").exit).toBe(0);
  });

  test("has boot options in its firmware", async () => {
    using repository = new TestRepository("sha256-v1");
    const { kept, unnamed } = repository;
    using namespace = await start(repository, `composefs=${kept}`);
    const option = (text: string): Uint8Array => new Uint8Array(Buffer.concat([new Uint8Array(10), Buffer.from(`Linux\0\\vmlinuz.efi\0initrd=\\i ${text}\0`, "utf16le")]));
    namespace.write("/sys/firmware/efi/efivars/Boot0003-8be4df61-93ca-11d2-aa0d-00e098032b8c", option(`composefs=${unnamed}`));
    // of a system that is long gone
    namespace.write("/sys/firmware/efi/efivars/Boot000A-8be4df61-93ca-11d2-aa0d-00e098032b8c", option(`composefs=${"a".repeat(64)}`));
    const { stdout } = gc(namespace, "--no-boot-entries");
    expect(stdout).toStartWith("removed 0 images, 0 streams, 0 objects");
    expect(stdout).toContain("boot option Boot0003 of the firmware");
    // as one that the firmware does not give
    namespace.shell("mkdir /sys/firmware/efi/efivars/Boot000B-8be4df61-93ca-11d2-aa0d-00e098032b8c");
    namespace.write("/tmp/root/boot/loader/entries/a.conf", `linux /v\noptions composefs=${kept}\n`);
    const refused = gc(namespace).stderr;
    expectOneBlock(refused, "SR-E542");
    expect(refused).toContain("Boot000B");
    expect(gc(namespace, "--no-boot-entries").exit).toBe(0);
  });
});

describe("a physical root that does not run, with partitions that are not mounted", () => {
  const entry = (repository: TestRepository): void => repository.write("boot/loader/entries/a.conf", `linux /v\noptions composefs=${repository.kept}\n`);
  const refused = (repository: TestRepository, words: string): void => {
    const { stderr } = repository.run("gc");
    expectOneBlock(stderr, "SR-E542");
    expect(stderr).toContain(words);
    mkdirSync(`${repository.top}/esp`, { recursive: true });
    expect(repository.run("gc", "--dry-run", "--boot", `${repository.top}/esp`).exit).toBe(0);
    expect(repository.run("gc", "--dry-run", "--no-boot-entries").exit).toBe(0);
  };

  test("an empty mount point", () => {
    using repository = new TestRepository("sha256-v1");
    entry(repository);
    expect(repository.run("gc", "--dry-run").exit).toBe(0);
    mkdirSync(`${repository.top}/boot/efi`);
    refused(repository, "boot/efi is empty");
  });

  test("fstab of a deployment", () => {
    using repository = new TestRepository("sha256-v1");
    entry(repository);
    repository.write(`state/deploy/${repository.kept}/etc/fstab`, "UUID=1\t/efi\tvfat\tumask=077\t0 2\n");
    refused(repository, "etc/fstab mounts something at /efi");
  });

  test("one that is mounted is found by whatever name the physical root has", async () => {
    using repository = new TestRepository("sha256-v1");
    entry(repository);
    repository.write(`state/deploy/${repository.kept}/etc/fstab`, "UUID=1 /efi vfat defaults 0 0\n");
    using namespace = await Initramfs.create();
    namespace.shell(`mkdir /tmp/root; mount -t tmpfs x /tmp/root; mkdir -p /tmp/root/efi`);
    cpSync(repository.top, namespace.at("/tmp/root"), { recursive: true, verbatimSymlinks: true });
    namespace.shell("ln -s root /tmp/link");
    const gc = (sysroot: string): number | null => namespace.run(["sh", "-c", `cd /tmp; exec "$@"`, "sh", ...program(), "gc", "--dry-run", "--repo", "/tmp/root/composefs", "--sysroot", sysroot]).exit;
    const NAMES = ["/tmp/root", "/tmp/root/", "/tmp/link", "root"];
    expect(NAMES.map(gc)).toEqual(NAMES.map(() => CATALOGUE["SR-E542"].exit));
    namespace.shell("mount -t tmpfs esp /tmp/root/efi; mkdir /tmp/root/efi/EFI");
    expect(NAMES.map(gc)).toEqual(NAMES.map(() => 0));
  });
});

describe("boot directories", () => {
  test("are looked up below the physical root, whatever their links say", () => {
    using repository = new TestRepository("sha256-v1");
    const { top, unnamed } = repository;
    repository.write("partition/loader/entries/a.conf", `linux /v\noptions composefs=${unnamed}\n`);
    symlinkSync("/partition", `${top}/boot`);
    expect(repository.json("gc").value["removed"]).toMatchObject({ objects: 0 });
    rmSync(`${top}/boot`);
    symlinkSync("../../../../../../../partition", `${top}/boot`);
    expect(repository.json("gc").value["removed"]).toMatchObject({ objects: 0 });
  });

  const NODES = { "a character device": "mknod f c 60 60", "a FIFO": "mkfifo f", "a directory": "mkdir f" } as const;
  for (const [name, make] of Object.entries(NODES)) {
    test(`${name} where a menu should be is not opened, and ends it`, () => {
      using repository = new TestRepository("sha256-v1");
      repository.write("boot/loader/entries/a.conf", `linux /v\noptions composefs=${repository.kept}\n`);
      mkdirSync(`${repository.top}/boot/extlinux`);
      sh(`cd ${repository.top}/boot/loader/entries && ${make} && mv f f.conf`);
      const { stderr } = repository.run("gc");
      expectOneBlock(stderr, "SR-E542");
      expect(stderr).toContain(`found        ${name}\n`);
    });
  }

  /** Boot files that name an image, by path. */
  const files: Readonly<Record<string, (digest: string) => string>> = {
    "boot/extlinux/extlinux.conf": (digest) => `LABEL a\n  KERNEL /v\n  APPEND rw composefs=${digest}\n`,
    "boot/syslinux/syslinux.cfg": (digest) => `APPEND rw composefs=${digest}\n`,
    "boot/firmware/cmdline.txt": (digest) => `console=tty1 composefs=${digest} rootwait\n`,
    "boot/refind_linux.conf": (digest) => `"Boot" "ro composefs=${digest}"\n`,
    "boot/efi/EFI/refind/refind.conf": (digest) => `menuentry x {\n  loader /v\n  options "composefs=${digest}"\n}\n`,
    "boot/limine/limine.conf": (digest) => `/x\n  protocol: linux\n  cmdline: composefs=${digest}\n`,
    "boot/boot.scr": (digest) => `\x27\x05\x19\x56\0\0setenv bootargs composefs=${digest}\n`,
    "boot/grub2/deep/custom.cfg": (digest) => `linux /v composefs=${digest}\n`,
    "boot/loader/entries/b+3.conf": (digest) => `uki /EFI/Linux/bootc_composefs-${digest}+3.efi\n`,
  };
  for (const [path, textOf] of Object.entries(files)) {
    test(path, () => {
      using repository = new TestRepository("sha256-v1");
      repository.write(path, textOf(repository.unnamed));
      expect(repository.json("gc").value["removed"]).toMatchObject({ objects: 0 });
    });
  }
});

describe("the OCI manifest that bootc's record of a deployment names", () => {
  const hex = "7".repeat(64);
  const make = (repository: TestRepository): string => {
    const { kept } = repository;
    const layer = repository.put(splitstream({ objects: [repository.put(new TextEncoder().encode("of the layer"))], chunks: new Uint8Array(0) }));
    repository.link(`streams/oci-layer-sha256:${hex}`, layer);
    repository.link(`streams/oci-manifest-sha256:${hex}`, repository.put(splitstream({ named: [["layer", layer]], chunks: new Uint8Array(0) })));
    return `state/deploy/${kept}/${kept}.origin`;
  };
  test("stays, with its layers", () => {
    using repository = new TestRepository("sha256-v1");
    repository.write(make(repository), `[origin]\ncontainer-image-reference = x ; y\n\n[boot]\nboot_type = bls\n\n[image]\nmanifest_digest = sha256:${hex}\n`);
    const { value } = repository.json("gc --no-boot-entries");
    expect(value["removed"]).toMatchObject({ streams: [], objects: 2 });
    expect(JSON.stringify(value["kept"])).toContain(".origin");
  });
  test("deployments may share a directory by a link", () => {
    using repository = new TestRepository("sha256-v1");
    const { kept, unnamed } = repository;
    repository.write(make(repository), `[image]\nmanifest_digest = sha256:${hex}\n`);
    symlinkSync(kept, `${repository.top}/state/deploy/${unnamed}`);
    expect(repository.json("gc --no-boot-entries").value["removed"]).toMatchObject({ streams: [], images: [], objects: 0 });
  });
  test("goes where nothing names it; a record that is no file ends it; one of an image by other means does not", () => {
    using repository = new TestRepository("sha256-v1");
    const origin = make(repository);
    sh(`mkdir -p ${repository.top}/state/deploy/${repository.kept} && mkfifo ${repository.top}/${origin}`);
    expectOneBlock(repository.run("gc --no-boot-entries").stderr, "SR-E542");
    rmSync(`${repository.top}/${origin}`);
    repository.write(origin, `[image]\nmanifest_digest = sha256:${"8".repeat(64)}\n`);
    expect(repository.json("gc --no-boot-entries").value["removed"]).toMatchObject({ objects: 5, streams: [`oci-layer-sha256:${hex}`, `oci-manifest-sha256:${hex}`] });
  });
});

test("a repository by way of a bind mount is its machine's", async () => {
  using repository = new TestRepository("sha256-v1");
  using namespace = await machine(repository);
  mkdirSync(namespace.at(`/tmp/root/state/deploy/${repository.unnamed}`), { recursive: true });
  namespace.shell("mount --bind /tmp/root /sysroot; mkdir -p /tmp/elsewhere/composefs /tmp/other; mount --bind /tmp/root/composefs /tmp/elsewhere/composefs; mount --bind /tmp/root/composefs /tmp/other");
  for (const path of ["/tmp/elsewhere/composefs", "/tmp/other"]) {
    expect(namespace.run([...program(), "gc", "--no-boot-entries", "--repo", path]).stdout).toStartWith("removed 0 images, 0 streams, 0 objects");
  }
});

test("image ls lists what it can though boot files are damaged", () => {
  using repository = new TestRepository("sha256-v1");
  repository.write("boot/EFI/Linux/a.efi", "MZ and nothing else");
  const { exit, stdout, stderr } = runProgram(["image", "ls", "--repo", repository.path]);
  expect({ exit, lines: stdout.trimEnd().split("\n").length }).toEqual({ exit: 0, lines: 3 });
  expect(stderr).toContain("boot/EFI/Linux/a.efi");
});
