/**
 * Policy and evidence in, verdict out. Every rule about what may be booted at which trust level is in
 * this folder and nowhere else; it is pure, so that all combinations can be, and are, tested.
 * deployment.ts, for `ostree=`, is imported by name: it brings the reading of commits with it.
 */
export { type AbsenceVerdict, type EnforcementVerdict, judgeAbsence, judgeEnforcement, judgeTestRoot } from "./around.ts";
export type { Evidence, FoundCommit, FoundSignature, Voucher } from "./evidence.ts";
export { type Allowed, judge, type JudgeInput, type Measurement, type Refused, type Verdict } from "./judge.ts";
export { asksForSignatures, demandsVerity, judgeWish, policyOf, raiseWish, replacePrepareRoot, type Requirement, type Said, type TrustPolicy } from "./policy.ts";
