/** An image and its object stores as one mount, for whoever names them by path: what mount.composefs does. The boot has boot/perform.ts. */

import { type Descriptor, setIdMapping } from "../linux/index.ts";
import { mountImage } from "./erofs.ts";
import { overlayFeatures } from "./kernel.ts";
import { mountOverlay } from "./overlay.ts";
import { Scratch } from "./scratch.ts";

export interface ComposefsMount {
  /** What the table of mounts shows: whoever cleans up a repository reads it there. */
  readonly source: string;
  readonly image: Descriptor;
  /** The image has ACLs, so the mount is to heed them. */
  readonly acl: boolean;
  /** In the order in which they are searched; at least one. */
  readonly stores: readonly [Descriptor, ...Descriptor[]];
  /** "try": where the kernel can. */
  readonly verity: "require" | "try" | "none";
  readonly writable: { readonly upper: Descriptor; readonly work: Descriptor } | undefined;
  readonly readOnly: boolean;
  /** A user namespace whose mapping the image's owners go through. */
  readonly idMapping: Descriptor | undefined;
}

/** @param place puts the finished, detached mount where it is to be, while what it was made from is still there */
export function mountComposefs({ source, image, acl, stores, verity, writable, readOnly, idMapping }: ComposefsMount, place: (mount: Descriptor) => void): void {
  using scratch = new Scratch();
  using lower = mountImage(image, scratch, acl ? [] : ["noacl"]).value;
  if (idMapping !== undefined) setIdMapping(lower, idMapping);
  const [data, ...moreData] = stores;
  using overlay = mountOverlay({
    source,
    lower,
    data,
    moreData,
    ...(writable === undefined ? {} : { writable }),
    verity: verity === "require" || (verity === "try" && overlayFeatures().verity),
    readOnly,
    attach: () => scratch.attach(lower),
  }).value;
  place(overlay);
}
