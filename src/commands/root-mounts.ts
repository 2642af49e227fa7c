/**
 * What lies at `/` and over `/usr` of the system that runs, from the text of its mount table (proc(5), mountinfo). The guard in
 * the initramfs asks the same before the switch to the new root; what an fstab of the disk mounts later, only this shows.
 */

import { parseMountTable } from "../deployments/mount-table.ts";

export interface RootMount {
  readonly filesystem: string;
  readonly source: string;
  readonly options: readonly string[];
}

export interface RootMounts {
  /** The topmost on `/`. */
  readonly root: RootMount | undefined;
  /** The topmost on `/usr`, if that is a mount of its own. */
  readonly usr: RootMount | undefined;
  /** Further down in /usr, with their places. */
  readonly belowUsr: readonly (RootMount & { readonly path: string })[];
}

export function readRootMounts(mountinfo: string): RootMounts {
  let root: RootMount | undefined;
  let usr: RootMount | undefined;
  const below = new Map<string, RootMount>();
  for (const { path, filesystem, source, options } of parseMountTable(mountinfo)) {
    if (path !== "/" && path !== "/usr" && !path.startsWith("/usr/")) continue;
    const mount = { filesystem, source, options };
    // what is mounted over a directory hides what was mounted in it before
    if (path === "/") [root, usr] = [mount, undefined];
    else if (path === "/usr") usr = mount;
    if (path === "/" || path === "/usr") below.clear();
    else below.set(path, mount);
  }
  return { root, usr, belowUsr: [...below].map(([path, mount]) => ({ path, ...mount })) };
}

/** An OSTree deployment's image without fs-verity: nobody knows its digest. */
const NAMELESS_SOURCE = /^(?:transient:)?composefs$/;
const COMPOSEFS_SOURCE = /^(?:composefs:|transient:composefs=)([0-9a-f]{64}|[0-9a-f]{128})$/;

export const isNameless = (mount: RootMount | undefined): boolean => mount !== undefined && NAMELESS_SOURCE.test(mount.source);
export const digestOf = (mount: RootMount | undefined): string | undefined => (mount === undefined ? undefined : COMPOSEFS_SOURCE.exec(mount.source)?.[1]);
export const isEnforced = (mount: RootMount | undefined): boolean => mount?.filesystem === "overlay" && mount.options.includes("verity=require");

/** The mount that is the image: on `/`; or, with systemd.volatile=yes, on /usr, and a tmpfs on `/`. */
export const imageMount = ({ root, usr }: RootMounts): RootMount | undefined => (root?.filesystem === "tmpfs" && digestOf(usr) !== undefined ? usr : root);

const isImage = (mounts: RootMounts, mount: RootMount): boolean => {
  const image = imageMount(mounts);
  return image !== undefined && mount.filesystem === image.filesystem && mount.source === image.source;
};

/** Whether all of /usr is something else than the image. */
export const isUsrCovered = (mounts: RootMounts): boolean => mounts.usr !== undefined && !isImage(mounts, mounts.usr);

/** What lies over the image's /usr, or over parts of it, and is not the image, for people: programs may run from there that nothing verifies. */
export function foreignMounts(mounts: RootMounts): string[] {
  const image = imageMount(mounts);
  if (digestOf(image) === undefined && !isNameless(image)) return [];
  const found = [...(mounts.usr === undefined ? [] : [{ path: "/usr", ...mounts.usr }]), ...mounts.belowUsr];
  return found.filter((mount) => !isImage(mounts, mount)).map(({ path, filesystem, source }) => `${path} is not the image's but ${filesystem} ${source}: nothing verifies it`);
}
