/**
 * Looks for all that names an image on a physical root and its boot partitions. Somebody is about to remove images, so whatever is
 * there and cannot be read is an error; what is not there is told.
 */

import { SealrootError } from "../errors/index.ts";
import { Damage } from "../initramfs/damage.ts";
import { readUki, sectionText } from "../initramfs/uki.ts";
import { type Descriptor, ERRNO, HERE, isErrno, O, openAt, openPath, readUpTo, RESOLVE, statAt } from "../linux/index.ts";
import { directoryEntries } from "../linux/entries.ts";
import { bootEntryImages, commandLineImages, type EntryImages, grubImages, imageOfFileName } from "./boot-entries.ts";

/** Something that names an image. */
export interface DeployedImage {
  /** Digest, lower-case hex. */
  readonly digest: string;
  /** For people: "state/deploy/…", "boot entry …". */
  readonly by: string;
  readonly kind: "state" | "boot entry" | "running";
}

export interface Deployed {
  readonly images: readonly DeployedImage[];
  /** Places that were looked at, as they were found. */
  readonly places: readonly string[];
  readonly notes: readonly string[];
}

const IN_ROOT = RESOLVE.IN_ROOT | RESOLVE.NO_MAGICLINKS;
const DIGEST = /^(?:[0-9a-f]{64}|[0-9a-f]{128})$/;
/** Bytes read of an entry or a menu, and of a unified kernel image. */
const LARGEST_TEXT = 2 ** 24;
const LARGEST_KERNEL = 2 ** 30;
/** Directories within `EFI/Linux`: addons lie two below. */
const DEEPEST = 4;

/** The physical root that a repository belongs to: the directory above one of the name `composefs`. */
export function physicalRootOf(repository: string): string | undefined {
  const [, parent] = /^(.*)\/composefs$/.exec(repository) ?? [];
  return parent === "" ? "/" : parent;
}

/**
 * @param sysroot the physical root; undefined for a repository that is no machine's
 * @param bootDirectories boot partitions that the caller names; with none given the usual places are looked at
 * @throws SealrootError SR-E542
 */
export function findDeployed(sysroot: string | undefined, bootDirectories: readonly string[]): Deployed {
  const finder = new Finder();
  if (sysroot !== undefined) finder.state(sysroot);
  const running = sysroot !== undefined && isRunning(sysroot);
  if (running) finder.commandLine();
  const usual = [...(sysroot === undefined ? [] : ["boot", "boot/efi", "efi"].map((name) => `${sysroot === "/" ? "" : sysroot}/${name}`)), ...(running ? ["/boot", "/boot/efi", "/efi"] : [])];
  const seen = new Set<string>();
  for (const path of [...bootDirectories, ...usual]) finder.bootDirectory(path, bootDirectories.includes(path), seen);
  if (finder.entries === 0 && finder.images.length > 0) {
    finder.notes.push("no boot entries were found; if they lie on a partition that is not mounted, name it: --boot DIR");
  }
  return finder;
}

/** Whether this is the physical root of the system that runs. */
function isRunning(sysroot: string): boolean {
  const facts = factsOf(sysroot);
  return ["/", "/sysroot"].some((path) => {
    const other = factsOf(path);
    return facts !== undefined && other !== undefined && facts.inode === other.inode && facts.device.major === other.device.major && facts.device.minor === other.device.minor;
  });
}

function factsOf(path: string): ReturnType<typeof statAt> | undefined {
  try {
    return statAt(HERE, path);
  } catch {
    return undefined;
  }
}

const refuse = (path: string, found: string, cause?: unknown): SealrootError => new SealrootError("SR-E542", { details: [["cannot read", path], ["found", found]], ...(cause === undefined ? {} : { cause }) });

class Finder implements Deployed {
  readonly images: DeployedImage[] = [];
  readonly places: string[] = [];
  readonly notes: string[] = [];
  entries = 0;

  #add(kind: DeployedImage["kind"], by: string, digests: readonly string[]): void {
    for (const digest of digests) this.images.push({ kind, by, digest });
  }

  #entry(by: string, { images, unknown }: Pick<EntryImages, "images" | "unknown">): void {
    const [first] = unknown;
    if (first !== undefined) throw refuse(by, `${first}: an image argument of a kind that this sealroot does not know`);
    this.#add("boot entry", by, images);
  }

  state(sysroot: string): void {
    using top = openDirectory(HERE, sysroot, 0);
    if (top === undefined) throw refuse(sysroot, "there is no such directory");
    using deployments = openDirectory(top, "state/deploy", IN_ROOT);
    if (deployments === undefined) return;
    this.places.push(deployments.label);
    for (const { name } of guarded(deployments.label, () => directoryEntries(deployments))) if (DIGEST.test(name)) this.#add("state", `${deployments.label}/${name}`, [name]);
  }

  commandLine(): void {
    const path = "/proc/cmdline";
    using file = guarded(path, () => openPath(path, O.RDONLY));
    const text = new TextDecoder().decode(guarded(path, () => readUpTo(file, 65536)));
    this.places.push(path);
    this.#add("running", "the running system", commandLineImages(text).images);
  }

  bootDirectory(path: string, demanded: boolean, seen: Set<string>): void {
    using directory = openDirectory(HERE, path, 0);
    if (directory === undefined) {
      if (demanded) throw refuse(path, "there is no such directory");
      return;
    }
    const { device, inode } = statAt(directory);
    const identity = `${device.major}:${device.minor}:${inode}`;
    if (seen.has(identity)) return;
    seen.add(identity);
    const before = this.entries;
    for (const name of ["loader/entries", "loader/entries.staged"]) this.#loaderEntries(directory, name);
    for (const grub of ["grub", "grub2"]) for (const name of ["grub.cfg", "custom.cfg", "user.cfg", "user.cfg.staged"]) this.#menu(directory, `${grub}/${name}`);
    for (const name of ["EFI/Linux", "loader/addons"]) this.#kernels(directory, name, 0);
    if (demanded || this.entries > before) this.places.push(path);
  }

  #loaderEntries(boot: Descriptor, path: string): void {
    using directory = openDirectory(boot, path, IN_ROOT);
    if (directory === undefined) return;
    for (const { name } of guarded(directory.label, () => directoryEntries(directory))) {
      if (!name.endsWith(".conf")) continue;
      const text = this.#text(boot, `${path}/${name}`);
      if (text !== undefined) this.#found(boot, `boot entry ${directory.label}/${name}`, bootEntryImages(text));
    }
  }

  #menu(boot: Descriptor, path: string): void {
    const text = this.#text(boot, path);
    if (text === undefined) return;
    const images = grubImages(text);
    if (images.images.length + images.kernels.length + images.unknown.length > 0) this.#found(boot, `boot menu ${boot.label}/${path}`, images);
  }

  #found(boot: Descriptor, by: string, entry: EntryImages): void {
    this.entries += 1;
    this.#entry(by, entry);
    for (const kernel of entry.kernels) {
      const path = kernel.replace(/^\/+/, "");
      const images = this.#kernel(boot, path);
      if (images === undefined) this.notes.push(`${by} starts ${kernel}, which is not there`);
      else this.#entry(`${by}, ${boot.label}/${path}`, images);
    }
  }

  #kernels(boot: Descriptor, path: string, depth: number): void {
    using directory = openDirectory(boot, path, IN_ROOT);
    if (directory === undefined) return;
    for (const { name, type } of guarded(directory.label, () => directoryEntries(directory))) {
      const below = `${path}/${name}`;
      if (/\.efi$/i.test(name) && type !== "directory") {
        const images = this.#kernel(boot, below);
        if (images === undefined) continue;
        this.entries += 1;
        this.#entry(`${boot.label}/${below}`, images);
      } else if (type === "directory" && depth < DEEPEST) this.#kernels(boot, below, depth + 1);
    }
  }

  /** What a unified kernel image names: by its file name, and on the command lines inside. undefined when it is not there. */
  #kernel(boot: Descriptor, path: string): EntryImages | undefined {
    const bytes = this.#bytes(boot, path, LARGEST_KERNEL);
    if (bytes === undefined) return undefined;
    const byName = imageOfFileName(path);
    try {
      const lines = readUki(bytes).profiles.flatMap(({ sections }) => [...sections].filter(([name]) => name === ".cmdline").map(([, text]) => sectionText(text)));
      const inside = lines.map(commandLineImages);
      return { images: [...(byName === undefined ? [] : [byName]), ...inside.flatMap(({ images }) => images)], kernels: [], unknown: inside.flatMap(({ unknown }) => unknown) };
    } catch (error) {
      if (!(error instanceof Damage)) throw error;
      throw refuse(`${boot.label}/${path}`, error.message);
    }
  }

  #text(boot: Descriptor, path: string): string | undefined {
    const bytes = this.#bytes(boot, path, LARGEST_TEXT);
    return bytes === undefined ? undefined : new TextDecoder().decode(bytes);
  }

  #bytes(boot: Descriptor, path: string, most: number): Uint8Array | undefined {
    return guarded(`${boot.label}/${path}`, () => {
      try {
        using file = openAt(boot, path, O.RDONLY | O.NONBLOCK, IN_ROOT);
        const { type, size } = statAt(file);
        if (type !== "regular file") throw refuse(file.label, `a ${type}`);
        if (size > most) throw refuse(file.label, `${size} bytes`);
        return readUpTo(file, most);
      } catch (error) {
        if (isErrno(error, ERRNO.ENOENT, ERRNO.ENOTDIR)) return undefined;
        throw error;
      }
    });
  }
}

function openDirectory(from: Pick<Descriptor, "fd" | "label">, path: string, resolve: number): Descriptor | undefined {
  return guarded(path, () => {
    try {
      return openAt(from, path, O.RDONLY | O.DIRECTORY, resolve);
    } catch (error) {
      if (isErrno(error, ERRNO.ENOENT, ERRNO.ENOTDIR)) return undefined;
      throw error;
    }
  });
}

function guarded<T>(path: string, act: () => T): T {
  try {
    return act();
  } catch (error) {
    if (error instanceof SealrootError) throw error;
    throw refuse(path, error instanceof Error ? error.message : String(error), error);
  }
}
