/** OpenSSL's own command beside sealroot: signatures, edge cases, key formats. */

import { afterAll, describe, expect, test } from "bun:test";
import { spawnSync } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { keyId, parsePublicKeys, toSpki, writeCommit } from "../../src/ostree/index.ts";
import { verifySignature } from "../../src/ostree/ed25519.ts";
import { formatSecretKeyPem, generateSecretKey, parseSecretKey, sign } from "../../src/ostree/secret-keys.ts";
import { digestMessage } from "../../src/trust/digest-message.ts";
import { debianProgram } from "../support/debian-program.ts";
import { edgeCases, rfc8032 } from "../unit/ostree/ed25519-cases.ts";

const openssl = debianProgram("openssl", "openssl");
const directory = mkdtempSync(join(tmpdir(), "sealroot-test-"));
afterAll(() => rmSync(directory, { recursive: true, force: true }));

const path = (name: string): string => join(directory, name);
function put(name: string, content: Uint8Array | string): string {
  writeFileSync(path(name), content);
  return path(name);
}
function run(...args: string[]): { status: number | null; stdout: Buffer; stderr: string } {
  const { status, stdout, stderr, error } = spawnSync(openssl, args);
  if (error !== undefined) throw error;
  return { status, stdout, stderr: stderr.toString() };
}
const publicPem = (publicKey: Uint8Array): string => `-----BEGIN PUBLIC KEY-----\n${toSpki(publicKey).toBase64()}\n-----END PUBLIC KEY-----\n`;

function verifies(publicKey: Uint8Array, message: Uint8Array, signature: Uint8Array): boolean {
  const { status, stdout, stderr } = run("pkeyutl", "-verify", "-pubin", "-inkey", put("key.pem", publicPem(publicKey)), "-rawin", "-in", put("message", message), "-sigfile", put("signature", signature));
  if (status === 0 && stdout.includes("Verified Successfully")) return true;
  if (status === 1 && (stdout.includes("Verification Failure") || stderr.includes("Could not read public key"))) return false;
  throw new Error(`openssl: ${status}: ${stdout}${stderr}`);
}

describe("signatures", () => {
  // pkeyutl does not take an empty message
  test.each(rfc8032.filter(({ message }) => message.length > 0))("RFC 8032, test $name", ({ publicKey, message, signature }) => {
    expect(verifies(publicKey, message, signature)).toBe(true);
  });

  const asked = edgeCases.filter(({ message }) => message.length > 0);
  test.each(asked)("$name", ({ publicKey, message, signature, expected }) => {
    const own = verifySignature(publicKey, message, signature);
    const theirs = verifies(publicKey, message, signature);
    expect(own).toBe(expected === "valid");
    // Whatever sealroot accepts, OpenSSL accepts; where only sealroot refuses, it is for the key.
    if (own !== theirs) expect([own, /^key of small order/.test(expected === "invalid" ? asked.find((edge) => edge.signature === signature)?.name ?? "" : "")]).toEqual([false, true]);
  });

  test("made by one, verified by the other: a commit and a bare digest", () => {
    const secret = generateSecretKey();
    const pem = put("secret.pem", formatSecretKeyPem(secret));
    const commit = writeCommit({ timestamp: 1n, subject: "a", rootDirtree: "11".repeat(32), rootDirmeta: "22".repeat(32) });
    for (const message of [commit, digestMessage("sha256", "ab".repeat(32)), digestMessage("sha512", "cd".repeat(64)), new Uint8Array(100_000).fill(7)]) {
      const own = sign(secret, message);
      expect(verifies(secret.publicKey, message, own)).toBe(true);
      const { status } = run("pkeyutl", "-sign", "-inkey", pem, "-rawin", "-in", put("message", message), "-out", path("made"));
      expect(status).toBe(0);
      // Ed25519 has no randomness: the bytes are the same
      expect(readFileSync(path("made")).toHex()).toBe(own.toHex());
    }
  });
});

describe("keys", () => {
  test("OpenSSL's secret and public keys are read, and the id is what its command and sha256sum give", () => {
    expect(run("genpkey", "-algorithm", "ed25519", "-out", path("new.pem")).status).toBe(0);
    const secret = parseSecretKey(readFileSync(path("new.pem")), "new.pem");
    const [key] = parsePublicKeys(run("pkey", "-in", path("new.pem"), "-pubout").stdout, "new.pub");
    expect(key?.publicKey).toEqual(secret.publicKey);
    const der = run("pkey", "-in", path("new.pem"), "-pubout", "-outform", "DER").stdout;
    expect(key?.id).toBe(new Bun.CryptoHasher("sha256").update(der).digest("hex"));
    expect(keyId(secret.publicKey)).toBe(secret.id);
  });

  test("sealroot's secret keys are read by OpenSSL, and are written as it writes them", () => {
    const secret = generateSecretKey();
    const pem = formatSecretKeyPem(secret);
    expect(run("pkey", "-in", put("own.pem", pem)).stdout.toString()).toBe(pem);
    expect([...run("pkey", "-in", path("own.pem"), "-pubout", "-outform", "DER").stdout.subarray(-32)]).toEqual([...secret.publicKey]);
  });

  test("an encrypted key is refused with what to do", () => {
    expect(run("genpkey", "-algorithm", "ed25519", "-aes256", "-pass", "pass:x", "-out", path("locked.pem")).status).toBe(0);
    expect(() => parseSecretKey(readFileSync(path("locked.pem")), "f")).toThrow(expect.objectContaining({ code: "SR-E233" }));
  });
});
