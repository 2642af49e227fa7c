/** What is mounted at /etc and /var once policy, layout and kernel command line are put together. */

import type { DirectoryPolicy, MountKind, Policy, TransientLimits } from "./policy.ts";

/** Whose defaults and whose places hold: composefs-setup-root's or bootc's. */
export type Layout = "composefs" | "bootc";

export interface EffectiveMount {
  readonly mount: MountKind;
  readonly limits: TransientLimits;
  /** Why this one, for `sealroot plan`. */
  readonly reason: string;
}

export interface EffectiveMounts {
  readonly etc: EffectiveMount;
  readonly var: EffectiveMount;
}

/**
 * Defaults: /var is bound; /etc is an overlay with composefs-setup-root and bound with bootc.
 *
 * With `systemd.volatile=state` or `overlay` systemd mounts a tmpfs on /var itself, later; so where the
 * configuration says nothing about /var, nothing is put there. bootc's rule, used in both layouts,
 * because systemd does the same in both. `yes` leaves /var alone, as in bootc.
 *
 * @param volatile the last value of `systemd.volatile`, undefined if absent
 */
export function effectiveMounts(policy: Pick<Policy, "etc" | "var">, layout: Layout, volatile: string | undefined): EffectiveMounts {
  const choose = ({ mount, limits }: DirectoryPolicy, fallback: MountKind): EffectiveMount =>
    mount === undefined
      ? { mount: fallback, limits, reason: `default of the ${layout} layout` }
      : { mount, limits, reason: "set in the configuration" };
  const etc = choose(policy.etc, layout === "bootc" ? "bind" : "overlay");
  if (policy.var.mount === undefined && (volatile === "state" || volatile === "overlay")) {
    return { etc, var: { mount: "none", limits: policy.var.limits, reason: `left to systemd: systemd.volatile=${volatile}` } };
  }
  return { etc, var: choose(policy.var, "bind") };
}
