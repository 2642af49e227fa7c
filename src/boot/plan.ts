/**
 * The plan: one value that lists every mount with its source, options and the reason. `sealroot plan` prints it, setup-root
 * performs it. Pure.
 */

import type { ImageArgument } from "../cmdline-parser/index.ts";
import type { Layout, MountKind, TransientLimits, TrustLevel } from "../config/index.ts";
import type { Voucher } from "../trust/index.ts";
import type { Step } from "./blame.ts";

export interface PlannedMount {
  /** Path in the new root; "(layer)" for what only the overlay sees. */
  readonly target: string;
  readonly filesystem: "erofs" | "overlay" | "bind" | "tmpfs";
  readonly source: string;
  readonly options: readonly string[];
  readonly reason: string;
}

export interface DirectoryPlan {
  /** Path in the new root. */
  readonly name: string;
  readonly mount: MountKind;
  readonly limits: TransientLimits;
  /** What is bound, or holds the upper layer: a path below the physical root. */
  readonly source?: string | undefined;
  /** The directory of the image that an overlay covers; default `name` itself. */
  readonly covers?: string;
}

/** What fails when this directory cannot be had, before anything is mounted or after. */
export const directoryStep = ({ name, mount }: Pick<DirectoryPlan, "name" | "mount">): Step => ({ name: `mount /${name} (${mount})`, code: "SR-E306", unreadable: "SR-E214" });

/** The OSTree deployment whose image is mounted. */
export interface DeploymentPlan {
  /** As on the kernel command line. */
  readonly argument: string;
  readonly stateroot: string;
  readonly commit: string;
  readonly serial: number;
  /** The file that holds the key by which its commit was verified, for /run/ostree-booted; at level "signed". */
  readonly key: string | undefined;
}

export interface RootPlan {
  /** What mountinfo shows as the source of `/`. */
  readonly source: string;
  /** A writable layer on a tmpfs inside the same overlay. */
  readonly transient: boolean;
  readonly readOnly: boolean;
  readonly limits: TransientLimits;
}

/** Who vouches for the image, as reports have it. */
export interface Signed {
  /** Commit id; null where the bare digest was signed. */
  readonly commit: string | null;
  /** Ids of the keys whose signatures were verified, as many as the policy's threshold. */
  readonly keys: readonly string[];
  readonly origin: string;
  /** Seconds since 1970; text when it is beyond what a JSON number holds; null for a bare digest, which carries no date. */
  readonly timestamp: number | string | null;
}

export function describeVoucher(voucher: Voucher | undefined): Signed | undefined {
  if (voucher === undefined) return undefined;
  const { commitId, keyIds, origin, timestamp } = voucher;
  const time = timestamp === undefined ? null : timestamp <= BigInt(Number.MAX_SAFE_INTEGER) ? Number(timestamp) : String(timestamp);
  return { commit: commitId ?? null, keys: keyIds, origin, timestamp: time };
}

export interface Plan {
  readonly layout: Layout;
  readonly sysroot: string;
  /** Where the new root goes. */
  readonly target: string;
  /** Whether it takes the place of the sysroot's mount. */
  readonly replacesSysroot: boolean;
  /** --root-fs: the tree that takes the place of an image. */
  readonly rootFs: string | undefined;
  /** Absent with --root-fs, and for a deployment. */
  readonly argument: ImageArgument | undefined;
  readonly deployment?: DeploymentPlan;
  readonly level: TrustLevel;
  /** verity=require on the overlay */
  readonly enforce: boolean;
  /** At level "signed". */
  readonly signed?: Signed | undefined;
  readonly root: RootPlan;
  readonly sysrootReadOnly: boolean;
  readonly directories: readonly DirectoryPlan[];
  /** `state/deploy/<digest>`, or the deployment's directory, with its sysroot; absent when no directory needs it. */
  readonly state: string | undefined;
  readonly mounts: readonly PlannedMount[];
}

const limitOptions = ({ size, inodes }: TransientLimits): string[] => [
  ...(size === undefined ? [] : [`size=${size}`]),
  ...(inodes === undefined ? [] : [`nr_inodes=${inodes}`]),
];

const KIND_REASONS: Readonly<Record<Exclude<MountKind, "none">, string>> = {
  bind: "the deployment's own, writable",
  overlay: "the image's, with the deployment's changes on top",
  transient: "the image's, with changes that are gone at power off",
};

const TRANSIENT_REASON = "changes to / that are gone at power off";

/** The mounts of a plan in the order in which they are made. */
export function listMounts(plan: Omit<Plan, "mounts">, image: string | undefined, repository: string | undefined): PlannedMount[] {
  const mounts: PlannedMount[] = [];
  const { root, enforce } = plan;
  if (image !== undefined && repository !== undefined) {
    mounts.push({ target: "(layer)", filesystem: "erofs", source: image, options: ["ro"], reason: enforce ? "the kernel measured this file; it checks every read" : "not verified" });
    if (root.transient) mounts.push({ target: "(layer)", filesystem: "tmpfs", source: "tmpfs", options: limitOptions(root.limits), reason: TRANSIENT_REASON });
    mounts.push({
      target: "/",
      filesystem: "overlay",
      source: root.source,
      options: [...(root.readOnly ? ["ro"] : ["rw"]), "metacopy=on", "redirect_dir=on", ...(enforce ? ["verity=require"] : []), `datadir+=${repository}/objects`],
      reason: enforce ? "the kernel holds every object against the digest in the image" : "objects are not verified",
    });
  } else {
    const source = plan.rootFs ?? "";
    mounts.push({ target: root.transient ? "(layer)" : "/", filesystem: "bind", source, options: [], reason: "--root-fs" });
    if (root.transient) {
      mounts.push({ target: "(layer)", filesystem: "tmpfs", source: "tmpfs", options: limitOptions(root.limits), reason: TRANSIENT_REASON });
      mounts.push({ target: "/", filesystem: "overlay", source: root.source, options: [root.readOnly ? "ro" : "rw"], reason: "nothing is verified" });
    }
  }
  mounts.push({ target: "/sysroot", filesystem: "bind", source: plan.sysroot, options: plan.sysrootReadOnly ? ["ro"] : [], reason: "the physical root" });
  for (const { name, mount, limits, source } of plan.directories) {
    if (mount === "none") continue;
    mounts.push({
      target: `/${name}`,
      filesystem: mount === "bind" ? "bind" : "overlay",
      source: mount === "transient" ? "transient" : `${plan.sysroot.replace(/\/+$/, "")}/${source ?? ""}`,
      options: mount === "transient" ? limitOptions(limits) : [],
      reason: KIND_REASONS[mount],
    });
  }
  return mounts;
}
