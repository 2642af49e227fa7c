/** A repository that a command reads or changes: opened, locked, and images in it found by what people call them. */

import { type Detail, SealrootError } from "../errors/index.ts";
import { ERRNO, isErrno, O, openPath, SyscallError } from "../linux/index.ts";
import { lockFile } from "../linux/lock.ts";
import { type Link, RepositoryContents } from "../repository/contents.ts";
import { unreadable } from "../repository/repository.ts";
import type { OptionSpec, ParsedArguments } from "../terminal/index.ts";
import { repositoryDirectory } from "./repository-directory.ts";

export const DEFAULT_REPOSITORY = "/sysroot/composefs";

export const REPOSITORY_OPTION = { kind: "value", value: "DIR", help: `the repository (default ${DEFAULT_REPOSITORY})` } satisfies OptionSpec;
export const WAIT_OPTION = { kind: "flag", help: "wait while another program uses the repository" } satisfies OptionSpec;

/** @throws SealrootError SR-E201, SR-E202, SR-E204, SR-E105 when it may not be read */
export function openRepository(parsed: ParsedArguments): RepositoryContents {
  return openRepositoryAt(parsed.value("repo") ?? DEFAULT_REPOSITORY);
}

export function openRepositoryAt(path: string): RepositoryContents {
  const found = repositoryDirectory(path);
  try {
    using directory = openPath(found, O.RDONLY | O.DIRECTORY);
    return new RepositoryContents(directory.take());
  } catch (error) {
    throw unreadable(found, error);
  }
}

/**
 * The lock that composefs-rs and bootc take too: shared by whoever reads or adds, exclusive for whoever removes. It ends with the
 * repository's descriptor.
 * @throws SealrootError SR-E543 when somebody else holds it
 */
export function lockRepository({ directory }: RepositoryContents, kind: "shared" | "exclusive", wait: boolean): void {
  try {
    if (lockFile(directory, kind, wait)) return;
  } catch (error) {
    // a network filesystem may have no locks; whoever only reads does without
    if (kind === "shared" && isErrno(error, ERRNO.ENOSYS, ERRNO.EOPNOTSUPP, ERRNO.EBADF, ERRNO.EINVAL)) return;
    if (error instanceof SyscallError) throw new SealrootError("SR-E548", { summary: "the repository cannot be locked", cause: error });
    throw error;
  }
  throw new SealrootError("SR-E543", { details: [["repository", directory.label]] });
}

/** Fewest digits that stand for a digest. */
const SHORTEST = 4;

const digitsOf = (text: string): string => text.replace(/^composefs(\.digest)?=\??/, "").replace(/^v[12]-sha(256|512)-12:/, "").toLowerCase();
const firstDigits = (digits: string): string => digits.replace(/…$/, "");

/** For an error: digits that were not looked for, because they are too few. */
export function tooShort(text: string): Detail[] {
  const start = firstDigits(digitsOf(text));
  return start.length < SHORTEST && /^[0-9a-f]+$/.test(start) ? [["digits", `${start.length}, too few to stand for a digest: give ${SHORTEST} or more`]] : [];
}

/**
 * An image by its digest, by the first digits of it, by the argument of a kernel command line, or by a reference: its name, or the
 * name after `refs/`, `images/refs/` or `ref/`.
 * @returns undefined when there is none @throws SealrootError SR-E549 when it is not clear which
 */
export function findImage(contents: RepositoryContents, text: string): Link | undefined {
  const { links, references } = contents.category("images");
  const digits = digitsOf(text);
  const exact = links.find(({ name }) => name === text || name === digits);
  if (exact !== undefined) return exact;
  // by its path in the repository too, and as composefs-rs writes it; a name that is the very text comes first
  const bare = text.replace(/^(?:images\/)?refs?\//, "");
  const reference = references.find(({ name }) => name === text) ?? references.find(({ name }) => name === bare);
  if (reference !== undefined) return links.find(({ name }) => name === reference.entry);
  const start = firstDigits(digits);
  if (start.length < SHORTEST || !/^[0-9a-f]+$/.test(start)) return undefined;
  const found = links.filter(({ name }) => name.startsWith(start));
  if (found.length > 1) throw new SealrootError("SR-E549", { details: found.map(({ name }) => ["image", name] as const) });
  return found[0];
}

/** @throws SealrootError SR-E544, SR-E549 */
export function requireImage(contents: RepositoryContents, text: string): Link {
  const found = findImage(contents, text);
  if (found === undefined) throw new SealrootError("SR-E544", { details: [["looked for", text], ...tooShort(text), ["repository", contents.directory.label]] });
  return found;
}
