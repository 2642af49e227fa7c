/**
 * A Debian tree with OSTree in it: forky's, since only from there on Debian builds it with composefs. It is the system that is
 * deployed, the place where the real `ostree` runs, and where dracut finds OSTree's own module.
 */

import { join } from "node:path";
import { cached } from "./cache.ts";
import { hostPackages } from "./host.ts";
import { step } from "./progress.ts";
import { bootstrap, SYSTEM_PACKAGES, WITHOUT } from "./tree.ts";

const PACKAGES = [...SYSTEM_PACKAGES, "ostree", "ostree-boot"];

export function ostreeTree(): Promise<string> {
  const options = ["--variant=minbase", ...WITHOUT, `--include=${PACKAGES.join(",")}`];
  return cached("debian-ostree", ["forky", ...options, "1"], async (directory) => {
    await hostPackages();
    await step("Debian forky tree with OSTree (mmdebstrap)", () => bootstrap("forky", options, join(directory, "root")));
  }).then((directory) => join(directory, "root"));
}
