/** What a boot is asked to do: the options, with composefs-setup-root's names and defaults. */

import type { Layout } from "../config/index.ts";
import type { Descriptor } from "../linux/index.ts";
import type { PolicyFiles } from "./trusted-keys.ts";

export interface BootOptions {
  /** Where the initramfs mounted the physical root. */
  readonly sysroot: string;
  /** setup-root-conf.toml inside the initramfs. */
  readonly config: string;
  /** Instead of /proc/cmdline. */
  readonly cmdline: string | undefined;
  /** Put the new root here and leave the sysroot alone. */
  readonly target: string | undefined;
  /** Instead of an image: a tree that is there already. For tests; a policy of verity or signed refuses it. */
  readonly rootFs: string | undefined;
  readonly layout: Layout;
  /** Only an OSTree deployment will do: we are called in the place of ostree-prepare-root. */
  readonly deployment?: boolean;
  /** Where the keys of the policy are; default the running system, which in a boot is the initramfs. */
  readonly policyFiles?: PolicyFiles | undefined;
  /**
   * Judge by that digest where the kernel has no fs-verity for the file ("unsupported"), or also where the file merely lacks it
   * ("always"): `verify` ahead of a boot. Such a decision cannot be performed.
   */
  readonly trustComputed?: "unsupported" | "always" | undefined;
  /**
   * How to name an image's digest that the kernel does not hold, for a refusal: `plan` computes it on machines whose files have no
   * fs-verity. Part of the verdict only with `trustComputed`; a boot leaves both out.
   */
  readonly computeDigest?: (image: Descriptor, algorithm: "sha256" | "sha512") => string | undefined;
}

export const DEFAULT_SYSROOT = "/sysroot";
export const DEFAULT_CONFIG = "/usr/lib/composefs/setup-root-conf.toml";
