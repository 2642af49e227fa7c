/** What a parser of this room throws: the bytes break a rule of their format. Turned into SR-E602 where the file is known. */

export class Damage extends Error {
  override readonly name = "Damage";
}

/** Little-endian and big-endian integers with their bounds checked; beyond the end is damage, not undefined. */
export function byteAt(bytes: Uint8Array, at: number): number {
  const value = bytes[at];
  if (value === undefined) throw new Damage("it ends in the middle");
  return value;
}

export function uint16le(bytes: Uint8Array, at: number): number {
  return byteAt(bytes, at) | (byteAt(bytes, at + 1) << 8);
}

export function uint32le(bytes: Uint8Array, at: number): number {
  return (uint16le(bytes, at) | (uint16le(bytes, at + 2) << 16)) >>> 0;
}

export function uint32be(bytes: Uint8Array, at: number): number {
  return ((byteAt(bytes, at) << 24) | (byteAt(bytes, at + 1) << 16) | (byteAt(bytes, at + 2) << 8) | byteAt(bytes, at + 3)) >>> 0;
}

/** A 64-bit integer as a number. @throws Damage beyond 2^53 - 1, which no offset or size here can be */
export function uint64le(bytes: Uint8Array, at: number): number {
  const value = uint32le(bytes, at) + uint32le(bytes, at + 4) * 2 ** 32;
  if (!Number.isSafeInteger(value)) throw new Damage("a number in it is out of all bounds");
  return value;
}

/** The bytes from `start` up to `end`, all of which must be there. */
export function slice(bytes: Uint8Array, start: number, end: number): Uint8Array {
  if (!(start >= 0 && start <= end && end <= bytes.length)) throw new Damage("it ends in the middle");
  return bytes.subarray(start, end);
}
