/**
 * Boot partitions that a machine has and that nobody has looked at, because they are not mounted: what their entries boot is not known.
 * Whoever looks only at directories takes such a machine for one that boots nothing else.
 */

import { type Descriptor, type DirectoryDescriptor, HERE, IN_ROOT } from "../linux/index.ts";
import { directoryEntries } from "../linux/entries.ts";
import type { MountEntry } from "./mount-table.ts";
import { factsOf, guarded, LARGEST_TEXT, openDirectory, readFile } from "./places.ts";

export interface Machine {
  /** Its physical root. */
  readonly top: Descriptor;
  /** It is the one that runs. */
  readonly running: boolean;
  /** Directories of deployments, below the physical root. */
  readonly deployments: readonly string[];
  /** The mounts that the directories lie in that were looked at. */
  readonly lookedAt: ReadonlySet<number>;
  readonly mounts: readonly MountEntry[];
}

/** Where systems mount the partitions that they boot from. */
const MOUNT_POINTS = ["/boot", "/efi", "/boot/efi", "/boot/firmware"];
const UNIT_DIRECTORIES = ["/etc/systemd/system", "/run/systemd/system", "/run/systemd/generator", "/run/systemd/generator.late", "/usr/lib/systemd/system"];

/** @returns for each why it is taken to be there, for people @throws SealrootError SR-E542 */
export function unseenPartitions(machine: Machine): string[] {
  const { top, running, lookedAt, mounts } = machine;
  const physical = top.label === "/" ? "" : top.label;
  // one of autofs only waits: what it stands for is mounted over it
  const mounted = new Set(mounts.filter(({ filesystem }) => filesystem !== "autofs").map(({ path }) => path));
  const configured = running ? configuredHere() : ["", ...machine.deployments.map((path) => `${path}/`)].flatMap((path) => mountPointsOf(top, `${path}etc/fstab`, IN_ROOT));
  const found = configured.flatMap(({ path, by }) => ([...(running ? [path] : []), `${physical}${path}`].some((place) => mounted.has(place)) ? [] : [`${by} mounts something at ${path}, and it is not mounted`]));
  if (mounts.some(({ id, filesystem }) => lookedAt.has(id) && /^(?:vfat|msdos)$/.test(filesystem))) return found;
  // firmware that is EFI boots from such a partition, and from nothing else
  if (running) return factsOf("/sys/firmware/efi") === undefined ? found : [...found, "the machine was started by EFI firmware, and no EFI system partition is mounted where it is looked for"];
  return [...found, ...MOUNT_POINTS.filter((path) => isEmpty(top, path.slice(1))).map((path) => `${physical}${path} is empty, as a mount point is with nothing mounted`)];
}

interface MountPoint {
  readonly path: string;
  readonly by: string;
}

function configuredHere(): MountPoint[] {
  const masked = new Set<string>();
  const units = MOUNT_POINTS.flatMap((path) => {
    const unit = `${path.slice(1).replaceAll("/", "-")}.mount`;
    // the first one counts, and one that is masked leads to /dev/null
    const found = UNIT_DIRECTORIES.map((directory) => ({ by: `${directory}/${unit}`, type: factsOf(`${directory}/${unit}`)?.type })).find(({ type }) => type !== undefined);
    if (found?.type === "character device") masked.add(path);
    return found?.type === "regular file" ? [{ path, by: found.by }] : [];
  });
  return [...mountPointsOf(HERE, "/etc/fstab", 0).filter(({ path }) => !masked.has(path) && !units.some((unit) => unit.path === path)), ...units];
}

/** Of a table as fstab(5) has it; a file that is not there has none. */
function mountPointsOf(from: DirectoryDescriptor, file: string, resolve: number): MountPoint[] {
  const text = readFile(from, file, resolve, LARGEST_TEXT);
  if (text === undefined) return [];
  return new TextDecoder().decode(text).split("\n").flatMap((line) => {
    const [source = "#", path = ""] = line.trim().split(/\s+/);
    const plain = path.length > 1 ? path.replace(/\/+$/, "") : path;
    return !source.startsWith("#") && MOUNT_POINTS.includes(plain) ? [{ path: plain, by: from === HERE ? file : `${from.label}/${file}` }] : [];
  });
}

function isEmpty(top: Descriptor, path: string): boolean {
  using directory = openDirectory(top, path, IN_ROOT);
  return directory !== undefined && guarded(directory.label, () => directoryEntries(directory)).length === 0;
}
