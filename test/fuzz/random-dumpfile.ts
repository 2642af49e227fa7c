/**
 * Random trees as dumpfiles, for comparing writers: names of any bytes, hard links, whiteouts, extended attributes that overlayfs
 * and composefs act upon, every type, sizes and times at the limits of the format. The same seed gives the same tree.
 */

import { Generator } from "./generator.ts";

const encoder = new TextEncoder();
const bytesOf = (text: string): Uint8Array => encoder.encode(text);

const XATTR_NAMES = [
  "user.a", "user.bb", "security.selinux", "trusted.overlay.opaque", "trusted.overlay.redirect", "trusted.overlay.metacopy", "trusted.overlay.overlay.whiteout", "trusted.x",
  "system.posix_acl_access", "system.posix_acl_default", "lustre.lov", "weird", "security.ima", "user.overlay.opaque", "user.overlay.whiteout", "user.overlay.whiteouts",
  "system.nfs4_acl", "a", "user.", `user.${"k".repeat(250)}`, "system.posix_acl_accessXY", "trusted.overlay", "trusted.overlay.", "trusted.", "security.",
].map(bytesOf);
const TARGET_LENGTHS = [1, 5, 60, 500, 2000, 3000, 4000, 4031, 4032, 4063, 4064, 4090, 4095];
const CONTENT_LENGTHS = [1, 63, 64, 65, 1000, 2047, 2048, 2049, 4095, 4096, 4097, 4999, 5000];
const SIZES = [0, 1, 4096, 4097, 65537, 2 ** 32 - 1, 2 ** 32, 2 ** 40, 2 ** 43, 2 ** 43 + 1, 2 ** 45, 2 ** 50, 2 ** 52 + 3, 2 ** 53 - 1, 2 ** 53];
const HEX_DIGITS = bytesOf("0123456789abcdef");
const ALPHABETS = [bytesOf("abcdefgh"), new Uint8Array([...bytesOf('!"#$%&+,-.0AZaz'), 0xff, 0x80, 0x01]), bytesOf("0123456789abcdef"), bytesOf("./-".replace("/", ""))];

/** Fields of a dumpfile: printable bytes as they are, the others and those that mean something as `\xNN`. */
function escape(bytes: Uint8Array): string {
  if (bytes.length === 1 && bytes[0] === 0x2d) return "\\x2d";
  const text = Buffer.allocUnsafe(bytes.length * 4);
  let end = 0;
  for (const byte of bytes) {
    if (byte > 0x20 && byte < 0x7f && byte !== 0x5c && byte !== 0x3d) {
      text[end++] = byte;
      continue;
    }
    text[end++] = 0x5c;
    text[end++] = 0x78;
    text[end++] = HEX_DIGITS[byte >>> 4] ?? 0;
    text[end++] = HEX_DIGITS[byte & 15] ?? 0;
  }
  return text.toString("latin1", 0, end);
}

export class RandomDumpfile {
  readonly #random: Generator;
  readonly #times: readonly string[];
  readonly #ids: readonly number[];
  readonly #values: readonly Uint8Array[];
  readonly #lines: string[] = [];

  constructor(seed: number) {
    this.#random = new Generator(seed, []);
    // the first numbers of neighbouring seeds resemble each other
    for (let skip = 0; skip < 8; skip++) this.#random.below(2);
    const { pick } = this;
    this.#times = Array.from({ length: pick([1, 1, 2, 4]) }, () => `${pick(["0", "1", "-5", "1700000000", "8589934592", "-1099511627776", "9223372036854775807", "-9223372036854775808"])}.${pick([0, 1, 999999999, 4294967295])}`);
    this.#ids = pick([[0], [0, 1000], [0, 65535, 65536], [0, 2 ** 32 - 2]]);
    this.#values = ["", "y", "x", "system_u:object_r:usr_t:s0\0", "\0\0", "=-= ", "v".repeat(pick([100, 1000, 4000]))].map(bytesOf).concat([new Uint8Array([0xee]), Uint8Array.from({ length: 37 }, (_, byte) => byte)]);
  }

  readonly pick = <T>(list: readonly T[]): T => this.#random.pick(list);
  readonly #chance = (percent: number): boolean => this.#random.below(100) < percent;

  #bytes(length: number, from?: Uint8Array): Uint8Array {
    const bytes = new Uint8Array(length);
    for (let at = 0; at < length; at++) bytes[at] = from === undefined ? this.#random.below(256) : (from[this.#random.below(from.length)] ?? 0);
    return bytes;
  }

  #xattrs(): string {
    const count = this.pick([0, 0, 1, 1, 2, 3, 8]);
    const set = new Map<string, string>();
    for (let left = count; left > 0; left--) set.set(escape(this.#chance(80) ? this.pick(XATTR_NAMES) : bytesOf(`user.r${this.#random.below(200)}`)), escape(this.pick(this.#values)));
    if (this.#chance(2)) for (let left = this.pick([100, 126, 127, 128, 129, 140]); left > 0; left--) set.set(`user.m${String(left).padStart(3, "0")}`, this.pick(["1", "2"]));
    return [...set].map(([name, value]) => ` ${name}=${value}`).join("");
  }

  #meta(size: number, mode: number, rdev = 0): string {
    const nlink = (mode & 0o170000) === 0o040000 ? 1 : this.pick([1, 1, 1, 2, 65535, 65536, 70000]);
    return `${size} ${mode.toString(8)} ${nlink} ${this.pick(this.#ids)} ${this.pick(this.#ids)} ${rdev} ${this.pick(this.#times)}`;
  }

  #digest(): string {
    return new Bun.CryptoHasher("sha256").update(String(this.#random.below(30))).digest("hex");
  }

  #external(): string {
    const digest = this.#digest();
    const other = this.#chance(90) ? digest : this.#digest();
    const object = `${other.slice(0, 2)}/${other.slice(2)}`;
    const payload = this.pick([object, object, "-", "abc", "/abs/x", "a".repeat(this.pick([10, 4000, 4095]))]);
    const size = this.#chance(90) ? this.pick(SIZES) : 1 + this.#random.below(2 ** 31) * 2 ** this.#random.below(22);
    return `${this.#meta(size, 0o100755)} ${payload} - ${this.pick([digest, digest, "-"])}`;
  }

  /** The dumpfile. */
  make(): Uint8Array {
    this.#lines.push(`/ ${this.#meta(4096, 0o040755)} - - -${this.#xattrs()}`);
    const directories = [""];
    const files: string[] = [];
    const taken = new Set<string>();
    const alphabet = this.pick(ALPHABETS);
    const lengths = this.pick([[1, 2, 3], [1, 20, 255], [2], [200, 255], [1, 2, 3, 30]]);
    for (let left = this.pick([3, 10, 10, 40, 40, 40, 100, this.#chance(10) ? 500 : 40]); left > 0; left--) {
      const directory = this.#chance(50) ? this.pick(directories) : (directories.at(this.#chance(50) ? -1 : 0) ?? "");
      const name = escape(this.#bytes(this.pick(lengths), alphabet));
      const path = `${directory}/${name}`;
      if (name === "." || name === ".." || taken.has(path)) continue;
      taken.add(path);
      const kind = this.#random.below(100);
      if (kind < 18) directories.push(path);
      else if (kind < 90) files.push(path);
      this.#add(path, kind, files);
    }
    return bytesOf(`${this.#lines.join("\n")}\n`);
  }

  #add(path: string, kind: number, files: string[]): void {
    let line: string;
    if (kind < 18) line = `${this.#meta(this.#random.below(9999), 0o040000 | this.pick([0o755, 0o1777]))} - - -`;
    else if (kind < 30) {
      const length = this.pick(TARGET_LENGTHS);
      line = `${this.#meta(this.pick([0, length, 77]), 0o120777)} ${escape(this.#bytes(length, bytesOf("xyz/.")))} - -`;
    } else if (kind < 50) {
      const length = this.pick(CONTENT_LENGTHS);
      line = `${this.#meta(length, 0o100644)} - ${escape(this.#bytes(length))} -`;
    } else if (kind < 72) line = this.#external();
    else if (kind < 80) line = `${this.#meta(this.pick([0, 0, 7, 2 ** 33]), this.pick([0o020600, 0o060600]), this.pick([259, 2 ** 31 + 5, 1]))} - - -`;
    else if (kind < 84) line = `${this.#meta(0, 0o020000, 0)} - - -`;
    else if (kind < 90) line = `${this.#meta(0, this.pick([0o010600, 0o140600]))} - - -`;
    else {
      if (files.length === 0) return;
      this.#lines.push(`${path} 0 @100644 - - - - - ${this.pick(files)} - -`);
      if (this.#chance(50)) files.push(path);
      return;
    }
    this.#lines.push(`${path} ${line}${kind >= 80 && kind < 84 && this.#chance(60) ? "" : this.#xattrs()}`);
  }
}
