/** /run/systemd/volatile-root for every kind of disk, and what else the boot leaves in /run: the journal's records. */

import { describe, expect, test } from "bun:test";
import { readlinkSync } from "node:fs";
import { image } from "../support/images.ts";
import { Initramfs } from "../support/initramfs.ts";
import { physicalRoot } from "../support/physical-root.ts";
import { BUN, setupRoot, unverified, verified } from "../support/program.ts";
import { bootReport } from "../support/refusal.ts";

const LINK = "/run/systemd/volatile-root";

describe("volatile-root", () => {
  test("ext4: the device of the filesystem", async () => {
    const digest = await image();
    using initramfs = await Initramfs.create();
    await physicalRoot(initramfs, { kind: "ext4", state: [digest] });
    const device = initramfs.shell("mountpoint -d /sysroot").trim();
    expect(setupRoot(initramfs, unverified(digest)).exit).toBe(0);
    expect(readlinkSync(initramfs.at(LINK))).toBe(`/dev/block/${device}`);
    expect(bootReport(initramfs)).toMatchObject({ volatileRoot: `/dev/block/${device}` });
  });

  test("btrfs: the device behind its anonymous one", async () => {
    const digest = await image();
    using initramfs = await Initramfs.create();
    await physicalRoot(initramfs, { kind: "btrfs", state: [digest] });
    const source = initramfs.shell("findmnt -no SOURCE /sysroot").trim();
    const device = initramfs.shell(`lsblk -dno MAJ:MIN ${source}`).trim();
    expect(initramfs.shell("mountpoint -d /sysroot").trim()).toStartWith("0:");
    expect(setupRoot(initramfs, unverified(digest)).exit).toBe(0);
    expect(device).toMatch(/^7:\d+$/);
    expect(readlinkSync(initramfs.at(LINK))).toBe(`/dev/block/${device}`);
  });

  test("btrfs whose first device was removed", async () => {
    const digest = await image();
    using initramfs = await Initramfs.create();
    await physicalRoot(initramfs, { kind: "btrfs", state: [digest], devices: 2, profile: "single" });
    const [first = "", second = ""] = initramfs.shell("btrfs filesystem show --raw /sysroot | sed -n 's/.*path //p'").trim().split("\n");
    initramfs.shell(`btrfs device remove ${first} /sysroot`);
    const device = initramfs.shell(`lsblk -dno MAJ:MIN ${second}`).trim();
    expect(setupRoot(initramfs, unverified(digest)).exit).toBe(0);
    expect(readlinkSync(initramfs.at(LINK))).toBe(`/dev/block/${device}`);
  });

  test("btrfs over two devices, and tmpfs: no single device, no link, no complaint", async () => {
    for (const kind of ["btrfs", "tmpfs"] as const) {
      const digest = await image();
      using initramfs = await Initramfs.create();
      await physicalRoot(initramfs, { kind, state: [digest], devices: 2 });
      expect(setupRoot(initramfs, unverified(digest)).exit).toBe(0);
      expect(initramfs.exists(LINK)).toBe(false);
      expect(bootReport(initramfs)).toMatchObject({ volatileRoot: null, notes: [] });
    }
  });

  test("/dev/gpt-auto-root, a link to a device node, is preferred", async () => {
    const digest = await image();
    using initramfs = await Initramfs.create({ ownDevices: true });
    await physicalRoot(initramfs, { kind: "ext4", state: [digest] });
    initramfs.shell("mknod /dev/vda2 b 252 2; ln -s vda2 /dev/gpt-auto-root");
    expect(setupRoot(initramfs, unverified(digest)).exit).toBe(0);
    expect(readlinkSync(initramfs.at(LINK))).toBe("/dev/block/252:2");
  });

  test("a /dev/gpt-auto-root that is no device is passed over", async () => {
    const digest = await image();
    using initramfs = await Initramfs.create({ ownDevices: true });
    await physicalRoot(initramfs, { kind: "ext4", state: [digest] });
    initramfs.shell("mkdir /dev/gpt-auto-root");
    expect(setupRoot(initramfs, unverified(digest)).exit).toBe(0);
    expect(readlinkSync(initramfs.at(LINK))).toMatch(/^\/dev\/block\/7:\d+$/);
  });

  test("a link that is there already stays", async () => {
    const digest = await image();
    using initramfs = await Initramfs.create();
    await physicalRoot(initramfs, { kind: "ext4", state: [digest] });
    initramfs.shell(`mkdir /run/systemd; ln -s /dev/block/1:2 ${LINK}`);
    expect(setupRoot(initramfs, unverified(digest)).exit).toBe(0);
    expect(readlinkSync(initramfs.at(LINK))).toBe("/dev/block/1:2");
  });

  test("a refused boot makes none", async () => {
    const digest = await image();
    using initramfs = await Initramfs.create();
    await physicalRoot(initramfs, { kind: "ext4", state: [] });
    expect(setupRoot(initramfs, unverified(digest)).exit).not.toBe(0);
    expect(initramfs.exists("/run/systemd")).toBe(false);
  });
});

describe("journal", () => {
  /** Stands where journald listens, and prints each datagram as hexadecimal. */
  const listener = (seconds: number): string[] => ["perl", "-MIO::Socket::UNIX", "-e", `
    my $socket = IO::Socket::UNIX->new(Type => SOCK_DGRAM(), Local => "/run/systemd/journal/socket") or die $!;
    open(my $ready, ">", "/run/listening");
    $SIG{ALRM} = sub { exit };
    alarm ${seconds};
    $socket->recv(my $record, 1 << 20);
    print unpack("H*", $record);
  `];

  /** One record by the native protocol (systemd.io/JOURNAL_NATIVE_PROTOCOL), read independently of how it is written. */
  function decode(bytes: Uint8Array): Record<string, string> {
    const fields: Record<string, string> = {};
    const text = new TextDecoder();
    for (let at = 0; at < bytes.length; ) {
      const end = bytes.indexOf(0x0a, at);
      const line = text.decode(bytes.subarray(at, end));
      const equals = line.indexOf("=");
      if (equals >= 0) {
        fields[line.slice(0, equals)] = line.slice(equals + 1);
        at = end + 1;
        continue;
      }
      const length = Number(new DataView(bytes.buffer, bytes.byteOffset + end + 1, 8).getBigUint64(0, true));
      fields[line] = text.decode(bytes.subarray(end + 9, end + 9 + length));
      at = end + 9 + length + 1;
    }
    return fields;
  }

  async function recorded(act: (initramfs: Initramfs, digest: string) => void): Promise<Record<string, string>> {
    const digest = await image();
    using initramfs = await Initramfs.create();
    await physicalRoot(initramfs, { state: [digest] });
    initramfs.shell("mkdir -p /run/systemd/journal");
    const heard = initramfs.start(listener(10));
    for (let attempt = 0; attempt < 200 && !initramfs.exists("/run/listening"); attempt++) await Bun.sleep(10);
    act(initramfs, digest);
    return decode(Uint8Array.fromHex((await heard).stdout.trim()));
  }

  test("a boot", async () => {
    const fields = await recorded((initramfs, digest) => expect(setupRoot(initramfs, unverified(digest)).exit).toBe(0));
    expect(fields).toMatchObject({ SYSLOG_IDENTIFIER: "sealroot", PRIORITY: "4", SEALROOT_LEVEL: "none" });
    expect(fields["MESSAGE_ID"]).toMatch(/^[0-9a-f]{32}$/);
    expect(fields["SEALROOT_DIGEST"]).toMatch(/^[0-9a-f]{64}$/);
  });

  test("a refusal", async () => {
    const fields = await recorded((initramfs, digest) => expect(setupRoot(initramfs, verified(digest)).exit).toBe(32));
    expect(fields).toMatchObject({ SYSLOG_IDENTIFIER: "sealroot", PRIORITY: "3", SEALROOT_CODE: "SR-E212", SEALROOT_EXIT: "32" });
    expect(fields["SEALROOT_NEXT"]).toContain("ext4");
  });

  test("a hostile command line cannot forge fields", async () => {
    const fields = await recorded((initramfs) => void setupRoot(initramfs, '"composefs=\nSEALROOT_CODE=SR-E000\nPRIORITY=7\n_UID=0\n"'));
    expect(fields).toMatchObject({ PRIORITY: "3", SEALROOT_CODE: "SR-E103" });
    expect(Object.keys(fields)).not.toContain("_UID");
  });

  test("a trial run beside a running system sends nothing and needs no journal", async () => {
    const digest = await image();
    using initramfs = await Initramfs.create();
    await physicalRoot(initramfs, { state: [digest] });
    initramfs.shell("mkdir -p /run/systemd/journal /target");
    const heard = initramfs.start(listener(1));
    for (let attempt = 0; attempt < 200 && !initramfs.exists("/run/listening"); attempt++) await Bun.sleep(10);
    expect(setupRoot(initramfs, unverified(digest), "--target", "/target").exit).toBe(0);
    expect((await heard).stdout).toBe("");
  });
});

describe("descriptors", () => {
  test("none is left open by a boot or a refusal", async () => {
    const digest = await image();
    using initramfs = await Initramfs.create();
    await physicalRoot(initramfs, { state: [digest] });
    const leaks = (cmdline: string): unknown => JSON.parse(initramfs.run([BUN, `${import.meta.dir}/../support/descriptors.ts`, cmdline]).stdout);
    for (const [cmdline, code] of [[verified(digest), "SR-E212"], [`${unverified(digest)} init=/nothing`, "SR-E401"], ["composefs=zz", "SR-E103"], [unverified("ab".repeat(32)), "SR-E203"], [unverified(digest), null]] as const) {
      expect(leaks(cmdline)).toEqual({ code, left: [] });
    }
  });
});
