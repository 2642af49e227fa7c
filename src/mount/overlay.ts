/**
 * The overlay that joins image and objects (Documentation/filesystems/overlayfs.rst): metacopy files of the image find their data
 * in the object store, which is a data-only layer. verity=require makes the kernel hold each object against the digest in the image.
 *
 * rung                   how the layers are named                        since
 * detached descriptors   fsconfig(SET_FD) with detached mounts           6.15
 * descriptors            fsconfig(SET_FD) with attached mounts           6.13
 * lowerdir+              one string per layer, /proc/self/fd/N           6.7
 * lowerdir=a::b          one string for all                              6.5
 * lowerdir=a:b           the objects are an ordinary layer; no verity    older
 */

import { type Descriptor, ERRNO, FilesystemContext, MOUNT_ATTR } from "../linux/index.ts";
import { climb, type Climbed, type Rung } from "./ladder.ts";

export interface OverlayLayers {
  /** What mountinfo shows as the source. */
  readonly source: string;
  /** The covered directory, opened for reading. */
  readonly lower: Descriptor;
  /** The object store, opened for reading; with it the overlay understands metacopy files. */
  readonly data?: Descriptor;
  /** Further object stores, in the order in which they are searched after the first. */
  readonly moreData?: readonly Descriptor[];
  readonly writable?: { readonly upper: Descriptor; readonly work: Descriptor };
  /** verity=require. There is no rung that leaves it out. */
  readonly verity: boolean;
  readonly readOnly: boolean;
  /**
   * Attaches the detached mounts among the layers, for kernels that refuse detached ones. The descriptors stay as they are: they
   * refer to the same mounts, attached or not.
   */
  readonly attach: () => void;
  /** Only the first rung: the kernel is known to take detached mounts, so a refusal has another cause. */
  readonly detachedOnly?: boolean;
}

export const DETACHED_RUNG = "detached descriptors";

/** EBADF: before 6.13 overlayfs takes no descriptors, and the old API reports that so. */
const NOT_IN_THIS_KERNEL = [ERRNO.EINVAL, ERRNO.EBADF, ERRNO.ENOSYS, ERRNO.EOPNOTSUPP];

/** @returns a detached mount of the overlay, and which rung carried it */
export function mountOverlay(layers: OverlayLayers): Climbed<Descriptor> {
  const rungs: Rung<Descriptor>[] = [{ name: DETACHED_RUNG, climb: () => byDescriptor(layers) }];
  if (layers.detachedOnly === true) return climb(rungs, []);
  rungs.push({
    name: "descriptors",
    climb: () => {
      layers.attach();
      return byDescriptor(layers);
    },
  });
  rungs.push({ name: "lowerdir+", climb: () => byPath(layers) });
  rungs.push({ name: "lowerdir=a::b", climb: () => byList(layers, "::") });
  if (!layers.verity && layers.data !== undefined) rungs.push({ name: "lowerdir=a:b", climb: () => byList(layers, ":") });
  return climb(rungs, NOT_IN_THIS_KERNEL);
}

function withContext(layers: OverlayLayers, nameLayers: (context: FilesystemContext) => void): Descriptor {
  using context = new FilesystemContext("overlay");
  context.setString("source", layers.source);
  if (layers.data !== undefined) {
    context.setString("metacopy", "on");
    context.setString("redirect_dir", "on");
  }
  if (layers.verity) context.setString("verity", "require");
  nameLayers(context);
  return context.mount(layers.readOnly ? MOUNT_ATTR.RDONLY : 0, layers.source);
}

const stores = ({ data, moreData = [] }: OverlayLayers): readonly Descriptor[] => (data === undefined ? [] : [data, ...moreData]);

const byDescriptor = (layers: OverlayLayers): Descriptor =>
  withContext(layers, (context) => {
    context.setDescriptor("lowerdir+", layers.lower);
    for (const data of stores(layers)) context.setDescriptor("datadir+", data);
    if (layers.writable === undefined) return;
    context.setDescriptor("upperdir", layers.writable.upper);
    context.setDescriptor("workdir", layers.writable.work);
  });

const byPath = (layers: OverlayLayers): Descriptor =>
  withContext(layers, (context) => {
    context.setString("lowerdir+", layers.lower.path);
    for (const data of stores(layers)) context.setString("datadir+", data.path);
    setWritable(context, layers);
  });

const byList = (layers: OverlayLayers, separator: "::" | ":"): Descriptor =>
  withContext(layers, (context) => {
    context.setString("lowerdir", [layers.lower, ...stores(layers)].map(({ path }) => path).join(separator));
    setWritable(context, layers);
  });

function setWritable(context: FilesystemContext, layers: OverlayLayers): void {
  if (layers.writable === undefined) return;
  context.setString("upperdir", layers.writable.upper.path);
  context.setString("workdir", layers.writable.work.path);
}
