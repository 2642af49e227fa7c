/** Where a command looks for what needs an image: the options of gc, fsck and image ls. */

import { existsSync, realpathSync } from "node:fs";
import { type Deployed, type DeployedMachine, findDeployed, physicalRootOf } from "../deployments/index.ts";
import { asSealrootError, type OptionSpec, type ParsedArguments } from "../terminal/index.ts";

export const DEPLOYED_OPTIONS = {
  sysroot: { kind: "value", value: "DIR", help: "the physical root with state/deploy and boot (default: where the repository is composefs); none: no machine's" },
  boot: { kind: "value", value: "DIR", repeat: true, help: "a boot partition with entries, looked at beside boot, boot/efi, efi and boot/firmware of the physical root" },
} satisfies Readonly<Record<string, OptionSpec>>;

/** @param repository as it was opened @throws SealrootError SR-E542 */
export function deployedOf(parsed: ParsedArguments, repository: string): DeployedMachine {
  const named = parsed.value("sysroot");
  const path = realpathSync(repository);
  // mount points in it are looked for by their paths in the kernel's table
  const sysroot = named === "none" ? undefined : named === undefined ? physicalRootOf(path) : existsSync(named) ? realpathSync(named) : named;
  return findDeployed(path, sysroot, parsed.all("boot"));
}

/** The same for whoever removes nothing: what a boot entry keeps that cannot be read is for gc to know; here it is only said. */
export function deployedIfKnown(parsed: ParsedArguments, repository: string): Deployed & Pick<DeployedMachine, "streams"> {
  try {
    return deployedOf(parsed, repository);
  } catch (thrown) {
    const error = asSealrootError(thrown);
    if (error.code !== "SR-E542") throw thrown;
    return { images: [], streams: [], places: [], notes: [`who needs the images is not known: ${error.details.map(([, text]) => text).join(": ")}`] };
  }
}
