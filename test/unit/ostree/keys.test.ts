import { describe, expect, test } from "bun:test";
import fc from "fast-check";
import { SealrootError } from "../../../src/errors/index.ts";
import { keyId, parseKeyId, parsePublicKeys, formatPublicKey, toSpki } from "../../../src/ostree/index.ts";
import { formatSecretKeyOstree, formatSecretKeyPem, generateSecretKey, parseSecretKey, sign } from "../../../src/ostree/secret-keys.ts";
import { verifySignature } from "../../../src/ostree/ed25519.ts";
import { fixture, manifest, named } from "./fixtures.ts";

const text = (content: string): Uint8Array => new TextEncoder().encode(content);
const failure = (action: () => unknown): SealrootError | undefined => {
  try {
    action();
    return undefined;
  } catch (error) {
    if (error instanceof SealrootError) return error;
    throw error;
  }
};
const pem = (label: string, der: Uint8Array): string => `-----BEGIN ${label}-----\n${der.toBase64().replace(/(.{64})(?=.)/g, "$1\n")}\n-----END ${label}-----\n`;

const good = named(manifest.keys, "good");
const second = named(manifest.keys, "second");

/** What sealroot makes of the files that ostree was given, where it differs: the hex of the keys, or the error. */
const keyFiles: Readonly<Record<string, readonly string[] | string>> = {
  "blank-lines": [good.hex], good: [good.hex], "good+second": [good.hex, second.hex], "good-crlf": [good.hex], "good-no-newline": [good.hex],
  indented: [good.hex], second: [second.hex], wrong: [named(manifest.keys, "wrong").hex], "wrong+good": [named(manifest.keys, "wrong").hex, good.hex],
  // refused by both
  "comment-first": "SR-E232", empty: "SR-E231", hex: "SR-E232", "newline-only": "SR-E231", "short-first": "SR-E232", "space-line": "SR-E232",
  "split-line": "SR-E232", "two-on-line": "SR-E232", unpadded: "SR-E232", urlsafe: "SR-E232",
  // stricter than ostree, which does not look at a line until it needs it, and skips what is not base64
  "comment-last": "SR-E232", "short-last": "SR-E232", "junk-inside": "SR-E232", "nul-terminated": "SR-E232",
  // PEM is a format of sealroot's
  pem: [good.hex],
};
const stricter = ["comment-last", "short-last", "junk-inside", "nul-terminated"];
const wider = ["pem"];

describe("public key files", () => {
  test.each(Object.keys(manifest.keyfiles))("%s", (name) => {
    const { file, prepare_root: peer, message } = named(manifest.keyfiles, name);
    const read = (): string[] => parsePublicKeys(fixture(file), file).map(({ publicKey }) => publicKey.toHex());
    const expected = named(keyFiles, name);
    if (typeof expected === "string") expect(failure(read)?.code).toBe(expected as never);
    else expect(read()).toEqual([...expected]);
    // The peer's verdict is on a file and a signature by "good" together.
    const accepts = typeof expected !== "string" && expected.includes(good.hex);
    if (accepts !== (peer === "accept")) expect([...stricter, ...wider]).toContain(name);
    if (accepts && peer === "reject") expect(message).toContain("Invalid public key");
  });

  test("the id is the SHA-256 of the DER SubjectPublicKeyInfo", () => {
    const [key] = parsePublicKeys(fixture("keys/good.key"), "good.key");
    expect(key).toMatchObject({ id: new Bun.CryptoHasher("sha256").update(Buffer.concat([Buffer.from("302a300506032b6570032100", "hex"), Buffer.from(good.hex, "hex")])).digest("hex"), origin: "good.key" });
    expect(parseKeyId(key?.id ?? "")).toBe(key?.id ?? "");
    expect(parseKeyId((key?.id ?? "").toUpperCase())).toBe(key?.id ?? "");
    expect(parseKeyId(good.base64)).toBe(key?.id ?? "");
    for (const wrong of ["", "abc", `${key?.id}0`, key?.id.slice(1) ?? "", `${good.base64} `, good.base64.slice(0, -1), "AAAA"]) expect(parseKeyId(wrong)).toBeUndefined();
    expect(formatPublicKey(key?.publicKey ?? new Uint8Array())).toBe(good.base64);
  });

  test("a key that is there twice counts once", () => {
    expect(parsePublicKeys(text(`${good.base64}\n${good.base64}\n`), "f").length).toBe(1);
  });

  const spki = toSpki(Uint8Array.fromHex(good.hex));
  test("PEM: several blocks, line ends, empty lines", () => {
    const one = pem("PUBLIC KEY", spki);
    const two = pem("PUBLIC KEY", toSpki(Uint8Array.fromHex(second.hex)));
    for (const content of [one, one.trimEnd(), one.replaceAll("\n", "\r\n"), `\n${one}\n\n${two}`]) expect(parsePublicKeys(text(content), "f")[0]?.id).toBe(keyId(Uint8Array.fromHex(good.hex)));
    expect(parsePublicKeys(text(one + two), "f").length).toBe(2);
  });

  const smallOrder = [
    "0100000000000000000000000000000000000000000000000000000000000000", "0000000000000000000000000000000000000000000000000000000000000000",
    "0000000000000000000000000000000000000000000000000000000000000080", "ecffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
    "26e8958fc2b227b045c3f489f2ef98f0d5dfac05d3c63339b13802886d53fc05", "26e8958fc2b227b045c3f489f2ef98f0d5dfac05d3c63339b13802886d53fc85",
    "c7176a703d4dd84fba3c0b760d10670f2a2053fa2c39ccc64ec7fd7792ac037a", "c7176a703d4dd84fba3c0b760d10670f2a2053fa2c39ccc64ec7fd7792ac03fa",
  ];
  const notCanonical = [
    "edffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f", "eeffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff",
    "ffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f", "f0ffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff",
  ];
  test.each([...smallOrder.map((key) => [key, "small order"]), ...notCanonical.map((key) => [key, "canonical"])])("%s is no key to trust", (key = "", word = "") => {
    for (const content of [`${Uint8Array.fromHex(key).toBase64()}\n`, pem("PUBLIC KEY", toSpki(Uint8Array.fromHex(key)))]) {
      const error = failure(() => parsePublicKeys(text(content), "f"));
      expect(error?.code).toBe("SR-E232");
      expect(error?.details.at(-1)?.[1]).toContain(word);
    }
  });

  test.each([
    ["a private key", pem("PRIVATE KEY", new Uint8Array(48)), "private key"],
    ["OSTree's secret key", `${new Uint8Array(64).fill(9).toBase64()}\n`, "secret key"],
    ["a certificate", pem("CERTIFICATE", spki), "something else"],
    ["an elliptic key", (JSON.parse(JSON.stringify(manifest.keys)) as Record<string, string>)["spki_p256_pem"] ?? "", "not Ed25519"],
    ["a key with something after it", pem("PUBLIC KEY", Uint8Array.from([...spki, 0])), "not Ed25519"],
    ["a block that is not closed", pem("PUBLIC KEY", spki).slice(0, -10), "not closed"],
    ["a block closed by another", pem("PUBLIC KEY", spki).replace("END PUBLIC", "END PRIVATE"), "not closed"],
    ["text around PEM", `my key\n${pem("PUBLIC KEY", spki)}`, "outside"],
    ["PEM and a line", `${pem("PUBLIC KEY", spki)}${good.base64}\n`, "outside"],
    ["an empty block", "-----BEGIN PUBLIC KEY-----\n-----END PUBLIC KEY-----\n", "base64"],
    ["bytes", "\u00ff\u0000", "ASCII"],
    ["a long line", "A".repeat(4000), "too long"],
  ])("%s", (_name, content, words) => {
    const error = failure(() => parsePublicKeys(text(content), "/etc/keys/a.pub"));
    expect(error?.code).toBe("SR-E232");
    expect(error?.details.map(([label]) => label)).toEqual(["file", "line", "found"]);
    expect(error?.details.at(-1)?.[1]).toContain(words);
    // nothing of the content is repeated
    expect(JSON.stringify(error?.details)).not.toContain(content.trim().slice(0, 20) || "-");
  });

  test("files that are too large", () => {
    expect(failure(() => parsePublicKeys(new Uint8Array(65537).fill(0x0a), "f"))?.code).toBe("SR-E229");
    const many = Array.from({ length: 257 }, (_, index) => formatPublicKey(new Uint8Array(32).fill(3).with(0, index & 0xff).with(1, index >> 8))).join("\n");
    expect(failure(() => parsePublicKeys(text(many), "f"))?.code).toBe("SR-E229");
  });

  test("any bytes: keys or one error", () => {
    const pieces = fc.constantFrom(good.base64, second.base64, "\n", "\r\n", " ", "-----BEGIN PUBLIC KEY-----", "-----END PUBLIC KEY-----", spki.toBase64(), "=", "#", "\0", "AAAA");
    fc.assert(fc.property(fc.oneof(fc.uint8Array({ maxLength: 300 }), fc.array(pieces, { maxLength: 12 }).map((list) => text(list.join("")))), (bytes) => {
      const error = failure(() => parsePublicKeys(bytes, "f"));
      if (error !== undefined) expect(["SR-E231", "SR-E232"]).toContain(error.code);
    }), { numRuns: 3000 });
  });
});

describe("secret keys", () => {
  const secret = generateSecretKey();

  test("both formats, there and back", () => {
    for (const content of [formatSecretKeyPem(secret), formatSecretKeyOstree(secret), formatSecretKeyOstree(secret).trim()]) {
      expect(parseSecretKey(text(content), "f")).toEqual(secret);
    }
    const message = text("message");
    expect(verifySignature(secret.publicKey, message, sign(secret, message))).toBe(true);
  });

  test("RFC 8410, section 10.3", () => {
    const content = "-----BEGIN PRIVATE KEY-----\nMC4CAQAwBQYDK2VwBCIEINTuctv5E1hK1bbY8fdp+K06/nwoy/HU++CXqI9EdVhC\n-----END PRIVATE KEY-----\n";
    expect(parseSecretKey(text(content), "f").publicKey.toHex()).toBe("19bf44096984cdfe8541bac167dc3b96c85086aa30b6b6cb0c5c38ad703166e1");
  });

  const versionTwo = (start: string, middle: string, publicKey: Uint8Array): string =>
    pem("PRIVATE KEY", Uint8Array.from([...Uint8Array.fromHex(start), ...secret.seed, ...Uint8Array.fromHex(middle), ...publicKey]));
  test("PKCS#8 of version 2, with the public key", () => {
    for (const [start, middle] of [["3051020101300506032b657004220420", "812100"], ["3053020101300506032b657004220420", "a123032100"]] as const) {
      expect(parseSecretKey(text(versionTwo(start, middle, secret.publicKey)), "f")).toEqual(secret);
      expect(failure(() => parseSecretKey(text(versionTwo(start, middle, generateSecretKey().publicKey)), "f"))?.code).toBe("SR-E233");
    }
  });

  test.each([
    ["nothing", "", "nothing"],
    ["a public key", `${formatPublicKey(secret.publicKey)}\n`, "public key"],
    ["another public key than the seed's", `${Uint8Array.from([...secret.seed, ...generateSecretKey().publicKey]).toBase64()}\n`, "does not belong"],
    ["two keys", formatSecretKeyOstree(secret).repeat(2), "second"],
    ["two blocks", formatSecretKeyPem(secret).repeat(2), "one PEM block"],
    ["an encrypted key", pem("ENCRYPTED PRIVATE KEY", new Uint8Array(40)), "encrypted"],
    ["a public key in PEM", pem("PUBLIC KEY", toSpki(secret.publicKey)), "something else"],
    ["another algorithm", pem("PRIVATE KEY", new Uint8Array(48)), "not Ed25519"],
  ])("%s", (_name, content, words) => {
    const error = failure(() => parseSecretKey(text(content), "f"));
    expect(error?.code).toBe("SR-E233");
    expect(error?.details.at(-1)?.[1]).toContain(words);
    expect(JSON.stringify(error?.details)).not.toContain(secret.seed.toBase64().slice(0, 12));
  });

  test("any bytes: a key or one error", () => {
    const base = [text(formatSecretKeyPem(secret)), text(formatSecretKeyOstree(secret))];
    fc.assert(fc.property(fc.constantFrom(...base), fc.nat(), fc.nat(255), fc.nat(5), (bytes, at, byte, cut) => {
      const changed = bytes.slice(0, bytes.length - cut);
      changed[at % changed.length] = byte;
      const error = failure(() => parseSecretKey(changed, "f"));
      if (error !== undefined) expect(error.code).toBe("SR-E233");
    }), { numRuns: 500 });
  });
});
