/**
 * prepare-root.conf, OSTree's configuration of a boot (ostree-prepare-root(1)), as values; and what it means with
 * `ostree.prepare-root.composefs=` on the kernel command line. The argument can raise the level here, never lower it.
 */

import { SealrootError } from "../errors/index.ts";
import { booleanValue, parseKeyFile, stringValue } from "./keyfile.ts";

/** signed and verity as ours; yes: composefs without verity; maybe: composefs where there is an image; no: a plain deployment. */
export type ComposefsWish = "no" | "maybe" | "yes" | "verity" | "signed";

export interface PrepareRootConfig {
  readonly composefs: ComposefsWish;
  /** The public keys; only looked at for "signed". */
  readonly keyPath: string;
  readonly rootTransient: boolean;
  /** Only ever true together with rootTransient. */
  readonly rootReadOnly: boolean;
  readonly etcTransient: boolean;
  /** undefined: true with composefs, else what the repository's own configuration says. */
  readonly sysrootReadOnly: boolean | undefined;
}

export const DEFAULT_BINDING_KEY = "/etc/ostree/initramfs-root-binding.key";
/** In the order in which OSTree reads them; a later one replaces an earlier one whole. */
export const PREPARE_ROOT_PATHS = ["/usr/lib/ostree/prepare-root.conf", "/etc/ostree/prepare-root.conf"] as const;
export const PREPARE_ROOT_ARGUMENT = "ostree.prepare-root.composefs";

const WISHES: Readonly<Record<string, ComposefsWish>> = {
  signed: "signed", verity: "verity", yes: "yes", true: "yes", "1": "yes", maybe: "maybe", no: "no", false: "no", "0": "no",
};
const RANK: Readonly<Record<ComposefsWish, number>> = { no: 0, maybe: 1, yes: 2, verity: 3, signed: 4 };

export const NO_PREPARE_ROOT: PrepareRootConfig = {
  composefs: "no", keyPath: DEFAULT_BINDING_KEY, rootTransient: false, rootReadOnly: false, etcTransient: false, sysrootReadOnly: undefined,
};

function wishOf(text: string, where: string): ComposefsWish {
  const wish = Object.hasOwn(WISHES, text) ? WISHES[text] : undefined;
  if (wish !== undefined) return wish;
  throw new SealrootError("SR-E101", { details: [["in", where], ["expected", "signed, verity, yes, maybe or no"], ["found", JSON.stringify(text)]] });
}

/** @throws SealrootError SR-E101 */
export function parsePrepareRoot(bytes: Uint8Array, path: string): PrepareRootConfig {
  const file = parseKeyFile(bytes, path);
  const enabled = stringValue(file, "composefs", "enabled", path);
  const composefs = enabled === undefined ? "no" : wishOf(enabled, `${path}, [composefs] enabled`);
  const transient = booleanValue(file, "root", "transient", path) ?? false;
  const readOnly = booleanValue(file, "root", "transient-ro", path) ?? false;
  if (transient && readOnly) throw new SealrootError("SR-E101", { details: [["file", path], ["found", "root.transient together with root.transient-ro"]] });
  return {
    composefs,
    keyPath: stringValue(file, "composefs", "keypath", path) ?? DEFAULT_BINDING_KEY,
    rootTransient: transient || readOnly,
    rootReadOnly: readOnly,
    etcTransient: booleanValue(file, "etc", "transient", path) ?? false,
    sysrootReadOnly: booleanValue(file, "sysroot", "readonly", path),
  };
}

/**
 * The configuration's wish and the argument's: the higher one. OSTree lets the argument lower it, and an initramfs that asks for
 * signatures then boots what nobody signed.
 * @param argument the value on the kernel command line, undefined when it is not there
 */
export function raiseWish(configured: ComposefsWish, argument: string | undefined): ComposefsWish {
  if (argument === undefined) return configured;
  const asked = wishOf(argument, `kernel command line, ${PREPARE_ROOT_ARGUMENT}=`);
  return RANK[asked] > RANK[configured] ? asked : configured;
}
