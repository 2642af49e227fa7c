/**
 * Performs a plan. Everything is built out of sight, proved readable, and put in place by the last step; a failure before that
 * leaves no mount behind.
 */

import type { Climbed } from "../mount/index.ts";
import { describeCause, SealrootError } from "../errors/index.ts";
import { BENEATH_NO_LINKS, type Descriptor, ERRNO, isErrno, MOUNT_ATTR, O, openAt, openPath, setMountAttributes } from "../linux/index.ts";
import {
  cloneDirectory, DETACHED_RUNG, mountImage, mountImageByLoop, mountOverlay, persistentLayer, type Placement, placeMount, replaceMount, Scratch, transientLayer, Tree, type WritableLayer,
} from "../mount/index.ts";
import { during, type Step } from "./blame.ts";
import type { Decision } from "./decide.ts";
import { type DirectoryPlan, directoryStep, type Plan } from "./plan.ts";
import { type Proof, prove } from "./prove.ts";
import { linkVolatileRoot } from "./volatile-root.ts";

/** What was done, and by which rung of each ladder. */
export interface Outcome {
  readonly rungs: Readonly<Record<string, string>>;
  readonly proof: readonly Proof[];
  readonly placement: Placement | "target";
  readonly volatileRoot: string | undefined;
  readonly notes: readonly string[];
}

const STEPS = {
  image: { name: "mount the image", code: "SR-E303", noDriver: "SR-E300", unreadable: "SR-E214" },
  overlay: { name: "mount the overlay of image and objects", code: "SR-E304", noDriver: "SR-E301", unreadable: "SR-E214" },
  transient: { name: "make the transient layer", code: "SR-E307" },
  sysroot: { name: "mount the physical root at /sysroot", code: "SR-E308", unreadable: "SR-E214" },
  booted: { name: "write /run/ostree-booted", code: "SR-E308" },
  place: { name: "put the new root in place", code: "SR-E308" },
} as const satisfies Record<string, Step>;

/** The mounts under construction, and what of them is needed for directories of their own. */
interface Building {
  readonly decision: Decision;
  readonly scratch: Scratch;
  readonly rungs: Record<string, string>;
  readonly notes: string[];
  readonly held: DisposableStack;
  /** The tmpfs of each transient directory, by its name. */
  readonly layers: Map<string, Descriptor>;
  /** The EROFS mount; absent with --root-fs. */
  readonly image: Descriptor | undefined;
}

export function perform(decision: Decision): Outcome {
  const { plan, sysroot } = decision;
  if (decision.measurement?.kind === "computed") throw new Error("a decision made on a computed digest is not for mounting");
  using held = new DisposableStack();
  const scratch = held.use(new Scratch());
  const rungs: Record<string, string> = {};
  const notes: string[] = [];
  // cloned first: it must be the old root, whatever happens to the path
  const physicalRoot = held.use(during(STEPS.sysroot, () => cloneDirectory(sysroot)));
  if (plan.sysrootReadOnly) during(STEPS.sysroot, () => setMountAttributes(physicalRoot, MOUNT_ATTR.RDONLY));

  const image = decision.image === undefined ? undefined : during(STEPS.image, () => record(rungs, "image", mountImage(decision.image ?? raise(), scratch)));
  if (image !== undefined) held.use(image);
  const building: Building = { decision, scratch, rungs, notes, held, image, layers: new Map() };
  const tree = buildRoot(building);

  mountSysroot(tree, physicalRoot, notes);
  for (const directory of plan.directories) mountDirectory(building, tree, directory);
  rungs["tree"] = tree.rung;

  const proof = proveRoot(decision, tree, notes);
  const placement = announced(decision, () => during(STEPS.place, (): Placement | "target" => {
    if (plan.replacesSysroot) return replaceMount(tree.root, plan.target);
    using target = openPath(plan.target, O.PATH | O.DIRECTORY);
    placeMount(tree.root, target);
    return "target";
  }));
  if (isOstreeBoot(plan)) showLayers(building);
  // last, because it cannot fail the boot and would outlive a failure of the others
  const volatileRoot = plan.replacesSysroot ? volatile(sysroot, notes) : undefined;
  return { rungs, proof, placement, volatileRoot, notes };
}

/** Read only for a deployment. */
const ostreeBooted = (): typeof import("./ostree-booted.ts") => require("./ostree-booted.ts") as typeof import("./ostree-booted.ts");
const isOstreeBoot = (plan: Plan): boolean => plan.deployment !== undefined && plan.replacesSysroot;

/** Tells the booted system's ostree about this boot before the root is put in place, since that is the last that may fail. */
function announced<T>({ plan, state }: Decision, place: () => T): T {
  if (!isOstreeBoot(plan)) return place();
  const takeBack = during(STEPS.booted, () => ostreeBooted().writeBooted(plan, state ?? raise()));
  try {
    return place();
  } catch (error) {
    try {
      takeBack();
    } catch {
      // the first failure is the one to tell
    }
    throw error;
  }
}

/** For labels only; the boot goes on without. */
function showLayers({ layers, notes }: Building): void {
  const etc = layers.get("etc");
  if (etc === undefined) return;
  try {
    ostreeBooted().showTransientEtc(etc);
  } catch (error) {
    notes.push(`the layer of /etc is not shown to ostree: ${describeCause(error)}`);
  }
}

function raise(): never {
  throw new Error("unreachable: the decision has nothing open for what the plan mounts");
}

function record<T>(rungs: Record<string, string>, step: string, { value, rung }: Climbed<T>): T {
  rungs[step] = rung;
  return value;
}

function buildRoot(building: Building): Tree {
  const { decision, scratch, rungs, held, image } = building;
  const { plan } = decision;
  const base = image ?? held.use(during(STEPS.place, () => cloneRootFs(plan.rootFs ?? raise())));
  const grow = (root: Descriptor, detached: boolean): Tree => during(STEPS.place, () => new Tree(root, scratch, detached));
  if (image === undefined && !plan.root.transient) return grow(base, true);
  const lower = held.use(during(STEPS.image, () => openAt(base, ".", O.RDONLY | O.DIRECTORY, 0)));
  const writable = plan.root.transient ? held.use(during(STEPS.transient, () => transientLayer(lower, plan.root.limits))) : undefined;
  const root = during(STEPS.overlay, () =>
    record(rungs, "root", mountOverlay({
      source: plan.root.source,
      lower,
      ...(decision.objects === undefined ? {} : { data: decision.objects }),
      ...(writable === undefined ? {} : { writable }),
      verity: plan.enforce,
      readOnly: plan.root.readOnly,
      attach: attachAll(scratch, base, writable?.mount),
    })));
  held.use(root);
  return grow(root, rungs["root"] === DETACHED_RUNG);
}

/** Attaches the image and, where there is one, the writable layer's tmpfs. */
const attachAll = (scratch: Scratch, ...mounts: readonly (Descriptor | undefined)[]) => (): void => {
  for (const mount of mounts) if (mount !== undefined) scratch.attach(mount);
};

function cloneRootFs(path: string): Descriptor {
  using directory = openPath(path, O.PATH | O.DIRECTORY);
  return cloneDirectory(directory);
}

/** An image without /sysroot boots all the same, as with the peers; the repository is then out of reach. */
function mountSysroot(tree: Tree, physicalRoot: Descriptor, notes: string[]): void {
  during(STEPS.sysroot, () => {
    try {
      tree.mountOn("sysroot", physicalRoot);
    } catch (error) {
      if (!isErrno(error, ERRNO.ENOENT)) throw error;
      notes.push("the image has no /sysroot: the physical root is not mounted");
    }
  });
}

function mountDirectory(building: Building, tree: Tree, directory: DirectoryPlan): void {
  const { name, mount, limits, source, covers = name } = directory;
  const { decision, rungs, held } = building;
  if (mount === "none") return;
  const step = directoryStep(directory);
  const stateDirectory = (): Descriptor => decision.sources.get(source ?? raise()) ?? raise();
  during(step, () => {
    if (mount === "bind") {
      tree.mountOn(name, held.use(cloneDirectory(stateDirectory())));
      return;
    }
    using covered = tree.open(covers);
    const base = mount === "overlay" ? stateDirectory() : undefined;
    const writable = held.use(base === undefined ? during({ ...STEPS.transient, name: step.name }, () => transientLayer(covered, limits)) : persistentLayer(base, covered));
    if (writable.mount !== undefined) building.layers.set(name, writable.mount);
    const label = mount === "transient" ? "transient" : "overlay";
    const overlay = held.use(record(rungs, name, coverDirectory(building, tree, covers, covered, writable, label)));
    tree.mountOn(name, overlay);
  });
}

/**
 * A writable overlay over a directory of the new root, on top of the root's overlay, as the peers do it. A kernel that counts
 * file-backed EROFS as a level of stacking (6.12.63, 6.18) refuses that as one level too many. A loop device is no level, so then
 * it goes on top of a second overlay of the same measured image, mounted through one. Not beside the root's overlay, over the image
 * itself: that needs metacopy=on, which leaves files without content in the upper directory that no other boot can read.
 */
function coverDirectory(building: Building, tree: Tree, name: string, covered: Descriptor, writable: WritableLayer, source: string): Climbed<Descriptor> {
  const { decision, scratch, held } = building;
  const { plan, objects } = decision;
  try {
    const stacked = mountOverlay({ source, lower: covered, writable, verity: false, readOnly: false, attach: attachAll(scratch, writable.mount), detachedOnly: tree.rung === "detached" });
    return { value: stacked.value, rung: `stacked, ${stacked.rung}` };
  } catch (error) {
    if (!isErrno(error, ERRNO.EINVAL) || decision.image === undefined || objects === undefined) throw error;
    const looped = held.use(mountImageByLoop(decision.image, scratch));
    using top = openAt(looped, ".", O.RDONLY | O.DIRECTORY, 0);
    const below = held.use(mountOverlay({ source: plan.root.source, lower: top, data: objects, verity: plan.enforce, readOnly: true, attach: attachAll(scratch, looped) }).value);
    using lower = openAt(below, name, O.RDONLY | O.DIRECTORY | O.NOFOLLOW, BENEATH_NO_LINKS);
    const over = mountOverlay({ source, lower, writable, verity: false, readOnly: false, attach: attachAll(scratch, below, writable.mount) });
    return { value: over.value, rung: `stacked on a loop device, ${over.rung}` };
  }
}

/** With --target nothing is switched to yet, so a tree without an init program is worth a note only. */
function proveRoot(decision: Decision, tree: Tree, notes: string[]): Proof[] {
  try {
    return prove(tree.root, decision.inputs.tokens);
  } catch (error) {
    if (decision.plan.replacesSysroot || !(error instanceof SealrootError) || error.code !== "SR-E401") throw error;
    notes.push(error.message);
    return [];
  }
}

/** A convenience of systemd's; a boot does not fail for the lack of it. */
function volatile(sysroot: Descriptor, notes: string[]): string | undefined {
  try {
    return linkVolatileRoot(sysroot);
  } catch (error) {
    notes.push(`no /run/systemd/volatile-root: ${error instanceof Error ? error.message : String(error)}`);
    return undefined;
  }
}
