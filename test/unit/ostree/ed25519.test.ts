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

test("what can be a signature at all", () => {
  const { signature } = rfc8032[0] as (typeof rfc8032)[number];
  expect(isPossibleSignature(signature.slice(1))).toBe(false);
  expect(isPossibleSignature(new Uint8Array(64).fill(0xff))).toBe(false);
  const large = signature.slice();
  for (let rest = ORDER, at = 32; at < 64; at++, rest >>= 8n) large[at] = Number(rest & 0xffn);
  expect(isPossibleSignature(large)).toBe(false);
});
