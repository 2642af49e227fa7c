/** Whether a kernel in the initramfs finds the drivers that a composefs root needs. */

import type { Findings } from "./findings.ts";
import { isBefore, kernelReleases, ModuleDirectory, type Presence } from "./modules.ts";
import type { Tree } from "./tree.ts";

/** Filesystems for the physical root. Those with fs-verity first (Documentation/filesystems/fsverity.rst). */
const WITH_VERITY = ["ext4", "btrfs", "f2fs"] as const;
const WITHOUT_VERITY = ["xfs", "bcachefs", "ext3", "ext2", "erofs", "squashfs"] as const;

const EROFS_FROM_FILES = [6, 12] as const;
const VERITY_IN_OVERLAYFS = [6, 6] as const;
/** Overlayfs verity lookups fail in these; see SR-E400. */
const BROKEN_VERITY = /^7\.0\.[1-8](\D|$)/;

const MODPROBE = ["/sbin/modprobe", "/usr/sbin/modprobe", "/bin/modprobe", "/usr/bin/modprobe"] as const;
const REBUILD = "rebuild the initramfs on a system with this kernel's modules";

/**
 * @param release the kernel that the image itself carries, if it says so
 * @returns the kernels that were looked at
 */
export function checkKernels(tree: Tree, release: string | undefined, findings: Findings): readonly string[] {
  const present = kernelReleases(tree);
  if (release !== undefined && present.length > 0 && !present.includes(release)) {
    findings.error("kernel", `the kernel is ${release}, the modules are for ${present.join(", ")}`, REBUILD);
    return present;
  }
  const releases = release === undefined ? present : [release];
  if (present.length === 0) {
    findings.warning("kernel", `there are no modules${release === undefined ? "" : ` for ${release}`} in it: the kernel must have erofs, overlay and its disk's drivers built in`);
    return releases;
  }
  for (const name of releases) checkRelease(tree, name, findings);
  return releases;
}

function checkRelease(tree: Tree, release: string, findings: Findings): void {
  const modules = new ModuleDirectory(tree, release);
  const about = (text: string): string => `${release}: ${text}`;
  const needed: [string, Presence][] = [["erofs", modules.find("erofs")], ["overlay", modules.find("overlay")], ["loop", modules.find("loop")]];
  const before = findings.list.filter(({ verdict }) => verdict === "error").length;
  for (const [name, presence] of needed) {
    if (presence.kind === "absent") {
      if (name === "loop" && !isBefore(release, ...EROFS_FROM_FILES)) continue;
      const unknown = modules.knowsBuiltIn ? "" : " (and there is no list of what is built in)";
      findings.error("kernel", about(`${name} is neither a module in it nor built in${unknown}`), REBUILD);
    } else if (presence.kind === "file" && presence.missing.length > 0) {
      findings.error("kernel", about(`${name} needs modules that are not in it: ${presence.missing.join(", ")}`), REBUILD);
    }
  }
  const asFiles = needed.some(([, { kind }]) => kind === "file");
  if (asFiles && !modules.isIndexed) findings.error("kernel", about("modules.dep is not in it: modprobe finds no module"), "run depmod, and rebuild the initramfs");
  if (asFiles && !MODPROBE.some((path) => tree.file(path) !== undefined)) findings.error("kernel", about("modprobe is not in it: the kernel cannot load its modules"), REBUILD);

  const found = (names: readonly string[]): readonly string[] => names.filter((name) => modules.find(name).kind !== "absent");
  const verity = found(WITH_VERITY);
  const others = found(WITHOUT_VERITY.filter((name) => name !== "erofs"));
  if (verity.length === 0) {
    findings.warning("kernel", about(`none of ${WITH_VERITY.join(", ")}${others.length > 0 ? `, but ${others.join(", ")}` : ""}: the disk must be of a filesystem with fs-verity`));
  }
  if (findings.list.filter(({ verdict }) => verdict === "error").length === before) {
    const text = (name: string): string => `${name}${modules.find(name).kind === "built-in" ? " (built in)" : ""}`;
    findings.ok("kernel", about([...found(["erofs", "overlay", "loop"]), ...verity].map(text).join(", ")));
  }
  if (isBefore(release, ...VERITY_IN_OVERLAYFS)) {
    findings.warning("kernel", about("overlayfs cannot enforce verity before Linux 6.6: only an argument with `?` boots"));
  }
  if (BROKEN_VERITY.test(release)) findings.warning("kernel", about("overlayfs does not find verity digests in Linux 7.0.1 to 7.0.8: the boot would fail"), "take 7.0.9 or later");
}
