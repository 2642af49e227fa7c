/** What is asked of the kernel and of an image's file before it is mounted, whoever's image it is. */

import { type Detail, SealrootError } from "../errors/index.ts";
import { type Descriptor, ERRNO, isErrno, readInto, readLink, SyscallError } from "../linux/index.ts";
import { type OverlayFeatures, overlayFeatures } from "../mount/index.ts";
import type { Refused } from "../trust/index.ts";
import type { BootOptions } from "./options.ts";

/** What this kernel's overlayfs can do. @throws SealrootError SR-E105, SR-E301 */
export function askOverlay(): OverlayFeatures {
  try {
    return overlayFeatures();
  } catch (error) {
    if (isErrno(error, ERRNO.EPERM)) throw new SealrootError("SR-E105", { cause: error });
    if (error instanceof SyscallError) throw new SealrootError("SR-E301", { cause: error });
    throw error;
  }
}

/** What the descriptor really is, for messages: images/<digest> is a link to an object. */
export function realPath(file: Descriptor): string {
  try {
    return readLink(file.path);
  } catch {
    return file.label;
  }
}

/** The superblock's magic number (fs/erofs/erofs_fs.h), so that plan can tell as well, and so that a stray file has a name of its own. */
export function requireErofs(image: Descriptor): void {
  const [offset, magic] = [1024, 0xe0f5e1e2];
  const head = new Uint8Array(offset + 4);
  const length = readInto(image, head);
  if (length === head.byteLength && new DataView(head.buffer).getUint32(offset, true) === magic) return;
  throw new SealrootError("SR-E213", { details: [["image", realPath(image)], ["found", length < head.byteLength ? `a file of ${length} bytes` : "a file without an EROFS superblock"]] });
}

/** What an image was looked up by. */
export interface Asked {
  /** As on the kernel command line. */
  readonly text: string;
  readonly algorithm: "sha256" | "sha512";
  /** The digest that it names; undefined where a commit has to name it. */
  readonly digest: string | undefined;
}

/** A verdict against an image as an error, with the digests and the policy behind it. */
export function refusal(verdict: Refused, asked: Asked, image: Descriptor, computeDigest: BootOptions["computeDigest"], more: readonly Detail[] = []): SealrootError {
  const unmeasured = verdict.code === "SR-E211" || verdict.code === "SR-E212";
  const computed = unmeasured ? computeDigest?.(image, asked.algorithm) : undefined;
  const compared = asked.digest === undefined ? "" : `: ${computed === asked.digest ? "the digest that the argument names" : "NOT the digest that the argument names"}`;
  return new SealrootError(verdict.code, {
    details: [
      ["step", `authenticate ${asked.text}`],
      ...(verdict.expected === undefined ? [] : [["expected", verdict.expected] as const]),
      ...(verdict.found === undefined ? [] : [["found", verdict.found] as const]),
      ["image", realPath(image)],
      ...(computed === undefined ? [] : [["computed", `${asked.algorithm}:${computed}  (by reading it${compared})`] as const]),
      ...verdict.reasons.map((reason) => ["policy", reason] as const),
      ...more,
    ],
  });
}
