/**
 * What the booted system's ostree looks for below /run: /run/ostree-booted, an `a{sv}` (libostree: otcore.h), by which it knows
 * its own deployment and what it may remount; and the upper layer of a transient /etc, whose files it labels anew for SELinux.
 */

import { attachMount, cloneMount, type Descriptor, type DeviceNumber, HERE, makeDirectory, O, openPath, removeFile, replaceFile, statAt } from "../linux/index.ts";
import type { Variant } from "../ostree/index.ts";
import { write } from "../ostree/gvariant-write.ts";
import type { Plan } from "./plan.ts";

const BOOTED = "/run/ostree-booted";
const RUN_OSTREE = "/run/ostree";
const PRIVATE = `${RUN_OSTREE}/.private`;
const TRANSIENT_ETC = `${RUN_OSTREE}/transient-etc`;

/** A device number as the C library packs it into a dev_t (sysmacros.h of glibc). Pure */
export function packDevice({ major, minor }: DeviceNumber): bigint {
  const [high, low] = [BigInt(major), BigInt(minor)];
  return (low & 0xffn) | ((high & 0xfffn) << 8n) | ((low & ~0xffn) << 12n) | ((high & ~0xfffn) << 32n);
}

/** Keys and types as ostree-prepare-root writes them, in its order. Pure @param directory of the deployment */
export function encodeBooted(plan: Plan, directory: { readonly device: DeviceNumber; readonly inode: number }): Uint8Array {
  const bool = (value: boolean): Variant => ({ type: "b", value });
  const text = (value: string): Variant => ({ type: "s", value });
  const key = plan.deployment?.key;
  const { transient, readOnly } = plan.root;
  const entries: [string, Variant][] = [
    ["backing-root-device-inode", { type: "(tt)", value: [packDevice(directory.device), BigInt(directory.inode)] }],
    ["root.transient", bool(transient)],
    ["root.transient-ro", bool(transient && readOnly)],
  ];
  if (plan.level === "signed" && key !== undefined) entries.push(["composefs.signed", text(key)]);
  entries.push(["composefs", bool(true)], ["composefs.verity", bool(plan.enforce)], ["sysroot-ro", bool(plan.sysrootReadOnly)]);
  if (hasTransientEtc(plan)) entries.push(["transient-etc", text(TRANSIENT_ETC)]);
  return write("a{sv}", entries);
}

export const hasTransientEtc = (plan: Plan): boolean => plan.directories.some(({ name, mount }) => name === "etc" && mount === "transient");

/** Writes the file that says that OSTree booted this system. @returns takes it back */
export function writeBooted(plan: Plan, directory: Descriptor): () => void {
  makeDirectory(HERE, RUN_OSTREE, 0o755);
  makeDirectory(HERE, PRIVATE, 0);
  replaceFile(BOOTED, encodeBooted(plan, statAt(directory)), 0o644);
  return () => removeFile(BOOTED);
}

/** Shows the tmpfs behind a transient /etc where the booted system looks for it. */
export function showTransientEtc(layer: Descriptor): void {
  makeDirectory(HERE, TRANSIENT_ETC, 0o700);
  using place = openPath(TRANSIENT_ETC, O.PATH | O.DIRECTORY | O.NOFOLLOW);
  using shown = cloneMount(layer, "");
  attachMount(shown, place);
}
