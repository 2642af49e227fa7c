/** Whether the command line inside a unified kernel image names an image that this version would boot. */

import { allValues, parseImageArguments, splitCommandLine } from "../cmdline-parser/index.ts";
import { startsFor } from "./check-helper.ts";
import type { BootPolicy } from "./check-policy.ts";
import type { Findings } from "./findings.ts";
import type { Helper } from "./helpers.ts";
import { isBefore } from "./modules.ts";
import type { Tree } from "./tree.ts";

/** COMMAND_LINE_SIZE of x86 and arm64, without its NUL: the kernel cuts off the rest. */
const LONGEST = 2047;
const REBUILD_UKI = "build the image again with the argument that the image builder printed";

export interface CommandLineContext {
  readonly tree: Tree;
  readonly helper: Helper | undefined;
  readonly boot: BootPolicy | undefined;
  readonly release: string | undefined;
}

export function checkCommandLine(commandLine: string, { tree, helper, boot, release }: CommandLineContext, findings: Findings): void {
  const { candidates, skipped } = parseImageArguments(commandLine);
  for (const { text, explanation } of skipped) {
    findings.add(candidates.length === 0 ? "error" : "warning", "command line", `${text}: ${explanation}`, candidates.length === 0 ? REBUILD_UKI : undefined);
  }
  if (candidates.length === 0) {
    // a policy that cannot be read is an error already, and what the command line names rests with it
    if (skipped.length > 0 || boot === undefined) return;
    const { deployment, demandsVerity, wish } = boot;
    const asksForComposefs = demandsVerity || wish !== "no";
    if (deployment === undefined) findings.error("command line", "it names no image: neither composefs.digest= nor composefs= is on it", REBUILD_UKI);
    else if (asksForComposefs && wish === "maybe" && !demandsVerity) findings.warning("command line", `${deployment}, an OSTree deployment, which decides itself whether it is booted with composefs: enabled is maybe`);
    else if (asksForComposefs) findings.ok("command line", `${deployment}, an OSTree deployment`);
    else findings.error("command line", `${deployment} names an OSTree deployment, and nothing in it asks for composefs`, "set enabled in prepare-root.conf, and rebuild the initramfs");
    return;
  }
  for (const { text, insecure, offset } of candidates) {
    if (offset + Buffer.byteLength(text) > LONGEST) findings.error("command line", `${text}: stands beyond the ${LONGEST} bytes that the kernel reads`, "shorten the command line");
    else if (!insecure) findings.ok("command line", text);
    else if (boot?.trust?.insecureArgument === false) findings.error("command line", `${text}: the policy does not allow \`?\``, "leave `?` out, or set insecure-argument in the policy");
    else findings.warning("command line", `${text}: verity is optional, what is booted may be unverified`);
  }
  if (helper !== undefined && !candidates.some(({ key }) => startsFor(tree, helper.unit, key))) {
    const keys = [...new Set(candidates.map(({ key }) => `${key}=`))].join(", ");
    findings.error("command line", `the conditions of ${helper.unit.name} do not hold for ${keys}: it is skipped`, "use the spelling that its conditions name");
  }
  if (release !== undefined && isBefore(release, 6, 6) && candidates.every(({ insecure }) => !insecure)) {
    findings.error("command line", `kernel ${release} cannot enforce verity, and no argument allows to do without`, "take a kernel of 6.6 or later");
  }
  checkDetours(commandLine, helper, findings);
}

/** Arguments that lead the boot around the helper. */
function checkDetours(commandLine: string, helper: Helper | undefined, findings: Findings): void {
  const tokens = splitCommandLine(commandLine);
  const ours = new Set(["sealroot-guard.service", "sealroot-setup-root.service", ...(helper === undefined ? [] : [helper.unit.name])]);
  for (const key of ["rd.systemd.mask", "systemd.mask"]) {
    for (const value of allValues(tokens, key)) {
      if (ours.has(value) || ours.has(`${value}.service`)) findings.error("command line", `${key}=${value} keeps the root from being mounted`, "remove it");
    }
  }
  for (const key of ["rdinit", "rd.systemd.unit", "rd.break"]) {
    if (tokens.some((token) => token.key === key)) findings.warning("command line", `${key} starts something else than the ordinary boot`);
  }
}
