/** OSTree deployments on real fs-verity: every level and mount, and the disks and command lines that must not boot. */

import { afterAll, expect } from "bun:test";
import type { ErrorCode } from "../../src/errors/index.ts";
import { writeCommitMeta } from "../../src/ostree/index.ts";
import type { BenchCase } from "./lab/bench.ts";
import { flippedByte } from "./lab/faults.ts";
import { anotherSignature, claimsGigabyte, flipped, manySignatures, notReduced } from "./lab/forged.ts";
import { kernel } from "./lab/kernel.ts";
import { type OstreeDisk, ostreeDisk } from "./lab/ostree-disk.ts";
import { commitFile, commitLike, deployed, type Deployed } from "./lab/ostree-signed.ts";
import { Builder, type SignedCommit } from "./lab/signing.ts";
import { casesOn, type Checked, expectRefused, mountAt, newMounts, reportOf } from "./lab/suite.ts";

type Change = Partial<Omit<BenchCase, "name">>;
type Case = Checked<OstreeDisk>;

/** The initramfs is shared by all cases: what one puts there it takes away. */
const CONFIG = "/etc/ostree/prepare-root.conf";
const KEY = "/etc/ostree/initramfs-root-binding.key";
const LEFT_BEHIND = "umount /run/ostree/transient-etc 2>/dev/null; rm -rf /etc/ostree /run/ostree /run/ostree-booted";

/** A case with this prepare-root.conf and the disk's key. */
function configured(lines: string, change: (disk: OstreeDisk) => Promise<Change> | Change, check: Case["check"]): Case {
  return {
    make: async (disk) => {
      const { setup = "", facts = "", ...rest } = await change(disk);
      return {
        disk: disk.path,
        cmdline: `quiet ${disk.argument}`,
        ...rest,
        setup: `mkdir -p /etc/ostree; printf '${lines}' > ${CONFIG}; printf '${disk.key.trim()}\\n' > ${KEY}\n${setup}`,
        facts: `${facts}\n${LEFT_BEHIND}`,
      };
    },
    check,
  };
}

const SIGNED = "[composefs]\\nenabled = signed\\n";
const refused = (code: ErrorCode, texts: readonly (string | RegExp)[], change: (disk: OstreeDisk) => Promise<Change> | Change, lines = SIGNED): Case =>
  configured(lines, change, (result) => expectRefused(result, code, ...texts));

/** What is mounted below /sysroot, by target. */
const mountsOf = (result: Parameters<Case["check"]>[0]): Record<string, string> =>
  Object.fromEntries(newMounts(result).filter(({ target }) => target.startsWith("/sysroot")).map(({ target, filesystem, root }) => [target, `${filesystem} ${root}`]));

const usual = (disk: OstreeDisk): Record<string, string> => ({
  "/sysroot": "overlay /",
  "/sysroot/sysroot": "ext4 /",
  "/sysroot/sysroot/ostree/deploy/debian/var": "ext4 /ostree/deploy/debian/var",
  "/sysroot/etc": `ext4 /${disk.deployment}/etc`,
});

const WRITES = `for at in / /usr /etc /sysroot /sysroot/ostree/deploy/debian/var; do
  if (: > /sysroot$at/.write-test) 2>/dev/null; then echo "write $at yes"; else echo "write $at no"; fi
done`;
const BOOTED = "od -An -v -tx1 /run/ostree-booted | tr -d ' \\n'";

const commit = (disk: OstreeDisk): string => disk.commitmeta.replace(/meta$/, "");
const image = (disk: OstreeDisk): string => `${disk.deployment}/.ostree.cfs`;
/** Shell: points `ostree=` somewhere else. */
const retarget = (disk: OstreeDisk, to: string): string => `ln -sfn ${to} ${disk.argument.replace("ostree=/", "")}`;
/** An object with fs-verity that is no image. */
const OBJECT = "$(find ostree/repo/objects -name '*.file' -type f | sort | head -1)";

const cases: Record<string, Case> = {
  "signed": configured(SIGNED, () => ({ facts: `${WRITES}; ${BOOTED}` }), (result, disk) => {
    expect(result.stderr).toBe("");
    expect(mountsOf(result)).toEqual(usual(disk));
    expect(mountAt(result, "/sysroot")).toMatchObject({ source: `composefs:${disk.digest}` });
    expect(mountAt(result, "/sysroot").options).toContain("verity=require");
    expect(mountAt(result, "/sysroot/sysroot").attributes).toContain("ro");
    expect(result.facts).toStartWith("write / no\nwrite /usr no\nwrite /etc yes\nwrite /sysroot no\nwrite /sysroot/ostree/deploy/debian/var yes\n");
    expect(Buffer.from(result.facts.trimEnd().split("\n").at(-1) ?? "", "hex").toString("latin1")).toContain(KEY);
    expect(reportOf(result)).toMatchObject({ level: "signed", enforced: true, image: { digest: disk.digest }, deployment: { commit: disk.commit, serial: 0, stateroot: "debian" }, signed: { commit: disk.commit } });
  }),
  "signed, by the [trust] table's keys": configured("[composefs]\\nenabled = no\\n", () => ({ config: `[trust]\nlevel = "signed"\nkeys = "${KEY}"\n` }), (result, disk) => {
    expect(mountsOf(result)).toEqual(usual(disk));
    expect(reportOf(result)).toMatchObject({ level: "signed" });
  }),
  "verity: unsigned, the commit names the image": configured("[composefs]\\nenabled = verity\\n", (disk) => ({ prepare: `rm ${disk.commitmeta}` }), (result, disk) => {
    expect(mountsOf(result)).toEqual(usual(disk));
    expect(reportOf(result)).toMatchObject({ level: "verity", enforced: true });
  }),
  "yes: nothing is verified": configured("[composefs]\\nenabled = yes\\n", (disk) => ({ prepare: `rm ${commit(disk)}` }), (result, disk) => {
    expect(mountsOf(result)).toEqual(usual(disk));
    expect(mountAt(result, "/sysroot").options).not.toContain("verity=require");
    expect(result.stderr).toContain("NOT VERIFIED");
  }),
  "transient etc and root": configured("[composefs]\\nenabled = signed\\n[etc]\\ntransient = true\\n[root]\\ntransient = true\\n", () => ({
    facts: `${WRITES}; ls /run/ostree/transient-etc/upper /sysroot/etc/hostname`,
  }), (result, disk) => {
    expect(mountAt(result, "/sysroot/etc")).toMatchObject({ filesystem: "overlay", source: "transient" });
    expect(mountAt(result, "/sysroot").source).toBe(`transient:composefs=${disk.digest}`);
    expect(result.facts).toStartWith("write / yes\nwrite /usr yes\nwrite /etc yes\nwrite /sysroot no\n");
    expect(result.facts).toContain("/sysroot/etc/hostname");
  }),
  "a writable /sysroot, and /var in the initramfs": configured("[composefs]\\nenabled = signed\\n[sysroot]\\nreadonly = false\\n", () => ({
    setup: "mkdir -p /run/ostree; : > /run/ostree/initramfs-mount-var", facts: WRITES,
  }), (result, disk) => {
    expect(mountsOf(result)).toEqual({ "/sysroot": "overlay /", "/sysroot/sysroot": "ext4 /", "/sysroot/etc": `ext4 /${disk.deployment}/etc`, "/sysroot/var": "ext4 /ostree/deploy/debian/var" });
    expect(result.facts).toContain("write /sysroot yes\n");
  }),
  "no composefs: left to OSTree's own program": configured("[composefs]\\nenabled = no\\n", () => ({ arguments: ["setup-root", "--if-named"] }), (result) => {
    expect(result.exit).toBe(0);
    expect(newMounts(result)).toEqual([]);
    expect(result.report).toBeUndefined();
  }),
  "maybe, and no image: left to OSTree's own program": configured("[composefs]\\nenabled = maybe\\n", (disk) => ({ arguments: ["setup-root", "--if-named"], prepare: `rm ${image(disk)}` }), (result) => {
    expect(result.exit).toBe(0);
    expect(newMounts(result)).toEqual([]);
    expect(result.report).toBeUndefined();
  }),

  "refused: unsigned": refused("SR-E220", [/commitmeta/], (disk) => ({ prepare: `rm ${disk.commitmeta}` })),
  "refused: unsigned, and an argument that asks for less": refused("SR-E220", [], (disk) => ({ cmdline: `${disk.argument} ostree.prepare-root.composefs=0`, prepare: `rm ${disk.commitmeta}` })),
  "refused: another key": refused("SR-E221", [], (disk) => ({ setup: `echo ${disk.otherKey.trim()} > ${KEY}` })),
  "refused: no key": refused("SR-E230", [KEY], () => ({ setup: `rm ${KEY}` })),
  "refused: a commit with bytes behind it": refused("SR-E248", [], (disk) => ({ prepare: `printf x >> ${commit(disk)}` })),
  "refused: no commit": refused("SR-E107", [], (disk) => ({ prepare: `rm ${commit(disk)}` })),
  "refused: another image under its name": refused("SR-E210", [/expected +sha256:/], (disk) => ({ prepare: `ln -f ${OBJECT} ${image(disk)}` })),
  "refused: another image under its name, at level verity": refused("SR-E210", [], (disk) => ({ prepare: `ln -f ${OBJECT} ${image(disk)}` }), "[composefs]\\nenabled = verity\\n"),
  "refused: an image without fs-verity": refused("SR-E211", [], (disk) => ({ prepare: `cp ${image(disk)} copy; mv -f copy ${image(disk)}` })),
  "refused: a flipped byte of the image": refused("SR-E214", [], async (disk) => ({ patches: [await flippedByte(disk.path, `/${image(disk)}`, 1200)] })),
  "refused: no image": refused("SR-E242", [/ostree\.cfs/], (disk) => ({ prepare: `rm ${image(disk)}` })),
  "refused: the deployment is out of the physical root": refused("SR-E241", [], (disk) => ({ prepare: retarget(disk, "../../../../../../etc") })),
  "refused: the deployment is out of the physical root, by an absolute link": refused("SR-E241", [], (disk) => ({ prepare: retarget(disk, "/etc") })),
  "refused: the deployment is no deployment": refused("SR-E241", [/repo/], (disk) => ({ prepare: retarget(disk, "../../../repo") })),
  "refused: the deployment is no link": refused("SR-E241", [], (disk) => ({ cmdline: `ostree=/${disk.deployment}` })),
  "refused: there is no such deployment": refused("SR-E240", [], () => ({ cmdline: "ostree=/ostree/boot.1/debian/0/0" })),
  "refused: /etc is a link out of the physical root": refused("SR-E241", [/etc/], (disk) => ({ prepare: `mv ${disk.deployment}/etc elsewhere; ln -s /etc ${disk.deployment}/etc` })),
  "refused: /var is a link out of the physical root": refused("SR-E241", [/var/], () => ({ prepare: "mv ostree/deploy/debian/var elsewhere; ln -s ../../../../run ostree/deploy/debian/var" })),
  "refused: the repository is a link out of the physical root": refused("SR-E204", [], () => ({ prepare: "mv ostree/repo/objects elsewhere; ln -s /run ostree/repo/objects" })),
  "refused: no argument": refused("SR-E102", [/signed/], () => ({ cmdline: "quiet", arguments: ["setup-root", "--if-named"] })),
  "refused: a flipped byte of init": refused("SR-E400", [/systemd/], async (disk) => ({ prepare: `file=$(readlink -f ${disk.deployment}/usr/lib/systemd/systemd); cp -a "$file" copy; printf x >> copy; object=$(find ostree/repo/objects -samefile "$file" | head -1); mv -f copy "$object"` })),
};

const builder = new Builder();
afterAll(() => builder[Symbol.dispose]());

/** The disk's commit signed anew, and both keys in the initramfs; what there is of `[trust]` is added to OSTree's configuration. */
interface Resigned {
  readonly disk: OstreeDisk;
  readonly commit: Deployed;
  /** Of the commit, by "release". */
  readonly signature: Uint8Array;
}
type Resign = (scene: Resigned) => Promise<Change & { readonly commitmeta?: Uint8Array; readonly trust?: string }>;

const TRUST = `[trust]\nlevel = "signed"\nkeys = "${KEY}"\n`;

function resigned(change: Resign, check: Case["check"]): Case {
  return configured(SIGNED, async (disk) => {
    const commit = await deployed(disk);
    const { commitmeta, trust, setup = "", files = {}, ...rest } = await change({ disk, commit, signature: await builder.signature("release", commit.bytes) });
    const keys = await Promise.all(["release", "second"].map(async (name) => (await builder.key(name)).public));
    return {
      ...rest,
      ...(trust === undefined ? {} : { config: `${TRUST}${trust}\n` }),
      files: { [disk.commitmeta]: commitmeta ?? (await builder.commitmeta(commit, ["release"])), ...files },
      setup: `printf '${keys.join("\\n")}\\n' > ${KEY}\n${setup}`,
    };
  }, check);
}

const boots = (change: Resign, keys = ["release"]): Case => {
  let ids: readonly string[] = [];
  return resigned(async (scene) => {
    ids = await Promise.all(keys.map(async (name) => (await builder.key(name)).id));
    return change(scene);
  }, (result, disk) => {
    expect(result.stderr).toBe("");
    expect(mountsOf(result)).toEqual(usual(disk));
    expect(mountAt(result, "/sysroot").options).toContain("verity=require");
    const report = reportOf(result);
    expect(report).toMatchObject({ level: "signed", enforced: true, image: { digest: disk.digest }, deployment: { commit: disk.commit } });
    expect((report["signed"] as { keys: string[] }).keys.toSorted()).toEqual(ids.toSorted());
  });
};
const stopped = (code: ErrorCode, texts: readonly (string | RegExp)[], change: Resign): Case => resigned(change, (result) => expectRefused(result, code, ...texts));

/** Seconds since 1970: ostree-deploy.sh. */
const COMMITTED = 1780000000;
const floor = (seconds: number): string => `not-before = ${new Date(seconds * 1000).toISOString()}`;
const TWO = "threshold = 2";

/** Another commit, signed by "release" or not, in the place of this one or beside it. */
const stored = async (commit: SignedCommit, names: readonly string[], id = commit.id): Promise<Record<string, Uint8Array>> => ({
  [commitFile(id)]: commit.bytes,
  ...(names.length === 0 ? {} : { [`${commitFile(id)}meta`]: await builder.commitmeta(commit, names) }),
});
/** Shell: the same deployment under another commit's name. The disk's directories of deployments are the only ones that ostree= can name. */
const deployAs = (disk: OstreeDisk, id: string): string => `mv ${disk.deployment} ostree/deploy/debian/deploy/${id}.0; ${retarget(disk, `../../../deploy/debian/deploy/${id}.0`)}`;
const linkOut = (path: string): string => `mv ${path} elsewhere; ln -s /run/elsewhere ${path}`;

const signatures: Record<string, Case> = {
  "two keys have signed, and two are asked for": boots(async ({ commit }) => ({ trust: TWO, commitmeta: await builder.commitmeta(commit, ["second", "stranger", "release"]) }), ["release", "second"]),
  "malformed signatures before the good one": boots(async ({ signature }) => ({ commitmeta: writeCommitMeta([new Uint8Array(), signature.subarray(1), notReduced(signature), signature]) })),
  "a revoked key has signed as well": boots(async ({ commit }) => ({ trust: `revoked = ["${(await builder.key("second")).id}"]`, commitmeta: await builder.commitmeta(commit, ["second", "release"]) })),
  "as old as the floor": boots(async () => ({ trust: floor(COMMITTED) })),
  "bootc's commit, whose base is signed": resigned(async ({ disk, commit }) => {
    const merged = commitLike(commit, { base: commit.id });
    return { files: await stored(merged, []), prepare: deployAs(disk, merged.id) };
  }, (result, disk) => {
    expect(result.stderr).toBe("");
    expect(reportOf(result)).toMatchObject({ level: "signed", enforced: true, image: { digest: disk.digest }, signed: { commit: disk.commit } });
  }),

  "refused: two signatures by one key": stopped("SR-E223", [/1 of 2/], async ({ commit, signature }) => ({ trust: TWO, commitmeta: writeCommitMeta([signature, anotherSignature(await builder.seed("release"), commit.bytes)]) })),
  "refused: one signature twice": stopped("SR-E223", [/1 of 2/], async ({ signature }) => ({ trust: TWO, commitmeta: writeCommitMeta([signature, signature]) })),
  "refused: a revoked key": stopped("SR-E222", [/revoked/], async () => ({ trust: `revoked = ["${(await builder.key("release")).id}"]` })),
  "refused: older than the floor": stopped("SR-E228", [/not-before|older|later/], async () => ({ trust: floor(COMMITTED + 1) })),
  "refused: a flipped bit in the signature": stopped("SR-E224", [], async ({ commit, signature }) => {
    const commitmeta = await builder.commitmeta(commit, ["release"]);
    return { commitmeta: flipped(commitmeta, Buffer.from(commitmeta).indexOf(signature) + 5) };
  }),
  "refused: a signature with S not reduced": stopped("SR-E224", [], async ({ signature }) => ({ commitmeta: writeCommitMeta([notReduced(signature)]) })),
  "refused: a signature of 65 bytes": stopped("SR-E224", [], async ({ signature }) => ({ commitmeta: writeCommitMeta([new Uint8Array([...signature, 0])]) })),
  "refused: the signature of another commit": stopped("SR-E221", [], async ({ commit }) => ({ commitmeta: writeCommitMeta([await builder.signature("release", commitLike(commit, { image: undefined }).bytes)]) })),
  "refused: another signed commit under this one's name": stopped("SR-E250", [], async ({ disk, commit }) => ({ files: await stored(commitLike(commit, { image: "3d".repeat(32) }), ["release"], disk.commit) })),
  "refused: another commit, which nobody who is trusted has signed, under this one's name": stopped("SR-E226", [], async ({ disk, commit }) => ({ files: await stored(commitLike(commit, { image: "3d".repeat(32) }), ["stranger"], disk.commit) })),
  "refused: a commit that is cut short": stopped("SR-E249", [], async ({ commit }) => ({ files: { [commit.file]: commit.bytes.slice(0, -1) } })),
  "refused: the deployment is named by a signed commit of another image": stopped("SR-E210", [/expected +sha256:3d3d/], async ({ disk, commit }) => {
    const other = commitLike(commit, { image: "3d".repeat(32) });
    return { files: await stored(other, ["release"]), prepare: deployAs(disk, other.id) };
  }),
  "refused: the deployment is named by a signed commit of no image": stopped("SR-E227", [], async ({ disk, commit }) => {
    const other = commitLike(commit, { image: undefined });
    return { files: await stored(other, ["release"]), prepare: deployAs(disk, other.id) };
  }),
  "refused: the deployment is named by an unsigned commit of this image": stopped("SR-E220", [], async ({ disk, commit }) => {
    const other = commitLike(commit, { base: "12".repeat(32) });
    return { files: await stored(other, []), prepare: deployAs(disk, other.id) };
  }),
  "refused: bootc's commit, whose base another key has signed": stopped("SR-E221", [], async ({ disk, commit }) => {
    const merged = commitLike(commit, { base: commit.id });
    return { commitmeta: await builder.commitmeta(commit, ["stranger"]), files: await stored(merged, []), prepare: deployAs(disk, merged.id) };
  }),
  "refused: ten thousand signatures, the last of them good": stopped("SR-E229", [/10000/], async ({ signature }) => ({ commitmeta: manySignatures(signature, 10_000) })),
  "refused: detached metadata that claims a gigabyte": stopped("SR-E234", [], async ({ signature }) => ({ commitmeta: claimsGigabyte(signature) })),
  "refused: detached metadata of a gigabyte": stopped("SR-E229", [/1073741824/], async ({ disk }) => ({ prepare: `truncate -s 1G ${disk.commitmeta}` })),
  "refused: a commit of a gigabyte": stopped("SR-E229", [/1073741824/], async ({ commit }) => ({ prepare: `truncate -s 1G ${commit.file}` })),
  "refused: the commit is a link out of the physical root": stopped("SR-E204", [], async ({ commit }) => ({ prepare: linkOut(commit.file), setup: ": > /run/elsewhere" })),
  "refused: the commit's signatures are a link out of the physical root": stopped("SR-E204", [], async ({ disk }) => ({ prepare: linkOut(disk.commitmeta), setup: ": > /run/elsewhere" })),
  "refused: an empty key file": stopped("SR-E231", [KEY], async () => ({ setup: `: > ${KEY}` })),
  "refused: a key of a wrong length": stopped("SR-E232", [KEY], async () => ({ setup: `echo AAAA > ${KEY}` })),
  "refused: a typo in enabled": stopped("SR-E101", [/singed/], async () => ({ setup: `printf '[composefs]\\nenabled = singed\\n' > ${CONFIG}` })),
  "refused: a typo in the level": stopped("SR-E101", [/singed/], async () => ({ config: '[trust]\nlevel = "singed"\n' })),
};
const disk = async (): Promise<OstreeDisk> => ostreeDisk(await kernel("7.2"));
casesOn("OSTree deployments", cases, ["6.12"], disk);
casesOn("signed OSTree deployments", signatures, ["7.2"], disk);
