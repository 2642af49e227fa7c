/**
 * Reading what may speak for an image: files of a known kind, bounded, below a directory that no link leads out of. A file that
 * cannot be read is a problem of its own and not the end: another commit may be all that is needed.
 */

import { type ErrorCode, SealrootError } from "../errors/index.ts";
import { type Descriptor, readUpTo, statAt } from "../linux/index.ts";
import { openFile, unreadable } from "./repository.ts";

/** Most bytes that each kind of file may have. Whoever judges them refuses more, so one byte more than this is read. */
export interface Limits {
  readonly commit: number;
  readonly commitmeta: number;
}

/** A commit and what lies beside it, as they are on the disk. */
export interface StoredCommit {
  /** As the file's name, or the stream, states it: 64 hex digits. */
  readonly id: string;
  readonly bytes: Uint8Array;
  /** undefined when there is none. */
  readonly commitmeta: Uint8Array | undefined;
  readonly origin: string;
}

/** A signature of the bare image digest. */
export interface StoredSignature {
  /** As the file's name states it. */
  readonly keyId: string;
  readonly bytes: Uint8Array;
  readonly origin: string;
}

/** Something that was there and could not be used. */
export interface Problem {
  readonly code: ErrorCode;
  readonly origin: string;
  readonly reason: string;
  /** It may be any other image's: nothing says that it is of the one that is asked about. */
  readonly aside: boolean;
}

/** A place that was looked at. */
export interface Place {
  readonly path: string;
  /** What was there, for people. */
  readonly found: string;
}

/** A file of which only the size is known yet. */
export interface Opened {
  readonly file: Descriptor;
  readonly size: number;
}

/** Bytes of all commits that are held at once. */
const MAX_TOTAL = 64 * 2 ** 20;

export class EvidenceFiles {
  readonly problems: Problem[] = [];
  /** Whether there was more than is read: something that was not looked at may be good. */
  exceeded = false;
  readonly #directory: Descriptor;
  #left = MAX_TOTAL;

  /** @param directory nothing outside it is ever opened */
  constructor(directory: Descriptor) {
    this.#directory = directory;
  }

  label(path: string): string {
    return `${this.#directory.label}/${path}`;
  }

  /** undefined when there is no such file, or a problem with it, which is then kept. */
  read(path: string, limit: number): Uint8Array | undefined {
    using held = new DisposableStack();
    const opened = this.open(path, limit, held);
    return opened === undefined ? undefined : this.readOpen(opened, limit);
  }

  /** As read(), up to the reading itself. @param held takes over the file */
  open(path: string, limit: number, held: DisposableStack): Opened | undefined {
    return this.guarded(this.label(path), () => {
      const file = openFile(this.#directory, path);
      if (file === undefined) return undefined;
      held.use(file);
      try {
        const { size } = statAt(file);
        if (size > limit) throw new SealrootError("SR-E229", { details: [["found", `${size} bytes, of at most ${limit}`]] });
        return { file, size };
      } catch (error) {
        throw unreadable(file.label, error);
      }
    });
  }

  /** What was opened; undefined when there is a problem with it, which is then kept. */
  readOpen({ file, size }: Opened, limit: number): Uint8Array | undefined {
    return this.guarded(file.label, () => {
      try {
        this.spend(size);
        // it may have grown since
        return readUpTo(file, limit + 1);
      } catch (error) {
        throw unreadable(file.label, error);
      }
    });
  }

  /** @throws SealrootError SR-E229 when all of it together is more than a boot should hold */
  spend(bytes: number): void {
    if (bytes > this.#left) this.exceeded = true;
    if (bytes > this.#left) throw new SealrootError("SR-E229", { details: [["found", `more than ${MAX_TOTAL} bytes of commits in all`]] });
    this.#left -= bytes;
  }

  /** Runs `act`; what it throws becomes a problem of `origin`. */
  guarded<T>(origin: string, act: () => T, aside = false): T | undefined {
    try {
      return act();
    } catch (error) {
      // a mistake of ours must not pass for one of the disk's
      if (!(error instanceof SealrootError)) throw error;
      const facts = error.details.filter(([label]) => label !== "path" && label !== "file").map(([, text]) => text);
      const cause = error.cause instanceof Error ? [error.cause.message] : [];
      this.note(error.code, origin, [...(facts.length > 0 || cause.length > 0 ? facts : [error.message]), ...cause].join("; "), aside);
      return undefined;
    }
  }

  note(code: ErrorCode, origin: string, reason: string, aside = false): void {
    this.problems.push({ code, origin, reason, aside });
  }
}

/**
 * The commit of this id in an OSTree repository on the physical root, and the detached metadata beside it.
 * @param sysroot the physical root @returns undefined when it is not there
 * @throws SealrootError SR-E204 when a link leads out or it is no file, SR-E229 when it is too large, SR-E214 when the disk fails
 */
export function ostreeCommit(sysroot: Descriptor, id: string, limits: Limits): StoredCommit | undefined {
  if (!/^[0-9a-f]{64}$/.test(id)) return undefined;
  const files = new EvidenceFiles(sysroot);
  const path = `ostree/repo/objects/${id.slice(0, 2)}/${id.slice(2)}`;
  const bytes = files.read(`${path}.commit`, limits.commit);
  const commitmeta = files.read(`${path}.commitmeta`, limits.commitmeta);
  const [problem] = files.problems;
  if (problem !== undefined) throw new SealrootError(problem.code, { details: [["path", problem.origin], ["found", problem.reason]] });
  return bytes === undefined ? undefined : { id, bytes, commitmeta, origin: files.label(`${path}.commit`) };
}
