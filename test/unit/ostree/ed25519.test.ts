/**
 * Ed25519: vectors of RFC 8032, the edge cases of the literature made here from their definitions, and the rule that both
 * engines have to say yes. test/integration/ostree-openssl.test.ts puts the same cases to OpenSSL.
 */

import { describe, expect, test } from "bun:test";
import { ed25519 } from "@noble/curves/ed25519.js";
import fc from "fast-check";
import { type Engine, ENGINES, isPossibleSignature, verifySignature, verifyWith } from "../../../src/ostree/ed25519.ts";
import { edgeCases, ORDER, rfc8032 } from "./ed25519-cases.ts";

describe("RFC 8032, section 7.1", () => {
  test.each(rfc8032)("test $name", ({ secret, publicKey, message, signature }) => {
    expect(ed25519.getPublicKey(secret).toHex()).toBe(publicKey.toHex());
    expect(ed25519.sign(message, secret).toHex()).toBe(signature.toHex());
    expect(verifySignature(publicKey, message, signature)).toBe(true);
    expect(isPossibleSignature(signature)).toBe(true);
    for (const engine of ENGINES) expect(engine(publicKey, message, signature)).toBe(true);
  });

  test.each(rfc8032)("test $name, one bit changed anywhere", ({ publicKey, message, signature }) => {
    const flip = (bytes: Uint8Array, bit: number): Uint8Array => bytes.with(bit >> 3, (bytes[bit >> 3] ?? 0) ^ (1 << (bit & 7)));
    for (let bit = 0; bit < 512; bit += 7) expect(verifySignature(publicKey, message, flip(signature, bit))).toBe(false);
    for (let bit = 0; bit < 256; bit += 7) expect(verifySignature(flip(publicKey, bit), message, signature)).toBe(false);
    expect(verifySignature(publicKey, Uint8Array.from([...message, 0]), signature)).toBe(false);
  });
});

describe("edge cases", () => {
  test.each(edgeCases)("$name: $expected", ({ publicKey, message, signature, expected }) => {
    expect(verifySignature(publicKey, message, signature)).toBe(expected === "valid");
  });

  test("there are cases that only one engine refuses: neither would do alone", () => {
    const [runtime, noble] = ENGINES as [Engine, Engine];
    const alone = (engine: Engine, { publicKey, message, signature }: (typeof edgeCases)[number]): boolean => verifyWith([engine], publicKey, message, signature);
    const invalid = edgeCases.filter(({ expected }) => expected === "invalid");
    expect(invalid.filter((edge) => alone(runtime, edge) && !alone(noble, edge)).length).toBeGreaterThan(0);
    expect(invalid.filter((edge) => !alone(runtime, edge) && alone(noble, edge)).length).toBeGreaterThan(0);
  });
});

describe("both engines", () => {
  const { publicKey, message, signature } = rfc8032[2] ?? (rfc8032[0] as (typeof rfc8032)[number]);
  const yes: Engine = () => true;
  const endless = (): unknown => [endless()];
  const odd: readonly (readonly [string, Engine])[] = [
    ["false", () => false], ["undefined", () => undefined], ["1", () => 1], ["-1", () => -1], ["a text", () => "true"], ["a promise", () => Promise.resolve(true)],
    ["an object", () => new Boolean(true)],
    ["an error", () => { throw new Error("no"); }],
    ["something thrown", () => { throw "no"; }],
    ["endless recursion", endless],
  ];

  test.each(odd)("%s of either is not valid", (_name, engine) => {
    expect(verifyWith([yes, engine], publicKey, message, signature)).toBe(false);
    expect(verifyWith([engine, yes], publicKey, message, signature)).toBe(false);
  });

  test("no engine accepts nothing; two that say yes are asked once each", () => {
    let asked = 0;
    const count: Engine = () => ++asked > 0;
    expect(verifyWith([], publicKey, message, signature)).toBe(false);
    expect(verifyWith([count, count], publicKey, message, signature)).toBe(true);
    expect(asked).toBe(2);
    for (const length of [0, 31, 33, 64]) expect(verifyWith([count], new Uint8Array(length), message, signature)).toBe(false);
    for (const length of [0, 63, 65, 32]) expect(verifyWith([count], publicKey, message, new Uint8Array(length))).toBe(false);
    expect(asked).toBe(2);
  });

  test("there are two, of different origin", () => {
    expect(ENGINES.length).toBe(2);
    expect(new Set(ENGINES).size).toBe(2);
  });

  test("the engines agree on what anybody signs", () => {
    fc.assert(fc.property(fc.uint8Array({ minLength: 32, maxLength: 32 }), fc.uint8Array({ maxLength: 300 }), fc.nat(511), (secret, text, bit) => {
      const key = ed25519.getPublicKey(secret);
      const made = ed25519.sign(text, secret);
      const damaged = made.with(bit >> 3, (made[bit >> 3] ?? 0) ^ (1 << (bit & 7)));
      for (const engine of ENGINES) {
        expect(verifyWith([engine], key, text, made)).toBe(true);
        expect(verifyWith([engine], key, text, damaged)).toBe(false);
      }
    }), { numRuns: 60 });
  });
});

describe("the second engine has the runtime's SHA-512, and says what the library says with its own", () => {
  const [, noble] = ENGINES as [Engine, Engine];
  const same = (publicKey: Uint8Array, message: Uint8Array, signature: Uint8Array): void =>
    expect(verifyWith([noble], publicKey, message, signature)).toBe(verifyWith([(...input) => ed25519.verify(input[2], input[1], input[0], { zip215: false })], publicKey, message, signature));

  test.each(edgeCases)("$name", ({ publicKey, message, signature }) => same(publicKey, message, signature));

  test("of messages around the block of the hash, and of a megabyte", () => {
    const secret = new Uint8Array(32).fill(7);
    const key = ed25519.getPublicKey(secret);
    for (const length of [0, 1, 46, 47, 48, 63, 64, 65, 111, 112, 127, 128, 129, 2 ** 20]) {
      const message = Uint8Array.from({ length }, (_, at) => at * 7);
      const signature = ed25519.sign(message, secret);
      same(key, message, signature);
      expect(verifySignature(key, message, signature)).toBe(true);
      if (length === 0) continue;
      const changed = message.with(length - 1, (message[length - 1] ?? 0) ^ 1);
      same(key, changed, signature);
      expect(verifySignature(key, changed, signature)).toBe(false);
    }
  });

  test("a part of a buffer is that part", () => {
    const { publicKey, message, signature } = rfc8032[3] ?? (rfc8032[0] as (typeof rfc8032)[number]);
    const around = new Uint8Array(message.length + 20).fill(9);
    around.set(message, 7);
    expect(verifyWith([noble], publicKey, around.subarray(7, 7 + message.length), signature)).toBe(true);
  });
});

test("what can be a signature at all", () => {
  const { signature } = rfc8032[0] as (typeof rfc8032)[number];
  expect(isPossibleSignature(signature.slice(1))).toBe(false);
  expect(isPossibleSignature(new Uint8Array(64).fill(0xff))).toBe(false);
  const large = signature.slice();
  for (let rest = ORDER, at = 32; at < 64; at++, rest >>= 8n) large[at] = Number(rest & 0xffn);
  expect(isPossibleSignature(large)).toBe(false);
});
