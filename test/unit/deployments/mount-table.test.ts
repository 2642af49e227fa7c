/** The kernel's table of mounts: lines as kernels 6.1 and 6.18 write them. */

import { describe, expect, test } from "bun:test";
import { dataLayers, digestOfSource, parseMountTable } from "../../../src/deployments/mount-table.ts";

const D = "d".repeat(64);
const layersOf = (filesystem: string, options: string, source = "x"): string[] => parseMountTable(`97 74 0:41 / /mnt ro - ${filesystem} ${source} ${options}`).flatMap(dataLayers);

test("mounts: optional fields, blanks, what is no line", () => {
  expect(parseMountTable(`21 1 254:0 / / rw,relatime shared:1 master:2 - ext4 /dev/vda rw,discard\n97 74 0:41 / /a\\040b\\134 ro - overlay composefs:${D} ro,metacopy=on\n\nnonsense\n`)).toEqual([
    { id: 21, path: "/", device: "254:0", filesystem: "ext4", source: "/dev/vda", options: ["rw", "discard"] },
    { id: 97, path: "/a b\\", device: "0:41", filesystem: "overlay", source: `composefs:${D}`, options: ["ro", "metacopy=on"] },
  ]);
});

describe("object stores of an overlay", () => {
  test("datadir+, one or more", () => expect(layersOf("overlay", "ro,lowerdir+=/,datadir+=/sysroot/composefs/objects,datadir+=/a\\054b,metacopy=on")).toEqual(["/sysroot/composefs/objects", "/a,b"]));
  test("after two colons", () => expect(layersOf("overlay", "ro,lowerdir=/a:/b\\134:c::composefs/objects::/d\\134:e,metacopy=on")).toEqual(["composefs/objects", "/d:e"]));
  test("of an image, as kernels before 6.5 have it", () => {
    expect(layersOf("overlay", "ro,lowerdir=/a:/proc/self/fd/7:/d\\134:e,metacopy=on", "composefs")).toEqual(["/proc/self/fd/7", "/d:e"]);
    expect(layersOf("overlay", "ro,lowerdir=/a:/b::/c,metacopy=on", "composefs")).toEqual(["/c"]);
  });
  test("none: other layers, other filesystems", () => {
    expect(layersOf("overlay", "rw,lowerdir=/a:/b,upperdir=/objects,workdir=/w")).toEqual([]);
    expect(layersOf("erofs", "ro,lowerdir=/a::/b")).toEqual([]);
  });
});

test("sources that name an image", () => {
  expect([`composefs:${D}`, `transient:composefs=${D}`, "composefs", "composefs:refs/a", `x composefs:${D}`, `composefs:${D}0`].map(digestOfSource)).toEqual([D, D, undefined, undefined, undefined, undefined]);
});
