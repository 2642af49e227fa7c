/** The policy as a value: everything that the configuration can say, defaults filled in. */

/**
 * none: the image's own directory; bind: the deployment's state directory; overlay: the image's
 * directory below an upper layer in the state directory; transient: the same with the upper layer
 * on a tmpfs.
 */
export type MountKind = "none" | "bind" | "overlay" | "transient";

/** Limits of the tmpfs of a transient layer; undefined leaves the kernel's default (half of memory). */
export interface TransientLimits {
  /** Value for the tmpfs option `size=`: bytes as a decimal number, or a share of memory such as "20%". */
  readonly size: string | undefined;
  /** Value for the tmpfs option `nr_inodes=`. */
  readonly inodes: number | undefined;
}

export interface DirectoryPolicy {
  /** undefined: the default of the layout, see effectiveMounts(). */
  readonly mount: MountKind | undefined;
  readonly limits: TransientLimits;
}

export interface RootPolicy {
  /** A writable layer on a tmpfs over the image. */
  readonly transient: boolean;
  /** `transient-ro`: that layer is there, but mounted read-only. Only ever true together with `transient`. */
  readonly readOnly: boolean;
  readonly limits: TransientLimits;
}

/** none: as the argument says; verity: the kernel checks every byte; signed: and a signature covers the digest. */
export type TrustLevel = "none" | "verity" | "signed";

/** The [trust] table as it is written; what it comes to, with everything else that has a say, is trust/'s TrustPolicy. */
export interface TrustTable {
  readonly level: TrustLevel;
  readonly keys: readonly string[];
  /** How many distinct keys must have signed; at least 1. */
  readonly threshold: number;
  /** Key ids, whichever way they were written. */
  readonly revoked: readonly string[];
  /** Nothing signed as older than this is accepted: Unix seconds; "build": what the initramfs was built with. */
  readonly notBefore: number | "build" | undefined;
  /** Whether `?` on the kernel command line may switch verity off; undefined when it is not said. Never true at level "signed". */
  readonly insecureArgument: boolean | undefined;
}

export interface Policy {
  readonly root: RootPolicy;
  readonly etc: DirectoryPolicy;
  readonly var: DirectoryPolicy;
  /** undefined: there is no [trust] table. */
  readonly trust: TrustTable | undefined;
}

/** Something in the configuration that has no effect. The boot goes on. */
export interface ConfigWarning {
  readonly path: string;
  /** Counted from 1; undefined where it could not be told for certain. */
  readonly line: number | undefined;
  /** Dotted, as "etc.mounts". */
  readonly key: string;
  readonly message: string;
}

export const MAX_CONFIG_BYTES = 65536;

const NO_LIMITS: TransientLimits = { size: undefined, inodes: undefined };

/** What holds without a configuration file, and for an empty one. */
export const DEFAULT_POLICY: Policy = {
  root: { transient: false, readOnly: false, limits: NO_LIMITS },
  etc: { mount: undefined, limits: NO_LIMITS },
  var: { mount: undefined, limits: NO_LIMITS },
  trust: undefined,
};
