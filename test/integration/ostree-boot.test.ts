/**
 * OSTree deployments on this machine, whose kernel has no fs-verity: composefs without it, the name ostree-prepare-root, who
 * boots what, and every refusal that comes before an image is measured. What needs fs-verity is in test/vm.
 */

import { describe, expect, test } from "bun:test";
import { readFileSync, renameSync, rmSync, statSync, symlinkSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { encodeBooted } from "../../src/boot/ostree-booted.ts";
import type { Plan } from "../../src/boot/index.ts";
import { objectPath, writeCommitMeta } from "../../src/ostree/index.ts";
import { generateSecretKey, type SecretKey, sign } from "../../src/ostree/secret-keys.ts";
import { digestMessage } from "../../src/trust/digest-message.ts";
import type { Decided } from "../support/decided.ts";
import { failEachCall } from "../support/faults/each-call.ts";
import { Initramfs } from "../support/initramfs.ts";
import { topMount } from "../support/mount-table.ts";
import { type OstreeRoot, ostreeRoot } from "../support/ostree-root.ts";
import { BUN, faultyCommand, program, sealroot } from "../support/program.ts";
import { projectTop } from "../vm/lab/cache.ts";
import { bootReport, expectRefusal } from "../support/refusal.ts";

const CONFIG = "/usr/lib/ostree/prepare-root.conf";
const OVERRIDE = "/etc/ostree/prepare-root.conf";
const YES = "[composefs]\nenabled = yes\n";

async function prepared(config: string | undefined, change: (root: OstreeRoot, initramfs: Initramfs) => void = () => undefined): Promise<{ initramfs: Initramfs; root: OstreeRoot }> {
  const initramfs = await Initramfs.create();
  // as systemd has it
  initramfs.shell("mount --make-rshared /");
  const root = await ostreeRoot(initramfs);
  if (config !== undefined) initramfs.write(CONFIG, config);
  change(root, initramfs);
  return { initramfs, root };
}

const setupRoot = (initramfs: Initramfs, cmdline: string, ...more: readonly string[]) => sealroot(initramfs, ["setup-root", "--cmdline", cmdline, ...more]);

describe("composefs without verity", () => {
  test("as ostree-prepare-root, with its arguments", async () => {
    const { initramfs, root } = await prepared(YES);
    using _ = initramfs;
    const done = sealroot(initramfs, ["/sysroot", `quiet ${root.argument}`], { calledAs: "/usr/lib/ostree/ostree-prepare-root" });
    expect(done.stderr).toContain("NOT VERIFIED");
    expect(done.exit).toBe(0);
    const mounts = initramfs.mounts();
    expect(topMount(mounts, "/sysroot")).toMatchObject({ filesystem: "overlay", source: "composefs" });
    expect(topMount(mounts, "/sysroot/etc")).toMatchObject({ filesystem: "tmpfs", root: `/${root.deployment}/etc` });
    expect(topMount(mounts, "/sysroot/sysroot")?.attributes).toContain("ro");
    expect(topMount(mounts, "/sysroot/var")).toBeUndefined();
    expect(initramfs.read("/sysroot/etc/hostname")).toBe("of the deployment\n");
    // /var is bound from here by the booted system, so it is writable although /sysroot is not
    initramfs.shell("touch /sysroot/sysroot/ostree/deploy/debian/var/new; ! touch /sysroot/sysroot/new 2>/dev/null");
    // nothing of the new root shows below the old one, whatever systemd shares
    expect(mounts.filter(({ target }) => target.startsWith("/sysroot/")).map(({ target }) => target).sort()).toEqual([
      "/sysroot/etc", "/sysroot/sysroot", "/sysroot/sysroot/ostree/deploy/debian/var",
    ]);
    expect(bootReport(initramfs)).toMatchObject({ ok: true, level: "none", deployment: { commit: root.commit, stateroot: "debian", serial: 0 } });
  });

  test("status says which deployment is booted, and that nothing is verified", async () => {
    const { initramfs, root } = await prepared(`${YES}[root]\ntransient = true\n`);
    using _ = initramfs;
    expect(setupRoot(initramfs, root.argument).exit).toBe(0);
    // as after the switch of roots, with the host's libraries; a directory of the image that is otherwise empty shows the program
    initramfs.shell(`ln -s usr/lib /sysroot/lib; for name in usr proc run; do mount --rbind /$name /sysroot/$name; done; mount --rbind ${projectTop} /sysroot/tmp`);
    const there = program().map((word) => (word.startsWith(projectTop) ? `/tmp${word.slice(projectTop.length)}` : word));
    const { stdout, stderr, exit } = initramfs.run(["chroot", "/sysroot", ...there, "status"]);
    expect(exit, stderr).toBe(0);
    expect(stdout).toMatch(/^booted +an image without a fs-verity digest$/m);
    expect(stdout).toMatch(/^verified +NOT VERIFIED$/m);
    expect(stdout).toMatch(new RegExp(`^deployment +debian ${root.commit}\\.0$`, "m"));
    // but for the host's programs, which lie over the image's
    expect(stdout.match(/^warning .*$/gm)?.every((line) => / \/usr(\/\S+)? is not the image's but /.test(line))).toBe(true);
  });

  test("/run/ostree-booted names the deployment's directory", async () => {
    const { initramfs, root } = await prepared(YES);
    using _ = initramfs;
    expect(setupRoot(initramfs, root.argument).exit).toBe(0);
    const { dev, ino } = statSync(initramfs.at(`/sysroot/sysroot/${root.deployment}`), { bigint: true });
    const written = initramfs.run(["od", "-An", "-v", "-tx1", "/run/ostree-booted"]).stdout.replace(/\s/g, "");
    const device = { major: Number((dev >> 8n) & 0xfffn), minor: Number((dev & 0xffn) | ((dev >> 12n) & 0xfff00n)) };
    const plan = { level: "none", enforce: false, root: { transient: false, readOnly: true }, sysrootReadOnly: true, directories: [] } as unknown as Plan;
    expect(written).toBe(encodeBooted(plan, { device, inode: Number(ino) }).toHex());
    expect(statSync(initramfs.at("/run/ostree-booted")).mode & 0o777).toBe(0o644);
  });

  test("transient etc is the image's /usr/etc, and its layer is where ostree looks for it", async () => {
    const { initramfs, root } = await prepared(`${YES}[etc]\ntransient = true\n`);
    using _ = initramfs;
    expect(setupRoot(initramfs, root.argument).exit).toBe(0);
    expect(initramfs.read("/sysroot/etc/hostname")).toBe("sealed\n");
    initramfs.shell("echo mine > /sysroot/etc/new");
    expect(initramfs.read("/run/ostree/transient-etc/upper/new")).toBe("mine\n");
  });

  test("transient root, read-only or not, is one overlay", async () => {
    for (const [key, writable] of [["transient", true], ["transient-ro", false]] as const) {
      const { initramfs, root } = await prepared(`${YES}[root]\n${key} = true\n`);
      using _ = initramfs;
      expect(setupRoot(initramfs, root.argument).exit).toBe(0);
      expect(initramfs.mounts().filter(({ target, filesystem }) => target === "/sysroot" && filesystem === "overlay")).toHaveLength(1);
      expect(initramfs.run(["touch", "/sysroot/usr/new"]).exit === 0).toBe(writable);
    }
  });

  test("an argument raises no to yes, and cannot lower yes to no", async () => {
    for (const [config, argument] of [["[composefs]\nenabled = no\n", "yes"], [undefined, "maybe"], [YES, "no"], [YES, "0"]] as const) {
      const { initramfs, root } = await prepared(config);
      using _ = initramfs;
      expect(setupRoot(initramfs, `${root.argument} ostree.prepare-root.composefs=${argument}`, "--if-named").exit).toBe(0);
      expect(topMount(initramfs.mounts(), "/sysroot")?.filesystem).toBe("overlay");
    }
  });

  test("plan says the same without mounting", async () => {
    const { initramfs, root } = await prepared(YES);
    using _ = initramfs;
    const before = initramfs.mountTable();
    const done = sealroot(initramfs, ["plan", "--cmdline", root.argument]);
    expect(done.exit).toBe(0);
    expect(done.stdout).toContain(`/sysroot/${root.deployment}/etc`);
    expect(done.stdout).toContain("ostree/repo/objects");
    expect(initramfs.mountTable()).toEqual(before);
  });
});

describe("left to OSTree's own program", () => {
  test.each([["no prepare-root.conf", undefined, false], ["no", "[composefs]\nenabled = no\n", false], ["maybe, without an image", "[composefs]\nenabled = maybe\n", true]] as const)(
    "%s: the unit does nothing, ostree-prepare-root says whose it is", async (_name, config, withoutImage) => {
      const { initramfs, root } = await prepared(config);
      using _ = initramfs;
      if (withoutImage) rmSync(initramfs.at(`/sysroot/${root.deployment}/.ostree.cfs`));
      const before = initramfs.mountTable();
      expect(setupRoot(initramfs, root.argument, "--if-named").exit).toBe(0);
      expect(initramfs.mountTable()).toEqual(before);
      // by this file OSTree's unit knows that it is its turn
      expect(initramfs.exists("/run/sealroot/boot.json")).toBe(false);
      expectRefusal(initramfs, "SR-E243", () => sealroot(initramfs, ["prepare-root", "/sysroot", root.argument]));
    });
});

describe("refused", () => {
  const SIGNED = "[composefs]\nenabled = signed\n";
  /** Each with a disk or a command line of its own. */
  const cases: Record<string, readonly [code: Parameters<typeof expectRefusal>[1], config: string, cmdline: (root: OstreeRoot) => string, change?: (root: OstreeRoot, initramfs: Initramfs) => void]> = {
    "signed, and no fs-verity": ["SR-E212", SIGNED, ({ argument }) => argument],
    "signed, and an argument that asks for less": ["SR-E212", SIGNED, ({ argument }) => `${argument} ostree.prepare-root.composefs=0`],
    "verity by the [trust] table, and nothing in prepare-root.conf": ["SR-E212", "", ({ argument }) => argument, (_, initramfs) => initramfs.write("/usr/lib/composefs/setup-root-conf.toml", '[trust]\nlevel = "verity"\n')],
    "a second prepare-root.conf for something else does not switch signatures off": ["SR-E212", SIGNED, ({ argument }) => argument, (_, initramfs) => initramfs.write(OVERRIDE, "[sysroot]\nreadonly = true\n")],
    "signed, and no argument": ["SR-E102", SIGNED, () => "quiet"],
    "an image argument that cannot be read, and a deployment beside it": ["SR-E103", SIGNED, ({ argument }) => `composefs.digest=v1-sha256-12:beef ${argument}`],
    "an image argument of an unknown version, and a slot suffix": ["SR-E103", SIGNED, () => "composefs.digest=v9-sha256-12:aa androidboot.slot_suffix=_a"],
    "a level that does not exist": ["SR-E101", "[composefs]\nenabled = singed\n", ({ argument }) => argument],
    "an argument with a level that does not exist": ["SR-E101", YES, ({ argument }) => `${argument} ostree.prepare-root.composefs=singed`],
    "no image": ["SR-E242", YES, ({ argument }) => argument, ({ deployment }, initramfs) => rmSync(initramfs.at(`/sysroot/${deployment}/.ostree.cfs`))],
    "an image that is a link out of the deployment": ["SR-E204", YES, ({ argument }) => argument, ({ deployment }, initramfs) => {
      rmSync(initramfs.at(`/sysroot/${deployment}/.ostree.cfs`));
      symlinkSync("/etc/passwd", initramfs.at(`/sysroot/${deployment}/.ostree.cfs`));
    }],
    "no EROFS in the image": ["SR-E213", YES, ({ argument }) => argument, ({ deployment }, initramfs) => writeFileSync(initramfs.at(`/sysroot/${deployment}/.ostree.cfs`), "x".repeat(5000))],
    "no such deployment": ["SR-E240", YES, () => "ostree=/ostree/boot.1/debian/0123abcd/1"],
    "an empty path": ["SR-E240", YES, () => "ostree="],
    "a slot that there is not": ["SR-E240", YES, ({ argument }) => `${argument} androidboot.slot_suffix=_c`],
    "a deployment by its own name": ["SR-E241", YES, ({ deployment }) => `ostree=/${deployment}`],
    "the physical root itself": ["SR-E241", YES, () => "ostree=/ostree/loop", (_, initramfs) => symlinkSync("..", initramfs.at("/sysroot/ostree/loop"))],
    "a link to /": ["SR-E241", YES, () => "ostree=/ostree/loop", (_, initramfs) => symlinkSync("/", initramfs.at("/sysroot/ostree/loop"))],
    "a link that climbs out": ["SR-E241", YES, () => "ostree=/ostree/loop", (_, initramfs) => symlinkSync("../../etc", initramfs.at("/sysroot/ostree/loop"))],
    "a path that climbs out": ["SR-E241", YES, () => "ostree=/../etc/mtab"],
    "a deployment whose name is no commit": ["SR-E241", YES, ({ argument }) => argument, ({ deployment }, initramfs) => {
      renameSync(initramfs.at(`/sysroot/${deployment}`), initramfs.at("/sysroot/ostree/deploy/debian/deploy/nothex.7"));
      const link = initramfs.at("/sysroot/ostree/boot.1.1/debian/0123abcd/0");
      rmSync(link);
      symlinkSync("../../../deploy/debian/deploy/nothex.7", link);
    }],
    "a deployment that is a link": ["SR-E241", YES, ({ argument }) => argument, ({ deployment }, initramfs) => {
      const path = initramfs.at(`/sysroot/${deployment}`);
      renameSync(path, initramfs.at("/sysroot/elsewhere"));
      symlinkSync("/sysroot/elsewhere", path);
    }],
    "/etc that is a link": ["SR-E241", YES, ({ argument }) => argument, ({ deployment }, initramfs) => {
      rmSync(initramfs.at(`/sysroot/${deployment}/etc`), { recursive: true });
      symlinkSync("/etc", initramfs.at(`/sysroot/${deployment}/etc`));
    }],
    "no /etc": ["SR-E306", YES, ({ argument }) => argument, ({ deployment }, initramfs) => rmSync(initramfs.at(`/sysroot/${deployment}/etc`), { recursive: true })],
    "/var that is a link": ["SR-E241", YES, ({ argument }) => argument, (_, initramfs) => {
      rmSync(initramfs.at("/sysroot/ostree/deploy/debian/var"), { recursive: true });
      symlinkSync("../../../../run", initramfs.at("/sysroot/ostree/deploy/debian/var"));
    }],
    "objects that are a link": ["SR-E204", YES, ({ argument }) => argument, (_, initramfs) => {
      renameSync(initramfs.at("/sysroot/ostree/repo/objects"), initramfs.at("/sysroot/elsewhere"));
      symlinkSync("/sysroot/elsewhere", initramfs.at("/sysroot/ostree/repo/objects"));
    }],
    "no repository": ["SR-E201", YES, ({ argument }) => argument, (_, initramfs) => rmSync(initramfs.at("/sysroot/ostree/repo"), { recursive: true })],
    "an object of init that is missing": ["SR-E400", YES, ({ argument }) => argument, (_, initramfs) => initramfs.shell("find /sysroot/ostree/repo/objects -type f -size +20k -delete")],
  };

  for (const [name, [code, config, cmdline, change]] of Object.entries(cases)) {
    test(name, async () => {
      const { initramfs, root } = await prepared(config, change);
      using _ = initramfs;
      expectRefusal(initramfs, code, () => setupRoot(initramfs, cmdline(root), "--if-named"));
      expect(initramfs.exists("/run/ostree-booted")).toBe(false);
    });
  }

  test("prepare-root without ostree=, and without its operand", async () => {
    const { initramfs } = await prepared(YES);
    using _ = initramfs;
    expectRefusal(initramfs, "SR-E240", () => sealroot(initramfs, ["prepare-root", "/sysroot", "quiet"]));
    expect(sealroot(initramfs, ["prepare-root"]).exit).toBe(2);
  });
});

const decided = (initramfs: Initramfs, what: Decided) => initramfs.run([BUN, join(projectTop, "test/support/decided.ts"), JSON.stringify(what)]);

describe("what was checked is what is used", () => {
  test.each([
    ["/etc becomes a link to another place on the disk", ({ deployment }: OstreeRoot) => `mv /sysroot/${deployment}/etc /sysroot/kept; ln -s ../../../../../evil /sysroot/${deployment}/etc`],
    ["/etc is replaced by another directory", ({ deployment }: OstreeRoot) => `mv /sysroot/${deployment}/etc /sysroot/kept; mv /sysroot/evil /sysroot/${deployment}/etc`],
    ["/var becomes another directory", () => "mv /sysroot/ostree/deploy/debian/var /sysroot/kept; mv /sysroot/evil /sysroot/ostree/deploy/debian/var"],
    ["the deployment becomes another one", ({ deployment }: OstreeRoot) => `mv /sysroot/${deployment} /sysroot/kept; mkdir -p /sysroot/${deployment}; mv /sysroot/evil /sysroot/${deployment}/etc`],
  ])("between check and mount %s", async (_name, swap) => {
    const { initramfs, root } = await prepared(YES, (_, initramfs) => {
      initramfs.shell("mkdir -p /run/ostree /sysroot/evil; echo evil > /sysroot/evil/hostname; echo evil > /sysroot/evil/passwd; mkdir /sysroot/evil/log; touch /run/ostree/initramfs-mount-var");
    });
    using _ = initramfs;
    const done = decided(initramfs, { cmdline: root.argument, meanwhile: swap(root) });
    expect(done.exit, done.stderr).toBe(0);
    expect(initramfs.read("/sysroot/etc/hostname")).toBe("of the deployment\n");
    expect(initramfs.read("/sysroot/var/log/kept")).toBe("of the stateroot\n");
    expect(initramfs.exists("/sysroot/etc/passwd")).toBe(false);
  });
});

test("a /var that becomes a link after the check: where the disk shows below /sysroot nothing is mounted over a link", async () => {
  const { initramfs, root } = await prepared(YES, (_, initramfs) => initramfs.shell("mkdir /sysroot/evil"));
  using _ = initramfs;
  const before = initramfs.mountTable();
  const done = decided(initramfs, { cmdline: root.argument, meanwhile: "mv /sysroot/ostree/deploy/debian/var /sysroot/kept; ln -s ../../../evil /sysroot/ostree/deploy/debian/var" });
  expect(done.stderr).toContain("SR-E306");
  expect(initramfs.mountTable()).toEqual(before);
});

describe("signed", () => {
  const TABLE = "/usr/lib/composefs/setup-root-conf.toml";
  const [table, ostree, stranger] = [generateSecretKey(), generateSecretKey(), generateSecretKey()];
  const [TABLE_KEY, OSTREE_KEY] = ["/usr/lib/keys/release.pub", "/etc/ostree/initramfs-root-binding.key"];
  const publicKeys = (...keys: readonly SecretKey[]): string => keys.map(({ publicKey }) => `${publicKey.toBase64()}\n`).join("");

  /** What `verify` says, which computes the digest that this machine's kernel cannot measure. */
  async function judged(signers: readonly SecretKey[], change: (root: OstreeRoot, initramfs: Initramfs) => void): Promise<{ level: string | undefined; code: string | undefined; text: string; key: string | undefined }> {
    const { initramfs, root } = await prepared("[composefs]\nenabled = signed\n", (root, initramfs) => {
      initramfs.write(OSTREE_KEY, publicKeys(ostree));
      const commit = `/sysroot/ostree/repo/objects/${objectPath(root.commit, "commit")}`;
      const bytes = new Uint8Array(readFileSync(initramfs.at(commit)));
      if (signers.length > 0) writeFileSync(initramfs.at(`${commit}meta`), writeCommitMeta(signers.map((key) => sign(key, bytes))));
      change(root, initramfs);
    });
    using _ = initramfs;
    const args = ["verify", "--sysroot", "/sysroot", "--cmdline", root.argument];
    const { level, error } = JSON.parse(sealroot(initramfs, [...args, "--json"]).stdout) as { level?: string; error?: { code: string } };
    const { stdout, stderr } = sealroot(initramfs, args);
    const { deployment } = level === undefined ? {} : JSON.parse(decided(initramfs, { cmdline: root.argument }).stdout) as Plan;
    return { level, code: error?.code, text: stdout + stderr, key: deployment?.key };
  }
  const both = (keys = publicKeys(table)) => (_: OstreeRoot, initramfs: Initramfs): void => {
    initramfs.write(TABLE_KEY, keys);
    initramfs.write(TABLE, `[trust]\nlevel = "signed"\nkeys = "${TABLE_KEY}"\n`);
  };

  test("by OSTree's key; /run/ostree-booted names its file", async () => {
    expect(await judged([stranger, ostree], () => undefined)).toMatchObject({ level: "signed", key: OSTREE_KEY });
  });

  test("by one of several files: the one that holds the key is named, not the first", async () => {
    const several = (_: OstreeRoot, initramfs: Initramfs): void => {
      initramfs.write(CONFIG, "");
      initramfs.write("/usr/lib/keys/a.pub", publicKeys(stranger));
      initramfs.write("/usr/lib/keys/b.pub", publicKeys(table));
      initramfs.write(TABLE, '[trust]\nlevel = "signed"\nkeys = ["/etc/ostree/initramfs-root-binding.key", "/usr/lib/keys"]\n');
    };
    expect(await judged([table], several)).toMatchObject({ level: "signed", key: "/usr/lib/keys/b.pub" });
  });

  test("where [trust] asks as well: by a key of each, in the same commit, or by one that both have", async () => {
    expect(await judged([table, ostree], both())).toMatchObject({ level: "signed", key: OSTREE_KEY });
    expect(await judged([ostree], both(publicKeys(ostree)))).toMatchObject({ level: "signed", key: OSTREE_KEY });
  });

  test("not by a key of one of them: SR-E245, and it says which", async () => {
    for (const [signer, unmet] of [[table, "prepare-root.conf: none of 1 signatures"], [ostree, "[trust]: none of 1 signatures"]] as const) {
      const { code, text } = await judged([signer], both());
      expect(code).toBe("SR-E245");
      expect(text).toContain(unmet);
    }
    expect((await judged([stranger], both())).code).toBe("SR-E221");
    expect((await judged([], both())).code).toBe("SR-E220");
  });

  test("not with one of the two files of keys missing: SR-E230", async () => {
    const { code, text } = await judged([table, ostree], (root, initramfs) => {
      both()(root, initramfs);
      rmSync(initramfs.at(OSTREE_KEY));
    });
    expect(code).toBe("SR-E230");
    expect(text).toContain(OSTREE_KEY);
  });

  test("not by a signature of the bare digest: a deployment has a commit", async () => {
    const { code } = await judged([], ({ digest }, initramfs) => {
      const repository = `/sysroot/composefs`;
      initramfs.write(`${repository}/meta.json`, '{"version":1,"algorithm":"fsverity-sha256-12"}');
      initramfs.write(`${repository}/commits/${digest}/${ostree.id}.ed25519`, sign(ostree, digestMessage("sha256", digest)));
    });
    expect(code).toBe("SR-E220");
  });
});

describe("a boot whose nth system call fails", () => {
  test("is whole or refused, and leaves no mount and no word of OSTree behind", async () => {
    const fresh = async (): Promise<Initramfs> => {
      const { initramfs } = await prepared(`${YES}[etc]\ntransient = true\n`);
      initramfs.shell("mkdir -p /run/sealroot /run/ostree/.private");
      return initramfs;
    };
    using first = await fresh();
    const [link = ""] = first.shell("ls -d /sysroot/ostree/boot.1/*/*/0").trim().split("\n");
    const cmdline = `ostree=${link.slice("/sysroot".length)}`;
    const outcomes = await failEachCall({
      fresh,
      run: (initramfs, faults) => initramfs.start(...faultyCommand(faults, cmdline)),
      errnoName: "EINVAL",
      checkRefused: (initramfs) => expect(initramfs.exists("/run/ostree-booted")).toBe(false),
    });
    expect(outcomes.size).toBeGreaterThan(4);
  }, 300_000);
});
