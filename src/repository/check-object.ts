/** One object against its name: measured by the kernel where it can be, else hashed; and read to its end in either case. */

import { fsverityDigest } from "../fsverity/index.ts";
import { BENEATH, type Descriptor, measureVerity, O, openAt, reopen, statAt, SyscallError } from "../linux/index.ts";
import { statName } from "../linux/names.ts";
import { PIECE, pieces } from "../linux/pieces.ts";
import { ContentHasher } from "./content-hasher.ts";

export type ObjectFault =
  /** Its content has another digest. */
  | "digest"
  /** It is there and cannot be read: with fs-verity this is how changed bytes show. */
  | "unreadable"
  /** It is a directory, a link, a device. */
  | "type"
  /** Its content is right and the kernel does not vouch for it. */
  | "no fs-verity";

export interface CheckedObject {
  readonly fault: ObjectFault | undefined;
  /** What was found instead, for people. */
  readonly found: string;
  readonly measured: boolean;
}

const buffer = new Uint8Array(PIECE);
/** Bytes of holes that are worth a look for where the data lies. */
const WORTH_SKIPPING = 16 * 2 ** 20;
const UNIT = 512;

function* watched(file: Descriptor, advance: (bytes: number) => void): Generator<Uint8Array> {
  for (const piece of pieces(file, buffer)) {
    advance(piece.length);
    yield piece;
  }
}

/** A name costs nothing, and can stand for as many zeros as a file can have: those are not read. */
function digestOf(file: Descriptor, algorithm: "sha256" | "sha512", advance: (bytes: number) => void): string {
  const { size, blocks } = statName(file);
  if (size - blocks * UNIT < WORTH_SKIPPING) return fsverityDigest(watched(file, advance), algorithm).toHex();
  const hasher = new ContentHasher(algorithm);
  return hasher.hashFile(file.fd, size, true, advance) ? hasher.digest().toHex() : "a file that became shorter meanwhile";
}

/**
 * fs-verity's measurement is what the file was when it was sealed: bytes that have changed on the disk since then show only when they
 * are read. So a measured file is read too, and the kernel checks it, block by block.
 * @param directory `objects/xx` @param hex the id, lower-case hex @param requireVerity a file without fs-verity is a fault
 * @param advance is told of the bytes that were read
 */
export function checkObject(directory: Pick<Descriptor, "fd" | "label">, name: string, hex: string, algorithm: "sha256" | "sha512", requireVerity: boolean, advance: (bytes: number) => void): CheckedObject {
  try {
    using found = openAt(directory, name, O.PATH | O.NOFOLLOW, BENEATH);
    const { type } = statAt(found);
    if (type !== "regular file") return { fault: "type", found: `a ${type}`, measured: false };
    using file = reopen(found, O.RDONLY);
    const measurement = measureVerity(file);
    const measured = measurement.kind === "digest" && measurement.algorithm === algorithm;
    if (measured) {
      if (measurement.digest !== hex) return { fault: "digest", found: `${algorithm}:${measurement.digest}  (fs-verity)`, measured };
      for (const _piece of watched(file, advance));
      return { fault: undefined, found: "", measured };
    }
    const digest = digestOf(file, algorithm, advance);
    if (digest !== hex) return { fault: "digest", found: `${algorithm}:${digest}`, measured };
    return requireVerity ? { fault: "no fs-verity", found: measurement.kind === "digest" ? `fs-verity with ${measurement.algorithm}` : "no fs-verity", measured } : { fault: undefined, found: "", measured };
  } catch (error) {
    if (!(error instanceof SyscallError)) throw error;
    return { fault: "unreadable", found: error.message, measured: false };
  }
}
