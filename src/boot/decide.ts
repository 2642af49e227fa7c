/**
 * From options to a plan: read, locate, authenticate. Nothing is mounted here, and every descriptor that the plan speaks of is
 * held open until the decision is disposed of, so that what was checked is what is used.
 */

import { lastValue } from "../cmdline-parser/index.ts";
import { effectiveMounts } from "../config/index.ts";
import { SealrootError } from "../errors/index.ts";
import { type Descriptor, measureVerity, type VerityMeasurement } from "../linux/index.ts";
import { Repository } from "../repository/index.ts";
import { judge, judgeAbsence, judgeEnforcement, judgeTestRoot } from "../trust/index.ts";
import { during } from "./blame.ts";
import { askOverlay, refusal, requireErofs } from "./image.ts";
import { locateImage, locateState, openSysroot, type PassedOver } from "./locate.ts";
import type { BootOptions } from "./options.ts";
import { listMounts, type Plan } from "./plan.ts";
import { type Inputs, readInputs } from "./read.ts";

export interface Decision extends Disposable {
  readonly inputs: Inputs;
  readonly plan: Plan;
  readonly passedOver: readonly PassedOver[];
  readonly measurement: VerityMeasurement | undefined;
  /** Why the level is what it is, for people. */
  readonly reasons: readonly string[];
  readonly sysroot: Descriptor;
  /** With --root-fs there are none of these. */
  readonly image: Descriptor | undefined;
  readonly objects: Descriptor | undefined;
  readonly state: Descriptor | undefined;
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

/** @throws SealrootError for everything that keeps this machine from booting the image */
export function decide(options: BootOptions, inputs: Inputs = readInputs(options)): Decision {
  const { policy, candidates } = inputs;
  if (candidates.length === 0) throw refuseAbsence(inputs);
  using held = new DisposableStack();
  const sysroot = held.use(openSysroot(options.sysroot));
  const passedOver: PassedOver[] = [];

  const mounts = effectiveMounts(policy, options.layout, lastValue(inputs.tokens, "systemd.volatile"));
  const directories = [{ name: "etc" as const, ...mounts.etc }, { name: "var" as const, ...mounts.var }];
  const needsState = directories.some(({ mount }) => mount === "bind" || mount === "overlay");

  const found = options.rootFs === undefined ? authenticate(options, inputs, held, sysroot, passedOver) : undefined;
  const testRoot = judgeTestRoot(policy.trust);
  if (found === undefined && !testRoot.allowed) throw new SealrootError(testRoot.code, { details: testRoot.reasons.map((reason) => ["policy", reason]) });
  const argument = found?.argument ?? candidates[0];
  if (argument === undefined) throw refuseAbsence(inputs);
  const state = needsState ? held.use(locateState(sysroot, argument.digest, candidates)) : undefined;

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
    reasons: found?.verdict.reasons ?? testRoot.reasons,
    sysroot,
    image: found?.image,
    objects: found?.objects,
    state,
    [Symbol.dispose]: () => keep.dispose(),
  };
}

function authenticate(options: BootOptions, inputs: Inputs, held: DisposableStack, sysroot: Descriptor, passedOver: PassedOver[]) {
  const repository = held.use(Repository.open(sysroot));
  const { argument, image } = locateImage(repository, inputs, passedOver);
  held.use(image);
  const measurement = during({ name: `measure ${image.label}`, code: "SR-E212", unreadable: "SR-E214" }, () => measureVerity(image));
  const judged = judge({ policy: inputs.policy.trust, argument, measured: measurement });
  if (!judged.allowed) throw refusal(judged, argument, image, options.computeDigest);
  const features = askOverlay();
  const verdict = judgeEnforcement(judged, features.verity);
  if (!verdict.allowed) {
    throw new SealrootError(verdict.code, { details: [["found", features.checksOptions ? "overlayfs without verity=" : "overlayfs of Linux 6.4 or older"]] });
  }
  during({ name: `read ${image.label}`, code: "SR-E214" }, () => requireErofs(image));
  const objects = held.use(repository.openObjects());
  return { argument, image, objects, measurement, verdict, repository: repository.directory.label };
}
