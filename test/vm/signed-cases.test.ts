/** Composefs repositories at level "signed", on real fs-verity: what boots, and every disk, command line and initramfs that must not. */

import { afterAll, expect } from "bun:test";
import { writeCommitMeta } from "../../src/ostree/index.ts";
import { inlineChunk, objectMap, splitstream } from "../support/splitstream.ts";
import type { ErrorCode } from "../../src/errors/index.ts";
import type { BenchCase } from "./lab/bench.ts";
import type { SystemDisk } from "./lab/disks.ts";
import { anotherSignature, claimsGigabyte, flipped, manySignatures, notReduced } from "./lab/forged.ts";
import { Builder, type SignedCommit } from "./lab/signing.ts";
import { type Checked, expectMounted, expectRefused, mountAt, onKernels, reportOf } from "./lab/suite.ts";

const OTHER_IMAGE = "3d".repeat(32);

const builder = new Builder();
afterAll(() => builder[Symbol.dispose]());

/** What lies in composefs/commits/<digest of the image>/, by name. */
type Evidence = Readonly<Record<string, Uint8Array>>;

interface Change extends Partial<Omit<BenchCase, "name">> {
  readonly evidence?: Evidence;
}

/** One release: a commit for the disk's image, and detached metadata as the case wants it. */
interface Scene {
  readonly disk: SystemDisk;
  readonly commit: SignedCommit;
  /** Its signature by "release", alone. */
  readonly signature: Uint8Array;
  /** The commit and this detached metadata, or what the release has. */
  readonly stored: (commitmeta?: Uint8Array | undefined) => Evidence;
  /** Directory of the evidence on the disk. */
  readonly commits: string;
  /** Its commit's path on the disk. */
  readonly file: string;
}

const scenes = new Map<string, Promise<Scene>>();

function sceneOf(disk: SystemDisk): Promise<Scene> {
  const known = scenes.get(disk.digest);
  if (known !== undefined) return known;
  const made = (async (): Promise<Scene> => {
    const commit = await builder.commit("--image", disk.image, "--version", "1");
    const signature = await builder.signature("release", commit.bytes);
    const usual = await builder.commitmeta(commit, ["release"]);
    const commits = `composefs/commits/${disk.digest}`;
    return { disk, commit, signature, commits, file: `${commits}/${commit.id}.commit`, stored: (commitmeta = usual) => both(commit, commitmeta) };
  })();
  scenes.set(disk.digest, made);
  return made;
}

const both = ({ id, bytes }: SignedCommit, commitmeta: Uint8Array): Evidence => ({ [`${id}.commit`]: bytes, [`${id}.commitmeta`]: commitmeta });

/** Public keys as they lie in the initramfs, which all cases share: put there by the first. */
const KEYS = "/keys";
const NAMES = ["release", "second", "stranger"];

async function installKeys(): Promise<string> {
  const lines = [`mkdir -p ${KEYS}/both ${KEYS}/twice ${KEYS}/none`];
  for (const name of NAMES) lines.push(`echo ${(await builder.key(name)).public} > ${KEYS}/${name}.pub`);
  lines.push(`cp ${KEYS}/release.pub ${KEYS}/second.pub ${KEYS}/both`, `cp ${KEYS}/release.pub ${KEYS}/twice/a.pub; cp ${KEYS}/release.pub ${KEYS}/twice/b.pub`, `: > ${KEYS}/empty.pub; echo AAAA > ${KEYS}/short.pub`);
  return `[ -d ${KEYS} ] || {\n${lines.join("\n")}\n}\n`;
}

const policy = (keys = `${KEYS}/release.pub`, more = ""): string => `[trust]\nlevel = "signed"\nkeys = "${keys}"\n${more}\n`;
const BOTH = policy(`${KEYS}/both`, "threshold = 2");

/** A signed release on the ext4 disk, and what the case changes about it. */
function release(change: (scene: Scene) => Promise<Change> | Change, check: (result: Parameters<Checked["check"]>[0], scene: Scene) => void): Checked {
  let scene: Scene | undefined;
  return {
    make: async ({ ext4: disk }) => {
      scene = await sceneOf(disk);
      const { evidence = scene.stored(), setup = "", files = {}, ...rest } = await change(scene);
      const { commits } = scene;
      return {
        disk: disk.path,
        cmdline: `quiet ${disk.argument}`,
        config: policy(),
        ...rest,
        files: { ...files, ...Object.fromEntries(Object.entries(evidence).map(([name, bytes]) => [`${commits}/${name}`, bytes])) },
        setup: `${await installKeys()}${setup}`,
        facts: `rm -rf /etc/ostree\n${rest.facts ?? ""}`,
      };
    },
    check: (result) => {
      if (scene === undefined) throw new Error("the case was not made");
      check(result, scene);
    },
  };
}

const unchanged = (): Change => ({});

/** Mounted whole, at level "signed". @param keys names of those that vouch for it */
function boots(change: (scene: Scene) => Promise<Change> | Change, { keys = ["release"], bare = false, notes = [] as readonly RegExp[] } = {}): Checked {
  let ids: readonly string[] = [];
  return release(
    async (scene) => {
      ids = await Promise.all(keys.map(async (name) => (await builder.key(name)).id));
      return change(scene);
    },
    (result, { disk, commit }) => {
      const device = `ext4 ${mountAt(result, "/sysroot/sysroot").source}`;
      expectMounted(result, { "/sysroot": `overlay composefs:${disk.digest}`, "/sysroot/sysroot": device, "/sysroot/etc": "overlay overlay", "/sysroot/var": device });
      expect(mountAt(result, "/sysroot").options).toContain("verity=require");
      const report = reportOf(result);
      expect(report).toMatchObject({ level: "signed", enforced: true, image: { digest: disk.digest }, signed: { commit: bare ? null : commit.id } });
      expect((report["signed"] as { keys: string[] }).keys.toSorted()).toEqual(ids.toSorted());
      for (const note of notes) expect(result.stderr + result.stdout).toMatch(note);
    },
  );
}

const refused = (code: ErrorCode, texts: readonly (string | RegExp)[], change: (scene: Scene) => Promise<Change> | Change): Checked =>
  release(change, (result) => expectRefused(result, code, ...texts));

/** The release's commit in an imported OSTree stream, where it is not in commits/ itself. */
function inStream({ commit, disk }: Scene, chunks = inlineChunk(objectMap(commit.bytes))): Change {
  return {
    files: { "composefs/objects/00/imported": splitstream({ named: [["composefs.image", disk.digest]], chunks }) },
    prepare: `ln -s ../objects/00/imported composefs/streams/ostree-commit-${commit.id}`,
  };
}
const onlyMeta = (scene: Scene): Evidence => Object.fromEntries(Object.entries(scene.stored()).filter(([name]) => name.endsWith("meta")));
const onlyCommit = (scene: Scene): Evidence => Object.fromEntries(Object.entries(scene.stored()).filter(([name]) => !name.endsWith("meta")));

/** Bytes that "release" signed, under their own id. */
async function signedBytes(bytes: Uint8Array): Promise<Evidence> {
  return both({ id: new Bun.CryptoHasher("sha256").update(bytes).digest("hex"), bytes }, writeCommitMeta([await builder.signature("release", bytes)]));
}
const padded = (bytes: Uint8Array): Uint8Array => new Uint8Array([...bytes, 0, 0, 0, 0, 0, 0, 0, 0]);

/** Shell: moves a file or directory of the disk out of the repository and leaves a link to it. */
const linkOut = (path: string, to = "../".repeat(path.split("/").length - 1)): string => `mv ${path} elsewhere; ln -s ${to}elsewhere ${path}`;
const ostreePolicy = (lines: string, key = "release"): string => `mkdir -p /etc/ostree; printf '${lines}' > /etc/ostree/prepare-root.conf; cp ${KEYS}/${key}.pub /etc/ostree/initramfs-root-binding.key`;
/** Shell: what the dracut module writes beside the configuration for `not-before = "build"`. */
const builtAt = (time: string): string => `echo ${time} > "$CASE/setup-root-not-before"`;
const BUILD = policy(undefined, 'not-before = "build"');

const good: Record<string, Checked> = {
  "signed commit": boots(unchanged),
  "signed commit, named by composefs=": boots(({ disk }) => ({ cmdline: `composefs=${disk.digest}` })),
  "signed commit, and an argument that asks for less": boots(({ disk }) => ({ cmdline: `${disk.argument} ostree.prepare-root.composefs=0` })),
  "two keys have signed, and two are asked for": boots(async ({ commit, stored }) => ({ config: BOTH, evidence: stored(await builder.commitmeta(commit, ["second", "stranger", "release"])) }), { keys: ["release", "second"] }),
  "a signature of the bare digest": boots(async ({ disk }) => ({ evidence: { [`${(await builder.key("release")).id}.ed25519`]: await builder.bare(`v1-sha256-12:${disk.digest}`, "release") } }), { bare: true }),
  "two signatures of the bare digest": boots(async ({ disk }) => ({
    config: BOTH,
    evidence: Object.fromEntries(await Promise.all(["release", "second"].map(async (name) => [`${(await builder.key(name)).id}.ed25519`, await builder.bare(`v1-sha256-12:${disk.digest}`, name)] as const))),
  }), { keys: ["release", "second"], bare: true }),
  "a commit in an imported stream": boots((scene) => ({ ...inStream(scene), evidence: onlyMeta(scene) })),
  "a malformed signature before the good one": boots(({ signature, stored }) => ({ evidence: stored(writeCommitMeta([signature.subarray(1), signature])) })),
  "signatures that are empty, not reduced, flipped and too long beside the good one": boots(({ signature, stored }) => ({
    evidence: stored(writeCommitMeta([new Uint8Array(), notReduced(signature), flipped(signature, 3), signature, padded(signature)])),
  })),
  "a revoked key has signed as well": boots(async ({ commit, stored }) => ({
    config: policy(`${KEYS}/both`, `revoked = ["${(await builder.key("second")).id}"]`), evidence: stored(await builder.commitmeta(commit, ["second", "release"])),
  })),
  "one of several commits is good": boots(async ({ disk, commit, stored }) => {
    const old = await builder.commit("--digest", disk.digest, "--version", "0", "--timestamp", "2020-01-01T00:00:00Z");
    const unsigned = await builder.commit("--digest", disk.digest, "--version", "unsigned");
    const foreign = await builder.commit("--digest", disk.digest, "--version", "foreign");
    return {
      config: policy(undefined, "not-before = 2026-01-01T00:00:00Z"),
      evidence: {
        ...both(old, await builder.commitmeta(old, ["release"])), ...both(foreign, await builder.commitmeta(foreign, ["stranger"])), [`${unsigned.id}.commit`]: unsigned.bytes,
        ...both({ id: "00".repeat(32), bytes: commit.bytes }, new Uint8Array(5)), [`${"ff".repeat(32)}.commit`]: new Uint8Array(70000), ...stored(),
      },
    };
  }),
  "as old as the floor": boots(() => ({ config: policy(undefined, "not-before = 2026-11-01T00:00:00Z") })),
  "newer than the initramfs": boots(() => ({ config: BUILD, setup: builtAt("2026-10-31T23:59:59Z") })),
  "signed for both who ask, [trust] and OSTree's configuration": boots(async ({ commit, stored }) => ({
    setup: ostreePolicy("[composefs]\\nenabled = signed\\n", "second"), evidence: stored(await builder.commitmeta(commit, ["release", "second"])),
  }), { keys: ["release", "second"] }),
  "asked for by OSTree's configuration": boots(() => ({ config: "[root]\n", setup: ostreePolicy("[composefs]\\nenabled = signed\\n") })),
  "a meta.json without fs-verity": boots(() => ({ prepare: "cp composefs/meta.json copy; mv -f copy composefs/meta.json" })),
};

const bad: Record<string, Checked> = {
  "refused: no commit": refused("SR-E107", [/commits/], () => ({ evidence: {} })),
  "refused: unsigned": refused("SR-E220", [/commitmeta/], (scene) => ({ evidence: onlyCommit(scene) })),
  "refused: unsigned, and an argument that asks for less": refused("SR-E220", [], (scene) => ({ evidence: onlyCommit(scene), cmdline: `${scene.disk.argument} ostree.prepare-root.composefs=0` })),
  "refused: unsigned, where OSTree's configuration asks for more than the policy": refused("SR-E220", [], (scene) => ({
    evidence: onlyCommit(scene), config: '[trust]\nlevel = "none"\n', setup: ostreePolicy("[composefs]\\nenabled = signed\\n"),
  })),
  "refused: unsigned, in an imported stream": refused("SR-E220", [], (scene) => ({ ...inStream(scene), evidence: {} })),
  "refused: detached metadata without a signature": refused("SR-E220", [], ({ stored }) => ({ evidence: stored(new Uint8Array()) })),
  "refused: another key": refused("SR-E221", [], async ({ commit, stored }) => ({ evidence: stored(await builder.commitmeta(commit, ["stranger"])) })),
  "refused: another key's signature of the bare digest, under a trusted key's name": refused("SR-E224", [], async ({ disk }) => ({
    evidence: { [`${(await builder.key("release")).id}.ed25519`]: await builder.bare(`v1-sha256-12:${disk.digest}`, "stranger") },
  })),
  "refused: a revoked key": refused("SR-E222", [/revoked/], async () => ({ config: policy(`${KEYS}/both`, `revoked = ["${(await builder.key("release")).id}"]`) })),
  "refused: a revoked key, and one that is not has signed too little": refused("SR-E223", [/1 of 2/, /revoked/], async ({ commit, stored }) => ({
    config: policy(`${KEYS}/both`, `threshold = 2\nrevoked = ["${(await builder.key("second")).id}"]`), evidence: stored(await builder.commitmeta(commit, ["release", "second"])),
  })),
  "refused: two signatures by one key": refused("SR-E223", [/1 of 2/], async ({ commit, signature, stored }) => ({
    config: BOTH, evidence: stored(writeCommitMeta([signature, anotherSignature(await builder.seed("release"), commit.bytes)])),
  })),
  "refused: one signature twice": refused("SR-E223", [/1 of 2/], ({ signature, stored }) => ({ config: BOTH, evidence: stored(writeCommitMeta([signature, signature])) })),
  "refused: one key in two files": refused("SR-E223", [/1 of 2/], ({ signature, stored }) => ({ config: policy(`${KEYS}/twice`, "threshold = 2"), evidence: stored(writeCommitMeta([signature, signature])) })),
  "refused: one key has signed the commit, another the bare digest": refused("SR-E223", [/1 of 2/], async ({ disk, stored }) => ({
    config: BOTH, evidence: { ...stored(), [`${(await builder.key("second")).id}.ed25519`]: await builder.bare(`v1-sha256-12:${disk.digest}`, "second") },
  })),
  "refused: two commits with one signature each": refused("SR-E223", [/1 of 2/], async ({ disk, stored }) => {
    const again = await builder.commit("--digest", disk.digest, "--version", "2");
    return { config: BOTH, evidence: { ...stored(), ...both(again, await builder.commitmeta(again, ["second"])) } };
  }),
  "refused: a flipped bit in the signature": refused("SR-E224", [], async ({ stored, commit, signature }) => {
    const commitmeta = await builder.commitmeta(commit, ["release"]);
    return { evidence: stored(flipped(commitmeta, Buffer.from(commitmeta).indexOf(signature) + 5)) };
  }),
  "refused: a signature of 63 bytes": refused("SR-E224", [], ({ signature, stored }) => ({ evidence: stored(writeCommitMeta([signature.subarray(0, 63)])) })),
  "refused: a signature with S not reduced": refused("SR-E224", [], ({ signature, stored }) => ({ evidence: stored(writeCommitMeta([notReduced(signature)])) })),
  "refused: the signature of another commit": refused("SR-E224", [], async ({ disk, stored }) => ({ evidence: stored(await builder.commitmeta(await builder.commit("--digest", disk.digest, "--version", "2"), ["release"])) })),
  "refused: the signature of another commit, which lies there as well": refused("SR-E247", [/another|of commit|made a signature/], async ({ disk, stored }) => {
    const old = await builder.commit("--digest", disk.digest, "--version", "0", "--timestamp", "2020-01-01T00:00:00Z");
    const commitmeta = writeCommitMeta([await builder.signature("release", old.bytes)]);
    return { evidence: { ...stored(commitmeta), [`${old.id}.commit`]: old.bytes } };
  }),
  "refused: the commit of another image": refused("SR-E227", [/another image/, OTHER_IMAGE], async () => {
    const other = await builder.commit("--digest", OTHER_IMAGE, "--version", "1");
    return { evidence: both(other, await builder.commitmeta(other, ["release"])) };
  }),
  "refused: a commit that names the digest in another format": refused("SR-E227", [], async ({ disk }) => {
    const other = await builder.commit("--digest", `v2-sha256-12:${disk.digest}`, "--version", "1");
    return { evidence: both(other, await builder.commitmeta(other, ["release"])) };
  }),
  "refused: a commit that is cut short": refused("SR-E249", [], ({ commit }) => ({ evidence: both({ ...commit, bytes: commit.bytes.slice(0, -1) }, writeCommitMeta([])) })),
  "refused: a commit that is cut short, under its own id": refused("SR-E224", [], async ({ commit }) => ({
    evidence: both({ ...commit, id: new Bun.CryptoHasher("sha256").update(commit.bytes.slice(0, -1)).digest("hex"), bytes: commit.bytes.slice(0, -1) }, await builder.commitmeta(commit, ["release"])),
  })),
  "refused: a commit that is cut short, signed": refused("SR-E225", [], async ({ commit }) => ({ evidence: await signedBytes(commit.bytes.slice(0, -1)) })),
  "refused: a commit with bytes behind it": refused("SR-E248", [], ({ file }) => ({ prepare: `printf x >> ${file}` })),
  "refused: a commit with bytes behind it, signed": refused("SR-E225", [], async ({ commit }) => ({ evidence: await signedBytes(padded(commit.bytes)) })),
  "refused: a commit under another id": refused("SR-E250", [], async ({ commit }) => ({ evidence: both({ ...commit, id: "12".repeat(32) }, await builder.commitmeta(commit, ["release"])) })),
  "refused: another signed commit under this one's name": refused("SR-E250", [], async ({ disk, commit }) => {
    const other = await builder.commit("--digest", disk.digest, "--version", "0");
    return { evidence: both({ ...commit, bytes: other.bytes }, await builder.commitmeta(other, ["release"])) };
  }),
  "refused: another commit, which nobody who is trusted has signed, under this one's name": refused("SR-E226", [], async ({ disk, commit }) => {
    const other = await builder.commit("--digest", disk.digest, "--version", "forged");
    return { evidence: both({ ...commit, bytes: other.bytes }, await builder.commitmeta(other, ["stranger"])) };
  }),
  "refused: another signed commit in this one's stream": refused("SR-E250", [], async (scene) => {
    const other = await builder.commit("--digest", scene.disk.digest, "--version", "0");
    return { ...inStream(scene, inlineChunk(objectMap(other.bytes, [], scene.commit.id))), evidence: { [`${scene.commit.id}.commitmeta`]: await builder.commitmeta(other, ["release"]) } };
  }),
  "refused: no argument": refused("SR-E102", [/signed/], () => ({ cmdline: "quiet root=/dev/vda", arguments: ["setup-root", "--if-named"] })),
  "refused: older than the floor": refused("SR-E228", [/2026-11-01T00:00:00/, /2026-11-01T00:00:01/], () => ({ config: policy(undefined, "not-before = 2026-11-01T00:00:01Z") })),
  "refused: older than the initramfs": refused("SR-E228", [], () => ({ config: BUILD, setup: builtAt("2026-11-01T00:00:01Z") })),
  "refused: an initramfs that does not say when it was built": refused("SR-E246", [/not-before = "build"/], () => ({ config: BUILD })),
  "refused: signed for one of the two who ask": refused("SR-E245", [/prepare-root\.conf/], () => ({ setup: ostreePolicy("[composefs]\\nenabled = signed\\n", "second") })),
  "refused: a bare digest and a floor": refused("SR-E228", [], async ({ disk }) => ({
    config: policy(undefined, "not-before = 2020-01-01T00:00:00Z"), evidence: { [`${(await builder.key("release")).id}.ed25519`]: await builder.bare(`v1-sha256-12:${disk.digest}`, "release") },
  })),
  "refused: a ?": refused("SR-E106", ["`?`"], ({ disk }) => ({ cmdline: disk.argument.replace("=", "=?") })),
  "refused: a policy that contradicts itself": refused("SR-E101", [/insecure-argument/], () => ({ config: policy(undefined, "insecure-argument = true") })),
  "refused: a typo in the level": refused("SR-E101", [/singed/, /line +2/], () => ({ config: `[trust]\nlevel = "singed"\n` })),
  "refused: a typo in the level of OSTree's configuration": refused("SR-E101", [/singed/], () => ({ config: "[root]\n", setup: ostreePolicy("[composefs]\\nenabled = singed\\n") })),
  "refused: a typo in the threshold's name": refused("SR-E101", [/treshold/], () => ({ config: policy(undefined, "treshold = 2") })),
  "refused: the image has no fs-verity, and neither has meta.json": refused("SR-E211", [], ({ disk }) => ({
    prepare: `for file in composefs/meta.json $(readlink -f composefs/images/${disk.digest}); do cp -a $file copy; mv -f copy $file; done`,
  })),
  "refused: an edited meta.json": refused("SR-E202", [], () => ({ prepare: `rm composefs/meta.json; echo '{"version": 2, "algorithm": "none"}' > composefs/meta.json` })),
  "refused: a key file that is missing": refused("SR-E230", [`${KEYS}/absent.pub`], () => ({ config: policy(`${KEYS}/absent.pub`) })),
  "refused: a key file that is empty": refused("SR-E231", [`${KEYS}/empty.pub`], () => ({ config: policy(`${KEYS}/empty.pub`) })),
  "refused: a directory without keys": refused("SR-E231", [`${KEYS}/none`], () => ({ config: policy(`${KEYS}/none`) })),
  "refused: a key of a wrong length": refused("SR-E232", [`${KEYS}/short.pub`], () => ({ config: policy(`${KEYS}/short.pub`) })),
  "refused: ten thousand signatures, the last of them good": refused("SR-E229", [/10000/], ({ signature, stored }) => ({ evidence: stored(manySignatures(signature, 10_000)) })),
  "refused: detached metadata that claims a gigabyte": refused("SR-E234", [], ({ signature, stored }) => ({ evidence: stored(claimsGigabyte(signature)) })),
  "refused: detached metadata of a gigabyte": refused("SR-E229", [/1073741824/], (scene) => ({ evidence: onlyCommit(scene), prepare: `truncate -s 1G ${scene.file}meta` })),
  "refused: a commit of a gigabyte": refused("SR-E229", [/1073741824/], (scene) => ({ prepare: `truncate -s 1G ${scene.file}` })),
  "refused: a stream of a few bytes that stands for a gigabyte": refused("SR-E229", [], (scene) => ({ ...inStream(scene, new Uint8Array(2 ** 30)), evidence: onlyMeta(scene) })),
  "refused: a hundred commits": refused("SR-E229", [/64/], ({ commits, file }) => ({ prepare: `for n in $(seq 100); do cp ${file} ${commits}/$(printf %064x $n).commit; done` })),
  "refused: commits/ is a link out of the disk": refused("SR-E204", [], () => ({ prepare: linkOut("composefs/commits") })),
  "refused: the image's commits are a link out of the repository": refused("SR-E204", [], ({ commits }) => ({ prepare: linkOut(commits) })),
  "refused: the commit is a link out of the repository": refused("SR-E204", [], ({ file }) => ({ prepare: linkOut(file) })),
  "refused: the commit's signatures are a link into the initramfs": refused("SR-E204", [], ({ file }) => ({ prepare: `rm ${file}meta; ln -s /run/commitmeta ${file}meta`, setup: ": > /run/commitmeta" })),
  "refused: the image is a link out of the repository": refused("SR-E204", [], ({ disk }) => ({ prepare: `mv $(readlink -f composefs/images/${disk.digest}) elsewhere; ln -sfn ../../elsewhere composefs/images/${disk.digest}` })),
  "refused: the deployment's directory is a link out of the disk": refused("SR-E204", [/state/], ({ disk }) => ({ prepare: `mv state/deploy/${disk.digest} elsewhere; ln -s /run state/deploy/${disk.digest}` })),
  "refused: /etc is a link out of the disk": refused("SR-E204", [/etc/], ({ disk }) => ({ prepare: `mv state/deploy/${disk.digest}/etc elsewhere; ln -s ../../../../etc state/deploy/${disk.digest}/etc` })),
  "refused: /var is a link out of the disk": refused("SR-E204", [/var/], ({ disk }) => ({ prepare: `mv state/deploy/${disk.digest}/var elsewhere; ln -s /run state/deploy/${disk.digest}/var` })),
  "refused: the commit is a FIFO": refused("SR-E204", [], (scene) => ({ evidence: onlyMeta(scene), prepare: `mkfifo ${scene.file}` })),
};

onKernels("signed", { ...good, ...bad }, ["6.12", "7.2"]);
