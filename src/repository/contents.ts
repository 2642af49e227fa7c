/**
 * What lies in a repository: the links of `images/` and `streams/`, the references below `refs/`, and the object store. Facts only:
 * whoever asks decides what is wrong. What is no link where links are, or has a name that nobody gives, is told as foreign.
 */

import { SealrootError } from "../errors/index.ts";
import { BENEATH, BENEATH_NO_LINKS, type Descriptor, ERRNO, type FileFacts, isErrno, O, openAt, statAt } from "../linux/index.ts";
import { directoryEntries, type DirectoryEntry, readLinkAt, removeAt } from "../linux/entries.ts";
import { COMMITS, commitDirectory } from "./commits.ts";
import { eachLeftover } from "./leftovers.ts";
import { entryOfReference, idLengthOf, idOfLink, idOfName, isDigest, TEMPORARY_LINK, TEMPORARY_OBJECT } from "./object-name.ts";
import { OWN, RECIPES, STAGING } from "./own.ts";
import { openInside, Repository, unreadable } from "./repository.ts";

export type Category = "images" | "streams";

/** A link of `images/` or `streams/` to an object. */
export interface Link {
  readonly category: Category;
  readonly name: string;
  /** `images/<name>` */
  readonly path: string;
  readonly text: string;
  /** The object that its text names; undefined where it names none. */
  readonly id: Uint8Array | undefined;
}

/** A link below `images/refs/` or `streams/refs/`: a name that keeps an entry. */
export interface Reference {
  readonly category: Category;
  /** Below `refs/`. */
  readonly name: string;
  readonly path: string;
  readonly text: string;
  /** Name of the image or stream. */
  readonly entry: string | undefined;
}

/** Something that a repository does not have. */
export interface Foreign {
  readonly path: string;
  readonly found: string;
}

export interface CategoryContents {
  readonly links: readonly Link[];
  readonly references: readonly Reference[];
  readonly foreign: readonly Foreign[];
  /** Paths that were listed, and gone when they were looked at. */
  readonly vanished: readonly string[];
}

export const REFERENCES = "refs";
/** What is said of a file that lies where a link should be. */
export const FILE_NO_LINK = "a regular file, not a link";
/** Directories within directories of references. */
const DEEPEST = 64;
const DIRECTORY = O.RDONLY | O.DIRECTORY | O.NOFOLLOW;

/** A repository as commands have it: its directory, and what its ids are. */
export class RepositoryContents implements Disposable {
  readonly repository: Repository;
  readonly algorithm: "sha256" | "sha512";
  readonly idLength: 32 | 64;

  /** @throws SealrootError SR-E202, SR-E204 @param directory taken over */
  constructor(directory: Descriptor) {
    this.repository = Repository.at(directory);
    this.algorithm = this.repository.meta?.algorithm ?? this.#guessAlgorithm();
    this.idLength = idLengthOf(this.algorithm);
  }

  get directory(): Descriptor {
    return this.repository.directory;
  }

  [Symbol.dispose](): void {
    this.repository[Symbol.dispose]();
  }

  /** Before meta.json there was one sign of the algorithm: how long the names are. */
  #guessAlgorithm(): "sha256" | "sha512" {
    for (const prefix of this.objectDirectories()) {
      using directory = this.openObjectDirectory(prefix);
      for (const { name } of directory === undefined ? [] : directoryEntries(directory)) {
        if (/^[0-9a-f]{62}$/.test(name)) return "sha256";
        if (/^[0-9a-f]{126}$/.test(name)) return "sha512";
      }
    }
    return "sha256";
  }

  category(category: Category): CategoryContents {
    const found = { links: [] as Link[], references: [] as Reference[], foreign: [] as Foreign[], vanished: [] as string[] };
    using directory = openInside(this.directory, category, DIRECTORY);
    if (directory === undefined) return found;
    for (const entry of entriesOf(directory)) {
      const path = `${category}/${entry.name}`;
      const type = typeOf(directory, entry);
      if (type === undefined) found.vanished.push(path);
      else if (entry.name === REFERENCES && type === "directory") {
        using below = openEntry(directory, REFERENCES);
        if (below === undefined) found.vanished.push(path);
        else this.#references(below, category, "", 0, found);
      } else if (type !== "symbolic link" || !entry.exact) {
        found.foreign.push({ path, found: entry.exact ? `a ${type}, not a link` : "a name that is not UTF-8" });
      } else {
        const text = readLinkOf(directory, entry.name);
        if (text === undefined) found.vanished.push(path);
        else found.links.push({ category, name: entry.name, path, text, id: idOfLink(text, this.idLength) });
      }
    }
    return found;
  }

  #references(directory: Descriptor, category: Category, prefix: string, depth: number, found: { readonly references: Reference[]; readonly foreign: Foreign[]; readonly vanished: string[] }): void {
    for (const entry of entriesOf(directory)) {
      const name = `${prefix}${entry.name}`;
      const path = `${category}/${REFERENCES}/${name}`;
      const type = typeOf(directory, entry);
      if (!entry.exact) found.foreign.push({ path, found: "a name that is not UTF-8" });
      else if (type === undefined) found.vanished.push(path);
      else if (type === "symbolic link") {
        const text = readLinkOf(directory, entry.name);
        if (text === undefined) found.vanished.push(path);
        else found.references.push({ category, name, path, text, entry: entryOfReference(text) });
      } else if (type !== "directory") found.foreign.push({ path, found: `a ${type}, not a link` });
      else if (depth === DEEPEST) throw new SealrootError("SR-E542", { details: [["path", path], ["found", `more than ${DEEPEST} directories within each other`]] });
      else {
        using below = openEntry(directory, entry.name);
        if (below === undefined) found.vanished.push(path);
        else this.#references(below, category, `${name}/`, depth + 1, found);
      }
    }
  }

  /** The two hexadecimal digits of each directory of objects that is there. */
  objectDirectories(): string[] {
    return this.#objectEntries().filter(isObjectDirectory).map(({ name }) => name);
  }

  /** What else lies in `objects/`. */
  otherObjectEntries(): { readonly temporary: readonly string[]; readonly foreign: readonly Foreign[] } {
    const temporary: string[] = [];
    const foreign: Foreign[] = [];
    for (const entry of this.#objectEntries()) {
      const path = `objects/${entry.name}`;
      if (TEMPORARY_OBJECT.test(entry.name) && entry.type === "regular file") temporary.push(path);
      else if (!isObjectDirectory(entry)) foreign.push({ path, found: `a ${entry.type}, no directory of objects` });
    }
    return { temporary, foreign };
  }

  #objectEntries(): DirectoryEntry[] {
    // one that was made a moment ago has none
    using objects = openInside(this.directory, "objects", DIRECTORY);
    return objects === undefined ? [] : entriesOf(objects).flatMap((entry) => typed(objects, entry));
  }

  /** undefined when there is none, or when it is no directory. */
  openObjectDirectory(prefix: string): Descriptor | undefined {
    return openInside(this.directory, `objects/${prefix}`, DIRECTORY);
  }

  /** Objects of a directory `objects/xx`, and what else lies there. */
  objectsIn(prefix: string, directory: Descriptor): { readonly objects: readonly { readonly name: string; readonly id: Uint8Array; readonly type: FileFacts["type"] }[]; readonly temporary: readonly string[]; readonly foreign: readonly Foreign[] } {
    const objects = [];
    const temporary: string[] = [];
    const foreign: Foreign[] = [];
    for (const entry of entriesOf(directory)) {
      const id = idOfName(`${prefix}/${entry.name}`, this.idLength);
      const path = `objects/${prefix}/${entry.name}`;
      if (id !== undefined) objects.push(...typed(directory, entry).map(({ name, type }) => ({ name, id, type })));
      else if (TEMPORARY_OBJECT.test(entry.name) && typeOf(directory, entry) === "regular file") temporary.push(path);
      else foreign.push({ path, found: `no name of a ${this.algorithm} object` });
    }
    return { objects, temporary, foreign };
  }

  /** Links that were not finished, which composefs-rs makes in the repository's own directory, and files of ours. */
  temporaryEntries(): string[] {
    using again = openEntry(this.directory, ".");
    if (again === undefined) return [];
    const unfinished = (entry: DirectoryEntry): boolean => {
      if (TEMPORARY_LINK.test(entry.name)) return typeOf(again, entry) === "symbolic link";
      return TEMPORARY_OBJECT.test(entry.name) && typeOf(again, entry) === "regular file";
    };
    return entriesOf(again).filter(unfinished).map(({ name }) => name);
  }

  /** Our own directory, with what only this program needs; undefined where it has made none. */
  openOwn(): Descriptor | undefined {
    return openInside(this.directory, OWN, DIRECTORY);
  }

  /** Digests of the images whose recipe is there. */
  recipes(): string[] {
    using directory = openInside(this.directory, `${OWN}/${RECIPES}`, DIRECTORY);
    if (directory === undefined) return [];
    return entriesOf(directory).map(({ name }) => /^([0-9a-f]{64}|[0-9a-f]{128})\.json$/.exec(name)?.[1]).filter((digest) => digest !== undefined);
  }

  /** Directories of runs of this program that did not end, which nobody holds any more, and the files in them. */
  interruptedRuns(): { readonly path: string; readonly files: readonly string[] }[] {
    using own = this.openOwn();
    if (own === undefined) return [];
    const runs: { readonly path: string; readonly files: readonly string[] }[] = [];
    try {
      eachLeftover(own, STAGING, ({ name, files }) => void runs.push({ path: `${OWN}/${name}`, files: files.map((file) => `${OWN}/${name}/${file}`) }));
    } catch (error) {
      throw unreadable(own.label, error);
    }
    return runs;
  }

  /** Detached metadata of commits of an image: signatures. */
  detachedMetadata(digest: string): { readonly path: string; readonly commit: string }[] {
    const path = commitDirectory(digest);
    using directory = openInside(this.directory, path, DIRECTORY);
    if (directory === undefined) return [];
    return entriesOf(directory).flatMap(({ name }) => {
      const commit = /^([0-9a-f]{64})\.commitmeta$/.exec(name)?.[1];
      return commit === undefined ? [] : [{ path: `${path}/${name}`, commit }];
    });
  }

  /**
   * Removes a file or link by its path in the repository, none of whose directories is a link: whoever may write to the repository could put
   * one there meanwhile. @throws SyscallError
   */
  remove(path: string): void {
    const slash = path.lastIndexOf("/");
    using parent = slash < 0 ? undefined : openAt(this.directory, path.slice(0, slash), DIRECTORY, BENEATH_NO_LINKS);
    removeAt(parent ?? this.directory, path.slice(slash + 1));
  }

  /** Names of the directories in `commits/`: digests of images. */
  commitDirectories(): string[] {
    using directory = openInside(this.directory, COMMITS, DIRECTORY);
    if (directory === undefined) return [];
    return entriesOf(directory).filter((entry) => typeOf(directory, entry) === "directory" && isDigest(entry.name)).map(({ name }) => name);
  }
}

const isObjectDirectory = ({ name, type }: DirectoryEntry): boolean => type === "directory" && /^[0-9a-f]{2}$/.test(name);

function entriesOf(directory: Descriptor): DirectoryEntry[] {
  try {
    return directoryEntries(directory);
  } catch (error) {
    throw unreadable(directory.label, error);
  }
}

/** undefined for one that is gone by now: others may add and finish things while they are looked at. */
function openEntry(directory: Descriptor, name: string): Descriptor | undefined {
  try {
    return openAt(directory, name, DIRECTORY, BENEATH);
  } catch (error) {
    if (isErrno(error, ERRNO.ENOENT)) return undefined;
    throw unreadable(`${directory.label}/${name}`, error);
  }
}

function readLinkOf(directory: Descriptor, name: string): string | undefined {
  try {
    return readLinkAt(directory, name);
  } catch (error) {
    if (isErrno(error, ERRNO.ENOENT)) return undefined;
    throw unreadable(`${directory.label}/${name}`, error);
  }
}

/** Not every filesystem tells a type with the name. undefined for what is gone by now. */
function typeOf(directory: Descriptor, entry: DirectoryEntry): FileFacts["type"] | undefined {
  if (entry.type !== "file of unknown type" || !entry.exact) return entry.type;
  try {
    using file = openAt(directory, entry.name, O.PATH | O.NOFOLLOW, BENEATH);
    return statAt(file).type;
  } catch (error) {
    if (isErrno(error, ERRNO.ENOENT)) return undefined;
    throw unreadable(`${directory.label}/${entry.name}`, error);
  }
}

function typed(directory: Descriptor, entry: DirectoryEntry): DirectoryEntry[] {
  const type = typeOf(directory, entry);
  return type === undefined ? [] : [{ ...entry, type }];
}
