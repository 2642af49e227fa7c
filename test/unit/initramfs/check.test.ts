import { describe, expect, test } from "bun:test";
import fc from "fast-check";
import { readBootPolicy } from "../../../src/commands/initramfs-policy.ts";
import { SealrootError } from "../../../src/errors/index.ts";
import { checkInitramfs, type CheckReport, DEFAULT_LIMIT } from "../../../src/initramfs/index.ts";
import { keyId } from "../../../src/ostree/index.ts";
import { bytes, cpio, elf, type Entry, uki, withDirectories } from "./build.ts";
import { type Changes, COMMAND_LINE, CONFIG, DIGEST, goodInitramfs, goodUki, MODULES, RELEASE, sealrootProgram, UNITS } from "./good.ts";

const check = (file: Uint8Array, anyHelper = false): Promise<CheckReport> => checkInitramfs(file, "FILE", { anyHelper, limit: DEFAULT_LIMIT, policyReader: readBootPolicy });
const said = ({ findings }: CheckReport, verdict: string): readonly string[] => findings.filter((one) => one.verdict === verdict).map((one) => `${one.check}: ${one.text}`);

describe("an initramfs in which nothing is missing", () => {
  test("boots", async () => {
    const report = await check(goodInitramfs());
    expect(said(report, "error")).toEqual([]);
    expect(said(report, "warning")).toEqual([]);
    expect({ ...report, findings: [], segments: [] }).toEqual({ kind: "initramfs", machine: "x86-64", kernels: [RELEASE], segments: [], helper: "sealroot", findings: [], bootable: true });
    expect(said(report, "ok")).toEqual([
      "init: /usr/lib/systemd/systemd",
      `unit: /${UNITS}/sealroot-setup-root.service`,
      `wants link: /${UNITS}/initrd-root-fs.target.wants/sealroot-setup-root.service`,
      expect.stringMatching(/^executable: \/usr\/bin\/sealroot {2}x86-64/),
      "libraries: all 2 that it needs",
      `guard: /${UNITS}/sealroot-guard.service, and a drop-in of initrd-switch-root.service`,
      `kernel: ${RELEASE}: erofs, overlay, loop, ext4 (built in)`,
    ]);
  });

  test("boots as a unified kernel image", async () => {
    const report = await check(goodUki(COMMAND_LINE));
    expect(said(report, "error")).toEqual([]);
    expect(report).toMatchObject({ kind: "uki", helper: "sealroot", kernels: [RELEASE], bootable: true });
    expect(said(report, "ok").at(-1)).toBe(`command line: composefs.digest=v1-sha256-12:${DIGEST}`);
  });
});

type Case = readonly [what: string, changes: Changes, error: string | RegExp];

const FLOOR = "usr/lib/composefs/setup-root-not-before";
const link = (path: string, target: string) => ({ path, kind: "symlink", data: target }) as const;
const wants = `${UNITS}/initrd-root-fs.target.wants`;

const ERRORS: readonly Case[] = [
  ["no executable", { without: ["usr/bin/sealroot"] }, "executable: /usr/bin/sealroot is not in it"],
  ["not executable", { with: [{ path: "usr/bin/sealroot", data: sealrootProgram(), mode: 0o644 }] }, "executable: /usr/bin/sealroot is not executable (mode 644)"],
  ["a script in its place", { with: [{ path: "usr/bin/sealroot", data: "#!/bin/sh\n", mode: 0o755 }] }, "executable: /usr/bin/sealroot cannot run: it is no ELF file"],
  ["another program in its place", { with: [{ path: "usr/bin/sealroot", data: elf(), mode: 0o755 }] }, "executable: /usr/bin/sealroot is some other program, not sealroot"],
  ["a program for another machine", { with: [{ path: "usr/bin/sealroot", data: sealrootProgram(183), mode: 0o755 }] }, "executable: /usr/bin/sealroot is for arm64, the rest of it for x86-64"],
  ["a library is missing", { without: ["usr/lib/x86_64-linux-gnu/libm.so.6"] }, "libraries: /usr/bin/sealroot needs libm.so.6"],
  ["the dynamic linker is missing", { without: ["usr/lib64/ld-linux-x86-64.so.2"] }, "libraries: /usr/bin/sealroot needs /lib64/ld-linux-x86-64.so.2"],
  ["no unit", { without: [`${UNITS}/sealroot-setup-root.service`] }, "unit: sealroot-setup-root.service is not in it: nothing would mount the image"],
  ["the unit is masked", { with: [link("etc/systemd/system/sealroot-setup-root.service", "/dev/null")] }, "unit: sealroot-setup-root.service is masked"],
  ["nothing starts the unit", { without: [`${wants}/sealroot-setup-root.service`] }, "wants link: nothing starts sealroot-setup-root.service: there is no link in initrd-root-fs.target.wants"],
  [
    "the link is where dracut 109 puts it for older modules",
    { without: [`${wants}/sealroot-setup-root.service`], with: [link("initrd-root-fs.target.wants/sealroot-setup-root.service", `/${UNITS}/sealroot-setup-root.service`)] },
    "wants link: /initrd-root-fs.target.wants/sealroot-setup-root.service is where systemd does not look, so sealroot-setup-root.service is never started",
  ],
  ["no systemd", { without: ["usr/lib/systemd/systemd"] }, "init: there is no systemd in it, which starts the units"],
  ["no initrd-release", { without: ["etc/initrd-release"] }, "init: there is no /etc/initrd-release: systemd would not take it for an initramfs"],
  ["no erofs", { without: [`${MODULES}/kernel/fs/erofs`] }, `kernel: ${RELEASE}: erofs is neither a module in it nor built in`],
  ["no overlay", { without: [`${MODULES}/kernel/fs/overlayfs`] }, `kernel: ${RELEASE}: overlay is neither a module in it nor built in`],
  ["a module that erofs needs is missing", { without: [`${MODULES}/kernel/fs/netfs`] }, `kernel: ${RELEASE}: erofs needs modules that are not in it: netfs`],
  ["no index of modules", { without: [`${MODULES}/modules.dep`] }, `kernel: ${RELEASE}: modules.dep is not in it: modprobe finds no module`],
  ["no modprobe", { without: ["usr/bin/modprobe"] }, `kernel: ${RELEASE}: modprobe is not in it: the kernel cannot load its modules`],
  ["a broken policy", { with: [{ path: CONFIG, data: "[etc\n" }] }, /^policy: .*setup-root-conf\.toml: the configuration is not valid TOML/],
  ["a policy that leads nowhere", { with: [link(CONFIG, "/nowhere")] }, `policy: /${CONFIG}: the configuration cannot be used, found a symbolic link, not a regular file (SR-E101)`],
  ["signed, and no keys", { with: [{ path: CONFIG, data: '[trust]\nlevel = "signed"\n' }] }, "policy: there is no trusted key, [trust] names no keys (SR-E231)"],
  ["signed, and the keys are missing", { with: [{ path: CONFIG, data: '[trust]\nlevel = "signed"\nkeys = ["/etc/keys/a.pem"]\n' }] }, "keys: /etc/keys/a.pem: a file of trusted keys cannot be read, found nothing of that name (SR-E230)"],
  ["no guard where the policy asks for verity", { without: ["usr/lib/sealroot/guard"], with: [{ path: CONFIG, data: '[trust]\nlevel = "verity"\n' }] }, "guard: /usr/lib/sealroot/guard is not in it"],
  [
    "another helper that would mount the root as well",
    { with: [{ path: `${UNITS}/bootc-root-setup.service`, data: "[Service]\nExecStart=/usr/lib/bootc/initramfs-setup setup-root\n" }, link(`${wants}/bootc-root-setup.service`, "../bootc-root-setup.service")] },
    "other helper: bootc-root-setup.service (bootc) would mount the root as well: the second of the two fails",
  ],
];

test.each(ERRORS)("%s", async (_, changes, error) => {
  const report = await check(goodInitramfs(changes));
  expect(report.bootable).toBe(false);
  const errors = said(report, "error");
  expect(errors).toContainEqual(typeof error === "string" ? error : expect.stringMatching(error));
  expect(report.findings.filter(({ verdict }) => verdict === "error").every(({ next, check: name }) => next !== undefined || name === "machine")).toBe(true);
});

const WARNINGS: readonly Case[] = [
  ["no guard", { without: [`${UNITS}/sealroot-guard.service`] }, "guard: sealroot-guard.service is not in it"],
  ["the guard is not started", { without: [`${wants}/sealroot-guard.service`] }, "guard: nothing starts sealroot-guard.service"],
  ["the guard cannot be kept from being masked", { without: [`${UNITS}/initrd-switch-root.service.d`] }, "guard: initrd-switch-root.service has no drop-in that runs it"],
  ["no shell for the guard", { without: ["usr/bin/sh"] }, "guard: /bin/sh is not in it"],
  ["no filesystem with fs-verity", { with: [{ path: `${MODULES}/modules.builtin`, data: "kernel/fs/xfs/xfs.ko\nkernel/lib/crc32c-lib.ko\n" }] }, `kernel: ${RELEASE}: none of ext4, btrfs, f2fs, but xfs: the disk must be of a filesystem with fs-verity`],
  ["no modules at all", { without: ["usr/lib/modules"] }, "kernel: there are no modules in it: the kernel must have erofs, overlay and its disk's drivers built in"],
  ["an unknown key in the policy", { with: [{ path: CONFIG, data: "[etc]\nmounts = 1\n" }] }, /^policy: etc.mounts \(line 2\): not known/],
  ["a unit of the older spelling only", { with: [{ path: `${UNITS}/sealroot-setup-root.service`, data: "[Unit]\nConditionKernelCommandLine=composefs\n[Service]\nExecStart=/usr/bin/sealroot setup-root\n" }] }, "conditions: sealroot-setup-root.service is not started by composefs.digest="],
];

test.each(WARNINGS)("%s: a warning", async (_, changes, warning) => {
  const report = await check(goodInitramfs(changes));
  expect(said(report, "error")).toEqual([]);
  expect(said(report, "warning")).toContainEqual(typeof warning === "string" ? warning : expect.stringMatching(warning));
});

describe("kernels", () => {
  const moved = (release: string): Changes => ({
    without: ["usr/lib/modules"],
    with: [
      { path: `usr/lib/modules/${release}/kernel/fs/erofs.ko`, data: "m" },
      { path: `usr/lib/modules/${release}/kernel/fs/overlay.ko`, data: "m" },
      { path: `usr/lib/modules/${release}/modules.dep.bin`, data: "m" },
      { path: `usr/lib/modules/${release}/modules.builtin`, data: "kernel/fs/btrfs/btrfs.ko\n" },
    ],
  });

  test("before 6.12 an image needs a loop device, and before 6.6 verity is not enforced", async () => {
    const report = await check(goodInitramfs(moved("6.1.0-50-amd64")));
    expect(said(report, "error")).toEqual(["kernel: 6.1.0-50-amd64: loop is neither a module in it nor built in"]);
    expect(said(report, "warning")).toEqual(["kernel: 6.1.0-50-amd64: overlayfs cannot enforce verity before Linux 6.6: only an argument with `?` boots"]);
  });

  test("a policy that wants verity makes that an error", async () => {
    const changes = moved("6.5.1");
    const report = await check(goodInitramfs({ ...changes, with: [...(changes.with ?? []), { path: CONFIG, data: '[trust]\nlevel = "verity"\n' }] }));
    expect(said(report, "error")).toContain("kernel: 6.5.1: overlayfs cannot enforce verity before Linux 6.6, and the policy asks for it");
  });

  test("7.0.1 to 7.0.8 are known to fail", async () => {
    expect(said(await check(goodInitramfs(moved("7.0.3-1-arch"))), "warning")).toHaveLength(1);
    expect(said(await check(goodInitramfs(moved("7.0.9"))), "warning")).toEqual([]);
    expect(said(await check(goodInitramfs(moved("7.0.10"))), "warning")).toEqual([]);
  });

  test("several kernels are all looked at", async () => {
    const report = await check(goodInitramfs({ with: [{ path: "usr/lib/modules/6.13.1/modules.builtin", data: "kernel/fs/ext4/ext4.ko" }] }));
    expect(report.kernels).toEqual(["6.12.9-test", "6.13.1"]);
    expect(said(report, "error")).toEqual(["kernel: 6.13.1: erofs is neither a module in it nor built in", "kernel: 6.13.1: overlay is neither a module in it nor built in"]);
  });

  test("modules for another kernel than the image's", async () => {
    expect(said(await check(goodUki(COMMAND_LINE, {}, "6.12.10")), "error")).toEqual([`kernel: the kernel is 6.12.10, the modules are for ${RELEASE}`]);
  });
});

describe("policy and keys: as the boot reads them", () => {
  const [one, two] = [new Uint8Array(32).fill(9).with(31, 1), new Uint8Array(32).fill(8).with(31, 1)].map((key) => ({ line: `${key.toBase64()}\n`, id: keyId(key) })) as unknown as readonly [KeyLine, KeyLine];
  interface KeyLine { readonly line: string; readonly id: string }
  const signed = (keys: string, more = ""): Entry => ({ path: CONFIG, data: `[trust]\nlevel = "signed"\nkeys = ${keys}\n${more}\n` });
  const prepareRoot = (text: string): Entry => ({ path: "usr/lib/ostree/prepare-root.conf", data: text });
  const binding = (line: string): Entry => ({ path: "etc/ostree/initramfs-root-binding.key", data: line });
  const checkWith = (...entries: readonly Entry[]): Promise<CheckReport> => check(goodInitramfs({ with: entries }));

  test("keys as files and as a directory, with hidden files beside them", async () => {
    const report = await checkWith(signed('["/etc/keys/a.pub", "/usr/share/keys"]', "threshold = 2"), { path: "etc/keys/a.pub", data: one.line }, { path: "usr/share/keys/b.pub", data: two.line }, { path: "usr/share/keys/.c.swp", data: "junk" });
    expect(said(report, "error")).toEqual([]);
    expect(said(report, "ok")).toContain(`keys: /etc/keys/a.pub, /usr/share/keys: ${one.id.slice(0, 12)}…, ${two.id.slice(0, 12)}…`);
  });

  const broken: readonly (readonly [string, readonly Entry[], string])[] = [
    ["a directory in a directory of keys", [{ path: "usr/keys/a.pub", data: one.line }, { path: "usr/keys/old/b.pub", data: two.line }], "keys: /usr/keys/old: a file of trusted keys cannot be read, found a directory, not a regular file (SR-E230)"],
    ["a link to nowhere among the keys", [{ path: "usr/keys/a.pub", data: one.line }, link("usr/keys/b.pub", "/nowhere")], "keys: /usr/keys/b.pub: a file of trusted keys cannot be read, found a symbolic link, not a regular file (SR-E230)"],
    ["no file in the directory", [{ path: "usr/keys/.keep", data: "" }], "keys: /usr/keys: there is no trusted key, found no file in it (SR-E231)"],
    ["an empty file", [{ path: "usr/keys/a.pub", data: "" }], "keys: /usr/keys/a.pub: there is no trusted key (SR-E231)"],
    ["no key", [{ path: "usr/keys/a.pub", data: "key\n" }], "keys: /usr/keys/a.pub: a file of trusted keys is malformed, line 1, found something that is not base64 (SR-E232)"],
    ["a file that is too large", [{ path: "usr/keys/a.pub", data: one.line.repeat(3000) }], "keys: /usr/keys/a.pub: a limit of the signature check is exceeded, found 65537 bytes, of at most 65536 (SR-E229)"],
  ];
  test.each(broken)("%s", async (_, entries, error) => {
    const report = await checkWith(signed('"/usr/keys"'), ...entries);
    expect(said(report, "error")).toEqual([error]);
    // what check-initramfs refuses, and nothing else, a boot from it would refuse
    expect(report.bootable).toBe(false);
  });

  test("fewer keys than have to sign", async () => {
    const keys = [{ path: "usr/keys/a.pub", data: one.line }, { path: "usr/keys/b.pub", data: one.line }];
    expect(said(await checkWith(signed('"/usr/keys"', "threshold = 2"), ...keys), "error")).toEqual([`keys: /usr/keys: ${one.id.slice(0, 12)}…; 2 have to sign: nothing could be signed well enough`]);
    expect(said(await checkWith(signed('"/usr/keys"', `revoked = "${one.id}"`), ...keys), "error")).toEqual(["keys: /usr/keys: none that is not revoked; 1 have to sign: nothing could be signed well enough"]);
    expect(said(await checkWith(signed('"/usr/keys"', 'revoked = "everyone"'), ...keys), "error")[0]).toMatch(/^policy: .*trust\.revoked has a wrong value, .*"everyone" \(SR-E101\)$/);
  });

  test("OSTree's configuration alone asks for signatures: then `?` is nobody's choice, and a guard is needed", async () => {
    const report = await checkWith(prepareRoot("[composefs]\nenabled = signed\n"), binding(one.line));
    expect(said(report, "error")).toEqual([]);
    expect(said(report, "note")).toEqual(["policy: level signed, by /usr/lib/ostree/prepare-root.conf", "floor: none: a commit of any age is accepted"]);
    expect(said(report, "ok").slice(-2)).toEqual(["policy: /usr/lib/ostree/prepare-root.conf, enabled is signed", `keys: /etc/ostree/initramfs-root-binding.key: ${one.id.slice(0, 12)}…`]);
    expect(said(await checkWith(prepareRoot("[composefs]\nenabled = signed\n")), "error")).toEqual(["keys: /etc/ostree/initramfs-root-binding.key: a file of trusted keys cannot be read, found nothing of that name (SR-E230)"]);
    expect(said(await checkWith(prepareRoot("[composefs]\nenabled = singed\n")), "error")[0]).toMatch(/^policy: \/usr\/lib\/ostree\/prepare-root\.conf, \[composefs\] enabled: .*found "singed" \(SR-E101\)$/);
    const unguarded = await check(goodInitramfs({ without: ["usr/lib/sealroot"], with: [prepareRoot("[composefs]\nenabled = verity\n")] }));
    expect(said(unguarded, "error")).toEqual(["guard: /usr/lib/sealroot/guard is not in it"]);
    const uki = await check(goodUki(`composefs=?${DIGEST}`, { with: [prepareRoot("[composefs]\nenabled = verity\n")] }));
    expect(said(uki, "error")).toEqual([`command line: composefs=?${DIGEST}: the policy does not allow \`?\``]);
  });

  test("both files ask for signatures, and both are looked at", async () => {
    const both = [signed('"/usr/keys/a.pub"'), prepareRoot("[composefs]\nenabled = signed\n"), { path: "usr/keys/a.pub", data: one.line }];
    expect(said(await checkWith(...both, binding(two.line)), "ok").filter((text) => text.startsWith("keys: "))).toEqual([`keys: /etc/ostree/initramfs-root-binding.key: ${two.id.slice(0, 12)}…`, `keys: /usr/keys/a.pub: ${one.id.slice(0, 12)}…`]);
    expect(said(await checkWith(...both), "error")).toHaveLength(1);
  });

  test("a typo in revoked is found at any level", async () => {
    for (const level of ["none", "verity"]) expect(said(await checkWith({ path: CONFIG, data: `[trust]\nlevel = "${level}"\nrevoked = "everyone"\n` }), "error")[0]).toMatch(/^policy: .*"everyone" \(SR-E101\)$/);
  });

  test("the floor that holds, and where it comes from", async () => {
    const floors = async (more: string, built?: string) => {
      const report = await checkWith(signed('"/usr/keys/a.pub"', more), { path: "usr/keys/a.pub", data: one.line }, ...(built === undefined ? [] : [{ path: FLOOR, data: `${built}\n` }]));
      return [...said(report, "ok"), ...said(report, "note"), ...said(report, "error")].filter((text) => /^floor: |SR-E246/.test(text));
    };
    expect(await floors("")).toEqual(["floor: none: a commit of any age is accepted"]);
    expect(await floors("not-before = 2026-11-01T00:00:00Z")).toEqual(["floor: commits older than 2026-11-01T00:00:00Z are refused: not-before in [trust]"]);
    expect(await floors('not-before = "build"', "2026-11-02T00:00:00Z")).toEqual(["floor: commits older than 2026-11-02T00:00:00Z are refused: the initramfs says when it was built"]);
    expect(await floors("not-before = 0")).toEqual(["floor: commits older than 1970-01-01T00:00:00Z are refused: not-before in [trust]"]);
    expect(await floors('not-before = "build"', "1970-01-01T00:00:00Z")).toEqual([expect.stringMatching(/^policy: .*1970-01-01.*\(SR-E246\)$/)]);
  });

  test("a floor that the build should have set, and did not", async () => {
    expect(said(await checkWith(signed('"/usr/keys/a.pub"', 'not-before = "build"'), { path: "usr/keys/a.pub", data: one.line }), "error")[0]).toMatch(/^policy: .*\(SR-E246\)$/);
  });

  test("neither file: as the argument says", async () => {
    expect(said(await check(goodInitramfs()), "note")).toContain(`policy: there is no /${CONFIG}: trust is as the argument says, \`?\` included`);
    expect(said(await checkWith({ path: CONFIG, data: "[root]\ntransient = true\n" }, prepareRoot("[composefs]\nenabled = yes\n")), "note")).toEqual(["policy: nothing in it asks for trust: trust is as the argument says, `?` included"]);
  });

  const everything = `keys = "/usr/keys"\nthreshold = 2\nrevoked = "${"ab".repeat(32)}"\nnot-before = 1\n`;
  test.each(["verity", "none"])("what has no effect at level %s", async (level) => {
    const report = await checkWith({ path: CONFIG, data: `[trust]\nlevel = "${level}"\n${everything}` });
    expect(said(report, "error")).toEqual([]);
    expect(said(report, "warning")).toEqual([`policy: keys, threshold, revoked, not-before in [trust]: no effect, since at level "${level}" nobody asks for a signature`]);
    expect(said(await checkWith({ path: CONFIG, data: `[trust]\nlevel = "${level}"\n` }), "warning")).toEqual([]);
  });

  test("what has an effect once OSTree's configuration raises the level", async () => {
    const report = await checkWith({ path: CONFIG, data: `[trust]\nlevel = "verity"\n${everything}` }, prepareRoot("[composefs]\nenabled = signed\n"), binding(one.line + two.line));
    expect(said(report, "error")).toEqual([]); // a threshold of 2, met by OSTree's keys
    expect(said(report, "warning")).toEqual(["policy: keys in [trust]: no effect, since the keys are those that OSTree's configuration names"]);
  });

  test("the command line of a unified kernel image raises it as well, and is not always right", async () => {
    const raised = "ostree=/ostree/boot.1/os/abc/0 ostree.prepare-root.composefs=signed";
    expect(said(await check(goodUki(raised, { with: [binding(one.line)] })), "error")).toEqual([]);
    expect(said(await check(goodUki(raised)), "error")).toEqual(["keys: /etc/ostree/initramfs-root-binding.key: a file of trusted keys cannot be read, found nothing of that name (SR-E230)"]);
    expect(said(await check(goodUki("ostree=/x ostree.prepare-root.composefs=sure")), "error")[0]).toMatch(/^policy: kernel command line, ostree\.prepare-root\.composefs=: .*found "sure"/);
    expect(said(await check(goodUki("ostree=/x", { with: [prepareRoot("[composefs]\nenabled = maybe\n")] })), "warning")).toEqual([expect.stringMatching(/enabled is maybe$/)]);
    expect(said(await check(goodUki("ostree=/x", { with: [prepareRoot("[composefs]\nenabled = no\n")] })), "error")).toEqual(["command line: ostree=/x names an OSTree deployment, and nothing in it asks for composefs"]);
  });
});

describe("peers", () => {
  const peer: Changes = {
    without: ["usr/bin/sealroot", "usr/bin/composefs-setup-root", "usr/lib/sealroot", `${UNITS}/sealroot-setup-root.service`, `${UNITS}/sealroot-guard.service`, `${UNITS}/composefs-setup-root.service`, wants],
    with: [
      { path: "usr/bin/composefs-setup-root", data: elf(), mode: 0o755 },
      { path: `${UNITS}/composefs-setup-root.service`, data: "[Unit]\nConditionKernelCommandLine=|composefs\nConditionKernelCommandLine=|composefs.digest\n[Service]\nExecStart=/usr/bin/composefs-setup-root\n" },
      link(`${wants}/composefs-setup-root.service`, "../composefs-setup-root.service"),
    ],
  };

  test("a peer alone is no sealroot, and is named", async () => {
    const report = await check(goodInitramfs(peer));
    expect(report.bootable).toBe(false);
    expect(said(report, "note")).toContain("other helper: composefs-setup-root.service (composefs-setup-root) is in it as well");
  });

  test("unless any helper will do", async () => {
    const report = await check(goodInitramfs(peer), true);
    expect(said(report, "error")).toEqual([]);
    expect(report).toMatchObject({ bootable: true, helper: "composefs-setup-root" });
  });

  test("but it does not hold a policy", async () => {
    const report = await check(goodInitramfs({ ...peer, with: [...(peer.with ?? []), { path: CONFIG, data: '[trust]\nlevel = "verity"\n' }] }), true);
    expect(said(report, "error")).toEqual(["policy: composefs-setup-root does not read [trust]: the policy would not hold"]);
    const ostree = await check(goodInitramfs({ ...peer, with: [...(peer.with ?? []), { path: "usr/lib/ostree/prepare-root.conf", data: "[composefs]\nenabled = verity\n" }] }), true);
    expect(said(ostree, "error")).toEqual(["policy: composefs-setup-root does not read OSTree's configuration: the policy would not hold"]);
  });

  test("the peer's unit with sealroot's file in the place of its own", async () => {
    const swapped = { ...peer, with: (peer.with ?? []).map((entry) => (entry.path === "usr/bin/composefs-setup-root" ? { ...entry, data: sealrootProgram() } : entry)) };
    const report = await check(goodInitramfs(swapped));
    expect(said(report, "error")).toEqual([]);
    expect(report.helper).toBe("sealroot");
    expect(said(report, "ok")).toContainEqual(expect.stringMatching(/^executable: \/usr\/bin\/composefs-setup-root, which is sealroot/));
  });

  test("bootc's unit is not started by the newer spelling", async () => {
    const bootc: Changes = {
      without: peer.without ?? [],
      with: [
        { path: "usr/lib/bootc/initramfs-setup", data: elf(), mode: 0o755 },
        { path: `${UNITS}/bootc-root-setup.service`, data: "[Unit]\nConditionKernelCommandLine=composefs\nConditionPathExists=/etc/initrd-release\n[Service]\nExecStart=/usr/lib/bootc/initramfs-setup setup-root\n" },
        link(`${wants}/bootc-root-setup.service`, "../bootc-root-setup.service"),
      ],
    };
    const report = await check(goodUki(COMMAND_LINE, bootc), true);
    expect(said(report, "error")).toEqual(["command line: the conditions of bootc-root-setup.service do not hold for composefs.digest=: it is skipped"]);
    expect(said(await check(goodUki(`composefs=${"ab".repeat(64)}`, bootc), true), "error")).toEqual([]);
  });

  test("ostree-prepare-root is another boot", async () => {
    const report = await check(
      goodInitramfs({ with: [{ path: `${UNITS}/ostree-prepare-root.service`, data: "[Service]\nExecStart=/usr/lib/ostree/ostree-prepare-root /sysroot\n" }, link(`${wants}/ostree-prepare-root.service`, "../ostree-prepare-root.service")] }),
    );
    expect(report.bootable).toBe(true);
    expect(said(report, "note")).toContain("other helper: ostree-prepare-root.service (ostree-prepare-root) is in it as well");
  });
});

describe("the command line of a unified kernel image", () => {
  const cases: readonly (readonly [string, Changes, string, string | RegExp])[] = [
    ["quiet rw", {}, "error", "command line: it names no image: neither composefs.digest= nor composefs= is on it"],
    ["ostree=/ostree/boot.1/os/abc/0", {}, "error", "command line: ostree=/ostree/boot.1/os/abc/0 names an OSTree deployment, and nothing in it asks for composefs"],
    ["composefs.digest=v1-sha256-12:abc", {}, "error", /^command line: composefs.digest=v1-sha256-12:abc: the sha256 digest has 3 hex digits/],
    ["composefs.digest=v9-sha256-12:abc", {}, "error", /not known here/],
    [`composefs.digest=v9-x:y composefs=${DIGEST}`, {}, "warning", /^command line: composefs.digest=v9-x:y: /],
    [`composefs=?${DIGEST}`, {}, "warning", `command line: composefs=?${DIGEST}: verity is optional, what is booted may be unverified`],
    [`composefs=?${DIGEST}`, { with: [{ path: CONFIG, data: '[trust]\nlevel = "verity"\n' }] }, "error", `command line: composefs=?${DIGEST}: the policy does not allow \`?\``],
    [`composefs=${DIGEST} rd.systemd.mask=sealroot-setup-root.service`, {}, "error", "command line: rd.systemd.mask=sealroot-setup-root.service keeps the root from being mounted"],
    [`composefs=${DIGEST} rdinit=/bin/sh`, {}, "warning", "command line: rdinit starts something else than the ordinary boot"],
    [`${"x".repeat(2000)} composefs=${DIGEST}`, {}, "error", `command line: composefs=${DIGEST}: stands beyond the 2047 bytes that the kernel reads`],
  ];
  test.each(cases)("%s", async (commandLine, changes, verdict, text) => {
    const report = await check(goodUki(commandLine, changes));
    expect(said(report, verdict)).toContainEqual(typeof text === "string" ? text : expect.stringMatching(text));
    expect(report.bootable).toBe(verdict !== "error");
  });

  test("an OSTree deployment is an image where OSTree's configuration says so", async () => {
    const report = await check(goodUki("ostree=/ostree/boot.1/os/abc/0", { with: [{ path: "usr/lib/ostree/prepare-root.conf", data: "[composefs]\nenabled = yes\n" }] }));
    expect(said(report, "error")).toEqual([]);
    expect(said(report, "ok").at(-1)).toBe("command line: ostree=/ostree/boot.1/os/abc/0, an OSTree deployment");
  });

  const SLOT = "androidboot.slot_suffix=_a";
  test.each<[string, Changes, string, string]>([
    [SLOT, {}, "error", "command line: it names no image: neither composefs.digest= nor composefs= is on it"],
    ["androidboot.mode=normal", {}, "error", "command line: it names no image: neither composefs.digest= nor composefs= is on it"],
    ["ostree", { with: [{ path: "usr/lib/ostree/prepare-root.conf", data: "[composefs]\nenabled = yes\n" }] }, "error", "command line: it names no image: neither composefs.digest= nor composefs= is on it"],
    [SLOT, { with: [{ path: "usr/lib/ostree/prepare-root.conf", data: "[composefs]\nenabled = yes\n" }] }, "ok", `command line: ${SLOT}, an OSTree deployment`],
    [`ostree=/x ${SLOT}`, {}, "error", `command line: ${SLOT} names an OSTree deployment, and nothing in it asks for composefs`],
  ])("a deployment is what the boot takes for one: %s", async (commandLine, changes, verdict, text) => {
    expect(said(await check(goodUki(commandLine, changes)), verdict)).toContain(text);
  });

  test("a policy that cannot be read is one error, not two", async () => {
    expect(said(await check(goodUki("ostree=/x", { with: [{ path: CONFIG, data: "[trust]\n" }] })), "error")).toEqual([expect.stringMatching(/^policy: /)]);
  });

  test("none: whatever the boot loader says", async () => {
    const report = await check(goodUki(undefined));
    expect(said(report, "warning")).toEqual(["command line: there is no section .cmdline: the boot loader's is taken, which nothing signs"]);
  });

  test("each profile has its own", async () => {
    const image = uki([[".linux", "kernel"], [".uname", RELEASE], [".initrd", goodInitramfs()], [".profile", "ID=main"], [".cmdline", COMMAND_LINE], [".profile", "ID=rescue"], [".cmdline", "rescue"]]);
    const report = await check(image);
    expect(report.findings.filter(({ verdict }) => verdict === "error")).toMatchObject([{ profile: "rescue", check: "command line" }]);
  });
});

describe("what is no initramfs", () => {
  const refused = async (file: Uint8Array): Promise<SealrootError> => {
    const error = await check(file).catch((thrown: unknown) => thrown);
    if (!(error instanceof SealrootError)) throw new Error("it was not refused");
    return error;
  };
  test.each([
    ["an empty file", new Uint8Array(0), "SR-E601", "empty"],
    ["zeros", new Uint8Array(4096), "SR-E601", "zeros only"],
    ["a script", bytes("#!/bin/sh\necho\n"), "SR-E601", "something that begins with 23212f62696e"],
    ["a program", elf(), "SR-E601", "an ELF file"],
    ["a kernel", uki([[".text", "code"]]), "SR-E601", "a PE file without a section .initrd: a kernel, or some other EFI program"],
    ["half of one", goodInitramfs().subarray(0, 2000), "SR-E602", "at byte 0: zstd: it ends in the middle"],
    ["half a PE file", bytes("MZ"), "SR-E602", "it ends in the middle"],
  ])("%s", async (_, file, code, found) => {
    const error = await refused(file);
    expect(error.code).toBe(code as typeof error.code);
    expect(error.details).toContainEqual(["found", found]);
  });

  test("a section .initrd that is none", async () => {
    const report = await check(uki([[".initrd", "nothing of the kind"]]));
    expect(said(report, "error")).toEqual(["initramfs: the section .initrd is no initramfs: it is something that begins with 6e6f7468696e"]);
  });
});

test("hostile images are judged or refused", async () => {
  const plain = cpio(withDirectories([{ path: "init", data: "x" }]));
  const sources = [goodInitramfs(), goodUki(COMMAND_LINE), plain, uki([[".cmdline", COMMAND_LINE], [".initrd", plain]])];
  const change = fc.record({ at: fc.nat(), byte: fc.nat(255) });
  await fc.assert(
    fc.asyncProperty(fc.nat(sources.length - 1), fc.array(change, { minLength: 1, maxLength: 5 }), async (which, changes) => {
      const file = (sources[which] ?? new Uint8Array(0)).slice();
      for (const { at, byte } of changes) file[at % file.length] = byte;
      try {
        await check(file);
      } catch (error) {
        if (!(error instanceof SealrootError) || !["SR-E601", "SR-E602"].includes(error.code)) throw error;
      }
    }),
    { numRuns: 300 },
  );
});
