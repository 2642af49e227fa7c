/** Byte strings: names, targets and xattr names have no encoding, so they are compared and kept as bytes. */

/** Order of memcmp(3), a prefix before what it is a prefix of: how composefs sorts names. */
export function compareBytes(a: Uint8Array, b: Uint8Array): number {
  const shared = Math.min(a.length, b.length);
  for (let at = 0; at < shared; at++) {
    const difference = (a[at] ?? 0) - (b[at] ?? 0);
    if (difference !== 0) return difference;
  }
  return a.length - b.length;
}

export function equalBytes(a: Uint8Array, b: Uint8Array): boolean {
  return a.length === b.length && compareBytes(a, b) === 0;
}

/**
 * bytes[start..end) as a string of as many characters, each below 256: a form in which they can be keys and be compared with `<`. The
 * method of another class does it without making a view, of which a million are a hundred megabytes.
 */
export const binaryOf = (bytes: Uint8Array, start = 0, end = bytes.length): string => Buffer.prototype.toString.call(bytes, "latin1", start, end);

/** The bytes of such a string. */
export const bytesOf = (binary: string): Uint8Array<ArrayBuffer> => {
  const bytes = new Uint8Array(binary.length);
  for (let at = 0; at < binary.length; at++) bytes[at] = binary.charCodeAt(at);
  return bytes;
};
