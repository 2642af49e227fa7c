/** What a boot is asked to do: the options, with composefs-setup-root's names and defaults. */

import type { Layout } from "../config/index.ts";

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
}

export const DEFAULT_SYSROOT = "/sysroot";
export const DEFAULT_CONFIG = "/usr/lib/composefs/setup-root-conf.toml";
