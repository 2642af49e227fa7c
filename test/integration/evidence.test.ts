/**
 * What an attacker with the disk, or with the kernel command line, can do about a policy of level signed; each must be refused
 * with its own code. And the good ones, which must be allowed beside whatever else lies there.
 */

import { describe, expect, test } from "bun:test";
import { appendFileSync, copyFileSync, mkdirSync, readFileSync, renameSync, rmSync, symlinkSync, truncateSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import type { ErrorCode } from "../../src/errors/index.ts";
import { appendSignature, objectId, writeCommitMeta } from "../../src/ostree/index.ts";
import { run, SignedDisk } from "../support/signed-disk.ts";

interface Scene {
  readonly disk: SignedDisk;
  /** Its commit, signed by the key "trusted", which the policy trusts. */
  readonly commit: string;
  readonly commitmeta: string;
}

async function signed(): Promise<Scene & Disposable> {
  const disk = await SignedDisk.create();
  const commit = disk.commit("--version", "1");
  disk.sign(commit, "trusted");
  disk.policy(["trusted"]);
  return { disk, commit, commitmeta: `${commit}meta`, [Symbol.dispose]: () => disk[Symbol.dispose]() };
}

const OTHER = "cd".repeat(32);

function refused(title: string, code: ErrorCode, attack: (scene: Scene) => void, says: string | RegExp = ""): void {
  test(`${title}: ${code}`, async () => {
    using scene = await signed();
    scene.disk.expectAllowed();
    attack(scene);
    expect(scene.disk.expectRefused(code).stderr).toMatch(says);
  });
}

function allowed(title: string, change: (scene: Scene) => void, expected: Record<string, unknown> = {}): void {
  test(title, async () => {
    using scene = await signed();
    change(scene);
    expect(scene.disk.expectAllowed()).toMatchObject({ allowed: true, level: "signed", ...expected });
  });
}

const edit = (path: string, change: (bytes: Uint8Array) => void): void => {
  const bytes = new Uint8Array(readFileSync(path));
  change(bytes);
  writeFileSync(path, bytes);
};
const flip = (at: number) => (bytes: Uint8Array): void => void (bytes[at < 0 ? bytes.length + at : at] = (bytes.at(at) ?? 0) ^ 1);
const flipped = (bytes: Uint8Array, at: number): Uint8Array => bytes.with(at, (bytes[at] ?? 0) ^ 1);

/** Puts another commit's signature in the place of this one's. @returns the other commit */
function signatureOfAnother({ disk, commitmeta }: Scene): string {
  const other = disk.commit("--version", "2");
  disk.sign(other, "trusted");
  const bytes = readFileSync(`${other}meta`);
  const at = signatureAt(bytes);
  writeFileSync(commitmeta, writeCommitMeta([bytes.subarray(at, at + 64)]));
  return other;
}

/** Where the 64 bytes of the only signature begin in detached metadata that sealroot wrote. */
const signatureAt = (commitmeta: Uint8Array): number => Buffer.from(commitmeta).indexOf("ostree.sign.ed25519") + 24;

describe("signatures", () => {
  refused("unsigned", "SR-E220", ({ commitmeta }) => rmSync(commitmeta));
  refused("empty detached metadata", "SR-E220", ({ commitmeta }) => writeFileSync(commitmeta, ""));
  refused("no commit at all", "SR-E107", ({ disk }) => rmSync(disk.commits, { recursive: true }), "looked at");
  refused("wrong key", "SR-E221", ({ disk, commit, commitmeta }) => {
    rmSync(commitmeta);
    disk.sign(commit, "stranger");
  });
  refused("revoked key", "SR-E222", ({ disk }) => disk.policy(["trusted"], `revoked = ["${disk.key("trusted").id}"]`));
  refused("revoked key, named by itself", "SR-E222", ({ disk }) => disk.policy(["trusted"], `revoked = ["${readFileSync(disk.key("trusted").public, "utf8").trim()}"]`));
  refused("revoked, and another key trusted that did not sign", "SR-E222", ({ disk }) => disk.policy(["trusted", "second"], `revoked = ["${disk.key("trusted").id}"]`));
  refused("a threshold of two, and two signatures of one key", "SR-E223", ({ disk, commit, commitmeta }) => {
    disk.policy(["trusted", "second"], "threshold = 2");
    const before = new Uint8Array(readFileSync(commitmeta));
    const at = signatureAt(before);
    writeFileSync(commitmeta, appendSignature(before, before.slice(at, at + 64), disk.key("second").id));
    expect(run(["sign", "--key", disk.key("trusted").private, commit]).stdout).toContain("in it already");
  }, "1 of 2 keys");
  refused("a threshold of two, and one signature", "SR-E223", ({ disk }) => disk.policy(["trusted", "second"], "threshold = 2"));
  refused("corrupted signature", "SR-E224", ({ commitmeta }) => edit(commitmeta, (bytes) => flip(signatureAt(bytes) + 40)(bytes)));
  refused("a signature cut short", "SR-E224", ({ commitmeta }) => {
    const bytes = readFileSync(commitmeta);
    const at = signatureAt(bytes);
    writeFileSync(commitmeta, writeCommitMeta([bytes.subarray(at, at + 63)]));
  });
  // whose bytes are not at hand, a signature of another commit cannot be told from one by another key, nor from one that OSTree wrote (without
  // the id of its key) and that was damaged: SR-E221 for the three
  refused("signature of another commit", "SR-E221", (scene) => {
    const other = signatureOfAnother(scene);
    rmSync(other);
    rmSync(`${other}meta`);
  });
  refused("signature of another commit that lies beside it", "SR-E247", (scene) => void rmSync(`${signatureOfAnother(scene)}meta`), "has made a signature here for the bytes of");
  refused("corrupted signature, as OSTree writes it", "SR-E221", ({ commitmeta }) => {
    const bytes = new Uint8Array(readFileSync(commitmeta));
    const at = signatureAt(bytes);
    writeFileSync(commitmeta, writeCommitMeta([flipped(bytes.slice(at, at + 64), 40)]));
  });
  refused("signature of the digest, as one of the commit", "SR-E247", ({ disk, commitmeta }) => {
    run(["sign", "--digest", disk.digest, "--out", disk.at("bare"), "--key", disk.key("trusted").private]);
    writeFileSync(commitmeta, writeCommitMeta([readFileSync(disk.at("bare"))]));
  });
  refused("damaged detached metadata", "SR-E234", ({ commitmeta }) => writeFileSync(commitmeta, Buffer.from("ff".repeat(40), "hex")));
  refused("ten thousand signatures", "SR-E229", ({ commitmeta }) => writeFileSync(commitmeta, writeCommitMeta(Array.from({ length: 10_000 }, () => new Uint8Array(64)))));
  refused("a gigabyte of detached metadata, in a sparse file", "SR-E229", ({ commitmeta }) => truncateSync(commitmeta, 2 ** 30));
  refused("detached metadata that claims a gigabyte", "SR-E234", ({ commitmeta }) => edit(commitmeta, (bytes) => bytes.fill(0xff, bytes.length - 4)));
  allowed("two keys and a threshold of two", ({ disk, commit }) => {
    disk.sign(commit, "second");
    disk.policy(["trusted", "second"], "threshold = 2");
  });
  allowed("one malformed signature beside a good one", ({ commitmeta }) => {
    const bytes = readFileSync(commitmeta);
    const at = signatureAt(bytes);
    writeFileSync(commitmeta, writeCommitMeta([new Uint8Array(3), new Uint8Array(64).fill(0xff), bytes.subarray(at, at + 64)]));
  });
  allowed("one key revoked, and the other one signed too", ({ disk, commit }) => {
    disk.sign(commit, "second");
    disk.policy(["trusted", "second"], `revoked = ["${disk.key("trusted").id}"]`);
  });
});

describe("commits", () => {
  refused("commit of another image", "SR-E227", ({ disk, commit }) => {
    rmSync(commit);
    const { commit: id } = JSON.parse(run(["commit", "--digest", OTHER, "--timestamp", "1", "--out", disk.at("other.commit"), "--json"]).stdout) as { commit: string };
    copyFileSync(disk.at("other.commit"), join(disk.commits, `${id}.commit`));
    disk.sign(join(disk.commits, `${id}.commit`), "trusted");
  }, OTHER);
  refused("commit that names the image by another format", "SR-E227", ({ disk, commit }) => {
    rmSync(commit);
    const other = join(disk.commits, "x.commit");
    const { commit: id } = JSON.parse(run(["commit", "--digest", `v2-sha256-12:${disk.digest}`, "--out", other, "--json"]).stdout) as { commit: string };
    renameSync(other, join(disk.commits, `${id}.commit`));
    disk.sign(join(disk.commits, `${id}.commit`), "trusted");
  });
  refused("truncated commit", "SR-E249", ({ commit }) => truncateSync(commit, 100), "no whole commit");
  refused("empty commit", "SR-E249", ({ commit }) => truncateSync(commit, 0));
  refused("padded commit", "SR-E248", ({ commit }) => appendFileSync(commit, new Uint8Array(8)), "without the last 8 of them");
  refused("truncated commit under its own id", "SR-E224", ({ disk, commit, commitmeta }) => {
    const bytes = readFileSync(commit).subarray(0, 100);
    const path = join(disk.commits, `${objectId(bytes)}.commit`);
    writeFileSync(path, bytes);
    renameSync(commitmeta, `${path}meta`);
    rmSync(commit);
  });
  refused("commit id that does not match", "SR-E250", ({ disk, commit, commitmeta }) => {
    renameSync(commit, join(disk.commits, `${OTHER}.commit`));
    renameSync(commitmeta, join(disk.commits, `${OTHER}.commitmeta`));
  }, OTHER);
  refused("another validly signed commit stored under this one's name", "SR-E250", ({ disk, commit, commitmeta }) => {
    const other = disk.commit("--version", "2");
    disk.sign(other, "trusted");
    renameSync(other, commit);
    renameSync(`${other}meta`, commitmeta);
  });
  // the root's id: still a commit, and another one
  refused("a changed bit in a commit", "SR-E226", ({ commit }) => edit(commit, flip(-20)));
  refused("a changed bit that makes it no commit", "SR-E249", ({ commit }) => edit(commit, flip(-1)));
  refused("commit id that does not match, and signed by nobody who counts", "SR-E226", ({ disk, commit }) => renameSync(commit, join(disk.commits, `${OTHER}.commit`)), OTHER);
  refused("older than the floor", "SR-E228", ({ disk }) => disk.policy(["trusted"], "not-before = 2026-11-01T00:00:01Z"), "2026-11-01T00:00:00");
  refused("a commit of more than 16 MiB, in a sparse file", "SR-E229", ({ commit }) => truncateSync(commit, 2 ** 30));
  refused("more commits than there can be", "SR-E229", ({ disk, commit }) => {
    rmSync(commit);
    for (let index = 0; index < 70; index++) writeFileSync(join(disk.commits, `${index.toString(16).padStart(64, "0")}.commit`), "x");
  });
  /** Commits of 16 MiB, whose names come before this one's, and which are more than the 64 MiB that are read in all. */
  const decoys = ({ disk }: Scene, content: string): void => {
    for (let index = 0; index < 5; index++) {
      const path = join(disk.commits, `${index.toString(16).padStart(64, "0")}.commit`);
      writeFileSync(path, content);
      truncateSync(path, 2 ** 24);
    }
  };
  refused("decoys, so that the good one may not be read", "SR-E229", (scene) => {
    decoys(scene, "decoy");
    rmSync(scene.commit);
  }, "there is more than is read");
  refused("decoys, each refused for another reason", "SR-E229", (scene) => {
    decoys(scene, "decoy");
    for (const name of scene.disk.names()) if (name.startsWith("0000") && name.endsWith(".commit")) writeFileSync(join(scene.disk.commits, `${name}meta`), "x");
    scene.disk.policy(["second"]);
  }, "of commits in all");
  allowed("decoys, and the good one beside them: the smallest are read first", (scene) => decoys(scene, "decoy"));
  allowed("as old as the floor", ({ disk }) => disk.policy(["trusted"], "not-before = 2026-11-01T00:00:00Z"));
  allowed("an unsigned, a foreign and a damaged commit beside the good one", ({ disk, commit }) => {
    disk.commit("--version", "2");
    disk.sign(disk.commit("--version", "3"), "stranger");
    writeFileSync(join(disk.commits, `${OTHER}.commit`), "x");
    expect(disk.names().length).toBeGreaterThan(4);
    expect(commit).toContain(disk.digest);
  });
  allowed("a FIFO, a device-like name and other files beside the good one", ({ disk }) => {
    Bun.spawnSync(["mkfifo", join(disk.commits, `${OTHER}.commit`), join(disk.commits, `${OTHER}.ed25519`)]);
    mkdirSync(join(disk.commits, `${"ab".repeat(32)}.commit`));
    writeFileSync(join(disk.commits, "README"), "notes\n");
  });
  allowed("a link to the commit elsewhere in the repository", ({ disk, commit }) => {
    renameSync(commit, join(disk.repository, "objects/kept"));
    symlinkSync("../../objects/kept", commit);
  });
});

describe("the bare digest", () => {
  const bare = (disk: SignedDisk, name: string): string => {
    run(["sign", "--digest", disk.digest, "--repo", disk.repository, "--key", disk.key(name).private]);
    return join(disk.commits, `${disk.key(name).id}.ed25519`);
  };
  allowed("signed", ({ disk, commit }) => {
    rmSync(commit);
    bare(disk, "trusted");
  }, { signed: { commit: null, timestamp: null } });
  allowed("signed by two, of a threshold of two", ({ disk, commit }) => {
    rmSync(commit);
    for (const name of ["trusted", "second"]) bare(disk, name);
    disk.policy(["trusted", "second"], "threshold = 2");
  });
  refused("signed by another key", "SR-E221", ({ disk, commit }) => {
    rmSync(commit);
    bare(disk, "stranger");
  });
  refused("another key's signature under a trusted key's name", "SR-E224", ({ disk, commit }) => {
    rmSync(commit);
    renameSync(bare(disk, "stranger"), join(disk.commits, `${disk.key("trusted").id}.ed25519`));
  });
  refused("cut short", "SR-E224", ({ disk, commit }) => {
    rmSync(commit);
    truncateSync(bare(disk, "trusted"), 63);
  });
  refused("of another image", "SR-E224", ({ disk, commit }) => {
    rmSync(commit);
    run(["sign", "--digest", OTHER, "--out", join(disk.commits, `${disk.key("trusted").id}.ed25519`), "--key", disk.key("trusted").private]);
  });
  refused("without a date where there is a floor", "SR-E228", ({ disk, commit }) => {
    rmSync(commit);
    bare(disk, "trusted");
    disk.policy(["trusted"], "not-before = 1");
  });
});

describe("links and file types", () => {
  refused("commitmeta that is a link out of the repository", "SR-E204", ({ disk, commitmeta }) => {
    renameSync(commitmeta, join(disk.root, "kept"));
    symlinkSync("../../../kept", commitmeta);
  });
  refused("a commit that is a link out of the physical root", "SR-E204", ({ disk, commit }) => {
    renameSync(commit, disk.at("kept"));
    symlinkSync("../../../../kept", commit);
  });
  refused("an absolute link", "SR-E204", ({ disk, commit }) => {
    renameSync(commit, disk.at("kept"));
    symlinkSync(disk.at("kept"), commit);
  });
  refused("the directory of commits is a link out", "SR-E204", ({ disk }) => {
    renameSync(dirname(disk.commits), join(disk.root, "commits"));
    symlinkSync("../commits", dirname(disk.commits));
  });
  refused("the directory of commits is a file", "SR-E204", ({ disk }) => {
    rmSync(disk.commits, { recursive: true });
    writeFileSync(disk.commits, "");
  });
  refused("a FIFO where the commit should be", "SR-E204", ({ commit }) => {
    rmSync(commit);
    Bun.spawnSync(["mkfifo", commit]);
  });
  refused("a magic link", "SR-E204", ({ commit }) => {
    rmSync(commit);
    symlinkSync("/proc/self/fd/0", commit);
  });
});

describe("the kernel command line", () => {
  const cmdline = (text: (disk: SignedDisk) => string) => ({ disk }: Scene): void => {
    disk.cmdline = text(disk);
  };
  refused("the argument left out", "SR-E102", cmdline(() => "root=/dev/vda ro"), "without an image there is nothing to verify");
  refused("`?`", "SR-E106", cmdline(({ digest }) => `composefs.digest=?v1-sha256-12:${digest}`));
  refused("`?` in the short form", "SR-E106", cmdline(({ digest }) => `composefs=?${digest}`));
  refused("an image that is not there", "SR-E203", cmdline(() => `composefs.digest=v1-sha256-12:${OTHER}`));
  refused("another format of the same digest, which the commit does not name", "SR-E227", cmdline(({ digest }) => `composefs.digest=v2-sha256-12:${digest}`));
  refused("OSTree's argument for no composefs, and no image", "SR-E102", cmdline(() => "ostree.prepare-root.composefs=0"));
  allowed("OSTree's argument for no composefs changes nothing", cmdline(({ argument }) => `ostree.prepare-root.composefs=0 ${argument}`));
  allowed("the short form, which says no format", cmdline(({ digest }) => `composefs=${digest}`));
  allowed("`?` beside the argument without it", cmdline(({ digest, argument }) => `composefs.digest=?v1-sha256-12:${digest} ${argument}`));
});

describe("the image and the repository", () => {
  refused("another image under this one's name", "SR-E210", ({ disk }) => {
    const path = join(disk.repository, "images", disk.digest);
    const bytes = new Uint8Array(readFileSync(path));
    rmSync(path);
    writeFileSync(path, bytes.fill(1, bytes.length - 1));
  }, "computed by reading");
  refused("meta.json that says another hash", "SR-E203", ({ disk }) => writeFileSync(join(disk.repository, "meta.json"), '{"version":1,"algorithm":"fsverity-sha512-12"}'), "the repository is of sha512");
  refused("meta.json of a later version", "SR-E202", ({ disk }) => writeFileSync(join(disk.repository, "meta.json"), '{"version":2,"algorithm":"fsverity-sha256-12"}'));
  refused("meta.json that is no JSON", "SR-E202", ({ disk }) => writeFileSync(join(disk.repository, "meta.json"), "insecure"));
  allowed("meta.json that asks for less", ({ disk }) => writeFileSync(join(disk.repository, "meta.json"), '{"version":1,"algorithm":"fsverity-sha256-12","insecure":true,"level":"none","features":{"compatible":["unsigned"]}}'));
  allowed("no meta.json", ({ disk }) => rmSync(join(disk.repository, "meta.json")));
});

describe("when the initramfs was built", () => {
  const built = (text: string | undefined, more = 'not-before = "build"') => ({ disk }: Scene): void => {
    disk.policy(["trusted"], more);
    if (text !== undefined) writeFileSync(disk.at("setup-root-not-before"), text);
  };
  allowed("as old as that", built("2026-11-01T00:00:00Z\n"));
  refused("older", "SR-E228", built("2026-11-01T00:00:01Z\n"), "or later");
  refused("older, with no word of it in the policy", "SR-E228", built("2026-11-01T00:00:01Z\n", ""));
  refused("a later date in the policy stays", "SR-E228", built("2020-01-01T00:00:00Z\n", "not-before = 2026-11-01T00:00:01Z"));
  refused("older than that, with an earlier date in the policy", "SR-E228", built("2026-11-01T00:00:01Z\n", "not-before = 2020-01-01T00:00:00Z"));
  refused("it does not say", "SR-E246", built(undefined), "does not say when it was built");
  refused("an empty file", "SR-E246", built(""));
  refused("an empty file, with no word of it in the policy", "SR-E246", built("", ""));
  refused("seconds", "SR-E246", built("1793491200\n"), "expected");
  refused("two lines", "SR-E246", built("2026-11-01T00:00:00Z\n2020-01-01T00:00:00Z\n"));
  refused("a gigabyte, in a sparse file", "SR-E246", (scene) => {
    built("2020-01-01T00:00:00Z\n")(scene);
    truncateSync(scene.disk.at("setup-root-not-before"), 2 ** 30);
  });
  refused("a FIFO", "SR-E101", (scene) => {
    built(undefined)(scene);
    Bun.spawnSync(["mkfifo", scene.disk.at("setup-root-not-before")]);
  });
  refused("a link that leads nowhere", "SR-E101", (scene) => {
    built(undefined)(scene);
    symlinkSync("nothing", scene.disk.at("setup-root-not-before"));
  });
});

describe("the policy and its keys", () => {
  const keys = (paths: (disk: SignedDisk) => readonly string[]) => ({ disk }: Scene): void => writeFileSync(disk.config, `[trust]\nlevel = "signed"\nkeys = ${JSON.stringify(paths(disk))}\n`);
  const keyFile = (content: string | Uint8Array) => (scene: Scene): void => {
    writeFileSync(scene.disk.at("changed.pub"), content);
    keys((disk) => [disk.at("changed.pub")])(scene);
  };
  refused("key file missing", "SR-E230", keys((disk) => [disk.at("nothing.pub")]), "nothing of that name");
  refused("one of two key files missing", "SR-E230", keys((disk) => [disk.key("trusted").public, disk.at("nothing.pub")]));
  refused("key file empty", "SR-E231", keyFile(""));
  refused("key file of empty lines", "SR-E231", keyFile("\n\n"));
  refused("no key file named", "SR-E231", keys(() => []));
  refused("key of a wrong length", "SR-E232", keyFile(`${Buffer.alloc(31, 1).toString("base64")}\n`), "31 bytes");
  refused("key file that is no text", "SR-E232", keyFile(new Uint8Array(32)));
  refused("a private key in its place", "SR-E232", (scene) => keys((disk) => [disk.key("trusted").private])(scene));
  refused("a key file that is too large", "SR-E229", keyFile("A".repeat(100_000)));
  refused("a key that anyone can sign for", "SR-E232", keyFile(`${Buffer.concat([Buffer.from([1]), Buffer.alloc(31)]).toString("base64")}\n`), "small order");
  refused("a FIFO in place of the key file", "SR-E230", (scene) => {
    Bun.spawnSync(["mkfifo", scene.disk.at("fifo")]);
    keys((disk) => [disk.at("fifo")])(scene);
  });
  refused("a relative path", "SR-E230", keys(() => ["keys/release.pub"]));
  refused("a directory without keys", "SR-E231", (scene) => {
    mkdirSync(scene.disk.at("keys.d"));
    keys((disk) => [disk.at("keys.d")])(scene);
  });
  refused("a directory with something else in it", "SR-E232", (scene) => {
    mkdirSync(scene.disk.at("keys.d"));
    copyFileSync(scene.disk.key("trusted").public, scene.disk.at("keys.d/a.pub"));
    writeFileSync(scene.disk.at("keys.d/b.pub"), "not a key\n");
    keys((disk) => [disk.at("keys.d")])(scene);
  });
  refused("a directory with a link to nowhere", "SR-E230", (scene) => {
    mkdirSync(scene.disk.at("keys.d"));
    symlinkSync("nothing", scene.disk.at("keys.d/a.pub"));
    keys((disk) => [disk.at("keys.d")])(scene);
  });
  refused("revoked that is no id", "SR-E101", ({ disk }) => disk.policy(["trusted"], 'revoked = ["abc"]'));
  refused("a typo in level", "SR-E101", ({ disk }) => writeFileSync(disk.config, `[trust]\nlevel = "singed"\nkeys = ["${disk.key("trusted").public}"]\n`), 'did you mean "signed"');
  refused("a typo in a key of [trust]", "SR-E101", ({ disk }) => disk.policy(["trusted"], "treshold = 2"));
  refused("`?` allowed and signatures asked for", "SR-E101", ({ disk }) => disk.policy(["trusted"], "insecure-argument = true"));
  allowed("a directory of keys, hidden files aside", (scene) => {
    mkdirSync(scene.disk.at("keys.d"));
    copyFileSync(scene.disk.key("trusted").pem, scene.disk.at("keys.d/a.pem"));
    copyFileSync(scene.disk.key("second").public, scene.disk.at("keys.d/b.pub"));
    writeFileSync(scene.disk.at("keys.d/.c.pub.swp"), "not a key\n");
    keys((disk) => [disk.at("keys.d")])(scene);
  });
  allowed("a link to a key", (scene) => {
    symlinkSync(scene.disk.key("trusted").public, scene.disk.at("link.pub"));
    keys((disk) => [disk.at("link.pub")])(scene);
  });

  test("without a policy nothing asks for signatures, and none is looked for", async () => {
    using scene = await signed();
    writeFileSync(scene.disk.config, "");
    rmSync(scene.disk.commits, { recursive: true });
    expect(scene.disk.expectAllowed()).toMatchObject({ level: "verity", signed: null, lookedAt: [] });
    // a mistyped name is not "no policy"
    rmSync(scene.disk.config);
    scene.disk.expectRefused("SR-E101");
  });
});
