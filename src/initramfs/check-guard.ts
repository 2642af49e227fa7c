/** Whether the guard is there that stops a boot in which sealroot did not run. */

import type { Findings } from "./findings.ts";
import type { Tree } from "./tree.ts";
import { dropIns, programOf, readUnit, startedBy } from "./unit-file.ts";

const GUARD_UNIT = "sealroot-guard.service";
const SWITCH_UNIT = "initrd-switch-root.service";
const SHELL = "/bin/sh";

/** @param needed whether a policy asks for a verified root: then a missing guard is an error */
export function checkGuard(tree: Tree, needed: boolean, findings: Findings): void {
  const problems: string[] = [];
  const unit = readUnit(tree, GUARD_UNIT);
  const script = programOf(unit?.values.get("Service.ExecStart")?.at(-1) ?? "") ?? "/usr/lib/sealroot/guard";
  if (unit === undefined) problems.push(`${GUARD_UNIT} is not in it`);
  else if (unit.masked) problems.push(`${GUARD_UNIT} is masked`);
  else if (startedBy(tree, GUARD_UNIT).length === 0) problems.push(`nothing starts ${GUARD_UNIT}`);

  const inSwitch = readUnit(tree, SWITCH_UNIT)?.values.get("Service.ExecStartPre")?.some((command) => programOf(command) === script && !command.startsWith("-")) ?? false;
  if (!inSwitch) problems.push(`${SWITCH_UNIT} has no drop-in that runs it${dropIns(tree, SWITCH_UNIT).length > 0 ? " (others it has)" : ""}`);

  const file = tree.file(script);
  if (file === undefined || (file.inode.mode & 0o111) === 0) problems.push(`${script} is ${file === undefined ? "not in it" : "not executable"}`);
  if (tree.file(SHELL) === undefined) problems.push(`${SHELL} is not in it`);

  if (problems.length === 0) findings.ok("guard", `${unit?.path ?? GUARD_UNIT}, and a drop-in of ${SWITCH_UNIT}`);
  else findings.add(needed ? "error" : "warning", "guard", problems.join("; "), "without it a skipped or masked unit boots the bare disk; rebuild the initramfs with sealroot's dracut module");
}
