/**
 * The configuration in the initramfs as one typed policy: what is mounted over the image, and what
 * it takes to be trusted. Pure: the caller reads the file, this room reads its text.
 */
export { effectiveMounts, type EffectiveMount, type EffectiveMounts, type Layout } from "./effective.ts";
export {
  DEFAULT_POLICY,
  type ConfigWarning,
  type DirectoryPolicy,
  MAX_CONFIG_BYTES,
  type MountKind,
  type Policy,
  type RootPolicy,
  type TransientLimits,
  type TrustLevel,
  type TrustPolicy,
} from "./policy.ts";
export { parseSetupRootConfig } from "./setup-root.ts";
export {
  type ComposefsWish, DEFAULT_BINDING_KEY, NO_PREPARE_ROOT, parsePrepareRoot, PREPARE_ROOT_ARGUMENT, PREPARE_ROOT_PATHS, type PrepareRootConfig, raiseWish,
} from "./prepare-root.ts";
export { stricterTrust, trustOfWish } from "./stricter.ts";
