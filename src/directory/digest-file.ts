/** The fs-verity digest of one open file, by as many threads as a large one is worth. */

import { type Descriptor, O, SyscallError } from "../linux/index.ts";
import { reopenRaw, statName } from "../linux/names.ts";
import { SealrootError } from "../errors/index.ts";
import { Contents } from "./contents.ts";
import { ContentFailure } from "./read.ts";

/**
 * Reads the file from its beginning, wherever the descriptor's position is; memory does not grow with the file.
 * @param file a regular file, opened for reading; stays open @throws SyscallError; SealrootError SR-E521 when it changes meanwhile
 */
export function digestFile(file: Pick<Descriptor, "fd" | "label">, algorithm: "sha256" | "sha512", threads?: number): Uint8Array {
  let digest = new Uint8Array();
  using contents = new Contents({ algorithm, store: undefined, ...(threads === undefined ? {} : { threads }), deliver: (_, bytes) => (digest = bytes.slice()) });
  try {
    contents.add(0, reopened(file), statName(file));
    contents.drain();
  } catch (error) {
    if (!(error instanceof ContentFailure)) throw error;
    if (error.cause instanceof SyscallError) throw error.cause;
    throw new SealrootError("SR-E521", { details: [["path", file.label]] });
  }
  return digest;
}

/** The sink closes what it is given. */
function reopened(file: Pick<Descriptor, "fd" | "label">): number {
  const fd = reopenRaw(file.fd, O.RDONLY);
  if (fd < 0) throw new SyscallError(`open(${file.label})`, -fd);
  return fd;
}
