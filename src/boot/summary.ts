/** A plan and a boot in words. Pure. */

import type { Decision } from "./decide.ts";
import type { Plan } from "./plan.ts";

/** e.g. "/etc overlay, /var bind" */
const directories = (plan: Plan): string => plan.directories.map(({ name, mount }) => `/${name} ${mount}`).join(", ");

/** One line for the journal and the terminal. */
export function summarise({ plan }: Decision): string {
  const how = plan.enforce ? "the kernel verifies every read" : "NOT VERIFIED";
  return `sealroot: / is ${plan.root.source} (${how})${plan.root.transient ? ", changes are gone at power off" : ""}; ${directories(plan)}`;
}

/** What a person should know although the boot goes on. */
export function remarks({ inputs, passedOver }: Decision): string[] {
  return [
    ...inputs.skipped.map(({ text, explanation }) => `skipped ${text}  (${explanation})`),
    ...passedOver.map(({ argument, reason }) => `passed over ${argument.text}  (${reason})`),
    ...inputs.warnings.map(({ path, line, key, message }) => `${path}${line === undefined ? "" : `, line ${line}`}: ${key}: ${message}`),
  ];
}

/** The mounts as aligned rows: target, filesystem, source, options, and the reason behind a `#`. */
export function planRows(plan: Plan): string[] {
  const rows = plan.mounts.map(({ target, filesystem, source, options, reason }) => [target, filesystem, source, options.join(","), `# ${reason}`]);
  const widths = [0, 1, 2, 3].map((column) => Math.max(...rows.map((row) => (row[column] ?? "").length)));
  return rows.map((row) => row.map((cell, column) => cell.padEnd(widths[column] ?? 0)).join("  "));
}
