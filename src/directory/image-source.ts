/** Reading a directory with all that takes part in it: threads that hash and store, and whoever watches. */

import { type Descriptor, ERRNO, HERE, isErrno, makeDirectory, O, openPath } from "../linux/index.ts";
import { ObjectStore } from "../repository/object-store.ts";
import type { Tree } from "../tree/index.ts";
import { Contents } from "./contents.ts";
import { type ContentSink, ContentFailure, readDirectory } from "./read.ts";
import type { Recipe } from "./recipe.ts";

export interface SourceOptions {
  /** Where the content of files goes; undefined: only their digests are wanted. */
  readonly store: ObjectStore | undefined;
  /** Threads, this one included; default: one for each processor. */
  readonly threads?: number;
  /** Hears of each entry that was found. */
  readonly found?: () => void;
  /** Hears of each file whose content is done, with its size. */
  readonly done?: (bytes: number) => void;
  /** Hears at the end how many threads took part. */
  readonly threadsUsed?: (count: number) => void;
}

/**
 * The tree of a directory, and the content of its files in the store. Nothing is permanent before store.commit().
 * @param source a directory, opened for reading @throws as readDirectory(); SealrootError SR-E525 when the store cannot be written
 */
export function readSource(source: Descriptor, recipe: Recipe, { store, threads, found, done, threadsUsed }: SourceOptions): Tree {
  let contents: Contents | undefined;
  try {
    return readDirectory(source, recipe, (deliver): ContentSink => {
      contents = new Contents({
        algorithm: recipe.algorithm,
        store: store?.target,
        ...(threads === undefined ? {} : { threads }),
        deliver,
        done: (digest, how, bytes) => {
          if (how !== "hashed") store?.note(digest, how, bytes);
          done?.(bytes);
        },
      });
      return contents;
    }, found);
  } catch (error) {
    throw error instanceof ContentFailure && store !== undefined ? store.failed(error.cause) : error;
  } finally {
    if (contents !== undefined) threadsUsed?.(contents.threads);
    contents?.[Symbol.dispose]();
  }
}

/** A directory of objects without a repository around it, as mkcomposefs --digest-store makes one. */
export class DigestStore implements Disposable {
  readonly objects: ObjectStore;
  readonly #directory: Descriptor;

  /** Makes the directory, with its parents, where there is none. @throws SyscallError; SealrootError SR-E525 */
  constructor(path: string) {
    makeParents(path);
    using stack = new DisposableStack();
    this.#directory = stack.use(openPath(path, O.RDONLY | O.DIRECTORY));
    // the directory is its owner's, who may have others there: this is a name that is nobody else's
    this.objects = new ObjectStore(this.#directory, { algorithm: "sha256", beside: this.#directory, prefix: ".tmp-sealroot-" });
    stack.move();
  }

  [Symbol.dispose](): void {
    this.objects[Symbol.dispose]();
    this.#directory.close();
  }
}

function makeParents(path: string): void {
  for (let end = path.indexOf("/", 1); end > 0; end = path.indexOf("/", end + 1)) {
    try {
      makeDirectory(HERE, path.slice(0, end), 0o755);
    } catch (error) {
      // on a read-only filesystem the parents may be there all the same
      if (!isErrno(error, ERRNO.EROFS, ERRNO.EACCES)) throw error;
    }
  }
  makeDirectory(HERE, path, 0o755);
}
