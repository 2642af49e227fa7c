/**
 * Every way in which a disk, an image or a command line is not what it should be. Each must end in its own code within the time
 * limit, say what was found, and leave mounts, /run and the disk as they were: see refusal.ts.
 */

import { describe, expect, test } from "bun:test";
import { appendFileSync, copyFileSync, mkdirSync, readFileSync, renameSync, rmSync, symlinkSync, truncateSync, writeFileSync } from "node:fs";
import type { ErrorCode } from "../../src/errors/index.ts";
import { image, type TreeChange } from "../support/images.ts";
import { Initramfs } from "../support/initramfs.ts";
import { type DiskKind, physicalRoot } from "../support/physical-root.ts";
import { setupRoot, unverified } from "../support/program.ts";
import { expectRefusal } from "../support/refusal.ts";

interface Scene {
  readonly initramfs: Initramfs;
  readonly digest: string;
  /** The disk as the test reaches it. */
  readonly disk: string;
  readonly images: string;
  /** images/<digest> */
  readonly file: string;
  readonly object: string;
}

interface Case {
  readonly damage?: (scene: Scene) => void;
  readonly cmdline?: (digest: string) => string;
  readonly args?: readonly string[];
  readonly config?: string;
  readonly meta?: boolean | string;
  readonly kind?: DiskKind;
  readonly image?: readonly [name: string, change: TreeChange];
  /** What a person must be able to read. */
  readonly says?: readonly (string | RegExp)[];
  readonly saysNot?: readonly string[];
}

function refuses(title: string, code: ErrorCode, { damage, cmdline = unverified, args = [], config, meta, kind = "ext4", image: [name, change] = ["plain", () => undefined], says = [], saysNot = [] }: Case): void {
  test(`${title}: ${code}`, async () => {
    const digest = await image(name, change);
    using initramfs = await Initramfs.create();
    await physicalRoot(initramfs, { kind, state: [digest], ...(meta === undefined ? {} : { meta }) });
    const disk = initramfs.at("/sysroot");
    const images = `${disk}/composefs/images`;
    damage?.({ initramfs, digest, disk, images, file: `${images}/${digest}`, object: `${disk}/composefs/objects/${digest.slice(0, 2)}/${digest.slice(2)}` });
    if (config !== undefined) initramfs.write("/etc/conf.toml", config);
    const configured = config === undefined ? [] : ["--config", "/etc/conf.toml"];
    const done = expectRefusal(initramfs, code, () => setupRoot(initramfs, cmdline(digest), ...configured, ...args));
    for (const text of says) expect(done.stderr).toMatch(text);
    for (const text of saysNot) expect(done.stderr).not.toContain(text);
  });
}

/** Puts something else where the image's link is. */
const instead = (make: (path: string, scene: Scene) => void) => (scene: Scene): void => {
  rmSync(scene.file);
  make(scene.file, scene);
};
const inside = (path: string, initramfs: Initramfs): string => path.slice(initramfs.at("").length);

describe("the image's name", () => {
  refuses("absent", "SR-E203", { damage: ({ file }) => rmSync(file), says: [/composefs\.digest=\?v1-sha256-12:[0-9a-f]{64} {2}\(not in the repository\)/] });
  refuses("a link to nothing", "SR-E203", { damage: ({ object }) => rmSync(object) });
  refuses("no images directory", "SR-E203", { damage: ({ images }) => rmSync(images, { recursive: true }) });
  refuses("a directory", "SR-E204", { damage: instead((path) => mkdirSync(path)), says: ["a directory, not a regular file"] });
  refuses("a FIFO that nobody writes to", "SR-E204", { damage: instead((path, { initramfs }) => void initramfs.shell(`mkfifo ${inside(path, initramfs)}`)), says: ["a FIFO, not a regular file"] });
  refuses("a socket", "SR-E204", {
    damage: instead((path, { initramfs }) => void initramfs.shell(`python3 -c 'import socket; socket.socket(socket.AF_UNIX).bind("/tmp/s")'; cp -a /tmp/s ${inside(path, initramfs)}`)),
    says: ["socket, not a regular file"],
  });
  refuses("a character device", "SR-E204", { damage: instead((path, { initramfs }) => void initramfs.shell(`mknod ${inside(path, initramfs)} c 1 5`)), says: ["character"] });
  refuses("a block device", "SR-E204", { damage: instead((path, { initramfs }) => void initramfs.shell(`mknod ${inside(path, initramfs)} b 7 0`)), says: ["block"] });
  refuses("a device without a driver", "SR-E204", { damage: instead((path, { initramfs }) => void initramfs.shell(`mknod ${inside(path, initramfs)} c 240 77`)) });
  refuses("a link to itself", "SR-E204", { damage: instead((path, { digest }) => symlinkSync(digest, path)) });
  refuses("two links in a circle", "SR-E204", {
    damage: instead((path, { digest, images }) => {
      symlinkSync("circle", path);
      symlinkSync(digest, `${images}/circle`);
    }),
  });
  refuses("an absolute link, even to the image", "SR-E204", { damage: instead((path, { digest }) => symlinkSync(`/sysroot/composefs/objects/${digest.slice(0, 2)}/${digest.slice(2)}`, path)), says: ["EXDEV"] });
  refuses("a link out of the repository into the initramfs", "SR-E204", { damage: instead((path) => symlinkSync("../../../etc/initrd-release", path)) });
  refuses("a link out of the repository on the same disk", "SR-E204", {
    damage: instead((path, { disk, object }) => {
      copyFileSync(object, `${disk}/copy`);
      symlinkSync("../../copy", path);
    }),
  });
  refuses("a magic link", "SR-E204", { damage: instead((path) => symlinkSync("/proc/self/exe", path)) });
  refuses("the images directory is a link out", "SR-E204", {
    damage: ({ images, disk }) => {
      renameSync(images, `${disk}/images`);
      symlinkSync("../images", images);
    },
  });
  refuses("the images directory is a file", "SR-E204", {
    damage: ({ images }) => {
      rmSync(images, { recursive: true });
      writeFileSync(images, "");
    },
  });
  refuses("one that is present and wrong is not passed over for the next", "SR-E213", {
    damage: instead((path) => {
      rmSync(path, { force: true });
      writeFileSync(path, "no image\n".repeat(1000));
      symlinkSync("../objects", `${path}x`);
    }),
    cmdline: (digest) => `${unverified(digest)} composefs=?${"0".repeat(64)}`,
  });
});

describe("the image's content, unverified", () => {
  refuses("empty", "SR-E213", { damage: instead((path) => writeFileSync(path, "")) });
  refuses("text", "SR-E213", { damage: instead((path) => writeFileSync(path, "no image\n".repeat(1000))), says: ["without an EROFS superblock", "/sysroot/composefs/images/"] });
  refuses("text, by a loop device", "SR-E213", { kind: "tmpfs", damage: instead((path) => writeFileSync(path, "no image\n".repeat(1000))) });
  refuses("a page of zeros", "SR-E213", { damage: instead((path) => writeFileSync(path, new Uint8Array(65536))) });
  refuses("cut short after its superblock", "SR-E214", { damage: ({ object }) => truncateSync(object, 4096) });
  refuses("cut short in the superblock", "SR-E213", { damage: ({ object }) => truncateSync(object, 1024) });
  refuses("a damaged superblock", "SR-E303", {
    damage: ({ object }) => {
      const bytes = readFileSync(object);
      bytes.fill(0xff, 1028, 1100);
      writeFileSync(object, bytes);
    },
    says: ["erofs"],
  });
  refuses("a damaged superblock, by a loop device", "SR-E303", {
    kind: "tmpfs",
    damage: ({ object }) => {
      const bytes = readFileSync(object);
      bytes.fill(0xff, 1028, 1100);
      writeFileSync(object, bytes);
    },
  });
  refuses("another file system", "SR-E213", {
    damage: instead((path, { initramfs }) => {
      truncateSync((writeFileSync(path, ""), path), 4 << 20);
      initramfs.shell(`mkfs.ext4 -q -F ${inside(path, initramfs)}`);
    }),
  });
});

describe("meta.json", () => {
  const meta = (title: string, text: string, says: string | RegExp): void => refuses(title, "SR-E202", { meta: text, says: [says, "/sysroot/composefs/meta.json"] });
  meta("empty", "", "not JSON");
  meta("cut short", '{"version": 1, ', "not JSON");
  meta("a list", "[1]", "not a JSON object");
  meta("null", "null", "not a JSON object");
  meta("without a version", '{"algorithm": "fsverity-sha256-12"}', "version");
  meta("of version 2", '{"version": 2, "algorithm": "fsverity-sha256-12"}', "version 2; this sealroot knows 1");
  meta("of version 0", '{"version": 0, "algorithm": "fsverity-sha256-12"}', "version 0");
  meta("of an unknown algorithm", '{"version": 1, "algorithm": "fsverity-blake3-12"}', "blake3");
  meta("of another block size", '{"version": 1, "algorithm": "fsverity-sha256-16"}', "sha256-16");
  meta("with an incompatible feature", '{"version": 1, "algorithm": "fsverity-sha256-12", "features": {"incompatible": ["encrypted"]}}', '"encrypted"');
  meta("with features that are no lists", '{"version": 1, "algorithm": "fsverity-sha256-12", "features": {"incompatible": "encrypted"}}', "not lists");
  meta("nested very deeply", "[".repeat(60_000), "not JSON");
  meta("of 65536 bytes", `{"version": 1, "algorithm": "fsverity-sha256-12"}${" ".repeat(65536)}`, "65536 bytes");
  refuses("of another algorithm than the argument", "SR-E203", { meta: '{"version": 1, "algorithm": "fsverity-sha512-12"}', says: ["the repository is of sha512"] });
  refuses("a directory", "SR-E204", { meta: false, damage: ({ disk }) => mkdirSync(`${disk}/composefs/meta.json`) });
  refuses("a FIFO", "SR-E204", { meta: false, damage: ({ initramfs }) => void initramfs.shell("mkfifo /sysroot/composefs/meta.json") });
  refuses("a link out", "SR-E204", { meta: false, damage: ({ disk }) => symlinkSync("/etc/passwd", `${disk}/composefs/meta.json`) });
  test("of 64 KiB of hostile text does not flood the console", async () => {
    const digest = await image();
    using initramfs = await Initramfs.create();
    await physicalRoot(initramfs, { meta: JSON.stringify({ version: 1, algorithm: "x".repeat(60_000) }) });
    const done = expectRefusal(initramfs, "SR-E202", () => setupRoot(initramfs, unverified(digest)));
    expect(done.stderr.length).toBeLessThan(2000);
  });
});

describe("the repository", () => {
  refuses("no repository", "SR-E201", { damage: ({ disk }) => rmSync(`${disk}/composefs`, { recursive: true }), says: ["/sysroot/composefs"] });
  refuses("a file", "SR-E204", {
    damage: ({ disk }) => {
      rmSync(`${disk}/composefs`, { recursive: true });
      writeFileSync(`${disk}/composefs`, "");
    },
  });
  refuses("a link out of the disk", "SR-E204", {
    damage: ({ disk, initramfs }) => {
      rmSync(`${disk}/composefs`, { recursive: true });
      mkdirSync(initramfs.at("/evil"));
      symlinkSync("../evil", `${disk}/composefs`);
    },
  });
  refuses("no objects", "SR-E201", {
    damage: ({ disk, file, object }) => {
      rmSync(file);
      renameSync(object, file);
      rmSync(`${disk}/composefs/objects`, { recursive: true });
    },
    says: ["objects"],
  });
  refuses("objects is a link out", "SR-E204", {
    damage: ({ disk, file, object }) => {
      rmSync(file);
      renameSync(object, file);
      renameSync(`${disk}/composefs/objects`, `${disk}/objects`);
      symlinkSync("../objects", `${disk}/composefs/objects`);
    },
  });
  refuses("no sysroot", "SR-E200", { args: ["--sysroot", "/nowhere"], says: ["/nowhere"] });
  refuses("a sysroot that is a file", "SR-E200", { args: ["--sysroot", "/etc/initrd-release"] });
});

describe("state", () => {
  const deploy = ({ disk, digest }: Scene): string => `${disk}/state/deploy/${digest}`;
  refuses("none", "SR-E305", { damage: (scene) => rmSync(deploy(scene), { recursive: true }), says: [/state\/deploy\/[0-9a-f]{64}/] });
  refuses("a file", "SR-E204", {
    damage: (scene) => {
      rmSync(deploy(scene), { recursive: true });
      writeFileSync(deploy(scene), "");
    },
  });
  refuses("a link out of the disk", "SR-E204", {
    damage: (scene) => {
      rmSync(deploy(scene), { recursive: true });
      mkdirSync(scene.initramfs.at("/evil/etc"), { recursive: true });
      symlinkSync("../../../evil", deploy(scene));
    },
  });
  for (const name of ["etc", "var"]) {
    refuses(`${name} is missing`, "SR-E306", { damage: (scene) => rmSync(`${deploy(scene)}/${name}`, { recursive: true }), says: [`/${name}`, "ENOENT"] });
    refuses(`${name} is a file`, "SR-E306", {
      damage: (scene) => {
        rmSync(`${deploy(scene)}/${name}`, { recursive: true });
        writeFileSync(`${deploy(scene)}/${name}`, "");
      },
      says: ["ENOTDIR"],
    });
    for (const [what, target] of [["a link out", "../../../../etc"], ["an absolute link", "/etc"]] as const) {
      refuses(`${name} is ${what}`, "SR-E204", {
        damage: (scene) => {
          rmSync(`${deploy(scene)}/${name}`, { recursive: true });
          symlinkSync(target, `${deploy(scene)}/${name}`);
        },
      });
    }
  }
  refuses("the upper directory is a link", "SR-E306", {
    damage: (scene) => {
      mkdirSync(`${scene.disk}/elsewhere`);
      symlinkSync("../../../../elsewhere", `${deploy(scene)}/etc/upper`);
    },
  });
  refuses("the upper directory is a file", "SR-E306", { damage: (scene) => writeFileSync(`${deploy(scene)}/etc/upper`, "") });
  refuses("the physical root is mounted read-only", "SR-E306", { damage: ({ initramfs }) => void initramfs.shell("mount -o remount,ro /sysroot"), says: ["EROFS", /next .*\brw\b/] });
});

describe("what is in the image", () => {
  refuses("no init program", "SR-E401", { image: ["no-init", (tree) => rmSync(`${tree}/usr/lib/systemd`, { recursive: true })], says: ["/usr/lib/systemd/systemd", "/sbin/init"] });
  refuses("init is a directory", "SR-E401", {
    image: ["init-directory", (tree) => {
      rmSync(`${tree}/usr/lib/systemd/systemd`);
      mkdirSync(`${tree}/usr/lib/systemd/systemd`);
    }],
  });
  refuses("init is a FIFO", "SR-E401", {
    image: ["init-fifo", (tree) => {
      rmSync(`${tree}/usr/lib/systemd/systemd`);
      Bun.spawnSync(["mkfifo", `${tree}/usr/lib/systemd/systemd`]);
    }],
  });
  refuses("init is empty", "SR-E401", { image: ["init-empty", (tree) => writeFileSync(`${tree}/usr/lib/systemd/systemd`, "")] });
  refuses("init links in a circle", "SR-E401", {
    image: ["init-circle", (tree) => {
      rmSync(`${tree}/usr/lib/systemd/systemd`);
      symlinkSync("systemd", `${tree}/usr/lib/systemd/systemd`);
    }],
    saysNot: ["an object is missing"],
  });
  refuses("init= names a missing file", "SR-E401", { cmdline: (digest) => `${unverified(digest)} init=/usr/bin/nothing`, says: ["/usr/bin/nothing"] });
  refuses("the interpreter is missing", "SR-E401", { image: ["no-interpreter", (tree) => rmSync(`${tree}/usr/lib64`, { recursive: true })], says: ["/lib64/ld-linux-x86-64.so.2"] });
  refuses("a script's interpreter is missing", "SR-E401", { image: ["no-shell", (tree) => writeFileSync(`${tree}/usr/lib/systemd/systemd`, "#!/bin/nothing -x\n")], says: ["/bin/nothing"] });
  refuses("no /etc", "SR-E306", { image: ["no-etc", (tree) => rmSync(`${tree}/etc`, { recursive: true })], says: ["/etc", "ENOENT"] });
  refuses("/etc is a link", "SR-E306", {
    image: ["etc-link", (tree) => {
      renameSync(`${tree}/etc`, `${tree}/usr/etc`);
      symlinkSync("usr/etc", `${tree}/etc`);
    }],
  });
  refuses("/var is a file", "SR-E306", {
    image: ["var-file", (tree) => {
      rmSync(`${tree}/var`, { recursive: true });
      writeFileSync(`${tree}/var`, "");
    }],
  });
  refuses("/sysroot is a link", "SR-E308", {
    image: ["sysroot-link", (tree) => {
      rmSync(`${tree}/sysroot`, { recursive: true });
      symlinkSync("usr", `${tree}/sysroot`);
    }],
  });
});

describe("objects", () => {
  const objectWith = ({ disk }: Scene, text: string): string => {
    for (const path of new Bun.Glob("*/*").scanSync(`${disk}/composefs/objects`)) {
      const full = `${disk}/composefs/objects/${path}`;
      if (readFileSync(full).equals(readFileSync(text))) return full;
    }
    throw new Error(`no object holds ${text}`);
  };
  for (const [what, source] of [["init program", "/bin/sh"], ["interpreter", "/lib64/ld-linux-x86-64.so.2"]] as const) {
    // there is a /bin/sh in the image, so that a program that is there but cannot be read must not be passed over for another
    const withShell: Case["image"] = ["with-shell", (tree) => writeFileSync(`${tree}/usr/bin/sh`, "another program, but a program\n".repeat(9))];
    refuses(`the ${what}'s is missing`, "SR-E400", { image: withShell, damage: (scene) => rmSync(objectWith(scene, source)), says: ["cause"] });
    refuses(`the ${what}'s is a directory`, "SR-E400", {
      image: withShell,
      damage: (scene) => {
        const object = objectWith(scene, source);
        rmSync(object);
        mkdirSync(object);
      },
    });
    refuses(`the ${what}'s is a link to the file`, "SR-E400", {
      image: withShell,
      damage: (scene) => {
        const object = objectWith(scene, source);
        renameSync(object, `${object}x`);
        symlinkSync(`${object.slice(object.lastIndexOf("/") + 1)}x`, object);
      },
    });
  }
});

describe("without fs-verity", () => {
  const verified = (digest: string): string => `composefs.digest=v1-sha256-12:${digest}`;
  refuses("no `?`", "SR-E212", { cmdline: verified, says: ["EOPNOTSUPP"] });
  refuses("no `?`, and a repository that claims that there is no verity", "SR-E212", {
    cmdline: verified,
    meta: '{"version": 1, "algorithm": "fsverity-sha256-12", "verity": false, "insecure": true, "features": {"compatible": ["no-verity"], "read-only-compatible": ["no-verity"]}}',
  });
  refuses("no `?`, composefs=", "SR-E212", { cmdline: (digest) => `composefs=${digest}` });
  refuses("with and without `?`: the one without counts", "SR-E212", { cmdline: (digest) => `${unverified(digest)} ${verified(digest)}` });
  refuses("no `?`, bootc", "SR-E212", { cmdline: (digest) => `composefs=${digest}`, args: ["--layout", "bootc"] });
});

test("a refused boot can be tried again, and then works", async () => {
  const digest = await image();
  using initramfs = await Initramfs.create();
  await physicalRoot(initramfs, { kind: "ext4", state: [digest] });
  const object = `${initramfs.at("/sysroot")}/composefs/objects/${digest.slice(0, 2)}/${digest.slice(2)}`;
  renameSync(object, `${object}x`);
  expectRefusal(initramfs, "SR-E203", () => setupRoot(initramfs, unverified(digest)));
  renameSync(`${object}x`, object);
  appendFileSync(initramfs.at("/run/sealroot/boot.json"), "");
  expect(setupRoot(initramfs, unverified(digest)).exit).toBe(0);
});
