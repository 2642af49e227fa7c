/** From arguments to an image whose digest, and at level "signed" whose signatures, were judged. */

import type { ImageArgument } from "../cmdline-parser/index.ts";
import { type Detail, SealrootError } from "../errors/index.ts";
import { type Descriptor, measureVerity, O, reopen, type VerityMeasurement } from "../linux/index.ts";
import { Repository } from "../repository/index.ts";
import { type Allowed, judge, judgeEnforcement } from "../trust/index.ts";
import { during } from "./blame.ts";
import type { Judgement, SignedInput } from "./evidence.ts";
import { type Asked, askOverlay, refusal, requireErofs } from "./image.ts";
import { locateImage, type PassedOver } from "./locate.ts";
import type { BootOptions } from "./options.ts";
import type { Inputs } from "./read.ts";

/** A digest that this program computed by reading the file, for want of one that the kernel holds: worth nothing in a boot. */
export interface ComputedDigest {
  readonly kind: "computed";
  readonly algorithm: "sha256" | "sha512";
  readonly digest: string;
}

export interface Judged {
  readonly measurement: VerityMeasurement | ComputedDigest;
  readonly verdict: Allowed;
  readonly evidence: Pick<Judgement, "places" | "problems">;
}

export interface Authenticated extends Omit<Judged, "evidence"> {
  readonly argument: ImageArgument;
  readonly image: Descriptor;
  readonly objects: Descriptor;
  /** The repository's path, for people. */
  readonly repository: string;
  /** Level "signed" only. */
  readonly evidence: Judged["evidence"] | undefined;
}

/** Read only when a policy asks for signatures: most boots do not, and it brings commits and keys with it. */
const judgeSigned = (input: SignedInput): Judgement => (require("./evidence.ts") as typeof import("./evidence.ts")).judgeSigned(input);

/** @param held takes over what stays open @throws SealrootError for everything that keeps the image from being booted */
export function authenticate(options: BootOptions, inputs: Inputs, held: DisposableStack, sysroot: Descriptor, passedOver: PassedOver[]): Authenticated {
  const repository = held.use(Repository.open(sysroot));
  const { argument, image } = locateImage(repository, inputs, passedOver);
  held.use(image);
  const policy = inputs.policy.trust;
  const judgeBy = (measured: VerityMeasurement): Judgement =>
    policy?.level === "signed" ? judgeSigned({ policy, argument, measured, repository, policyFiles: options.policyFiles }) : { verdict: judge({ policy, argument, measured }), places: [], problems: [] };

  const { measurement, verdict, evidence } = judgeImage(options, argument, image, judgeBy);
  const objects = held.use(repository.openObjects());
  return { argument, image, objects, measurement, verdict, repository: repository.directory.label, evidence: policy?.level === "signed" ? evidence : undefined };
}

/**
 * Measures an image and has it judged: by the digest that the kernel holds, or by one that is computed, where that was asked for.
 * @throws SealrootError for a verdict against it, and for a kernel that cannot do what the verdict asks
 */
export function judgeImage(options: BootOptions, asked: Asked, image: Descriptor, judgeBy: (measured: VerityMeasurement) => Judgement): Judged {
  let measurement: VerityMeasurement | ComputedDigest = during({ name: `measure ${image.label}`, code: "SR-E212", unreadable: "SR-E214" }, () => measureVerity(image));
  let judgement = judgeBy(measurement);
  const unmeasured = judgement.verdict.allowed && judgement.verdict.level === "none";
  let computed = judgement.verdict.allowed && !unmeasured ? undefined : computeInstead(options, measurement, image, asked);
  if (computed !== undefined) {
    const byReading = judgeBy({ ...computed, kind: "digest" });
    // where `?` let the image pass unmeasured it stays unverified; but on a machine with fs-verity another digest would be refused
    if (unmeasured && byReading.verdict.allowed) computed = undefined;
    else [measurement, judgement] = [computed, byReading];
  }
  const { verdict: judged, ...evidence } = judgement;
  if (!judged.allowed) throw refusal(judged, asked, image, options.computeDigest, [...(computed === undefined ? [] : [["computed", COMPUTED] as const]), ...lookedAt(evidence)]);
  const verdict = computed === undefined ? enforced(judged) : { ...judged, reasons: [...judged.reasons, COMPUTED] };
  during({ name: `read ${image.label}`, code: "SR-E214" }, () => requireErofs(image));
  return { measurement, verdict, evidence };
}

const lookedAt = ({ places, problems }: Judged["evidence"]): Detail[] => [
  ...problems.map((problem) => ["unusable", problem] as const),
  ...places.map(({ path, found }) => ["looked at", `${path}  (${found})`] as const),
];

const COMPUTED = "the digest was computed by reading the file; the machine that boots needs it with fs-verity, and a kernel that enforces it";

/** The digest to judge by where the kernel holds none, if that was asked for. */
function computeInstead({ computeDigest, trustComputed }: BootOptions, measured: VerityMeasurement, image: Descriptor, { algorithm }: Asked): ComputedDigest | undefined {
  if (computeDigest === undefined || trustComputed === undefined || measured.kind === "digest" || (measured.kind === "no-verity" && trustComputed !== "always")) return undefined;
  // a hash algorithm that is not known here is fs-verity all the same
  if (measured.kind === "unsupported" && measured.errno !== "ENOTTY" && measured.errno !== "EOPNOTSUPP") return undefined;
  return during({ name: `read ${image.label}`, code: "SR-E214" }, () => {
    // a position of its own
    using again = reopen(image, O.RDONLY);
    const digest = computeDigest(again, algorithm);
    return digest === undefined ? undefined : { kind: "computed", algorithm, digest };
  });
}

function enforced(judged: Allowed): Allowed {
  const features = askOverlay();
  const verdict = judgeEnforcement(judged, features.verity);
  if (verdict.allowed) return verdict;
  throw new SealrootError(verdict.code, { details: [["found", features.checksOptions ? "overlayfs without verity=" : "overlayfs of Linux 6.4 or older"]] });
}
