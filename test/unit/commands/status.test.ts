/** Which mount `/` is, from the text of mountinfo (proc(5)). */

import { describe, expect, test } from "bun:test";
import fc from "fast-check";
import { rootMount } from "../../../src/commands/status.ts";

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
