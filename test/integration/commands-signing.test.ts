/** keygen, commit and sign as people call them: what they write, what they refuse, and what OpenSSL and OSTree make of it. */

import { describe, expect, test } from "bun:test";
import { chmodSync, copyFileSync, existsSync, mkdirSync, readdirSync, readFileSync, rmSync, statSync, symlinkSync, truncateSync, writeFileSync } from "node:fs";
import { basename, join } from "node:path";
import { appendSignature, bytesEntry, parseCommit, parseSignatures } from "../../src/ostree/index.ts";
import { write } from "../../src/ostree/gvariant-write.ts";
import { debianProgram } from "../support/debian-program.ts";
import type { Faults } from "../support/faults/rules.ts";
import { faultyProgram, program } from "../support/program.ts";
import { expectOneBlock } from "../support/refusal.ts";
import { expectCode, run, runJson } from "../support/signed-disk.ts";
import { TemporaryDirectory } from "../support/temporary.ts";

const DIGEST = "3d".repeat(32);
const ARGUMENT = `v1-sha256-12:${DIGEST}`;
const mode = (path: string): number => statSync(path).mode & 0o7777;

/** Runs another program, which must succeed. */
function tool(...argv: readonly string[]): string {
  const done = Bun.spawnSync([...argv], { stdin: "ignore", stdout: "pipe", stderr: "pipe", env: { PATH: "/usr/bin:/bin", LC_ALL: "C" } });
  if (done.exitCode !== 0) throw new Error(`${argv.join(" ")}: ${done.stderr.toString()}${done.stdout.toString()}`);
  return done.stdout.toString();
}
const openssl = (...args: readonly string[]): string => tool(debianProgram("openssl", "openssl"), ...args);

/** The sources, with system calls that fail. */
function underFaults(faults: Faults, ...args: readonly string[]): { readonly exit: number; readonly stdout: string; readonly stderr: string } {
  const done = Bun.spawnSync([...faultyProgram(), ...args], { stdin: "ignore", stdout: "pipe", stderr: "pipe", timeout: 20_000, env: { PATH: "/usr/bin:/bin", FAULTS: JSON.stringify(faults) } });
  return { exit: done.exitCode, stdout: done.stdout.toString(), stderr: done.stderr.toString() };
}

class Place implements Disposable {
  readonly #directory = new TemporaryDirectory();
  at(name: string): string {
    return join(this.#directory.path, name);
  }
  keygen(name = "release", ...more: readonly string[]): { readonly id: string; readonly key: string; readonly pub: string; readonly pem: string } {
    const { keyId } = runJson("keygen", "--out", this.at(name), ...more) as { keyId: string };
    return { id: keyId, key: this.at(`${name}.key`), pub: this.at(`${name}.pub`), pem: this.at(`${name}.pem`) };
  }
  /** @returns the path of a commit */
  commit(name = "a.commit", ...more: readonly string[]): string {
    runJson("commit", "--digest", ARGUMENT, "--timestamp", "1793491200", "--out", this.at(name), ...more);
    return this.at(name);
  }
  names(): string[] {
    return readdirSync(this.at(".")).sort();
  }
  [Symbol.dispose](): void {
    this.#directory[Symbol.dispose]();
  }
}

describe("keygen", () => {
  test("writes a pair that OpenSSL reads, the private key for its owner alone", () => {
    using place = new Place();
    const { id, key, pub, pem } = place.keygen();
    expect([mode(key), mode(pub), mode(pem)]).toEqual([0o600, 0o644, 0o644]);
    expect(openssl("pkey", "-in", key, "-pubout")).toBe(readFileSync(pem, "utf8"));
    openssl("pkey", "-pubin", "-in", pem, "-outform", "DER", "-out", place.at("der"));
    const der = new Uint8Array(readFileSync(place.at("der")));
    expect(Bun.SHA256.hash(der, "hex")).toBe(id);
    expect(readFileSync(pub, "utf8")).toBe(`${der.subarray(-32).toBase64()}\n`);
    expect(place.names()).toEqual(["der", "release.key", "release.pem", "release.pub"]);
  });

  test("OSTree's format, a directory, a umask, text for people", () => {
    using place = new Place();
    const { key } = place.keygen("release", "--format", "ostree");
    expect(Buffer.from(readFileSync(key, "utf8").trim(), "base64").length).toBe(64);
    mkdirSync(place.at("keys"));
    const done = run(["keygen", "--out", place.at("keys")]);
    expect(done.exit).toBe(0);
    expect(done.stdout).toMatch(/^key id {3}[0-9a-f]{64}\nprivate {2}.*sealroot-signing\.key/);
    expect(done.stdout).not.toContain(readFileSync(place.at("keys/sealroot-signing.key"), "utf8").split("\n")[1] ?? "");
    expect(readdirSync(place.at("keys")).sort()).toEqual(["sealroot-signing.key", "sealroot-signing.pem", "sealroot-signing.pub"]);
  });

  test.each(["release.key", "release.pub", "release.pem"])("never overwrites: %s is there, and nothing else is written", (name) => {
    using place = new Place();
    writeFileSync(place.at(name), "mine");
    expectCode("SR-E235", "keygen", "--out", place.at("release"));
    expect(place.names()).toEqual([name]);
    expect(readFileSync(place.at(name), "utf8")).toBe("mine");
  });

  test("a link at the private key's name is not followed", () => {
    using place = new Place();
    symlinkSync(place.at("elsewhere"), place.at("release.key"));
    expectCode("SR-E235", "keygen", "--out", place.at("release"));
    expect(existsSync(place.at("elsewhere"))).toBe(false);
  });

  test("a file system that does not keep permissions: no key is written, not even for a moment", () => {
    using place = new Place();
    const done = underFaults({ permissions: 0o755 }, "keygen", "--out", place.at("release"));
    expectOneBlock(done.stderr, "SR-E616");
    expect(done.exit).toBe(77);
    expect(done.stderr).toContain("found     mode 0755, of user 0, after it was set to 0600");
    expect(place.names()).toEqual([]);
    // owned by whoever asks, with fewer permissions than asked for: FAT mounted with umask=277
    expect(underFaults({ permissions: 0o500 }, "keygen", "--out", place.at("release")).exit).toBe(0);
  });

  test.each([["EINVAL", 22], ["ENOSYS", 38]] as const)("renames without overwriting where the file system knows how, and otherwise (%s) by a link", (_name, errno) => {
    using place = new Place();
    const older = { failAll: { call: "renameat2" }, errno };
    expect(underFaults(older, "keygen", "--out", place.at("release"))).toMatchObject({ exit: 0, stderr: "" });
    expect(place.names()).toEqual(["release.key", "release.pem", "release.pub"]);
    expect(mode(place.at("release.key"))).toBe(0o600);
    const done = underFaults(older, "keygen", "--out", place.at("release"));
    expectOneBlock(done.stderr, "SR-E235");
    expect(place.names()).toEqual(["release.key", "release.pem", "release.pub"]);
  });

  test("any other failure to rename is one", () => {
    using place = new Place();
    const done = underFaults({ failAll: { call: "renameat2" }, errno: 30 }, "keygen", "--out", place.at("release"));
    expectOneBlock(done.stderr, "SR-E236");
    expect(done.stderr).toContain("EROFS");
    expect(place.names()).toEqual([]);
  });

  /** By a shell, which can hand over what a test cannot. */
  const shell = (script: string, ...args: readonly string[]): { readonly exit: number; readonly stderr: string } => {
    const done = Bun.spawnSync(["bash", "-c", script, "-", ...runArguments(...args)], { stdin: "ignore", stdout: "pipe", stderr: "pipe", timeout: 20_000 });
    return { exit: done.exitCode, stderr: done.stderr.toString() };
  };

  test("bytes that are not UTF-8 name another file than they would make", () => {
    using place = new Place();
    const done = shell(`exec "$@" "$(printf '${place.at("k")}\\377')"`, "keygen", "--out");
    expectOneBlock(done.stderr, "SR-E100");
    expect(place.names()).toEqual([]);
    expect(shell(`exec "$@" "$(printf 'a\\377')"`, "commit", "--digest", DIGEST, "--out", place.at("c"), "--subject").exit).toBe(2);
    expect(place.names()).toEqual([]);
  });

  test("standard output that cannot take it: told, and the keys are there; one that is closed, or not read, is nobody's loss", () => {
    using place = new Place();
    const full = shell('exec "$@" > /dev/full', "keygen", "--out", place.at("full"), "--json");
    expectOneBlock(full.stderr, "SR-E617");
    expect(full.exit).toBe(78);
    expect(shell('exec "$@" >&-', "keygen", "--out", place.at("closed"))).toEqual({ exit: 0, stderr: "" });
    expect(shell('exec "$@" <&- >&- 2>&-', "keygen", "--out", place.at("mute")).exit).toBe(0);
    expect(shell('"$@" | true; exit ${PIPESTATUS[0]}', "keygen", "--out", place.at("pipe"))).toEqual({ exit: 0, stderr: "" });
    for (const name of ["full", "closed", "mute", "pipe"]) {
      expect(readFileSync(place.at(`${name}.key`), "utf8")).toMatch(/^-----BEGIN PRIVATE KEY-----\n\S{64}\n-----END PRIVATE KEY-----\n$/);
      expect(openssl("pkey", "-in", place.at(`${name}.key`), "-pubout")).toBe(readFileSync(place.at(`${name}.pem`), "utf8"));
    }
    expect(shell('exec "$@" > /dev/full', "--help").exit).toBe(78);
    expect(shell('exec "$@" > /dev/full', "commit", "--help").exit).toBe(78);
  });

  test("a name as long as a name can be", () => {
    using place = new Place();
    const name = "k".repeat(251);
    expect(run(["keygen", "--out", place.at(name)]).exit).toBe(0);
    expect(place.names()).toEqual([`${name}.key`, `${name}.pem`, `${name}.pub`]);
    expectCode("SR-E236", "keygen", "--out", place.at(`${name}k`));
    expect(place.names().length).toBe(3);
  });

  test("refusals", () => {
    using place = new Place();
    expectCode("SR-E100", "keygen");
    expectCode("SR-E100", "keygen", "--out", place.at("x"), "--format", "rsa");
    expectCode("SR-E236", "keygen", "--out", place.at("absent/x"));
    expect(place.names()).toEqual([]);
  });
});

describe("commit", () => {
  test("names the image, with version, time and metadata of one's own; the same bytes each time", () => {
    using place = new Place();
    const args = ["--version", "44.1 ☃", "--subject", "First", "--body", "Text", "--add-metadata", "org.example.a=1=2", "--add-metadata", "org.example.b=", "--parent", "AB".repeat(32)];
    const commit = parseCommit(new Uint8Array(readFileSync(place.commit("a.commit", ...args))));
    expect(bytesEntry(commit, "composefs.digest.v1-sha256-12")?.toHex()).toBe(DIGEST);
    expect(commit.metadata.map(({ key }) => key)).toEqual(["version", "composefs.digest.v1-sha256-12", "org.example.a", "org.example.b"]);
    expect(commit).toMatchObject({ timestamp: 1793491200n, subject: "First", body: "Text", parent: "ab".repeat(32) });
    expect(readFileSync(place.commit("b.commit", ...args))).toEqual(readFileSync(place.at("a.commit")));
  });

  test("of a file, the digest is what fsverity computes; several formats side by side", () => {
    using place = new Place();
    writeFileSync(place.at("image"), new Uint8Array(300_000).fill(7));
    const digest = tool(debianProgram("fsverity", "fsverity"), "digest", "--compact", place.at("image")).trim();
    const { images } = runJson("commit", "--image", place.at("image"), "--digest", `v2-sha512-12:${"12".repeat(64)}`, "--out", place.at("c")) as { images: unknown };
    expect(images).toEqual([{ descriptor: "v2-sha512-12", digest: "12".repeat(64) }, { descriptor: "v1-sha256-12", digest }]);
    const commit = parseCommit(new Uint8Array(readFileSync(place.at("c"))));
    expect(bytesEntry(commit, "composefs.digest.v2-sha512-12")?.length).toBe(64);
  });

  test("time: --timestamp, SOURCE_DATE_EPOCH, the clock", () => {
    using place = new Place();
    const time = (name: string, args: readonly string[], env: Record<string, string> = {}): bigint => {
      expect(run(["commit", "--digest", DIGEST, "--out", place.at(name), ...args], env).exit).toBe(0);
      return parseCommit(new Uint8Array(readFileSync(place.at(name)))).timestamp;
    };
    expect(time("a", ["--timestamp", "2026-11-01T01:00:00+01:00"], { SOURCE_DATE_EPOCH: "5" })).toBe(1793491200n);
    expect(time("b", [], { SOURCE_DATE_EPOCH: "5" })).toBe(5n);
    expect(Math.abs(Number(time("c", [])) - Date.now() / 1000)).toBeLessThan(60);
    expect(run(["commit", "--digest", DIGEST, "--out", place.at("d")], { SOURCE_DATE_EPOCH: "soon" }).exit).toBe(2);
    expect(existsSync(place.at("d"))).toBe(false);
  });

  test("into a repository, under each digest", () => {
    using place = new Place();
    for (const name of ["objects", "images"]) mkdirSync(place.at(`composefs/${name}`), { recursive: true });
    const done = run(["commit", "--digest", DIGEST, "--digest", `v2-sha256-12:${"45".repeat(32)}`, "--timestamp", "1", "--repo", place.at("."), "--json"]);
    const { commit, files } = JSON.parse(done.stdout) as { commit: string; files: string[] };
    expect(files).toEqual([DIGEST, "45".repeat(32)].map((digest) => place.at(`composefs/commits/${digest}/${commit}.commit`)));
    for (const file of files) expect(mode(file)).toBe(0o644);
    expect(done.stderr).toContain("has no image");
    expect(run(["commit", "--digest", DIGEST, "--digest", `v2-sha256-12:${"45".repeat(32)}`, "--timestamp", "1", "--repo", place.at("composefs")]).exit).toBe(0);
  });

  test("OSTree shows it, and finds nothing wrong with it", () => {
    using place = new Place();
    const ostree = (...args: readonly string[]): string => tool(debianProgram("ostree", "ostree"), `--repo=${place.at("repo")}`, ...args);
    ostree("init", "--mode=archive");
    const { commit } = runJson("commit", "--digest", DIGEST, "--version", "44.1", "--subject", "A release", "--timestamp", "2026-11-01T00:00:00Z", "--add-metadata", "ostree.source-title=Test", "--ostree-repo", place.at("repo")) as { commit: string };
    const { key } = place.keygen();
    runJson("sign", "--key", key, place.at(`repo/objects/${commit.slice(0, 2)}/${commit.slice(2)}.commit`));
    const shown = ostree("show", commit);
    for (const text of [`commit ${commit}`, "Date:  2026-11-01 00:00:00 +0000", "Version: 44.1", "A release"]) expect(shown).toContain(text);
    expect(ostree("show", "--print-metadata-key=composefs.digest.v1-sha256-12", commit)).toContain("0x3d, 0x3d");
    expect(ostree("show", "--print-metadata-key=version", commit)).toBe("'44.1'\n");
    expect(ostree("show", "--print-metadata-key=ostree.source-title", commit)).toBe("'Test'\n");
    // GLib prints bytes as a string when the last of them is zero, as it is in one signature of sixteen
    expect(ostree("show", "--print-detached-metadata-key=ostree.sign.ed25519", commit)).toMatch(/byte 0x|b['"]/);
    ostree("refs", "--create=release", commit);
    expect(ostree("fsck")).toContain("object fsck of 1 commits completed successfully - no errors found");
    expect(ostree("ls", "release")).toContain("d00755 0 0");
  });

  test("an image that is none is told; one that cannot be one is not read for hours", () => {
    using place = new Place();
    writeFileSync(place.at("text"), "no image\n");
    const told = run(["commit", "--image", place.at("text"), "--out", place.at("a")]);
    expect([told.exit, told.stderr]).toEqual([0, `sealroot: ${place.at("text")} is no EROFS image: no boot will take it\n`]);
    writeFileSync(place.at("disk"), "");
    truncateSync(place.at("disk"), 500 * 2 ** 30);
    expect(expectCode("SR-E603", "commit", "--image", place.at("disk"), "--out", place.at("b")).stderr).toContain("found    536870912000 bytes");
    expectCode("SR-E603", "commit", "--image", "/dev/zero", "--out", place.at("b"));
  });

  test("all of its files or none", () => {
    using place = new Place();
    for (const name of ["objects", "images"]) mkdirSync(place.at(`composefs/${name}`), { recursive: true });
    writeFileSync(place.at("composefs/commits"), "in the way");
    expectCode("SR-E236", "commit", "--digest", DIGEST, "--out", place.at("x"), "--repo", place.at("composefs"));
    expect(place.names()).toEqual(["composefs"]);
  });

  test("refusals write nothing", () => {
    using place = new Place();
    const out = ["--out", place.at("x")];
    expectCode("SR-E100", "commit", "--digest", DIGEST, "--timestamp", "2026-02-30T00:00:00Z", ...out);
    expectCode("SR-E100", "commit", "--digest", DIGEST, "--add-metadata", "composefs.digest.v2-sha256-12=x", ...out);
    expectCode("SR-E100", "commit", "--digest", DIGEST, "--add-metadata", "ostree.composefs.digest.v0=x", ...out);
    expectCode("SR-E100", "commit", "--digest", DIGEST);
    expectCode("SR-E100", "commit", ...out);
    expectCode("SR-E100", "commit", "--digest", "abc", ...out);
    expectCode("SR-E100", "commit", "--digest", `v3-sha256-12:${DIGEST}`, ...out);
    expectCode("SR-E100", "commit", "--digest", DIGEST, "--digest", "45".repeat(32), ...out);
    expectCode("SR-E100", "commit", "--digest", DIGEST, "--timestamp", "yesterday", ...out);
    expectCode("SR-E100", "commit", "--digest", DIGEST, "--timestamp", "2026-11-01T00:00:00", ...out);
    expectCode("SR-E100", "commit", "--digest", DIGEST, "--parent", "abc", ...out);
    expectCode("SR-E100", "commit", "--digest", DIGEST, "--add-metadata", "novalue", ...out);
    expectCode("SR-E100", "commit", "--digest", DIGEST, "--version", "1", "--add-metadata", "version=2", ...out);
    expectCode("SR-E100", "commit", "--image", place.at("absent"), "--descriptor", "v1-md5-12", ...out);
    expectCode("SR-E603", "commit", "--image", place.at("absent"), ...out);
    expectCode("SR-E603", "commit", "--image", place.at("."), ...out);
    expectCode("SR-E201", "commit", "--digest", DIGEST, "--repo", place.at("."));
    expectCode("SR-E201", "commit", "--digest", DIGEST, "--ostree-repo", place.at("."));
    expectCode("SR-E236", "commit", "--digest", DIGEST, "--out", place.at("absent/x"));
    writeFileSync(place.at("x"), "mine");
    expectCode("SR-E235", "commit", "--digest", DIGEST, ...out);
    expect(readFileSync(place.at("x"), "utf8")).toBe("mine");
    expect(place.names()).toEqual(["x"]);
  });
});

describe("sign", () => {
  const signatures = (path: string): Uint8Array[] => parseSignatures(new Uint8Array(readFileSync(path))).signatures.map(({ bytes }) => bytes);

  test("OpenSSL verifies it: commits and bare digests, keys in PEM and in OSTree's format", () => {
    using place = new Place();
    const commit = place.commit();
    for (const [index, format] of ["pem", "ostree"].entries()) {
      const { key, pem } = place.keygen(format, "--format", format);
      expect(run(["sign", "--key", key, commit]).exit).toBe(0);
      writeFileSync(place.at("signature"), signatures(`${commit}meta`)[index]?.toHex() ?? "", "hex");
      expect(openssl("pkeyutl", "-verify", "-rawin", "-pubin", "-inkey", pem, "-in", commit, "-sigfile", place.at("signature"))).toContain("Signature Verified Successfully");
      expect(run(["sign", "--key", key, "--digest", ARGUMENT, "--out", place.at(`${format}.ed25519`)]).exit).toBe(0);
      writeFileSync(place.at("payload"), run(["sign", "--print-payload", "--digest", ARGUMENT]).bytes);
      expect(openssl("pkeyutl", "-verify", "-rawin", "-pubin", "-inkey", pem, "-in", place.at("payload"), "-sigfile", place.at(`${format}.ed25519`))).toContain("Signature Verified Successfully");
    }
    expect(readFileSync(place.at("payload")).toString("latin1")).toBe(`FSVerity\x01\0\x20\0${Buffer.from(DIGEST, "hex").toString("latin1")}`);
  });

  test("a key of OpenSSL's", () => {
    using place = new Place();
    openssl("genpkey", "-algorithm", "ed25519", "-out", place.at("theirs.key"));
    chmodSync(place.at("theirs.key"), 0o600);
    const done = run(["sign", "--key", place.at("theirs.key"), place.commit()]);
    expect([done.exit, done.stderr]).toEqual([0, ""]);
  });

  test("a signature is added once; what others put there stays", () => {
    using place = new Place();
    const [one, two] = [place.keygen("one"), place.keygen("two")];
    const commit = place.commit();
    const foreign = write("a{sv}", [["org.example.note", { type: "s", value: "kept" }], ["ostree.gpgsigs", { type: "aay", value: [new Uint8Array(9)] }]]);
    writeFileSync(`${commit}meta`, foreign, { mode: 0o640 });
    chmodSync(`${commit}meta`, 0o640);
    for (const { key } of [one, two, one]) expect(run(["sign", "--key", key, commit]).exit).toBe(0);
    const bytes = new Uint8Array(readFileSync(`${commit}meta`));
    expect(signatures(`${commit}meta`).length).toBe(2);
    const [first = Buffer.of(), second = Buffer.of()]: readonly Uint8Array[] = signatures(`${commit}meta`);
    expect(bytes).toEqual<Uint8Array>(appendSignature(appendSignature(foreign, first, one.id), second, two.id));
    expect(mode(`${commit}meta`)).toBe(0o640);
    expect(runJson("sign", "--key", two.key, commit)).toMatchObject({ keyId: two.id, added: false, signatures: 2 });
  });

  test("a key elsewhere: the payload is the commit itself, and a signature is kept only if it is valid", () => {
    using place = new Place();
    const [ours, theirs] = [place.keygen("ours"), place.keygen("theirs")];
    const commit = place.commit();
    const payload = run(["sign", "--print-payload", commit]);
    expect(payload.bytes).toEqual(new Uint8Array(readFileSync(commit)));
    expect(run(["sign", "--print-payload", "--hex", commit]).stdout).toBe(`${readFileSync(commit).toString("hex")}\n`);
    writeFileSync(place.at("payload"), payload.bytes);
    openssl("pkeyutl", "-sign", "-rawin", "-inkey", ours.key, "-in", place.at("payload"), "-out", place.at("raw"));
    const raw = readFileSync(place.at("raw"));
    writeFileSync(place.at("hex"), `${raw.toString("hex")}\n`);
    writeFileSync(place.at("base64"), raw.toString("base64"));
    writeFileSync(place.at("both.pub"), readFileSync(ours.pub, "utf8") + readFileSync(theirs.pub, "utf8"));

    expectCode("SR-E224", "sign", "--attach", place.at("raw"), "--public-key", theirs.pub, commit);
    writeFileSync(place.at("cut"), raw.subarray(0, 63));
    expectCode("SR-E224", "sign", "--attach", place.at("cut"), "--public-key", ours.pub, commit);
    expectCode("SR-E100", "sign", "--attach", place.at("raw"), commit);
    expectCode("SR-E100", "sign", "--attach", place.at("raw"), "--public-key", place.at("both.pub"), commit);
    expectCode("SR-E100", "sign", "--attach", place.at("raw"), "--public-key", ours.pub, "--key-id", theirs.id, commit);
    expectCode("SR-E603", "sign", "--attach", place.at("absent"), "--public-key", ours.pub, commit);
    expect(existsSync(`${commit}meta`)).toBe(false);

    for (const [index, form] of ["raw", "hex", "base64"].entries()) {
      expect(runJson("sign", "--attach", place.at(form), "--public-key", place.at("both.pub"), "--key-id", ours.id, commit)).toMatchObject({ keyId: ours.id, added: index === 0 });
    }
    expect(signatures(`${commit}meta`)).toEqual([new Uint8Array(raw)]);
    runJson("sign", "--attach", place.at("raw"), "--public-key", ours.pem, commit);
  });

  test("into a repository", () => {
    using place = new Place();
    for (const name of ["objects", "images"]) mkdirSync(place.at(`composefs/${name}`), { recursive: true });
    const { key, id } = place.keygen();
    const { file } = runJson("sign", "--key", key, "--digest", `composefs.digest=${ARGUMENT}`, "--repo", place.at("composefs")) as { file: string };
    expect(file).toBe(place.at(`composefs/commits/${DIGEST}/${id}.ed25519`));
    expect(readFileSync(file).length).toBe(64);
    expect(runJson("sign", "--key", key, "--digest", DIGEST, "--repo", place.at("composefs"))["added"]).toBe(false);
  });

  test("a key that others can read is warned about; its content is never shown", () => {
    using place = new Place();
    const { key } = place.keygen();
    chmodSync(key, 0o644);
    const done = run(["sign", "--key", key, place.commit()]);
    expect(done.exit).toBe(0);
    expect(done.stderr).toContain("can be read by others than its owner (mode 0644): chmod 600");
    const secret = readFileSync(key, "utf8").split("\n")[1] ?? "";
    writeFileSync(place.at("damaged.key"), readFileSync(key, "utf8").replace("-----END", "junk\n-----END"));
    const refused = expectCode("SR-E233", "sign", "--key", place.at("damaged.key"), place.at("a.commit"));
    for (const text of [done.stdout, done.stderr, refused.stderr]) {
      expect(text).not.toContain(secret);
      expect(text).not.toContain(secret.slice(20, 50));
    }
  });

  test("a key given as an argument is not shown again, wherever it stands", () => {
    using place = new Place();
    const [pem, ostree] = [place.keygen("pem"), place.keygen("ostree", "--format", "ostree")];
    const commit = place.commit();
    const whole = readFileSync(pem.key, "utf8");
    const body = whole.split("\n")[1] ?? "";
    const base64 = readFileSync(ostree.key, "utf8").trim();
    const seed = Buffer.from(base64, "base64").subarray(0, 32);
    for (const secret of [whole, body, base64, seed.toString("base64"), seed.toString("hex")]) {
      const done = expectCode("SR-E233", "sign", "--key", secret, commit);
      expect(done.stderr).toContain("found    a key where the name of a file is expected");
      expect(done.stderr).not.toContain(secret.slice(30, 60).trim());
    }
    for (const secret of [whole, body, base64]) {
      for (const args of [["--key", pem.key, secret], ["--key", pem.key, commit, secret], ["--attach", secret, "--public-key", pem.pub, commit], ["--attach", commit, "--public-key", secret, commit]]) {
        const done = run(["sign", ...args]);
        expect(done.exit).not.toBe(0);
        expect(done.stderr + done.stdout).not.toContain(secret.slice(-40, -10));
      }
    }
    // a file may have any name
    const named = place.at(seed.toString("hex"));
    copyFileSync(pem.key, named);
    const relative = Bun.spawnSync(runArguments("sign", "--key", basename(named), commit), { cwd: place.at("."), stderr: "pipe" });
    expect(relative.exitCode).toBe(0);
  });

  test("keys of other kinds, each with what to do", () => {
    using place = new Place();
    const { key } = place.keygen();
    const commit = place.commit();
    const refused = (name: string): string => expectCode("SR-E233", "sign", "--key", place.at(name), commit).stderr;
    for (const [name, ...options] of [["rsa", "-pkeyopt", "rsa_keygen_bits:2048"], ["x25519"], ["ed448"], ["ec", "-pkeyopt", "ec_paramgen_curve:P-256"]] as const) {
      openssl("genpkey", "-algorithm", name, ...options, "-out", place.at(name));
      expect(refused(name)).toContain("a private key that is not Ed25519");
    }
    openssl("genpkey", "-algorithm", "ed25519", "-aes256", "-pass", "pass:x", "-out", place.at("locked"));
    expect(refused("locked")).toContain("an encrypted key; decrypt it first: openssl pkey");
    openssl("pkey", "-in", key, "-outform", "DER", "-out", place.at("der"));
    expect(refused("der")).toContain("not printable ASCII");
    writeFileSync(place.at("two"), readFileSync(key, "utf8").repeat(2));
    for (const [name, content] of [["empty", ""], ["cut", readFileSync(key, "utf8").slice(0, 60)], ["mark", `\ufeff${readFileSync(key, "utf8")}`], ["large", "A".repeat(100_000)]] as const) writeFileSync(place.at(name), content);
    for (const name of ["two", "empty", "cut", "mark", "large"]) refused(name);
    // what was not read is not called something else
    for (const path of [place.at("absent"), place.at("."), "/dev/zero"]) {
      const { stderr } = expectCode("SR-E233", "sign", "--key", path, commit);
      expect(stderr).toContain("meaning  it does not exist, is no regular file, or may not be read");
    }
    expect(existsSync(`${commit}meta`)).toBe(false);
  });

  test("several signers at once: none is lost", async () => {
    using place = new Place();
    const commit = place.commit();
    const keys = Array.from({ length: 6 }, (_, index) => place.keygen(`key${index}`).key);
    const done = await Promise.all(keys.map((key) => Bun.spawn(runArguments("sign", "--key", key, commit), { stdin: "ignore", stdout: "ignore", stderr: "inherit" }).exited));
    expect(done).toEqual(keys.map(() => 0));
    expect(signatures(`${commit}meta`).length).toBe(keys.length);
  });

  test("what is no commit, or not the one that its name says, is not signed", () => {
    using place = new Place();
    const { key, pub } = place.keygen();
    const commit = place.commit();
    writeFileSync(place.at("junk.commit"), "junk");
    expect(expectCode("SR-E225", "sign", "--key", key, place.at("junk.commit")).stderr).toContain(`file     ${place.at("junk.commit")}`);
    expectCode("SR-E603", "sign", "--key", key, "/dev/zero");
    copyFileSync(commit, place.at(`${"ab".repeat(32)}.commit`));
    expectCode("SR-E226", "sign", "--key", key, place.at(`${"ab".repeat(32)}.commit`));
    expectCode("SR-E603", "sign", "--key", key, place.at("absent"));
    expectCode("SR-E603", "sign", "--key", key, place.at("."));
    expectCode("SR-E233", "sign", "--key", pub, commit);
    expectCode("SR-E233", "sign", "--key", place.at("absent.key"), commit);
    expectCode("SR-E100", "sign", commit);
    expectCode("SR-E100", "sign", "--key", key);
    expectCode("SR-E100", "sign", "--key", key, "--digest", DIGEST, commit);
    expectCode("SR-E100", "sign", "--key", key, "--digest", DIGEST);
    expectCode("SR-E100", "sign", "--key", key, "--print-payload", commit);
    expectCode("SR-E100", "sign", "--key", key, "--hex", commit);
    expectCode("SR-E100", "sign", "--key", key, "--out", place.at("x"), commit);
    expect(place.names().filter((name) => name.endsWith("meta"))).toEqual([]);
  });

  test("detached metadata that is damaged is not rewritten", () => {
    using place = new Place();
    const { key } = place.keygen();
    const commit = place.commit();
    writeFileSync(`${commit}meta`, "damaged");
    expect(expectCode("SR-E234", "sign", "--key", key, commit).stderr).toContain(`${basename(commit)}meta`);
    expect(readFileSync(`${commit}meta`, "utf8")).toBe("damaged");
    rmSync(`${commit}meta`);
    symlinkSync(place.at("elsewhere"), `${commit}meta`);
    expect(run(["sign", "--key", key, commit]).exit).toBe(0);
    expect(existsSync(place.at("elsewhere"))).toBe(false);
    expect(statSync(`${commit}meta`).isFile()).toBe(true);
  });

  test("a payload that could not be written whole is an error", () => {
    using place = new Place();
    const commit = place.commit();
    const done = Bun.spawnSync(["bash", "-c", 'exec "$@" > /dev/full', "-", ...runArguments("sign", "--print-payload", commit)], { stderr: "pipe" });
    expect(done.exitCode).toBe(116);
    expect(done.stderr.toString()).toContain("SR-E236");
  });
});

describe("help", () => {
  test.each(["keygen", "commit", "sign", "verify"])("%s --help has an example", (name) => {
    const done = run([name, "--help"]);
    expect(done.exit).toBe(0);
    expect(done.stdout).toContain(`usage: sealroot ${name}`);
    expect(done.stdout).toContain(`examples:\n  sealroot ${name}`);
    expect(run(["--help"]).stdout).toContain(`  ${name} `);
  });
});

function runArguments(...args: readonly string[]): string[] {
  return [...program(), ...args];
}
