/**
 * The decision for an OSTree deployment: `ostree=` names it, its directory names a commit, and the commit names the image,
 * `.ostree.cfs`. Mounts are those of ostree-prepare-root(1). Loaded only when a command line names a deployment.
 *
 * /var is left to the booted system's generator, unless a marker or the configuration asks for it here.
 */

import type { MountKind } from "../config/index.ts";
import { SealrootError } from "../errors/index.ts";
import { BENEATH, type Descriptor, ERRNO, HERE, isErrno, O, openAt, statAt } from "../linux/index.ts";
import { openFile } from "../repository/repository.ts";
import { deploymentCommits, judgeDeployment } from "../trust/deployment.ts";
import { demandsVerity, type Evidence, type FoundCommit, judgeWish, type Verdict } from "../trust/index.ts";
import { judgeImage } from "./authenticate.ts";
import type { Decision } from "./decide.ts";
import { type Judgement, ostreeCommit, type Place } from "./evidence.ts";
import { openSysroot } from "./locate.ts";
import type { BootOptions } from "./options.ts";
import { type Deployment, findDeployment, openDirectory } from "./ostree-deployment.ts";
import { describeVoucher, type DirectoryPlan, listMounts, type Plan } from "./plan.ts";
import type { Inputs } from "./read.ts";
import { readTrustedKeys } from "./trusted-keys.ts";

const IMAGE = ".ostree.cfs";
const REPOSITORY = "ostree/repo";
/** What `ostree admin unlock --hotfix` leaves in the deployment. */
const HOTFIX = ".usr-ovl-work";
/** Whoever makes this file before us has /var mounted in the initramfs. */
const MOUNT_VAR = "/run/ostree/initramfs-mount-var";

/**
 * Whether nobody asks for composefs here, so that OSTree's own program has to boot this deployment. For "maybe" the disk decides.
 * @throws SealrootError as findDeployment()
 */
export function isLeftToOstree(options: BootOptions, inputs: Inputs): boolean {
  const { wish, argument, target } = inputs.ostree;
  const asked = judgeWish(inputs.policy.trust, wish);
  if (asked !== "image if there is one") return asked === "nothing";
  using sysroot = openSysroot(options.sysroot);
  using deployment = findDeployment(sysroot, argument ?? "", target);
  using image = openFile(deployment.directory, IMAGE);
  return image === undefined;
}

/** @throws SealrootError for everything that keeps this machine from booting the deployment */
export function decideDeployment(options: BootOptions, inputs: Inputs): Decision {
  const { ostree, policy } = inputs;
  if (ostree.argument === undefined) throw new SealrootError("SR-E240", { details: [["found", "there is no ostree= on the kernel command line"]] });
  using held = new DisposableStack();
  const sysroot = held.use(openSysroot(options.sysroot));
  const deployment = held.use(findDeployment(sysroot, ostree.argument, ostree.target));
  const image = held.use(openImage(deployment, inputs));
  const asked = { text: ostree.argument, algorithm: "sha256", digest: undefined } as const;
  const { measurement, verdict, evidence } = judgeImage(options, asked, image, (measured) => judgeBy(options, inputs, sysroot, deployment, measured));
  const objects = held.use(openObjects(sysroot));

  const variable = `ostree/deploy/${deployment.stateroot}/var`;
  const sysrootReadOnly = ostree.config.sysrootReadOnly ?? judgeWish(policy.trust, ostree.wish) === "image";
  const directories = planDirectories(inputs, deployment.path, variable, sysrootReadOnly);
  const sources = new Map<string, Descriptor>();
  for (const source of [variable, ...directories.flatMap(({ source, mount }) => (mount === "bind" && source !== undefined ? [source] : []))]) {
    if (!sources.has(source)) sources.set(source, held.use(openDirectory(sysroot, source)));
  }

  const transient = policy.root.transient || ostree.config.rootTransient;
  const name = measurement.kind === "no-verity" || measurement.kind === "unsupported" ? "composefs" : `composefs:${measurement.digest}`;
  const partial: Omit<Plan, "mounts"> = {
    layout: options.layout,
    sysroot: options.sysroot,
    target: options.target ?? options.sysroot,
    replacesSysroot: options.target === undefined,
    rootFs: undefined,
    argument: undefined,
    deployment: {
      argument: ostree.argument,
      stateroot: deployment.stateroot,
      commit: deployment.commit,
      serial: deployment.serial,
      key: keyFile(verdict),
    },
    level: verdict.level,
    enforce: verdict.enforce,
    signed: describeVoucher(verdict.voucher),
    root: {
      source: transient ? `transient:${name.replace(":", "=")}` : name,
      transient,
      readOnly: !transient || (policy.root.transient ? policy.root.readOnly : ostree.config.rootReadOnly),
      limits: policy.root.limits,
    },
    sysrootReadOnly,
    directories,
    state: deployment.directory.label,
  };
  const keep = held.move();
  return {
    inputs,
    plan: { ...partial, mounts: listMounts(partial, image.label, `${sysroot.label === "/" ? "" : sysroot.label}/${REPOSITORY}`) },
    passedOver: [],
    measurement,
    evidence: { ...evidence, problems: [...evidence.problems, ...idleSettings(inputs, deployment)] },
    reasons: verdict.reasons,
    sysroot,
    image,
    objects,
    state: deployment.directory,
    sources,
    [Symbol.dispose]: () => keep.dispose(),
  };
}

/** The file of the key that has signed. Where OSTree's own configuration asks for a signature, that requirement is the first one. */
const keyFile = (verdict: Verdict): string | undefined => (verdict.allowed ? verdict.voucher?.signers[0]?.origin : undefined);

function openImage(deployment: Deployment, inputs: Inputs): Descriptor {
  const asked = judgeWish(inputs.policy.trust, inputs.ostree.wish);
  if (asked === "nothing") throw notOurs(deployment, inputs);
  const image = openFile(deployment.directory, IMAGE);
  if (image !== undefined) return image;
  if (asked !== "image") throw notOurs(deployment, inputs);
  throw new SealrootError("SR-E242", { details: [["deployment", deployment.directory.label], ["looked for", `${deployment.directory.label}/${IMAGE}`]] });
}

function notOurs({ directory }: Deployment, { ostree }: Inputs): SealrootError {
  const files = ostree.files.length === 0 ? "there is no prepare-root.conf" : `enabled is ${ostree.wish} in ${ostree.files.join(", ")}`;
  return new SealrootError("SR-E243", { details: [["deployment", directory.label], ["found", files]] });
}

function openObjects(sysroot: Descriptor): Descriptor {
  const path = `${REPOSITORY}/objects`;
  try {
    return openAt(sysroot, path, O.RDONLY | O.DIRECTORY, BENEATH);
  } catch (error) {
    const leadsOut = isErrno(error, ERRNO.EXDEV, ERRNO.ELOOP, ERRNO.ENOTDIR);
    throw new SealrootError(leadsOut ? "SR-E204" : "SR-E201", { summary: leadsOut ? "the OSTree repository leads out of the physical root" : "there is no OSTree repository", details: [["looked for", `${sysroot.label}/${path}`]], cause: error });
  }
}

/** Keys and commits are only read for an image that has a digest: what is wrong with the image itself comes first. */
function judgeBy(options: BootOptions, { policy }: Inputs, sysroot: Descriptor, { commit }: Deployment, measured: Parameters<typeof judgeDeployment>[0]["measured"]): Judgement {
  const trust = policy.trust;
  const judged = (evidence: Evidence, places: readonly Place[]): Judgement => ({ verdict: judgeDeployment({ policy: trust, measured, evidence }), places, problems: [] });
  const nothing: Evidence = { commits: [], signatures: [], keys: [] };
  if (!demandsVerity(trust) || measured.kind !== "digest") return judged(nothing, []);
  const keys = readTrustedKeys(trust, options.policyFiles);
  const places: Place[] = [];
  const commits = deploymentCommits(commit, (id) => {
    const found = ostreeCommit(sysroot, id);
    places.push({ path: found?.origin ?? `${sysroot.label}/${REPOSITORY}`, found: describeCommit(id, found) });
    return found;
  });
  // signatures of the bare digest do not count for a deployment (judgeDeployment), so none are looked for
  return judged({ commits, signatures: [], keys }, places);
}

const describeCommit = (id: string, found: FoundCommit | undefined): string =>
  found === undefined ? `no commit ${id}` : found.commitmeta === undefined ? "a commit without detached metadata" : "a commit with detached metadata";

const NO_LIMITS = { size: undefined, inodes: undefined } as const;

function planDirectories({ ostree, policy }: Inputs, deployment: string, variable: string, sysrootReadOnly: boolean): DirectoryPlan[] {
  const etc: MountKind = policy.etc.mount === "transient" || (policy.etc.mount === undefined && ostree.config.etcTransient) ? "transient" : "bind";
  const directories: DirectoryPlan[] = [
    // the image's own /etc is empty: what comes with the system is in /usr/etc
    { name: "etc", mount: etc, limits: policy.etc.limits, source: `${deployment}/etc`, covers: "usr/etc" },
  ];
  // below a read-only /sysroot the directory that becomes /var stays writable
  if (sysrootReadOnly) directories.push({ name: `sysroot/${variable}`, mount: "bind", limits: NO_LIMITS, source: variable });
  if (policy.var.mount === "bind" || isThere(MOUNT_VAR)) directories.push({ name: "var", mount: "bind", limits: NO_LIMITS, source: variable });
  return directories;
}

function isThere(path: string): boolean {
  try {
    statAt(HERE, path);
    return true;
  } catch {
    return false;
  }
}

/** What was asked for, or lies there, and has no effect. */
function idleSettings({ policy }: Inputs, { directory }: Deployment): string[] {
  const idle: string[] = [];
  if (policy.etc.mount === "overlay" || policy.etc.mount === "none") idle.push(`etc.mount = ${policy.etc.mount}: the /etc of an OSTree deployment is bound or transient`);
  if (policy.var.mount === "overlay" || policy.var.mount === "transient") idle.push(`var.mount = ${policy.var.mount}: the /var of an OSTree deployment is bound`);
  try {
    openAt(directory, HOTFIX, O.PATH | O.NOFOLLOW, BENEATH).close();
    idle.push(`${HOTFIX}: changes to /usr by "ostree admin unlock --hotfix" are not part of a composefs boot here`);
  } catch {
    // nothing there, or nothing that this is worth failing for
  }
  return idle;
}
