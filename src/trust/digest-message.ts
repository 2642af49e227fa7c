/**
 * The bytes that a signature over a bare image digest is made of: the kernel's struct fsverity_formatted_digest, which
 * fs-verity's own signatures cover as well. Source: Linux include/uapi/linux/fsverity.h.
 */

const MAGIC = new TextEncoder().encode("FSVerity");
const ALGORITHM = { sha256: 1, sha512: 2 } as const;

/** @param digest hex digits of an fs-verity digest */
export function digestMessage(algorithm: "sha256" | "sha512", digest: string): Uint8Array {
  const bytes = Uint8Array.fromHex(digest);
  const message = new Uint8Array(MAGIC.length + 4 + bytes.length);
  message.set(MAGIC);
  const view = new DataView(message.buffer);
  view.setUint16(8, ALGORITHM[algorithm], true);
  view.setUint16(10, bytes.length, true);
  message.set(bytes, 12);
  return message;
}
