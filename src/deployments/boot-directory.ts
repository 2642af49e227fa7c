/** What a directory that machines boot from names: entries, menus and kernels, of every boot loader that is known here. */

import { Damage } from "../initramfs/damage.ts";
import { isPortableExecutable, readUki, sectionText } from "../initramfs/uki.ts";
import { type Descriptor, IN_ROOT, statAt } from "../linux/index.ts";
import { directoryEntries, type DirectoryEntry } from "../linux/entries.ts";
import { bootEntryImages, commandLineImages, type EntryImages, imageOfFileName, menuImages } from "./boot-entries.ts";
import { guarded, LARGEST_TEXT, openDirectory, readFile, refuse } from "./places.ts";

/** Bytes read of a kernel. */
const LARGEST_KERNEL = 2 ** 30;
/** Directories within each other: addons lie three below `EFI`. */
const DEEPEST = 16;
/** Boot loaders' own files, and with them others that name no image: GRUB, syslinux, extlinux, rEFInd, limine, U-Boot, Raspberry Pi. */
const MENU = /\.(?:cfg|conf|txt|env|scr)(?:\.staged)?$|^grubenv$/i;
/** Directories that are searched whole: what firmware starts may lie in any directory of `EFI`. */
const SEARCHED = ["EFI", "loader/addons", "grub", "grub2", "extlinux", "syslinux", "isolinux", "limine", "refind"];

export interface EntrySink {
  /** @param by entry, menu or kernel that names them, for people @throws SealrootError SR-E542 */
  found(by: string, entry: Pick<EntryImages, "images" | "unknown">): void;
  /** A kernel that is started and that this directory does not have. */
  absent(by: string, kernel: string): void;
}

/** @throws SealrootError SR-E542 */
export function readBootDirectory(boot: Descriptor, sink: EntrySink): void {
  new BootDirectory(boot, sink).read();
}

/**
 * What a kernel names: by its file name, and on the command lines inside.
 * @param path as an entry has it @returns undefined when it is not there
 */
export function kernelImages(boot: Descriptor, path: string): EntryImages | undefined {
  const inside = path.replace(/^\/+/, "");
  const bytes = readFile(boot, inside, IN_ROOT, LARGEST_KERNEL);
  if (bytes === undefined) return undefined;
  const byName = /\.efi$/i.test(inside) ? imageOfFileName(inside) : undefined;
  const named = { images: byName === undefined ? [] : [byName], kernels: [], unknown: [] };
  const isUnified = /(?:^|\/)EFI\/Linux\/.*\.efi$/i.test(inside);
  // kernels of machines without EFI, and packed ones
  if (!isPortableExecutable(bytes) && !isUnified && byName === undefined) return named;
  try {
    const lines = readUki(bytes).profiles.flatMap(({ sections }) => [...sections].filter(([name]) => name === ".cmdline").map(([, text]) => sectionText(text)));
    const found = lines.map(commandLineImages);
    return { images: [...named.images, ...found.flatMap(({ images }) => images)], kernels: [], unknown: found.flatMap(({ unknown }) => unknown) };
  } catch (error) {
    if (!(error instanceof Damage)) throw error;
    // boot loaders and firmware's own programs lie beside kernels: what has no command line is none of ours, in whatever state it is
    if (!isUnified && !Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength).includes(".cmdline") && byName === undefined) return named;
    throw refuse(`${boot.label}/${inside}`, error.message);
  }
}

class BootDirectory {
  readonly #boot: Descriptor;
  readonly #sink: EntrySink;

  constructor(boot: Descriptor, sink: EntrySink) {
    this.#boot = boot;
    this.#sink = sink;
  }

  read(): void {
    for (const name of ["loader/entries", "loader/entries.staged"]) this.#loaderEntries(name);
    const seen = new Set<string>();
    for (const name of SEARCHED) this.#search(name, 0, seen);
    for (const { name, type } of this.#list(".") ?? []) if (MENU.test(name) && type !== "directory") this.#menu(name);
  }

  /** undefined where there is no such directory. @throws SealrootError SR-E542 */
  #list(path: string, seen?: Set<string>): DirectoryEntry[] | undefined {
    using directory = openDirectory(this.#boot, path, IN_ROOT);
    if (directory === undefined) return undefined;
    const { device, inode } = statAt(directory);
    const identity = `${device.major}:${device.minor}:${inode}`;
    if (seen?.has(identity) === true) return [];
    seen?.add(identity);
    const entries = guarded(directory.label, () => directoryEntries(directory));
    // no boot loader has a file of such a name at the top
    const unnamable = path === "." ? undefined : entries.find(({ exact }) => !exact);
    if (unnamable !== undefined) throw refuse(`${directory.label}/${unnamable.name}`, "a name that is not UTF-8");
    return entries;
  }

  #loaderEntries(path: string): void {
    for (const { name } of this.#list(path) ?? []) {
      if (!/\.conf$/i.test(name)) continue;
      const text = this.#text(`${path}/${name}`);
      if (text !== undefined) this.#found(`boot entry ${this.#boot.label}/${path}/${name}`, bootEntryImages(text));
    }
  }

  /** Kernels and menus in a directory and those below. */
  #search(path: string, depth: number, seen: Set<string>): void {
    const entries = this.#list(path, seen) ?? [];
    if (depth > DEEPEST && entries.length > 0) throw refuse(`${this.#boot.label}/${path}`, `more than ${DEEPEST} directories within each other`);
    for (const { name, type } of entries) {
      const below = `${path}/${name}`;
      // a link, or an entry of a kind that the filesystem does not tell, is a directory if it opens as one
      const isFile = type === "regular file" || (type !== "directory" && !this.#isDirectory(below));
      if (!isFile) this.#search(below, depth + 1, seen);
      else if (MENU.test(name)) this.#menu(below);
      else if (/\.efi$/i.test(name)) {
        const images = kernelImages(this.#boot, below);
        if (images !== undefined) this.#sink.found(`${this.#boot.label}/${below}`, images);
      }
    }
  }

  #isDirectory(path: string): boolean {
    using directory = openDirectory(this.#boot, path, IN_ROOT);
    return directory !== undefined;
  }

  #menu(path: string): void {
    const text = this.#text(path);
    if (text !== undefined) this.#found(`boot menu ${this.#boot.label}/${path}`, menuImages(text));
  }

  #found(by: string, entry: EntryImages): void {
    this.#sink.found(by, entry);
    for (const kernel of entry.kernels) {
      const images = kernelImages(this.#boot, kernel);
      if (images === undefined) this.#sink.absent(by, kernel);
      else this.#sink.found(`${by}, ${this.#boot.label}/${kernel.replace(/^\/+/, "")}`, images);
    }
  }

  #text(path: string): string | undefined {
    const bytes = readFile(this.#boot, path, IN_ROOT, LARGEST_TEXT);
    return bytes === undefined ? undefined : new TextDecoder().decode(bytes);
  }
}
