/**
 * Looks for all that names an image on a physical root and its boot partitions. Somebody is about to remove images, so whatever is
 * there and cannot be read is an error; what is not there is told.
 */

import { SealrootError } from "../errors/index.ts";
import { type Descriptor, HERE, IN_ROOT, statAt } from "../linux/index.ts";
import { directoryEntries } from "../linux/entries.ts";
import { kernelImages, readBootDirectory } from "./boot-directory.ts";
import { commandLineImages, type EntryImages, loadOptionImages } from "./boot-entries.ts";
import { parseMountTable } from "./mount-table.ts";
import { imageMounts } from "./mounts.ts";
import { manifestStream } from "./origin.ts";
import { factsOf, guarded, isSameFile, LARGEST_TEXT, openDirectory, readFile, readSystemFile, refuse } from "./places.ts";
import { unseenPartitions } from "./unseen.ts";

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
  /** Images that may lie in another repository: kept if they are here. */
  readonly elsewhere: readonly DeployedImage[];
  /** Names of streams that deployments were made of, in `streams/`: kept if they are here. */
  readonly streams: readonly { readonly name: string; readonly by: string }[];
  /** Mount points of images that have the repository's objects, and do not say which they are. */
  readonly nameless: readonly string[];
  /** Why boot partitions are taken to be there that were not looked at. */
  readonly unseen: readonly string[];
}

const DIGEST = /^(?:[0-9a-f]{64}|[0-9a-f]{128})$/;
/** Bytes of a deployment's record: it has three lines. */
const LARGEST_ORIGIN = 2 ** 20;
const BOOT_DIRECTORIES = ["boot", "boot/efi", "efi", "boot/firmware"];
/** Variables of the firmware's boot manager: EFI_GLOBAL_VARIABLE. */
const EFI_VARIABLES = "/sys/firmware/efi/efivars";
const BOOT_OPTION = /^Boot[0-9A-F]{4}-8be4df61-93ca-11d2-aa0d-00e098032b8c$/;

/**
 * The physical root that a repository belongs to: where it is found as `composefs`, whatever name it was reached by (a bind mount, a link).
 * @param repository without symbolic links
 */
export function physicalRootOf(repository: string): string | undefined {
  const parent = repository.slice(0, Math.max(repository.lastIndexOf("/"), 1));
  // the running system's first: a bind mount may be called composefs too
  return ["/sysroot", "/", parent].find((root) => isSameFile(factsOf(repository), factsOf(`${root === "/" ? "" : root}/composefs`)));
}

/**
 * @param repository its directory
 * @param sysroot the physical root; undefined for a repository that is no machine's
 * @param bootDirectories boot partitions that the caller names, looked at beside the usual places
 * @throws SealrootError SR-E542
 */
export function findDeployed(repository: string, sysroot: string | undefined, bootDirectories: readonly string[]): DeployedMachine {
  const finder = new Finder(sysroot);
  using resources = new DisposableStack();
  const top = sysroot === undefined ? undefined : openDirectory(HERE, sysroot, 0);
  if (sysroot !== undefined && top === undefined) throw refuse(sysroot, "there is no such directory");
  if (top !== undefined) finder.state(resources.use(top));
  const running = sysroot !== undefined && ["/", "/sysroot"].some((path) => isSameFile(factsOf(sysroot), factsOf(path)));
  for (const path of bootDirectories) {
    const directory = openDirectory(HERE, path, 0);
    if (directory === undefined) throw refuse(path, "there is no such directory");
    finder.bootDirectory(resources.use(directory), true);
  }
  for (const name of BOOT_DIRECTORIES) {
    // below the physical root, whatever its links say; in the running system as it has them
    const directories = [...(top === undefined ? [] : [openDirectory(top, name, IN_ROOT)]), ...(running ? [openDirectory(HERE, `/${name}`, 0)] : [])];
    for (const directory of directories) if (directory !== undefined) finder.bootDirectory(resources.use(directory), false);
  }
  finder.absentKernels(top);
  if (running) finder.bootOptions();
  finder.mounts(repository, running);
  finder.commandLine(running);
  if (top !== undefined) finder.partitions(top, running);
  if (top !== undefined && finder.entries === 0 && finder.images.length > 0) {
    finder.notes.push("no boot entries were found; if they lie on a partition that is not mounted, name it: --boot DIR");
  }
  return finder;
}

class Finder implements DeployedMachine {
  readonly images: DeployedImage[] = [];
  readonly places: string[] = [];
  readonly notes: string[] = [];
  readonly elsewhere: DeployedImage[] = [];
  readonly streams: { readonly name: string; readonly by: string }[] = [];
  readonly nameless: string[] = [];
  readonly unseen: string[] = [];
  readonly sysroot: string | undefined;
  entries = 0;
  readonly #deployments: string[] = [];
  readonly #lookedAt: Descriptor[] = [];
  readonly #absent: { readonly by: string; readonly kernel: string }[] = [];
  /** The running system's root says which image it is. */
  #rootIsKnown = false;

  constructor(sysroot: string | undefined) {
    this.sysroot = sysroot;
  }

  #entry(by: string, { images, unknown }: Pick<EntryImages, "images" | "unknown">): void {
    const [first] = unknown;
    if (first !== undefined) throw refuse(by, `${first}: an image argument of a kind that this sealroot does not know`);
    if (images.length > 0) this.entries += 1;
    for (const digest of images) this.images.push({ kind: "boot entry", by, digest });
  }

  state(top: Descriptor): void {
    using deployments = openDirectory(top, "state/deploy", IN_ROOT);
    if (deployments === undefined) return;
    this.places.push(deployments.label);
    for (const { name } of guarded(deployments.label, () => directoryEntries(deployments))) {
      if (!DIGEST.test(name)) continue;
      this.images.push({ kind: "state", by: `${deployments.label}/${name}`, digest: name });
      this.#deployments.push(`state/deploy/${name}`);
      // a boot follows links below the physical root, so that deployments may share a directory
      const origin = readFile(top, `state/deploy/${name}/${name}.origin`, IN_ROOT, LARGEST_ORIGIN);
      const stream = origin === undefined ? undefined : manifestStream(new TextDecoder().decode(origin));
      if (stream !== undefined) this.streams.push({ name: stream, by: `${deployments.label}/${name}/${name}.origin` });
    }
  }

  bootDirectory(directory: Descriptor, demanded: boolean): void {
    const facts = statAt(directory);
    if (this.#lookedAt.some((other) => isSameFile(facts, statAt(other)))) return;
    this.#lookedAt.push(directory);
    const before = this.entries;
    readBootDirectory(directory, { found: (by, entry) => this.#entry(by, entry), absent: (by, kernel) => void this.#absent.push({ by, kernel }) });
    if (demanded || this.entries > before) this.places.push(directory.label);
  }

  /** Menus start kernels on other partitions too, and entries name them from the top of the partition that has /boot. */
  absentKernels(top: Descriptor | undefined): void {
    for (const { by, kernel } of this.#absent) {
      const found = [...this.#lookedAt, ...(top === undefined ? [] : [top])].flatMap((directory) => kernelImages(directory, kernel) ?? []);
      for (const images of found) this.#entry(`${by}, ${kernel}`, images);
      if (found.length === 0) this.notes.push(`${by} starts ${kernel}, which is not there`);
    }
  }

  /** What the firmware itself boots, where there is no boot loader. It keeps options of systems that are long gone. */
  bootOptions(): void {
    using directory = openDirectory(HERE, EFI_VARIABLES, 0);
    if (directory === undefined) return;
    for (const { name } of guarded(directory.label, () => directoryEntries(directory))) {
      if (!BOOT_OPTION.test(name)) continue;
      let variable: Uint8Array | undefined;
      try {
        variable = readFile(directory, name, IN_ROOT, LARGEST_TEXT);
      } catch (error) {
        // firmware is not always able to, and nobody can repair that
        if (!(error instanceof SealrootError)) throw error;
        this.unseen.push(`${directory.label}/${name}, a boot option of the firmware, cannot be read`);
      }
      if (variable === undefined) continue;
      for (const digest of loadOptionImages(variable).images) this.elsewhere.push({ kind: "boot entry", by: `boot option ${name.slice(0, 8)} of the firmware`, digest });
    }
  }

  /** @param running whether the repository is known to be the running system's */
  mounts(repository: string, running: boolean): void {
    for (const { at, isRoot, digest, ours } of imageMounts(repository)) {
      if (running && isRoot && digest !== undefined) this.#rootIsKnown = true;
      if (digest === undefined) this.nameless.push(at);
      else (ours || (running && isRoot) ? this.images : this.elsewhere).push({ kind: "running", by: `mounted at ${at}`, digest });
    }
  }

  /** After a soft reboot the kernel's command line is that of another image: the root itself says which one runs. */
  commandLine(running: boolean): void {
    const path = "/proc/cmdline";
    const found = commandLineImages(readSystemFile(path)).images.map((digest) => ({ kind: "running", by: "the running system", digest }) as const);
    if (running) this.places.push(path);
    (running && !this.#rootIsKnown ? this.images : this.elsewhere).push(...found);
  }

  partitions(top: Descriptor, running: boolean): void {
    const lookedAt = new Set(this.#lookedAt.map((directory) => statAt(directory).mountId));
    this.unseen.push(...unseenPartitions({ top, running, deployments: this.#deployments, lookedAt, mounts: parseMountTable(readSystemFile("/proc/self/mountinfo")) }));
  }
}
