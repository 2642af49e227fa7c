/** May this image, measured so, be booted for this argument under this policy? */

import type { ImageArgument } from "../cmdline-parser/index.ts";
import type { TrustPolicy } from "../config/index.ts";
import type { ErrorCode } from "../errors/index.ts";

/** What FS_IOC_MEASURE_VERITY said about the opened image. */
export type Measurement =
  | { readonly kind: "digest"; readonly algorithm: "sha256" | "sha512"; readonly digest: string }
  /** ENODATA: a file without fs-verity. */
  | { readonly kind: "no-verity" }
  /** ENOTTY or EOPNOTSUPP: no fs-verity on this filesystem or in this kernel; any other errno: it failed. */
  | { readonly kind: "unsupported"; readonly errno: string };

export interface JudgeInput {
  /** undefined: no [trust] table, composefs-setup-root's rules. */
  readonly policy: TrustPolicy | undefined;
  readonly argument: Pick<ImageArgument, "algorithm" | "digest" | "insecure">;
  readonly measured: Measurement;
}

export interface Allowed {
  readonly allowed: true;
  /** The level reached, provided that what `enforce` asks for is done. */
  readonly level: "none" | "verity";
  /** Mount with `verity=require`, and nothing less unless `enforceOptional`. */
  readonly enforce: boolean;
  /** A kernel that cannot enforce may boot all the same; the level is "none" then: judgeEnforcement(). */
  readonly enforceOptional: boolean;
  readonly reasons: readonly string[];
}

export interface Refused {
  readonly allowed: false;
  readonly code: ErrorCode;
  readonly reasons: readonly string[];
  /** `sha256:<hex>`, where digests were compared. */
  readonly expected?: string;
  readonly found?: string;
}

export type Verdict = Allowed | Refused;

/** The errnos that mean "there is no such thing here", as opposed to a failure. */
const NOT_HERE: readonly string[] = ["ENOTTY", "EOPNOTSUPP", "ENOTSUP"];

/**
 * Rules, in order:
 * 1. At level "signed" a signature over the digest is needed. This version reads none, so it refuses.
 * 2. `?` counts only where the policy in the initramfs lets the argument ask for less; elsewhere it refuses,
 *    rather than boot with another meaning than the one written.
 * 3. A digest that was measured must be the one named, `?` or not. If it is, the kernel is made to check
 *    every object as well, `?` or not.
 * 4. No digest to measure is an error, except with a `?` that counts: then nothing is verified.
 */
export function judge({ policy, argument, measured }: JudgeInput): Verdict {
  const reasons = [describePolicy(policy)];
  if (policy?.level === "signed") {
    return { allowed: false, code: "SR-E107", reasons: [...reasons, "this version of sealroot cannot check signatures yet, so nothing reaches this level"] };
  }
  const lenient = argument.insecure && (policy?.insecureArgument ?? true);
  if (argument.insecure && !lenient) {
    return { allowed: false, code: "SR-E106", reasons: [...reasons, "the argument carries `?`, and insecure-argument is not true in the initramfs"] };
  }
  if (argument.insecure) reasons.push("the argument carries `?`, and the policy lets it");

  if (measured.kind === "digest") {
    const expected = `${argument.algorithm}:${argument.digest}`;
    const found = `${measured.algorithm}:${measured.digest}`;
    if (expected !== found) return { allowed: false, code: "SR-E210", reasons, expected, found };
    return { allowed: true, level: "verity", enforce: true, enforceOptional: lenient, reasons: [...reasons, "the image has the digest that the argument names"] };
  }

  const absent = measured.kind === "no-verity" ? "the image has no fs-verity" : `fs-verity cannot be read: ${measured.errno}`;
  reasons.push(absent);
  // A failing disk (EIO) or a forbidden call (EPERM) is no filesystem without fs-verity; `?` does not cover it.
  const missing = measured.kind === "no-verity" || NOT_HERE.includes(measured.errno);
  if (lenient && missing) {
    return { allowed: true, level: "none", enforce: false, enforceOptional: false, reasons: [...reasons, "nothing is verified"] };
  }
  return { allowed: false, code: measured.kind === "no-verity" ? "SR-E211" : "SR-E212", reasons };
}

export function describePolicy(policy: TrustPolicy | undefined): string {
  return policy === undefined ? "no [trust] table in the initramfs" : `level = "${policy.level}" in the initramfs`;
}
