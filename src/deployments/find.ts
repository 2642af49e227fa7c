/**
 * Looks for all that names an image on a physical root and its boot partitions. Somebody is about to remove images, so whatever is
 * there and cannot be read is an error; what is not there is told.
 */

import { SealrootError } from "../errors/index.ts";
import { Damage } from "../initramfs/damage.ts";
import { readUki, sectionText } from "../initramfs/uki.ts";
import { type Descriptor, ERRNO, HERE, IN_ROOT, isErrno, O, openAt, openPath, readUpTo, statAt } from "../linux/index.ts";
import { directoryEntries } from "../linux/entries.ts";
import { bootEntryImages, commandLineImages, type EntryImages, imageOfFileName, menuImages } from "./boot-entries.ts";

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

/** The same, with what somebody has to know who removes images. */
export interface DeployedMachine extends Deployed {
  /** The physical root that was looked at. */
  readonly sysroot: string | undefined;
  /** Boot entries, menus and kernels that name an image. */
  readonly entries: number;
  /** Images of the running system: its mounts, and its command line where the physical root is not known to be its own. They may lie in another repository. */
  readonly elsewhere: readonly DeployedImage[];
}

const DIGEST = /^(?:[0-9a-f]{64}|[0-9a-f]{128})$/;
/** Bytes read of an entry or a menu, and of a unified kernel image. */
const LARGEST_TEXT = 2 ** 24;
const LARGEST_KERNEL = 2 ** 30;
/** Directories within `EFI`: addons lie three below. */
const DEEPEST = 16;
const MENU = /\.cfg(?:\.staged)?$|^grubenv$/i;

/**
 * The physical root that a repository belongs to: where it is found as `composefs`, whatever name it was reached by (a bind mount, a link).
 * @param repository without symbolic links
 */
export function physicalRootOf(repository: string): string | undefined {
  const parent = repository.slice(0, Math.max(repository.lastIndexOf("/"), 1));
  // the running system's first: a bind mount may be called composefs too
  return ["/sysroot", "/", parent].find((root) => sameFile(factsOf(repository), factsOf(`${root === "/" ? "" : root}/composefs`)));
}

/**
 * @param sysroot the physical root; undefined for a repository that is no machine's
 * @param bootDirectories boot partitions that the caller names; with none given the usual places are looked at
 * @throws SealrootError SR-E542
 */
export function findDeployed(sysroot: string | undefined, bootDirectories: readonly string[]): DeployedMachine {
  const finder = new Finder(sysroot);
  if (sysroot !== undefined) finder.state(sysroot);
  const running = sysroot !== undefined && isRunning(sysroot);
  finder.commandLine(running);
  finder.mounts();
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
  return ["/", "/sysroot"].some((path) => sameFile(facts, factsOf(path)));
}

function sameFile(one: ReturnType<typeof factsOf>, other: ReturnType<typeof factsOf>): boolean {
  return one !== undefined && other !== undefined && one.inode === other.inode && one.device.major === other.device.major && one.device.minor === other.device.minor;
}

function factsOf(path: string): ReturnType<typeof statAt> | undefined {
  try {
    return statAt(HERE, path);
  } catch {
    return undefined;
  }
}

const refuse = (path: string, found: string, cause?: unknown): SealrootError => new SealrootError("SR-E542", { details: [["cannot read", path], ["found", found]], ...(cause === undefined ? {} : { cause }) });

class Finder implements DeployedMachine {
  readonly images: DeployedImage[] = [];
  readonly places: string[] = [];
  readonly notes: string[] = [];
  readonly elsewhere: DeployedImage[] = [];
  readonly sysroot: string | undefined;
  entries = 0;

  constructor(sysroot: string | undefined) {
    this.sysroot = sysroot;
  }

  #add(kind: DeployedImage["kind"], by: string, digests: readonly string[]): void {
    for (const digest of digests) this.images.push({ kind, by, digest });
  }

  #entry(by: string, { images, unknown }: Pick<EntryImages, "images" | "unknown">): void {
    const [first] = unknown;
    if (first !== undefined) throw refuse(by, `${first}: an image argument of a kind that this sealroot does not know`);
    if (images.length > 0) this.entries += 1;
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

  /** @param running whether the repository is known to be the running system's */
  commandLine(running: boolean): void {
    const path = "/proc/cmdline";
    const found = commandLineImages(readSystemFile(path)).images.map((digest) => ({ kind: "running", by: "the running system", digest }) as const);
    if (running) this.places.push(path);
    (running ? this.images : this.elsewhere).push(...found);
  }

  /** Mounts of images say which, after the name of their kind: composefs-rs, bootc and this program write them so. */
  mounts(): void {
    for (const line of readSystemFile("/proc/self/mountinfo").split("\n")) {
      const source = line.slice(line.indexOf(" - ")).split(" ")[3] ?? "";
      const [, digest] = /^(?:transient:)?composefs[:=](?:composefs=)?([0-9a-f]{128}|[0-9a-f]{64})$/.exec(source) ?? [];
      if (digest !== undefined) this.elsewhere.push({ kind: "running", by: `mounted at ${line.split(" ")[4] ?? "?"}`, digest });
    }
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
    for (const name of ["grub", "grub2"]) this.#menus(directory, name);
    for (const name of ["extlinux/extlinux.conf", "syslinux/syslinux.cfg"]) this.#menu(directory, name);
    for (const name of ["EFI", "loader/addons"]) this.#firmware(directory, name, 0, new Set());
    if (demanded || this.entries > before) this.places.push(path);
  }

  #loaderEntries(boot: Descriptor, path: string): void {
    using directory = openDirectory(boot, path, IN_ROOT);
    if (directory === undefined) return;
    for (const { name, exact } of guarded(directory.label, () => directoryEntries(directory))) {
      if (!exact) throw refuse(`${directory.label}/${name}`, "a name that is not UTF-8");
      if (!/\.conf$/i.test(name)) continue;
      const text = this.#text(boot, `${path}/${name}`);
      if (text !== undefined) this.#found(boot, `boot entry ${directory.label}/${name}`, bootEntryImages(text));
    }
  }

  #menus(boot: Descriptor, path: string): void {
    using directory = openDirectory(boot, path, IN_ROOT);
    if (directory === undefined) return;
    for (const { name } of guarded(directory.label, () => directoryEntries(directory))) if (MENU.test(name)) this.#menu(boot, `${path}/${name}`);
  }

  #menu(boot: Descriptor, path: string): void {
    const text = this.#text(boot, path);
    if (text === undefined) return;
    const images = menuImages(text);
    if (images.images.length + images.kernels.length + images.unknown.length > 0) this.#found(boot, `boot menu ${boot.label}/${path}`, images);
  }

  #found(boot: Descriptor, by: string, entry: EntryImages): void {
    this.#entry(by, entry);
    for (const kernel of entry.kernels) {
      const path = kernel.replace(/^\/+/, "");
      const images = this.#kernel(boot, path);
      if (images === undefined) this.notes.push(`${by} starts ${kernel}, which is not there`);
      else this.#entry(`${by}, ${boot.label}/${path}`, images);
    }
  }

  /** Kernels and menus anywhere on an EFI system partition: what firmware starts may lie in any of its directories. */
  #firmware(boot: Descriptor, path: string, depth: number, seen: Set<string>): void {
    using directory = openDirectory(boot, path, IN_ROOT);
    if (directory === undefined) return;
    const { device, inode } = statAt(directory);
    const identity = `${device.major}:${device.minor}:${inode}`;
    if (seen.has(identity)) return;
    seen.add(identity);
    if (depth > DEEPEST) throw refuse(directory.label, `more than ${DEEPEST} directories within each other`);
    for (const { name, exact, type } of guarded(directory.label, () => directoryEntries(directory))) {
      const below = `${path}/${name}`;
      if (!exact) throw refuse(`${directory.label}/${name}`, "a name that is not UTF-8");
      // a link, or an entry of a kind that the filesystem does not tell, is a directory if it opens as one
      const isFile = type === "regular file" || (type !== "directory" && !this.#isDirectory(boot, below));
      if (!isFile) this.#firmware(boot, below, depth + 1, seen);
      else if (MENU.test(name)) this.#menu(boot, below);
      else if (/\.efi$/i.test(name)) {
        const images = this.#kernel(boot, below);
        if (images !== undefined) this.#entry(`${boot.label}/${below}`, images);
      }
    }
  }

  #isDirectory(boot: Descriptor, path: string): boolean {
    using directory = openDirectory(boot, path, IN_ROOT);
    return directory !== undefined;
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
      // boot loaders and firmware's own programs lie beside kernels: what has no command line is none of ours, in whatever state it is
      if (!/(?:^|\/)EFI\/Linux\//i.test(path) && !Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength).includes(".cmdline") && byName === undefined) return undefined;
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

function readSystemFile(path: string): string {
  using file = guarded(path, () => openPath(path, O.RDONLY));
  return new TextDecoder().decode(guarded(path, () => readUpTo(file, LARGEST_TEXT)));
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
