/** Makes an initramfs with the real dracut of the Debian tree, for any of the lab's kernels. */

import { join } from "node:path";
import type { Kernel } from "./kernel.ts";
import { debianTree, inTree } from "./tree.ts";

export interface DracutOptions {
  readonly kernel: Kernel;
  /** The tree whose dracut is used; default Debian trixie's. */
  readonly tree?: string | undefined;
  /** dracut modules to have beside the few that a boot from a disk needs. */
  readonly modules: readonly string[];
  /** Directories laid over the tree: the dracut module, units and programs as a package would install them. */
  readonly layers: readonly string[];
  /** Further arguments of dracut. */
  readonly extra?: readonly string[];
}

/**
 * The least with which systemd mounts a disk by label. A general initramfs of Debian has some fifty modules, which cost
 * seconds of every emulated boot and have no part in what is tested.
 */
const MODULES = ["systemd-initrd", "dracut-systemd", "systemd", "base", "fs-lib", "rootfs-block", "udev-rules"];
const DRIVERS = ["virtio_blk", "virtio_pci", "virtio_mmio", "sha256_ssse3"];
const FILE_SYSTEMS = ["ext4", "btrfs"];

/** Writes `directory`/`name`, uncompressed: emulated decompression is slow. */
export async function dracut(options: DracutOptions, directory: string, name: string): Promise<string> {
  const command = [
    "dracut", "--force", "--quiet", "--no-hostonly", "--no-hostonly-cmdline", "--reproducible", "--no-compress", "--tmpdir", "/tmp",
    "--kver", options.kernel.version,
    "--modules", [...MODULES, ...options.modules].join(" "),
    "--drivers", DRIVERS.join(" "),
    "--filesystems", FILE_SYSTEMS.join(" "),
    ...(options.extra ?? []),
    `/lab-output/${name}`,
  ];
  await inTree(options.tree ?? (await debianTree()), command, {
    layers: options.layers,
    binds: [
      [options.kernel.modules, "/usr/lib/modules"],
      [directory, "/lab-output"],
    ],
  });
  return join(directory, name);
}
