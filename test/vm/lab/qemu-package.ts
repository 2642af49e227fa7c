/**
 * QEMU as Debian trixie packages it, unpacked beside the other trees and run with its own libraries.
 *
 * Debian 12's own QEMU 7.2 emulates the same boots a third slower.
 */

import { join } from "node:path";
import { cached } from "./cache.ts";
import { hostPackages } from "./host.ts";
import { step } from "./progress.ts";
import { bootstrap, foreign } from "./tree.ts";

/** The start of QEMU's command line: program and firmware directories. */
export async function qemuCommand(): Promise<readonly string[]> {
  const options = ["--variant=extract", "--include=qemu-system-x86,seabios"];
  const root = await cached("qemu", ["trixie", ...options], async (directory) => {
    await hostPackages();
    await step("QEMU", () => bootstrap("trixie", options, join(directory, "root")));
  }).then((directory) => join(directory, "root"));
  return [
    ...foreign(root, join(root, "usr/bin/qemu-system-x86_64"), [join(root, "usr/lib")]),
    ...["usr/share/qemu", "usr/share/seabios", "usr/share/ipxe"].flatMap((path) => ["-L", join(root, path)]),
  ];
}
