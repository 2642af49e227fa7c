/**
 * Level "signed": reads the trusted keys and what the disk has to say about an image, and has it judged. Loaded only when a policy
 * asks for signatures.
 *
 * What is found first may be enough; only when it is not are the places looked at that take longer.
 */

import type { ImageArgument } from "../cmdline-parser/index.ts";
import type { Descriptor } from "../linux/index.ts";
import { MAX_COMMIT_BYTES, MAX_COMMITMETA_BYTES, objectId } from "../ostree/index.ts";
import { commitsOf, commitsOfStreams, type Found } from "../repository/commits.ts";
import { ostreeCommit as readOstreeCommit, type Limits, type Place, type Problem } from "../repository/evidence-files.ts";
import type { Repository } from "../repository/index.ts";
import { type FoundCommit, judge, type Measurement, type Refused, type TrustPolicy, type Verdict } from "../trust/index.ts";
import { type PolicyFiles, readTrustedKeys } from "./trusted-keys.ts";

export type { Place } from "../repository/evidence-files.ts";

const LIMITS: Limits = { commit: MAX_COMMIT_BYTES, commitmeta: MAX_COMMITMETA_BYTES };

export interface Judgement {
  readonly verdict: Verdict;
  /** Where was looked, in this order. */
  readonly places: readonly Place[];
  /** Files that were there and could not be used, a line each. */
  readonly problems: readonly string[];
}

export interface SignedInput {
  readonly policy: TrustPolicy;
  readonly argument: ImageArgument;
  readonly measured: Measurement;
  readonly repository: Repository;
  readonly policyFiles: PolicyFiles | undefined;
}

/** The commit of an OSTree deployment: ostreeCommit() of repository/, with the limits that are judged by. */
export const ostreeCommit = (sysroot: Descriptor, id: string): FoundCommit | undefined => readOstreeCommit(sysroot, id, LIMITS);

/** @throws SealrootError when the keys in the initramfs cannot be used: SR-E230, SR-E231, SR-E232, SR-E229 */
export function judgeSigned({ policy, argument, measured, repository, policyFiles }: SignedInput): Judgement {
  const input = { policy, argument, measured };
  // what is wrong with the argument or the image itself comes before what is wrong with its signatures
  const without = judge(input);
  if (!without.allowed && without.code !== "SR-E107") return { verdict: without, places: [], problems: [] };
  const keys = readTrustedKeys(policy, policyFiles);

  const near = commitsOf(repository, argument.digest, LIMITS);
  const found = [near];
  const further = (): Found["commits"] => {
    // a damaged copy does not stand for the commit whose name it has
    const whole = near.commits.filter(({ id, bytes }) => objectId(bytes) === id);
    const far = commitsOfStreams(repository, argument.digest, LIMITS, new Set(whole.map(({ id }) => id)));
    found.push(far);
    return far.commits;
  };
  const verdict = judge({ ...input, evidence: { commits: near.commits, signatures: near.signatures, keys, further } });
  return judgement(verdict.allowed ? verdict : tellProblems(verdict, found), found);
}

const describe = ({ code, origin, reason }: Problem): string => `${origin}: ${reason} (${code})`;

const judgement = (verdict: Verdict, found: readonly Found[]): Judgement => ({
  verdict,
  places: found.flatMap(({ places }) => places),
  problems: found.flatMap(({ problems }) => problems.map(describe)),
});

/** Nothing that was found counts: then what could not be read says more. */
const SAYS_LITTLE: readonly string[] = ["SR-E107", "SR-E220", "SR-E221"];

/**
 * A refusal is a refusal; this only chooses what it is called. A link that leads out is told wherever it is; and where not everything
 * was read, that is the reason, whatever the rest was like: whoever fills the place with decoys is not to have them take the blame.
 */
function tellProblems(verdict: Refused, found: readonly Found[]): Refused {
  const telling = found.flatMap(({ problems }) => problems).filter(({ code, aside }) => !aside || code === "SR-E204");
  if (found.some(({ complete }) => !complete)) {
    return { ...verdict, code: "SR-E229", reasons: [...verdict.reasons, "there is more than is read, and what was not read may be a commit that counts"] };
  }
  const worst = telling.find(({ code }) => code === "SR-E204") ?? telling[0];
  return worst === undefined || !SAYS_LITTLE.includes(verdict.code) ? verdict : { ...verdict, code: worst.code };
}
