/** The kernel's table of mounts, and the layers of overlays in it. Pure. Source: proc_pid_mountinfo(5); overlayfs, ovl_show_options(). */

export interface MountEntry {
  /** As statx(2) has it of every file in the mount. */
  readonly id: number;
  /** Where it is, below the root of the process whose table this is. */
  readonly path: string;
  /** Of the filesystem, "major:minor": the same in every namespace. */
  readonly device: string;
  readonly filesystem: string;
  readonly source: string;
  /** Of the filesystem, not of the mount. */
  readonly options: readonly string[];
}

/** Blanks, backslashes and what else would be misread are written as three octal digits. */
const decoded = (text: string): string => text.replace(/\\([0-7]{3})/g, (_, digits: string) => String.fromCharCode(Number.parseInt(digits, 8)));

/** Mounts in the order in which they were made. */
export function parseMountTable(text: string): MountEntry[] {
  return text.split("\n").flatMap((line) => {
    const [before, after] = line.split(" - ", 2);
    if (before === undefined || after === undefined) return [];
    const [id = "", , device = "", , path = ""] = before.split(" ");
    const [filesystem = "", source = "", options = ""] = after.split(" ");
    return [{ id: Number(id), path: decoded(path), device, filesystem, source: decoded(source), options: options.split(",") }];
  });
}

/** The directories that only hold content, of an overlay: object stores. As they were given, which may be a path that leads nowhere here. */
export function dataLayers({ filesystem, source, options }: MountEntry): string[] {
  if (filesystem !== "overlay") return [];
  // before Linux 6.5 they are layers as others are
  const separator = isComposefs(source) && !options.some((option) => /^lowerdir=.*(?<!\\)::/.test(option)) ? /(?<!\\):/ : /(?<!\\)::/;
  return options.flatMap((option) => {
    const value = decoded(option.slice(option.indexOf("=") + 1));
    if (option.startsWith("datadir+=")) return [value];
    // colons of names have a backslash; a first part holds the other layers
    return option.startsWith("lowerdir=") ? value.split(separator).slice(1).map((path) => path.replace(/\\(.)/g, "$1")) : [];
  });
}

/** The digest that the source of a mount names, as composefs-rs, bootc and this program write it. */
export const digestOfSource = (source: string): string | undefined => /^(?:transient:)?composefs[:=](?:composefs=)?([0-9a-f]{128}|[0-9a-f]{64})$/.exec(source)?.[1];

/** The source that tools of composefs write who name no image: mount.composefs, and OSTree without fs-verity. */
export const isComposefs = (source: string): boolean => /^(?:transient:)?composefs$/.test(source);
