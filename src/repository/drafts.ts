/** A place in a repository for what is not finished, of one run: whatever an interrupted run left there, the next takes away. */

import { type Descriptor, type DirectoryDescriptor, makeDirectory, O } from "../linux/index.ts";
import { openName } from "../linux/names.ts";
import { OWN, STAGING } from "./own.ts";
import { cleanStaging, Staging } from "./staging.ts";

export class Drafts implements Disposable {
  readonly #own: Descriptor;
  readonly #staging: Staging;

  /** @param repository its directory @throws SyscallError when it cannot be written to */
  constructor(repository: DirectoryDescriptor) {
    makeDirectory(repository, OWN, 0o755);
    using own = openName(repository, OWN, O.RDONLY | O.DIRECTORY);
    cleanStaging(own, STAGING);
    // named by a path that stays: the staging directory is taken away through it
    this.#own = own.take();
    this.#staging = Staging.make(this.#own, STAGING);
  }

  get directory(): DirectoryDescriptor {
    return this.#staging.directory;
  }

  [Symbol.dispose](): void {
    this.#staging[Symbol.dispose]();
    this.#own.close();
  }
}
