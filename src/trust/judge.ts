/** May this image, measured so, be booted for this argument under this policy? */

import type { ImageArgument } from "../cmdline-parser/index.ts";
import type { TrustLevel } from "../config/index.ts";
import type { ErrorCode } from "../errors/index.ts";
import type { Evidence, Voucher } from "./evidence.ts";
import type { TrustPolicy } from "./policy.ts";

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
  readonly argument: Pick<ImageArgument, "algorithm" | "digest" | "insecure"> & Partial<Pick<ImageArgument, "version">>;
  readonly measured: Measurement;
  /** What was found that may speak for the image. Needed at level "signed", not looked at otherwise. */
  readonly evidence?: Evidence | undefined;
}

export interface Allowed {
  readonly allowed: true;
  /** The level reached, provided that what `enforce` asks for is done. */
  readonly level: TrustLevel;
  /** Mount with `verity=require`, and nothing less unless `enforceOptional`. */
  readonly enforce: boolean;
  /** A kernel that cannot enforce may boot all the same; the level is "none" then: judgeEnforcement(). */
  readonly enforceOptional: boolean;
  readonly reasons: readonly string[];
  /** At level "signed": who vouches for the image. */
  readonly voucher?: Voucher;
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

/** Read only when a policy asks for signatures: most boots do not, and it brings the cryptography with it. */
const judgeEvidence: typeof import("./signed.ts").judgeEvidence = (...input) => (require("./signed.ts") as typeof import("./signed.ts")).judgeEvidence(...input);

/** The errnos that mean "there is no such thing here", as opposed to a failure. */
const NOT_HERE: readonly string[] = ["ENOTTY", "EOPNOTSUPP", "ENOTSUP"];

/**
 * Rules, in order:
 * 1. `?` counts only where the policy in the initramfs lets the argument ask for less; elsewhere, and always at level
 *    "signed", it refuses, rather than boot with another meaning than the one written.
 * 2. A digest that was measured must be the one named, `?` or not. If it is, the kernel is made to check
 *    every object as well, `?` or not.
 * 3. No digest to measure is an error, except with a `?` that counts: then nothing is verified.
 * 4. At level "signed" the evidence must vouch for that digest: judgeEvidence().
 */
export function judge({ policy, argument, measured, evidence }: JudgeInput): Verdict {
  const reasons = [describePolicy(policy)];
  const lenient = argument.insecure && (policy?.insecureArgument ?? true) && policy?.level !== "signed";
  if (argument.insecure && !lenient) {
    return { allowed: false, code: "SR-E106", reasons: [...reasons, "the argument carries `?`, and insecure-argument is not true in the initramfs"] };
  }
  if (argument.insecure) reasons.push("the argument carries `?`, and the policy lets it");

  if (measured.kind === "digest") {
    const expected = `${argument.algorithm}:${argument.digest}`;
    const found = `${measured.algorithm}:${measured.digest}`;
    if (expected !== found) return { allowed: false, code: "SR-E210", reasons, expected, found };
    reasons.push("the image has the digest that the argument names");
    if (policy?.level === "signed") return judgeSigned(policy, argument, evidence, reasons);
    return { allowed: true, level: "verity", enforce: true, enforceOptional: lenient, reasons };
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

function judgeSigned(policy: TrustPolicy, argument: JudgeInput["argument"], evidence: Evidence | undefined, reasons: readonly string[]): Verdict {
  if (evidence === undefined) return { allowed: false, code: "SR-E107", reasons: [...reasons, "no commit and no signature was looked for"] };
  const image = { algorithm: argument.algorithm, digest: argument.digest, metadataKeys: metadataKeys(argument), mismatch: "SR-E227" } as const;
  return judgeEvidence(policy, image, evidence, reasons);
}

/** Where a commit names an image of a composefs repository. `composefs=` does not say the format, so any of the hash will do. */
function metadataKeys({ algorithm, version }: JudgeInput["argument"]): string[] {
  return (version === undefined ? [1, 2] : [version]).map((number) => `composefs.digest.v${number}-${algorithm}-12`);
}

export function describePolicy(policy: TrustPolicy | undefined): string {
  return policy === undefined ? "no [trust] table in the initramfs" : `level = "${policy.level}", by ${policy.source ?? "the initramfs"}`;
}
