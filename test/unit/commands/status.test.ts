/** Which mounts `/` and `/usr` are, from the text of mountinfo (proc(5)). */

import { describe, expect, test } from "bun:test";
import fc from "fast-check";
import { digestOf, foreignMounts, imageMount, isUsrCovered, readRootMounts } from "../../../src/commands/root-mounts.ts";

const rootMount = (mountinfo: string) => readRootMounts(mountinfo).root;

// as Linux 6.12 prints it after a boot
const BOOTED = `28 1 0:30 / / ro,relatime shared:1 - overlay composefs:${"ab".repeat(32)} ro,lowerdir+=/,datadir+=/composefs/objects,redirect_dir=on,metacopy=on,verity=require
29 28 254:1 / /sysroot rw,relatime shared:2 - ext4 /dev/vda1 rw
30 28 0:31 / /etc rw,relatime shared:3 - overlay overlay rw,lowerdir+=/etc,upperdir=/x,workdir=/y,uuid=on
`;

describe("rootMount", () => {
  test("a boot", () => {
    expect(rootMount(BOOTED)).toMatchObject({ filesystem: "overlay", source: `composefs:${"ab".repeat(32)}` });
    expect(rootMount(BOOTED)?.options).toContain("verity=require");
  });
  test("of several on / the last is on top", () => {
    expect(rootMount(`1 1 0:1 / / rw - rootfs rootfs rw\n${BOOTED}31 28 0:40 / / rw - tmpfs over rw\n`)).toMatchObject({ filesystem: "tmpfs", source: "over" });
  });
  test("optional fields, any number", () => {
    expect(rootMount("1 0 8:1 / / rw shared:1 master:2 propagate_from:3 unbindable - ext4 /dev/sda1 rw,discard")).toEqual({ filesystem: "ext4", source: "/dev/sda1", options: ["rw", "discard"] });
  });
  test("nothing on /, nothing at all", () => {
    expect(rootMount("")).toBeUndefined();
    expect(rootMount("1 0 8:1 / /boot rw - ext4 /dev/sda1 rw")).toBeUndefined();
    expect(rootMount("garbage\n- - -\n1 2 3 4 / 6")).toBeUndefined();
  });
  test("a mount point that only looks like it: names with spaces are escaped by the kernel", () => {
    expect(rootMount("1 0 8:1 / /a\\040/ rw - ext4 x rw")).toBeUndefined();
  });
  test("any text", () => {
    fc.assert(fc.property(fc.string({ unit: fc.constantFrom(" ", "-", "/", "\n", "a", ",", "0") }), (text) => void rootMount(text)));
  });
});

describe("/usr", () => {
  const IMAGE = `- overlay composefs:${"ab".repeat(32)} ro,verity=require`;
  const read = (...mounts: readonly string[]) => readRootMounts(`${BOOTED}${mounts.map((mount) => `40 28 0:50 / ${mount}\n`).join("")}`);

  test("the image's own, and the image once more", () => {
    for (const mounts of [read(), read(`/usr ro ${IMAGE}`), read("/usrlocal rw - ext4 /dev/vdb rw"), read("/home rw - ext4 /dev/vdb rw")]) {
      expect([isUsrCovered(mounts), foreignMounts(mounts)]).toEqual([false, []]);
    }
  });
  test("covered, as an fstab in a deployment's /etc can do; by a link of another image as well", () => {
    expect(foreignMounts(read("/usr rw - ext4 /dev/vdb rw"))).toEqual(["/usr is not the image's but ext4 /dev/vdb: nothing verifies it"]);
    for (const mounts of [read("/usr rw - ext4 /dev/vdb rw"), read(`/usr ro ${IMAGE.replaceAll("ab", "cd")}`), read("/usr ro - overlay sysext ro"), read(`/usr ro ${IMAGE}`, "/usr rw - tmpfs tmpfs rw"), read(`/usr ro - fuse.overlay composefs:${"ab".repeat(32)} rw`)]) {
      expect(isUsrCovered(mounts)).toBe(true);
    }
    // and uncovered again
    expect(isUsrCovered(read("/usr rw - tmpfs tmpfs rw", `/usr ro ${IMAGE}`))).toBe(false);
  });
  test("parts of it", () => {
    const mounts = read("/usr/local rw - ext4 /dev/vdb rw", "/usr/lib/modules ro - squashfs /dev/loop0 ro");
    expect(isUsrCovered(mounts)).toBe(false);
    expect(foreignMounts(mounts)).toEqual(["/usr/local is not the image's but ext4 /dev/vdb: nothing verifies it", "/usr/lib/modules is not the image's but squashfs /dev/loop0: nothing verifies it"]);
    expect(foreignMounts(read("/usr/local rw - ext4 /dev/vdb rw", `/usr ro ${IMAGE}`))).toEqual([]);
  });
  test("systemd.volatile=yes: a tmpfs, and the image on /usr", () => {
    const mounts = readRootMounts(`28 1 0:30 / / rw - tmpfs tmpfs rw\n29 28 0:31 /usr /usr ro ${IMAGE}\n`);
    expect(digestOf(imageMount(mounts))).toBe("ab".repeat(32));
    expect([isUsrCovered(mounts), foreignMounts(mounts)]).toEqual([false, []]);
    expect(imageMount(readRootMounts("28 1 0:30 / / rw - tmpfs tmpfs rw\n29 28 0:31 / /usr rw - ext4 /dev/vdb rw\n"))?.filesystem).toBe("tmpfs");
  });
  test("no image at all: nothing is foreign to it", () => {
    expect(foreignMounts(readRootMounts("28 1 0:30 / / rw - ext4 /dev/vda rw\n29 28 0:31 / /usr rw - ext4 /dev/vdb rw\n"))).toEqual([]);
    expect(foreignMounts(readRootMounts("28 1 0:30 / / rw - overlay composefs rw\n29 28 0:31 / /usr rw - ext4 /dev/vdb rw\n"))).toHaveLength(1);
  });
  test("any text", () => {
    fc.assert(fc.property(fc.string({ unit: fc.constantFrom(" ", "-", "/", "\n", "a", "/usr", " - ", "0") }), (text) => void foreignMounts(readRootMounts(text))));
  });
});
