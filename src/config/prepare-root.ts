/**
 * prepare-root.conf, OSTree's configuration of a boot (ostree-prepare-root(1)), and `ostree.prepare-root.composefs=` on the kernel
 * command line, as values. What they come to together, and beside a [trust] table, is for trust/ to say.
 */

import { SealrootError } from "../errors/index.ts";
import { booleanValue, parseKeyFile, stringValue } from "./keyfile.ts";

/** signed and verity as ours; yes: composefs without verity; maybe: composefs where there is an image; no: a plain deployment. */
export type ComposefsWish = "no" | "maybe" | "yes" | "verity" | "signed";

export interface PrepareRootConfig {
  readonly composefs: ComposefsWish;
  /** The file that says so; undefined where there is none. */
  readonly source: string | undefined;
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

export const NO_PREPARE_ROOT: PrepareRootConfig = {
  composefs: "no", source: undefined, keyPath: DEFAULT_BINDING_KEY, rootTransient: false, rootReadOnly: false, etcTransient: false, sysrootReadOnly: undefined,
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
    source: path,
    keyPath: stringValue(file, "composefs", "keypath", path) ?? DEFAULT_BINDING_KEY,
    rootTransient: transient || readOnly,
    rootReadOnly: readOnly,
    etcTransient: booleanValue(file, "etc", "transient", path) ?? false,
    sysrootReadOnly: booleanValue(file, "sysroot", "readonly", path),
  };
}

/** The value of the argument. @throws SealrootError SR-E101 */
export const parseWishArgument = (text: string): ComposefsWish => wishOf(text, `kernel command line, ${PREPARE_ROOT_ARGUMENT}=`);
