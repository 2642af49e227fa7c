/**
 * From options to a plan: read, locate, authenticate. Nothing is mounted here, and every descriptor that the plan speaks of is
 * held open until the decision is disposed of, so that what was checked is what is used.
 */

import { lastValue } from "../cmdline-parser/index.ts";
import { effectiveMounts } from "../config/index.ts";
import { SealrootError } from "../errors/index.ts";
import type { Descriptor, VerityMeasurement } from "../linux/index.ts";
import { judgeAbsence, judgeTestRoot, judgeWish } from "../trust/index.ts";
import { authenticate, type Authenticated, type ComputedDigest } from "./authenticate.ts";
import { during } from "./blame.ts";
import { locateState, openSysroot, openState, type PassedOver, stateSource } from "./locate.ts";
import type { BootOptions } from "./options.ts";
import { describeVoucher, directoryStep, listMounts, type Plan } from "./plan.ts";
import { type Inputs, readInputs } from "./read.ts";

export interface Decision extends Disposable {
  readonly inputs: Inputs;
  readonly plan: Plan;
  readonly passedOver: readonly PassedOver[];
  /** A computed one is for `verify` alone; perform() takes none. */
  readonly measurement: VerityMeasurement | ComputedDigest | undefined;
  /** Level "signed": where commits and signatures were looked for, and what could not be used. */
  readonly evidence?: Authenticated["evidence"];
  /** Why the level is what it is, for people. */
  readonly reasons: readonly string[];
  readonly sysroot: Descriptor;
  /** With --root-fs there are none of these. */
  readonly image: Descriptor | undefined;
  readonly objects: Descriptor | undefined;
  readonly state: Descriptor | undefined;
  /** The sources of directories, by their path below the sysroot: these, and not what the path is by then, are mounted. */
  readonly sources: ReadonlyMap<string, Descriptor>;
}

/** The command line names no image: an error, with the texts that looked like one. */
function refuseAbsence(inputs: Inputs): SealrootError {
  if (inputs.skipped.length > 0) {
    return new SealrootError("SR-E103", { details: inputs.skipped.map(({ text, explanation }): [string, string] => ["argument", `${text}  (${explanation})`]) });
  }
  const absence = judgeAbsence(inputs.policy.trust);
  // a policy that lets such a boot pass is not why this one failed
  return new SealrootError("SR-E102", { details: absence.allowed ? [] : absence.reasons.map((reason): [string, string] => ["policy", reason]) });
}

/** Read only for a command line with `ostree=`: it brings the reading of commits with it. */
const ostreeRoom = (): typeof import("./ostree.ts") => require("./ostree.ts") as typeof import("./ostree.ts");

/** Whether this is the boot of an OSTree deployment: no argument names an image, one names a deployment, and composefs is asked for. */
export function namesDeployment({ rootFs }: BootOptions, { candidates, skipped, ostree, policy }: Inputs): boolean {
  // an argument that cannot be read names an image all the same: that boot fails, it does not become another one
  if (candidates.length > 0 || skipped.length > 0 || rootFs !== undefined || ostree.argument === undefined) return false;
  return judgeWish(policy.trust, ostree.wish) !== "nothing";
}

/** Of such a boot: whether OSTree's own program is to do it after all. */
export const isLeftToOstree = (options: BootOptions, inputs: Inputs): boolean => ostreeRoom().isLeftToOstree(options, inputs);

/** @throws SealrootError for everything that keeps this machine from booting the image */
export function decide(options: BootOptions, inputs: Inputs = readInputs(options)): Decision {
  const { policy, candidates } = inputs;
  if (options.deployment === true || namesDeployment(options, inputs)) return ostreeRoom().decideDeployment(options, inputs);
  if (candidates.length === 0) throw refuseAbsence(inputs);
  using held = new DisposableStack();
  const sysroot = held.use(openSysroot(options.sysroot));
  const passedOver: PassedOver[] = [];

  const mounts = effectiveMounts(policy, options.layout, lastValue(inputs.tokens, "systemd.volatile"));
  const wanted = [{ name: "etc", ...mounts.etc }, { name: "var", ...mounts.var }];
  const needsState = wanted.some(({ mount }) => mount === "bind" || mount === "overlay");

  const found = options.rootFs === undefined ? authenticate(options, inputs, held, sysroot, passedOver) : undefined;
  const testRoot = judgeTestRoot(policy.trust);
  if (found === undefined && !testRoot.allowed) throw new SealrootError(testRoot.code, { details: testRoot.reasons.map((reason) => ["policy", reason]) });
  const argument = found?.argument ?? candidates[0];
  if (argument === undefined) throw refuseAbsence(inputs);
  const state = needsState ? held.use(locateState(sysroot, argument.digest, candidates)) : undefined;

  const directories = wanted.map((directory) => ({ ...directory, source: state === undefined ? undefined : stateSource(sysroot, state, directory.name) }));
  const sources = new Map<string, Descriptor>();
  for (const directory of directories) {
    const { source, mount } = directory;
    if (source !== undefined && (mount === "bind" || mount === "overlay")) sources.set(source, held.use(during(directoryStep(directory), () => openState(sysroot, source))));
  }

  const { transient } = policy.root;
  const imageSource = `${transient ? "transient:composefs=" : "composefs:"}${argument.digest}`;
  const partial: Omit<Plan, "mounts"> = {
    layout: options.layout,
    sysroot: options.sysroot,
    target: options.target ?? options.sysroot,
    replacesSysroot: options.target === undefined,
    rootFs: options.rootFs,
    argument: found?.argument,
    level: found?.verdict.level ?? "none",
    enforce: found?.verdict.enforce ?? false,
    signed: describeVoucher(found?.verdict.voucher),
    root: {
      source: found !== undefined ? imageSource : transient ? "transient" : (options.rootFs ?? ""),
      transient,
      readOnly: !transient || policy.root.readOnly,
      limits: policy.root.limits,
    },
    sysrootReadOnly: options.layout === "bootc",
    directories,
    state: state?.label,
  };
  const keep = held.move();
  return {
    inputs,
    plan: { ...partial, mounts: listMounts(partial, found?.image.label, found?.repository) },
    passedOver,
    measurement: found?.measurement,
    evidence: found?.evidence,
    reasons: found?.verdict.reasons ?? testRoot.reasons,
    sysroot,
    image: found?.image,
    objects: found?.objects,
    state,
    sources,
    [Symbol.dispose]: () => keep.dispose(),
  };
}
