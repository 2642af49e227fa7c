/** fsck.erofs of Debian forky, with forky's own libraries: the one that images of today are checked with. */

import { join } from "node:path";
import { dependencies, unpack } from "../vm/lab/archive.ts";
import { cached } from "../vm/lab/cache.ts";
import { hostPackages } from "../vm/lab/host.ts";
import { step } from "../vm/lab/progress.ts";

/** The command, to which the image's path is added. */
export async function fsckErofs(): Promise<readonly string[]> {
  await hostPackages();
  const directory = await cached("erofs-utils", ["forky", "1"], (target) =>
    step("erofs-utils", async () => unpack("forky", await dependencies("forky", "erofs-utils", /^(?:erofs-utils|lib[a-z0-9+.-]+|zlib1g|gcc-[0-9]+-base)$/), target)),
  );
  return [join(directory, "usr/lib64/ld-linux-x86-64.so.2"), "--library-path", join(directory, "usr/lib/x86_64-linux-gnu"), join(directory, "usr/bin/fsck.erofs")];
}
