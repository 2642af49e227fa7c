/** What this kernel's drivers can do, found by asking them without mounting anything. */

import { ERRNO, FilesystemContext, isErrno } from "../linux/index.ts";

export interface OverlayFeatures {
  /** overlayfs checks its options one by one (Linux 6.5); before, a wrong option only shows when the mount is made. */
  readonly checksOptions: boolean;
  /** verity=require (Linux 6.6) */
  readonly verity: boolean;
}

/** A name that overlayfs will never have. */
const NO_SUCH_OPTION = "sealroot-probe";

function accepts(context: FilesystemContext, key: string, value: string): boolean {
  try {
    context.setString(key, value);
    return true;
  } catch (error) {
    if (isErrno(error, ERRNO.EINVAL)) return false;
    throw error;
  }
}

/** @throws SyscallError ENODEV when there is no overlayfs */
export function overlayFeatures(): OverlayFeatures {
  using context = new FilesystemContext("overlay");
  const checksOptions = !accepts(context, NO_SUCH_OPTION, "1");
  return { checksOptions, verity: checksOptions && accepts(context, "verity", "require") };
}
