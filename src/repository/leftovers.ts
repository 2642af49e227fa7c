/**
 * What interrupted runs left: staging directories that nobody holds any more. A name alone does not make a directory ours, since a
 * directory that mkcomposefs fills can hold anything of its owner's: it has to be as Staging.make() makes it, with nothing in it but what
 * a run puts there.
 */

import { Descriptor, O, SyscallError } from "../linux/index.ts";
import { directoryEntries, type DirectoryEntry } from "../linux/entries.ts";
import { lockFile } from "../linux/lock.ts";
import { openName, openNameRaw, statName } from "../linux/names.ts";
import { TEMPORARY_OBJECT } from "./object-name.ts";

type Directory = Pick<Descriptor, "fd" | "label">;

export const STAGING_PERMISSIONS = 0o700;
/** Whatever follows the prefix: as many letters and digits as Staging.make() takes. */
const RANDOM = /^[0-9A-Za-z]{6}$/;
/** Of st_mode. The directory above may hand its set-group-ID bit down. */
const PERMISSIONS = 0o5777;
/** Directories in it: the first digits of what is staged there, as in `objects/`. */
const BELOW = /^[0-9a-f]{2}$/;
/** The rest of those digits. */
const STAGED = /^(?:[0-9a-f]{62}|[0-9a-f]{126})$/;
/**
 * Links (publish.ts), drafts of objects (object-draft.ts), objects whose directory `objects/` has already (object-places.ts), those that are
 * repaired (repair.ts), and drafts of recipes (writer.ts).
 */
const DRAFTS = [/^link$/, TEMPORARY_OBJECT, /^(?:object-)?(?:[0-9a-f]{64}|[0-9a-f]{128})$/, /^[0-9A-Za-z]{12}\.json$/];

export interface Leftover {
  readonly name: string;
  readonly directory: Descriptor;
  /** Paths of the files in it: of one or two parts. */
  readonly files: readonly string[];
  /** Names of the directories in it. */
  readonly directories: readonly string[];
}

/** @param each called with each of those in `parent`, which is held alone until the call returns @throws SyscallError when `parent` cannot be listed */
export function eachLeftover(parent: Directory, prefix: string, each: (leftover: Leftover) => void): void {
  using listed = openName(parent, ".", O.RDONLY | O.DIRECTORY);
  for (const { name, exact } of directoryEntries(listed)) {
    if (!exact || !name.startsWith(prefix) || !RANDOM.test(name.slice(prefix.length))) continue;
    const fd = openNameRaw(parent.fd, name, O.RDONLY | O.DIRECTORY);
    if (fd < 0) continue;
    using directory = new Descriptor(fd, name);
    if (!lockFile(directory, "exclusive", false)) continue;
    const contents = contentsOf(directory);
    if (contents !== undefined) each({ name, directory, ...contents });
  }
}

/** @returns undefined when it is not ours, or cannot be looked at */
function contentsOf(directory: Descriptor): Pick<Leftover, "files" | "directories"> | undefined {
  try {
    const { mode, uid } = statName(directory);
    if (uid !== process.geteuid?.() || (mode & PERMISSIONS) !== STAGING_PERMISSIONS) return undefined;
    const files: string[] = [];
    const directories: string[] = [];
    for (const entry of entriesOf(directory, ".")) {
      if (BELOW.test(entry.name)) {
        const below = entriesOf(directory, entry.name);
        if (!below.every((staged) => isFile(staged) && STAGED.test(staged.name))) return undefined;
        for (const staged of below) files.push(`${entry.name}/${staged.name}`);
        directories.push(entry.name);
      } else if (isFile(entry) && DRAFTS.some((draft) => draft.test(entry.name))) files.push(entry.name);
      else return undefined;
    }
    return { files, directories };
  } catch (error) {
    if (error instanceof SyscallError) return undefined;
    throw error;
  }
}

function entriesOf(directory: Descriptor, name: string): DirectoryEntry[] {
  // a second listing of the same descriptor would go on where the first ended
  using listed = openName(directory, name, O.RDONLY | O.DIRECTORY);
  return directoryEntries(listed);
}

/** Whatever unlinkat(2) takes away without looking into it. */
const isFile = ({ type, exact }: DirectoryEntry): boolean => exact && type !== "directory";
