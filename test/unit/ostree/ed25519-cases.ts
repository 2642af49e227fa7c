/**
 * Ed25519 cases: the vectors of RFC 8032, section 7.1, and edge cases built from the definitions in "Taming the many EdDSAs"
 * (Chalkias, Garillot, Nikolaenko 2020, sections 3 to 5), "It's 255:19AM" (de Valence 2020) and the classes of Wycheproof's tests.
 * The points of small order are made by arithmetic, not listed.
 */

import { ed25519 } from "@noble/curves/ed25519.js";

const hex = (text: string): Uint8Array => Uint8Array.fromHex(text);
type Point = typeof ed25519.Point.BASE;
const { Point } = ed25519;
const BASE = Point.BASE;
const P = 2n ** 255n - 19n;
/** Order of the group that the base point generates. */
export const ORDER = Point.Fn.ORDER;

export interface Vector {
  readonly name: string;
  readonly secret: Uint8Array;
  readonly publicKey: Uint8Array;
  readonly message: Uint8Array;
  readonly signature: Uint8Array;
}

const vector = (name: string, secret: string, publicKey: string, message: string, signature: string): Vector =>
  ({ name, secret: hex(secret), publicKey: hex(publicKey), message: hex(message), signature: hex(signature) });

export const rfc8032: readonly Vector[] = [
  vector("1", "9d61b19deffd5a60ba844af492ec2cc44449c5697b326919703bac031cae7f60", "d75a980182b10ab7d54bfed3c964073a0ee172f3daa62325af021a68f707511a", "",
    "e5564300c360ac729086e2cc806e828a84877f1eb8e5d974d873e065224901555fb8821590a33bacc61e39701cf9b46bd25bf5f0595bbe24655141438e7a100b"),
  vector("2", "4ccd089b28ff96da9db6c346ec114e0f5b8a319f35aba624da8cf6ed4fb8a6fb", "3d4017c3e843895a92b70aa74d1b7ebc9c982ccf2ec4968cc0cd55f12af4660c", "72",
    "92a009a9f0d4cab8720e820b5f642540a2b27b5416503f8fb3762223ebdb69da085ac1e43e15996e458f3613d0f11d8c387b2eaeb4302aeeb00d291612bb0c00"),
  vector("3", "c5aa8df43f9f837bedb7442f31dcb7b166d38535076f094b85ce3a2e0b4458f7", "fc51cd8e6218a1a38da47ed00230f0580816ed13ba3303ac5deb911548908025", "af82",
    "6291d657deec24024827e69c3abe01a30ce548a284743a445e3680d7db5ac3ac18ff9b538d16f290ae67f760984dc6594a7c15e9716ed28dc027beceea1ec40a"),
  vector("SHA(abc)", "833fe62409237b9d62ec77587520911e9a759cec1d19755b7da901b96dca3d42", "ec172b93ad5e563bf4932c70e1245034c35467ef2efd4d64ebf819683467e2bf",
    "ddaf35a193617abacc417349ae20413112e6fa4e89a97ea20a9eeee64b55d39a2192992a274fc1a836ba3c23a3feebbd454d4423643ce80e2a9ac94fa54ca49f",
    "dc2a4459e7369633a52b1bf277839a00201009a3efbf3ecb69bea2186c26b58909351fc9ac90b3ecfdfbc7c66431e0303dca179c138ac17ad9bef1177331a704"),
];

export interface EdgeCase {
  readonly name: string;
  readonly publicKey: Uint8Array;
  readonly message: Uint8Array;
  readonly signature: Uint8Array;
  readonly expected: "valid" | "invalid";
}

const fromLittleEndian = (bytes: Uint8Array): bigint => bytes.reduceRight((sum, byte) => sum * 256n + BigInt(byte), 0n);
function littleEndian(value: bigint): Uint8Array {
  const bytes = new Uint8Array(32);
  for (let rest = value, at = 0; at < 32; at++, rest >>= 8n) bytes[at] = Number(rest & 0xffn);
  return bytes;
}
const modulo = (value: bigint, by: bigint): bigint => ((value % by) + by) % by;
/** [scalar]point; the library's own refuses 0 and does not know points outside of the large group. */
function times(scalar: bigint, point: Point): Point {
  let sum: Point = Point.ZERO;
  for (let rest = scalar, power = point; rest > 0n; rest >>= 1n, power = power.double()) if ((rest & 1n) === 1n) sum = sum.add(power);
  return sum;
}
const sha512 = (...parts: Uint8Array[]): Uint8Array => new Uint8Array(new Bun.CryptoHasher("sha512").update(Buffer.concat(parts)).digest());
const challenge = (r: Uint8Array, a: Uint8Array, message: Uint8Array): bigint => modulo(fromLittleEndian(sha512(r, a, message)), ORDER);
const concat = (r: Uint8Array, s: bigint): Uint8Array => Uint8Array.from([...r, ...littleEndian(s)]);

/** A generator of the eight points whose order divides 8: [ORDER]P for the first P on the curve where that has order 8. */
const torsion: Point = (() => {
  for (let y = 2n; ; y++) {
    try {
      const point = times(ORDER, Point.fromBytes(littleEndian(y)));
      if (!times(4n, point).is0()) return point;
    } catch {
      // y belongs to no point
    }
  }
})();
const small = (index: number): Point => times(BigInt(index), torsion);

/** All encodings of a point: with y or, where it fits into 255 bits, y + p; and for x = 0 with either sign. */
function encodings(point: Point): { canonical: Uint8Array; others: Uint8Array[] } {
  const canonical = point.toBytes();
  const sign = (canonical[31] ?? 0) & 0x80;
  const y = modulo(fromLittleEndian(canonical.with(31, (canonical[31] ?? 0) & 0x7f)), P);
  const ys = [y, y + P].filter((value) => value < 2n ** 255n);
  const signs = point.x === 0n ? [0, 0x80] : [sign];
  const all = ys.flatMap((value) => signs.map((bit) => { const bytes = littleEndian(value); return bytes.with(31, (bytes[31] ?? 0) | bit); }));
  return { canonical, others: all.filter((bytes) => bytes.toHex() !== canonical.toHex()) };
}

/** The first of the messages "0", "1", … for which the challenge is as wanted. */
function search(r: Uint8Array, a: Uint8Array, wanted: (k: bigint) => boolean): Uint8Array {
  for (let number = 0; ; number++) {
    const message = new TextEncoder().encode(String(number));
    if (wanted(challenge(r, a, message))) return message;
  }
}

const secretScalar = 0x0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdefn % ORDER;
const nonce = 0x7766554433221100ffeeddccbbaa99887766554433221100ffeeddccbbaa9988n % ORDER;

/** A signature by whoever knows the scalar, with chosen small parts in the key and in R. `holds`: also without the cofactor. */
function mixed(name: string, keyPart: number, rPart: number, holds: boolean, expected: EdgeCase["expected"], scalar = secretScalar, random = nonce): EdgeCase {
  const a = times(scalar, BASE).add(small(keyPart));
  const r = times(random, BASE).add(small(rPart));
  const [publicKey, rBytes] = [a.toBytes(), r.toBytes()];
  // [S]B - [k]A - R = -([k]T_A + T_R)
  const message = search(rBytes, publicKey, (k) => times(k, small(keyPart)).add(small(rPart)).is0() === holds);
  return { name, publicKey, message, signature: concat(rBytes, modulo(random + challenge(rBytes, publicKey, message) * scalar, ORDER)), expected };
}

function* make(): Generator<EdgeCase> {
  const [, , plain] = rfc8032;
  if (plain === undefined) throw new Error("no vector");
  const { publicKey, message, signature } = plain;
  const r = signature.subarray(0, 32);
  const s = fromLittleEndian(signature.subarray(32));

  // scalars
  for (const [name, value] of [["S + L", s + ORDER], ["S + 8L", s + 8n * ORDER], ["S of 256 bits", s | (2n ** 255n)], ["S with the top three bits", s | (7n << 253n)], ["L - S", ORDER - s], ["S = 0", 0n], ["S = 1", 1n], ["S = L", ORDER], ["S = L - 1", ORDER - 1n], ["S of ones", 2n ** 256n - 1n]] as const) {
    yield { name, publicKey, message, signature: concat(r, value), expected: "invalid" };
  }
  // R
  for (const [name, value] of [["R = 0", 0n], ["R = 1", 1n], ["R = p - 1", P - 1n], ["R = p", P], ["R = p + 1", P + 1n], ["R of ones", 2n ** 256n - 1n], ["R = 2, which is no point", 2n]] as const) {
    yield { name, publicKey, message, signature: concat(littleEndian(value), s), expected: "invalid" };
  }
  yield { name: "R with the other sign", publicKey, message, signature: signature.with(31, (signature[31] ?? 0) ^ 0x80), expected: "invalid" };
  yield { name: "nothing but zeros", publicKey, message, signature: new Uint8Array(64), expected: "invalid" };
  yield { name: "R and S exchanged", publicKey, message, signature: Uint8Array.from([...signature.subarray(32), ...r]), expected: "invalid" };
  yield { name: "a signature of another message", publicKey, message: new Uint8Array(), signature, expected: "invalid" };
  // keys that are no points, or not canonical
  for (const [name, value] of [["a key of 2, which is no point", 2n], ["a key of p", P], ["a key of p + 1", P + 1n], ["a key of ones", 2n ** 256n - 1n], ["a key of 2^255 - 1", 2n ** 255n - 1n]] as const) {
    yield { name, publicKey: littleEndian(value), message, signature, expected: "invalid" };
  }
  // keys of small order: S = 0 and R = -[k]A hold for anybody, for suitable messages even with R canonical
  for (let index = 0; index < 8; index++) {
    const { canonical, others } = encodings(small(index));
    for (const key of [canonical, ...others]) {
      for (let rIndex = 0; rIndex < 8; rIndex++) {
        const rBytes = small(rIndex).toBytes();
        // for the key of order 1 only R of order 1 fits
        const possible = [0, 1, 2, 3, 4, 5, 6, 7].some((k) => times(BigInt(k), small(index)).add(small(rIndex)).is0());
        if (!possible) continue;
        const text = search(rBytes, key, (k) => times(k, small(index)).add(small(rIndex)).is0());
        yield { name: `key of small order ${key.toHex()}, R = [${rIndex}]T, S = 0`, publicKey: key, message: text, signature: concat(rBytes, 0n), expected: "invalid" };
      }
      // S > 0, so R is of large order
      const rBytes = times(nonce, BASE).toBytes();
      const text = search(rBytes, key, (k) => times(k, small(index)).is0());
      yield { name: `key of small order ${key.toHex()}, S > 0`, publicKey: key, message: text, signature: concat(rBytes, nonce), expected: "invalid" };
    }
  }
  // R of small order in an encoding that is not canonical, by the owner of a key of large order: S = k a
  for (let index = 0; index < 8; index++) {
    for (const other of encodings(small(index)).others) {
      const key = times(secretScalar, BASE).toBytes();
      const text = new TextEncoder().encode("m");
      yield { name: `R as ${other.toHex()}`, publicKey: key, message: text, signature: concat(other, modulo(challenge(other, key, text) * secretScalar, ORDER)), expected: "invalid" };
    }
  }
  // keys and R with a small part: valid where the equation holds without the cofactor
  yield mixed("small part in the key, equation holds", 1, 3, true, "valid");
  yield mixed("small part of order 2 in the key, equation holds", 4, 4, true, "valid");
  yield mixed("small part in the key alone, k a multiple of 8", 1, 0, true, "valid");
  yield mixed("small parts in key and R, equation holds with the cofactor only", 1, 3, false, "invalid");
  yield mixed("small part in the key, holds with the cofactor only", 1, 0, false, "invalid");
  yield mixed("small part in R, holds with the cofactor only", 0, 1, false, "invalid");
  yield mixed("small part of order 2 in R, holds with the cofactor only", 0, 4, false, "invalid");
  yield mixed("R of small order, key with a small part, equation holds", 1, 5, true, "valid", secretScalar, 0n);
  yield mixed("R of small order, holds with the cofactor only", 1, 5, false, "invalid", secretScalar, 0n);
  // k must be reduced modulo L before it meets a point of order 8 (case 5 of the paper): with k as hashed the equation holds
  yield (() => {
    const a = times(secretScalar, BASE).add(small(1));
    const [key, rBytes] = [a.toBytes(), times(nonce, BASE).toBytes()];
    const hashed = (text: Uint8Array): bigint => fromLittleEndian(sha512(rBytes, key, text));
    let text: Uint8Array = new Uint8Array();
    for (let number = 0; text.length === 0 || hashed(text) % 8n !== 0n || modulo(hashed(text), ORDER) % 8n === 0n; number++) text = new TextEncoder().encode(String(number));
    return { name: "the equation holds for a challenge that is not reduced", publicKey: key, message: text, signature: concat(rBytes, modulo(nonce + hashed(text) * secretScalar, ORDER)), expected: "invalid" } as const;
  })();
}

export const edgeCases: readonly EdgeCase[] = [...make()];
