/** Names of any bytes, status, extended attributes and data by descriptor, on the filesystem that the temporary directory is on. */

import { describe, expect, test } from "bun:test";
import { execFileSync } from "node:child_process";
import { linkSync, mkdirSync, readFileSync, symlinkSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { copyRange, filesystemOf, seek, setSize } from "../../../src/linux/data.ts";
import { ERRNO, O, openPath, setXattr } from "../../../src/linux/index.ts";
import { FileStatus, getXattrRaw, linkDescriptorRaw, listNames, listXattrsRaw, openName, openNameRaw, readLinkOf, renameRaw, statName, statNameRaw, unlinkRaw } from "../../../src/linux/names.ts";
import { TemporaryDirectory } from "../../support/temporary.ts";

const bytes = (text: string): Uint8Array<ArrayBuffer> => Uint8Array.from(Buffer.from(text, "latin1"));

describe("names", () => {
  test("of any bytes are listed and opened", () => {
    using place = new TemporaryDirectory();
    writeFileSync(Buffer.concat([Buffer.from(`${place.path}/`), Buffer.from([0xff, 0x0a, 0x20])]), "odd");
    mkdirSync(join(place.path, "folder"));
    symlinkSync("target", join(place.path, "link"));
    using directory = openPath(place.path, O.RDONLY | O.DIRECTORY);
    const found: [string, number][] = [];
    listNames(directory, (buffer, start, end, type) => found.push([Buffer.from(buffer.subarray(start, end)).toString("latin1"), type]));
    expect(found.toSorted()).toEqual([["folder", 4], ["link", 10], ["\xff\n ", 8]]);
    using file = openName(directory, bytes("\xff\n "), O.RDONLY);
    expect(statName(file)).toMatchObject({ size: 3, mode: 0o100644, nlink: 1 });
    expect(openNameRaw(directory.fd, bytes("link"), O.RDONLY)).toBe(-ERRNO.ELOOP);
    expect(() => openName(directory, bytes("a\0b"), O.RDONLY)).toThrow("EINVAL");
  });

  test("status has the file's own numbers", () => {
    using place = new TemporaryDirectory();
    const path = join(place.path, "f");
    writeFileSync(path, "x".repeat(70_000));
    linkSync(path, join(place.path, "g"));
    execFileSync("touch", ["-d", "@-5.25", path]);
    using directory = openPath(place.path, O.RDONLY | O.DIRECTORY);
    const status = new FileStatus();
    expect(statNameRaw(directory.fd, bytes("g"), status)).toBe(0);
    expect([status.size, status.nlink, status.seconds, status.nanoseconds, status.mode >> 12]).toEqual([70_000, 2, -6n, 750_000_000, 8]);
    expect(statNameRaw(directory.fd, bytes("none"), status)).toBe(-ERRNO.ENOENT);
    using device = openPath("/dev/null", O.PATH);
    expect(statName(device).rdev).toBe(0x103);
  });

  test("links, their own attributes, and renames", () => {
    using place = new TemporaryDirectory();
    symlinkSync("where\xff", join(place.path, "link"));
    using directory = openPath(place.path, O.RDONLY | O.DIRECTORY);
    using link = openName(directory, "link", O.PATH);
    expect(readLinkOf(link.fd)).toEqual(new TextEncoder().encode("where\xff"));
    expect(listXattrsRaw(link.fd, "as a path")).toHaveLength(0);
    using file = openName(directory, ".", O.RDWR | O.TMPFILE, 0o600);
    expect(linkDescriptorRaw(file.fd, directory.fd, "a")).toBe(0);
    expect(linkDescriptorRaw(file.fd, directory.fd, "a")).toBe(-ERRNO.EEXIST);
    expect(renameRaw(directory.fd, "a", directory.fd, "link", false)).toBe(-ERRNO.EEXIST);
    expect(renameRaw(directory.fd, bytes("a"), directory.fd, bytes("b\xfe"), false)).toBe(0);
    expect(unlinkRaw(directory.fd, bytes("b\xfe"))).toBe(0);
  });

  test("extended attributes", () => {
    using place = new TemporaryDirectory();
    const path = join(place.path, "f");
    writeFileSync(path, "");
    const capability = Buffer.from("0100000200200000000000000000000000000000", "hex");
    using file = openPath(path, O.RDONLY);
    setXattr(file, "security.capability", capability);
    expect(listXattrsRaw(file.fd, "for reading")).toEqual(bytes("security.capability\0"));
    expect(getXattrRaw(file.fd, "for reading", bytes("security.capability"))).toEqual(new Uint8Array(capability));
    using path_ = openPath(path, O.PATH);
    expect(getXattrRaw(path_.fd, "as a path", bytes("security.capability"))).toEqual(new Uint8Array(capability));
    expect(getXattrRaw(path_.fd, "as a path", bytes("user.none"))).toBe(-ERRNO.ENODATA);
  });
});

describe("data", () => {
  test("copied inside the kernel, with holes", () => {
    using place = new TemporaryDirectory();
    const [from, to] = [join(place.path, "from"), join(place.path, "to")];
    writeFileSync(from, "content");
    writeFileSync(to, "");
    using source = openPath(from, O.RDWR);
    setSize(source, 1 << 20);
    expect(seek(source, 1 << 19, "DATA")).toBeUndefined();
    expect(seek(source, 0, "DATA")).toBe(0);
    seek(source, 0, "SET");
    using target = openPath(to, O.RDWR);
    let done = 0;
    for (let part = 1; part > 0; done += part) part = copyRange(source, target, 1 << 20) ?? 0;
    expect([done, readFileSync(to).equals(readFileSync(from))]).toEqual([1 << 20, true]);
    expect(filesystemOf(source).blockSize).toBeGreaterThan(0);
  });
});
