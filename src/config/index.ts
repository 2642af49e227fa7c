/**
 * The configuration in the initramfs as typed values: what is mounted over the image, and what the files say about trust.
 * Pure: the caller reads the files, this room reads their text; what follows from it for trust is trust/'s to say.
 */
export { effectiveMounts, type EffectiveMount, type EffectiveMounts, type Layout } from "./effective.ts";
export { buildTimePath, parseBuildTime } from "./build-time.ts";
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
  type TrustTable,
} from "./policy.ts";
export { formatTime, LATEST_TIME, parseTime } from "./time.ts";
export { parseSetupRootConfig } from "./setup-root.ts";
export {
  type ComposefsWish, DEFAULT_BINDING_KEY, NO_PREPARE_ROOT, parsePrepareRoot, parseWishArgument, PREPARE_ROOT_ARGUMENT, PREPARE_ROOT_PATHS, type PrepareRootConfig,
} from "./prepare-root.ts";
