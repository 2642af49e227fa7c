/** What setup-root mounts on kernels that enforce verity: every layout, kind and backing filesystem, on real fs-verity. */

import { expect } from "bun:test";
import type { SystemDisk } from "./lab/disks.ts";
import { type Checked, type Disks, expectMounted, mountAt, onKernels, reportOf } from "./lab/suite.ts";

const ABSENT = "0".repeat(64);

/** What the cases ask of the new root; each line is looked for by a check. */
const WRITES = `for at in / /usr /etc /var; do
  if (: > /sysroot$at/.write-test) 2>/dev/null; then echo "write $at yes"; else echo "write $at no"; fi
done`;

const onDisk = (disk: SystemDisk) => ({ disk: disk.path, filesystem: disk.tree.includes("btrfs") ? ("btrfs" as const) : ("ext4" as const), cmdline: `quiet ${disk.argument}` });

/** A case on the ext4 disk. */
function ext4(change: (disk: SystemDisk) => object, check: Checked["check"]): Checked {
  return { make: ({ ext4: disk }) => ({ ...onDisk(disk), facts: WRITES, ...change(disk) }), check };
}

const PHYSICAL = "ext4 DISK";

/** The usual mounts, with the disk's device name taken from what is there. */
function expectRoot(result: Parameters<Checked["check"]>[0], disk: SystemDisk, { source = `composefs:${disk.digest}`, etc = "overlay overlay", var: variable = PHYSICAL } = {}): void {
  const physical = mountAt(result, "/sysroot/sysroot");
  const device = `${physical.filesystem} ${physical.source}`;
  const mounts: Record<string, string> = { "/sysroot": `overlay ${source}`, "/sysroot/sysroot": device };
  for (const [name, kind] of [["etc", etc], ["var", variable]] as const) if (kind !== "") mounts[`/sysroot/${name}`] = kind === PHYSICAL ? device : kind;
  expectMounted(result, mounts);
}

function expectVerified(result: Parameters<Checked["check"]>[0], algorithm: string, digest: string): void {
  expect(mountAt(result, "/sysroot").options).toEqual(expect.arrayContaining(["verity=require", "metacopy=on", "redirect_dir=on"]));
  expect(reportOf(result)).toMatchObject({ level: "verity", enforced: true, image: { digest, algorithm }, measured: { kind: "digest", algorithm, digest } });
  expect(result.stdout).toContain("the kernel verifies every read");
}

const cases: Record<string, Checked> = {
  "verity on ext4": ext4(() => ({ facts: `${WRITES}; ls /sysroot/sysroot; cat /sysroot/etc/hostname` }), (result, { ext4: disk }) => {
    expectRoot(result, disk);
    expectVerified(result, "sha256", disk.digest);
    expect(mountAt(result, "/sysroot").attributes).toContain("ro");
    expect(mountAt(result, "/sysroot/var").root).toBe(`/state/deploy/${disk.digest}/var`);
    expect(result.facts).toBe("write / no\nwrite /usr no\nwrite /etc yes\nwrite /var yes\ncomposefs\nlost+found\nstate\nsealed\n");
    expect(result.volatileRoot).toBe(`/dev/block/${mountAt(result, "/sysroot/sysroot").device}`);
    expect(reportOf(result)).toMatchObject({ proof: [{ path: "/usr/lib/systemd/systemd" }, { path: "/lib64/ld-linux-x86-64.so.2" }], rungs: { image: "file" } });
  }),

  "verity on btrfs": {
    make: ({ btrfs }) => ({ ...onDisk(btrfs), facts: `${WRITES}; . /lab/functions; backing "$DISK"` }),
    check: (result, { btrfs: disk }) => {
      expectRoot(result, disk);
      expectVerified(result, "sha256", disk.digest);
      // btrfs reports an anonymous device for its files; the link must name the real one.
      expect(mountAt(result, "/sysroot/sysroot").device).toStartWith("0:");
      expect(result.volatileRoot).toBe(`/dev/block/${/backing (\S+)/.exec(result.facts)?.[1]}`);
    },
  },

  "objects by SHA-512": {
    make: ({ sha512 }) => onDisk(sha512),
    check: (result, { sha512: disk }) => {
      expectRoot(result, disk);
      expectVerified(result, "sha512", disk.digest);
    },
  },

  "composefs=<hex>": ext4((disk) => ({ cmdline: `composefs=${disk.digest}` }), (result, { ext4: disk }) => {
    expectRoot(result, disk);
    expectVerified(result, "sha256", disk.digest);
  }),

  "? does not take away what can be verified": ext4((disk) => ({ cmdline: disk.argument.replace("=", "=?") }), (result, { ext4: disk }) => {
    expectRoot(result, disk);
    expectVerified(result, "sha256", disk.digest);
  }),

  "? with an image without fs-verity": ext4(
    (disk) => ({
      cmdline: disk.argument.replace("=", "=?"),
      prepare: `object=$(readlink -f composefs/images/${disk.digest}); cp -a "$object" copy; mv -f copy "$object"`,
    }),
    (result, { ext4: disk }) => {
      expectRoot(result, disk);
      expect(reportOf(result)).toMatchObject({ level: "none", enforced: false, measured: { kind: "no-verity" } });
      expect(mountAt(result, "/sysroot").options).not.toContain("verity=require");
      expect(result.stderr).toContain("NOT VERIFIED");
    },
  ),

  "the first of two digests is absent": ext4((disk) => ({ cmdline: `composefs.digest=v1-sha256-12:${ABSENT} ${disk.argument}` }), (result, { ext4: disk }) => {
    expectRoot(result, disk);
    expectVerified(result, "sha256", disk.digest);
    expect(JSON.stringify(reportOf(result)["passedOver"])).toContain(ABSENT);
  }),

  "an unknown version is skipped": ext4((disk) => ({ cmdline: `composefs.digest=v9-blake3-12:00 ${disk.argument} ${disk.argument}` }), (result, { ext4: disk }) => {
    expectRoot(result, disk);
    expect(JSON.stringify(reportOf(result)["skipped"])).toContain("v9-blake3-12:00");
  }),

  "transient root": ext4(() => ({ config: "[root]\ntransient = true\n" }), (result, { ext4: disk }) => {
    expectRoot(result, disk, { source: `transient:composefs=${disk.digest}` });
    expectVerified(result, "sha256", disk.digest);
    expect(result.facts).toBe("write / yes\nwrite /usr yes\nwrite /etc yes\nwrite /var yes\n");
  }),

  "transient root with limits": ext4(
    () => ({
      config: '[root]\ntransient = true\nsize = "1M"\ninodes = 50\n',
      facts: "dd if=/dev/zero of=/sysroot/usr/large bs=64k count=32 2>&1; rm -f /sysroot/usr/large; for n in $(seq 60); do touch /sysroot/usr/f$n 2>&1 || break; done",
    }),
    (result, { ext4: disk }) => {
      expectRoot(result, disk, { source: `transient:composefs=${disk.digest}` });
      expect(result.facts.match(/No space left on device/g)?.length).toBe(2);
    },
  ),

  "transient root, read-only": ext4(() => ({ config: "[root]\ntransient-ro = true\n" }), (result, { ext4: disk }) => {
    expectRoot(result, disk, { source: `transient:composefs=${disk.digest}` });
    expect(result.facts).toStartWith("write / no\nwrite /usr no\n");
  }),

  "transient /etc and /var": ext4(
    () => ({ config: '[etc]\nmount = "transient"\n[var]\nmount = "volatile"\n', facts: `${WRITES}; find /sysroot/sysroot/state -name .write-test` }),
    (result, { ext4: disk }) => {
      expectRoot(result, disk, { etc: "overlay transient", var: "overlay transient" });
      expect(result.facts).toBe("write / no\nwrite /usr no\nwrite /etc yes\nwrite /var yes\n");
    },
  ),

  "overlay on /etc and /var": ext4(
    (disk) => ({
      config: '[etc]\nmount = "overlay"\n[var]\nmount = "overlay"\n',
      facts: `${WRITES}; cd /sysroot/sysroot/state/deploy/${disk.digest}; ls -A etc/upper var/upper`,
    }),
    (result, { ext4: disk }) => {
      expectRoot(result, disk, { var: "overlay overlay" });
      expect(result.facts).toEndWith("etc/upper:\n.write-test\n\nvar/upper:\n.write-test\n");
    },
  ),

  "bind on /etc, nothing on /var": ext4((disk) => ({ config: '[etc]\nmount = "bind"\n[var]\nmount = "none"\n', prepare: `: > state/deploy/${disk.digest}/etc/mine`, facts: `${WRITES}; ls /sysroot/etc` }), (result, { ext4: disk }) => {
    expectRoot(result, disk, { etc: PHYSICAL, var: "" });
    expect(result.facts).toBe("write / no\nwrite /usr no\nwrite /etc yes\nwrite /var no\nmine\nupper\nwork\n");
  }),

  "systemd.volatile=state leaves /var to systemd": ext4((disk) => ({ cmdline: `${disk.argument} systemd.volatile=state` }), (result, { ext4: disk }) => expectRoot(result, disk, { var: "" })),

  "a medium that cannot be written": ext4(
    () => ({ mode: "ro", readOnlyDisk: true, config: '[root]\ntransient = true\n[etc]\nmount = "transient"\n[var]\nmount = "transient"\n' }),
    (result, { ext4: disk }) => {
      expectRoot(result, disk, { source: `transient:composefs=${disk.digest}`, etc: "overlay transient", var: "overlay transient" });
      expectVerified(result, "sha256", disk.digest);
    },
  ),

  "bootc's layout": ext4((disk) => ({ arguments: ["setup-root", "--layout", "bootc"], prepare: `: > state/deploy/${disk.digest}/etc/mine`, facts: `${WRITES}; ls /sysroot/etc/mine` }), expectBootc),

  "bootc's layout by its name": ext4((disk) => ({ program: "/usr/lib/bootc/initramfs-setup", prepare: `: > state/deploy/${disk.digest}/etc/mine`, facts: `${WRITES}; ls /sysroot/etc/mine` }), expectBootc),

  "the peer's name and options": ext4(() => ({ program: "/usr/bin/composefs-setup-root", arguments: ["--sysroot", "/sysroot", "setup-root"] }), (result, { ext4: disk }) => {
    expectRoot(result, disk);
    expectVerified(result, "sha256", disk.digest);
  }),

  "the policy asks for verity": ext4(() => ({ config: '[trust]\nlevel = "verity"\n' }), (result, { ext4: disk }) => {
    expectRoot(result, disk);
    expectVerified(result, "sha256", disk.digest);
  }),
};

function expectBootc(result: Parameters<Checked["check"]>[0], { ext4: disk }: Disks): void {
  expectRoot(result, disk, { etc: PHYSICAL });
  expectVerified(result, "sha256", disk.digest);
  expect(mountAt(result, "/sysroot/sysroot").attributes).toContain("ro");
  expect(mountAt(result, "/sysroot/etc")).toMatchObject({ root: `/state/deploy/${disk.digest}/etc` });
  expect(result.facts).toBe("write / no\nwrite /usr no\nwrite /etc yes\nwrite /var yes\n/sysroot/etc/mine\n");
}

onKernels("mounts", cases, ["6.12", "7.2"]);
