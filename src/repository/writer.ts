/**
 * A repository that images are added to: objects, then what the image was made by, then the image's name. A name is never there before
 * what it names is on the disk.
 */

import { SealrootError } from "../errors/index.ts";
import { moveAt, removeAt } from "../linux/entries.ts";
import { type Descriptor, makeDirectory, measureVerity, O, openPath, writeAll } from "../linux/index.ts";
import { lockFile } from "../linux/lock.ts";
import { openName } from "../linux/names.ts";
import type { RepositoryMeta } from "./meta.ts";
import { ObjectStore } from "./object-store.ts";
import { OWN, RECIPES, STAGING } from "./own.ts";
import { publishImage } from "./publish.ts";
import { openFile, Repository, requireWritable } from "./repository.ts";
import { randomName } from "./staging.ts";
import { unwritable } from "./write-errors.ts";

/** What images of a repository are made with. @throws SealrootError SR-E202 when meta.json is missing or does not say */
export function repositorySettings({ meta }: Repository, path: string): RepositoryMeta & { readonly format: "v0" | "v1" | "v2" } {
  if (meta === undefined) {
    throw new SealrootError("SR-E202", {
      summary: "the repository has no meta.json", details: [["repository", path]], meaning: "it is older than that file, which says how objects are named",
      next: "add it: sealroot repo init, which takes the hash that the objects there are named by; --insecure where they lack fs-verity",
    });
  }
  const { format } = meta;
  if (format === undefined) throw new SealrootError("SR-E202", { details: [["file", `${path}/meta.json`], ["found", "erofs_formats that this sealroot does not know"]] });
  return { ...meta, format };
}

export class RepositoryWriter implements Disposable {
  readonly repository: Repository;
  readonly algorithm: "sha256" | "sha512";
  /** EROFS format that this repository's images have unless another is asked for. */
  readonly format: "v0" | "v1" | "v2";
  /** Every object is to have fs-verity: meta.json has it too. */
  readonly secure: boolean;
  readonly objects: ObjectStore;
  readonly #objectsDirectory: Descriptor;
  readonly #own: Descriptor;

  /**
   * Opens a repository and holds its lock, shared, as composefs-rs does while it writes: only removing needs it alone.
   * @throws SealrootError SR-E202 for one of an unknown kind, SR-E524 when fs-verity is required and not to be had, SR-E525, SR-E543
   */
  constructor(path: string, wait: boolean) {
    using stack = new DisposableStack();
    try {
      const directory = stack.use(openPath(path, O.RDONLY | O.DIRECTORY));
      if (!lockFile(directory, "shared", wait)) throw new SealrootError("SR-E543", { details: [["repository", path]] });
      this.repository = stack.use(Repository.at(directory));
      const settings = repositorySettings(this.repository, path);
      requireWritable(this.repository, path);
      this.algorithm = settings.algorithm;
      this.format = settings.format;
      const top = this.repository.directory;
      using metaFile = openFile(top, "meta.json");
      this.secure = metaFile !== undefined && measureVerity(metaFile).kind === "digest";
      for (const name of ["objects", "images", OWN]) makeDirectory(top, name, 0o755);
      this.#objectsDirectory = stack.use(openName(top, "objects", O.RDONLY | O.DIRECTORY));
      this.#own = stack.use(openName(top, OWN, O.RDONLY | O.DIRECTORY));
      this.objects = stack.use(new ObjectStore(this.#objectsDirectory, { algorithm: settings.algorithm, beside: this.#own, prefix: STAGING }));
      if (this.secure && !this.objects.target.verity) throw new SealrootError("SR-E524", { summary: "the repository requires fs-verity, and there is none", details: [["repository", path]], next: "use a kernel and a filesystem with fs-verity; ext4: tune2fs -O verity" });
    } catch (error) {
      throw unwritable(path, error);
    }
    stack.move();
  }

  /**
   * Makes known an image that is among the objects: its recipe, then the link in images/, then a reference to that.
   * @param reference a name below images/refs that keeps the image from being collected @throws SealrootError SR-E525
   */
  publish(digest: Uint8Array, recipe: string | undefined, reference: string | undefined): void {
    const hex = digest.toHex();
    const top = this.repository.directory;
    try {
      this.objects.commit();
      if (recipe !== undefined) this.#writeRecipe(hex, recipe);
      publishImage(top, hex, reference, { fd: this.objects.target.staging, label: STAGING });
    } catch (error) {
      throw unwritable(top.label, error);
    }
  }

  [Symbol.dispose](): void {
    this.objects[Symbol.dispose]();
    this.#own.close();
    this.#objectsDirectory.close();
    this.repository[Symbol.dispose]();
  }

  /** The recipe of the last time that this image was made. */
  #writeRecipe(hex: string, recipe: string): void {
    makeDirectory(this.#own, RECIPES, 0o755);
    using recipes = openName(this.#own, RECIPES, O.RDONLY | O.DIRECTORY);
    // in a directory that the next run takes away, should this one be interrupted
    const staging = { fd: this.objects.target.staging, label: STAGING };
    const draft = `${randomName()}.json`;
    using file = openName(staging, draft, O.WRONLY | O.CREAT | O.EXCL, 0o644);
    try {
      writeAll(file, new TextEncoder().encode(recipe));
      moveAt(staging, draft, recipes, `${hex}.json`);
    } catch (error) {
      removeAt(staging, draft);
      throw error;
    }
  }
}

/** The recipe that lies beside an image; undefined where it was made by another program. @param directory the repository's */
export function openRecipe(directory: Descriptor, hex: string): Descriptor | undefined {
  return openFile(directory, `${OWN}/${RECIPES}/${hex}.json`);
}
