/** A plan and a boot in words. Pure. */

import type { Decision } from "./decide.ts";
import type { Plan, Signed } from "./plan.ts";

/** e.g. "/etc overlay, /var bind"; what is mounted further down is the deployment's own affair */
const directories = (plan: Plan): string => plan.directories.filter(({ name }) => !name.includes("/")).map(({ name, mount }) => `/${name} ${mount}`).join(", ");

/** e.g. "commit 0123456789ab… signed by key 456789abcdef…" */
const signer = ({ commit, keys }: Signed): string =>
  `${commit === null ? "the digest" : `commit ${commit.slice(0, 12)}…`} signed by ${keys.length === 1 ? `key ${(keys[0] ?? "").slice(0, 12)}…` : `${keys.length} keys`}`;

/** When a commit was made, in UTC where it is a date at all. */
export const signedTime = ({ timestamp }: Signed): string | undefined =>
  timestamp === null ? undefined : typeof timestamp === "number" && timestamp <= 8.64e12 ? new Date(timestamp * 1000).toISOString().replace(".000Z", "Z") : `${timestamp} seconds after 1970`;

/** One line for the journal and the terminal. */
export function summarise({ plan }: Decision): string {
  const signed = plan.signed === undefined ? "" : `${signer(plan.signed)}; `;
  const how = plan.enforce ? `${signed}the kernel verifies every read` : "NOT VERIFIED";
  const deployment = plan.deployment === undefined ? "" : `, deployment ${plan.deployment.commit.slice(0, 12)}….${plan.deployment.serial} of ${plan.deployment.stateroot}`;
  return `sealroot: / is ${plan.root.source}${deployment} (${how})${plan.root.transient ? ", changes are gone at power off" : ""}; ${directories(plan)}`;
}

/** What a person should know although the boot goes on. */
export function remarks({ inputs, passedOver, evidence }: Decision): string[] {
  return [
    ...inputs.skipped.map(({ text, explanation }) => `skipped ${text}  (${explanation})`),
    ...passedOver.map(({ argument, reason }) => `passed over ${argument.text}  (${reason})`),
    ...(evidence?.problems ?? []).map((problem) => `not used: ${problem}`),
    ...inputs.warnings.map(({ path, line, key, message }) => `${path}${line === undefined ? "" : `, line ${line}`}: ${key}: ${message}`),
  ];
}

/** The mounts as aligned rows: target, filesystem, source, options, and the reason behind a `#`. */
export function planRows(plan: Plan): string[] {
  const rows = plan.mounts.map(({ target, filesystem, source, options, reason }) => [target, filesystem, source, options.join(","), `# ${reason}`]);
  const widths = [0, 1, 2, 3].map((column) => Math.max(...rows.map((row) => (row[column] ?? "").length)));
  return rows.map((row) => row.map((cell, column) => cell.padEnd(widths[column] ?? 0)).join("  "));
}
