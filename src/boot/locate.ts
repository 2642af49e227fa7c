/** Finding things on the physical root: the sysroot itself, the first image that exists, the state directory. */

import type { ImageArgument } from "../cmdline-parser/index.ts";
import { SealrootError } from "../errors/index.ts";
import { BENEATH, type Descriptor, ERRNO, isErrno, O, openAt, openPath } from "../linux/index.ts";
import type { Repository } from "../repository/index.ts";
import type { Inputs } from "./read.ts";


/** An argument that was tried and passed over, with the reason a person should read. */
export interface PassedOver {
  readonly argument: ImageArgument;
  readonly reason: string;
}

export interface Located {
  readonly argument: ImageArgument;
  readonly image: Descriptor;
}

export function openSysroot(path: string): Descriptor {
  try {
    return openPath(path, O.RDONLY | O.DIRECTORY);
  } catch (error) {
    throw new SealrootError("SR-E200", { details: [["path", path]], cause: error });
  }
}

/** The first candidate whose image exists. @throws SealrootError SR-E203 when none does */
export function locateImage(repository: Repository, { candidates, skipped }: Pick<Inputs, "candidates" | "skipped">, passedOver: PassedOver[]): Located {
  const algorithm = repository.meta?.algorithm;
  for (const argument of candidates) {
    if (algorithm !== undefined && argument.algorithm !== algorithm) {
      passedOver.push({ argument, reason: `the repository is of ${algorithm}` });
      continue;
    }
    const image = repository.openImage(argument.digest);
    if (image !== undefined) return { argument, image };
    passedOver.push({ argument, reason: "not in the repository" });
  }
  throw new SealrootError("SR-E203", {
    details: [
      ...passedOver.map(({ argument, reason }) => ["tried", `${argument.text}  (${reason})`] as const),
      ...skipped.map(({ text, explanation }) => ["skipped", `${text}  (${explanation})`] as const),
    ],
  });
}

/**
 * The deployment's state: the first of `state/deploy/<digest>` that exists, over all digests on the command line, so that a
 * second format of the same image does not lose /etc and /var.
 * @param first the digest that was mounted, tried first
 */
export function locateState(sysroot: Descriptor, first: string, candidates: readonly ImageArgument[]): Descriptor {
  const digests = new Set([first, ...candidates.map(({ digest }) => digest)]);
  for (const digest of digests) {
    const path = `state/deploy/${digest}`;
    try {
      return openAt(sysroot, path, O.RDONLY | O.DIRECTORY, BENEATH);
    } catch (error) {
      if (isErrno(error, ERRNO.ENOENT)) continue;
      throw new SealrootError(isErrno(error, ERRNO.EXDEV, ERRNO.ELOOP, ERRNO.ENOTDIR) ? "SR-E204" : "SR-E306", { details: [["path", `${sysroot.label}/${path}`]], cause: error });
    }
  }
  throw new SealrootError("SR-E305", { details: [...digests].map((digest): [string, string] => ["looked for", `${sysroot.label}/state/deploy/${digest}`]) });
}

/** The path below the sysroot of a directory of the deployment's state: one confined lookup then covers links that climb out of it. */
export const stateSource = (sysroot: Descriptor, state: Descriptor, name: string): string => `${state.label.slice(sysroot.label.length).replace(/^\/+/, "")}/${name}`;

/** A directory of the deployment's state. Links may stay within the physical root (bootc's var is one), never leave it. */
export function openState(sysroot: Descriptor, path: string): Descriptor {
  try {
    return openAt(sysroot, path, O.RDONLY | O.DIRECTORY, BENEATH);
  } catch (error) {
    throw new SealrootError(isErrno(error, ERRNO.EXDEV, ERRNO.ELOOP) ? "SR-E204" : "SR-E306", { details: [["path", `${sysroot.label}/${path}`]], cause: error });
  }
}
