/** Where a command looks for what needs an image: the options of gc, fsck and image ls. */

import { type DeployedMachine, findDeployed, physicalRootOf } from "../deployments/index.ts";
import { realpathSync } from "node:fs";
import type { OptionSpec, ParsedArguments } from "../terminal/index.ts";

export const DEPLOYED_OPTIONS = {
  sysroot: { kind: "value", value: "DIR", help: "the physical root with state/deploy and boot (default: where the repository is composefs); none: no machine's" },
  boot: { kind: "value", value: "DIR", repeat: true, help: "a boot partition with entries (default: boot, boot/efi and efi of the physical root)" },
} satisfies Readonly<Record<string, OptionSpec>>;

/** @param repository as it was opened @throws SealrootError SR-E542 */
export function deployedOf(parsed: ParsedArguments, repository: string): DeployedMachine {
  const named = parsed.value("sysroot");
  const sysroot = named === "none" ? undefined : (named ?? physicalRootOf(realpathSync(repository)));
  return findDeployed(sysroot, parsed.all("boot"));
}
