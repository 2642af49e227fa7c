/** What the systemd versions of three Debian releases say of the units. */

import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { join } from "node:path";
import { type DracutTree, dracutTree, layOut, put, type Release } from "../support/dracut-tree.ts";
import { TemporaryDirectory } from "../support/temporary.ts";
import { inTree } from "../vm/lab/tree.ts";

const directory = new TemporaryDirectory();
afterAll(() => directory[Symbol.dispose]());

/** In an initramfs it is made by systemd-fstab-generator from root=. */
const SYSROOT_MOUNT = "[Unit]\nDefaultDependencies=no\n[Mount]\nWhat=/dev/null\nWhere=/sysroot\n";

describe.each<[Release, number]>([["bookworm", 252], ["trixie", 257], ["forky", 262]])("Debian %s, systemd %i", (release) => {
  let tree: DracutTree;
  beforeAll(async () => {
    tree = await dracutTree(release);
  }, 1_200_000);

  test("systemd-analyze verify has nothing to complain about", async () => {
    const layer = join(directory.path, release);
    layOut(layer);
    put(layer, { "usr/lib/systemd/system/sysroot.mount": SYSROOT_MOUNT });
    const script = 'install -D -m 755 /usr/lib/dracut/modules.d/37sealroot/guard.sh /usr/lib/sealroot/guard; SYSTEMD_LOG_LEVEL=info exec systemd-analyze verify --man=no "$@" 2>&1';
    const said = await inTree(tree.root, ["sh", "-ec", script, "sh", "sealroot-setup-root.service", "sealroot-guard.service", "initrd-switch-root.service"], { layers: [layer] });
    expect(said).toBe("");
  }, 600_000);
});

test("the guard runs in the shells that an initramfs has: dash, bash, busybox", async () => {
  const { root } = await dracutTree("trixie");
  const layer = join(directory.path, "guard");

  layOut(layer, ["dist/sealroot"]);
  put(layer, {
    "bad/proc/cmdline": 'quiet x="a b" composefs=12\n',
    "good/proc/cmdline": 'quiet x="a composefs=12" y\n',
  });
  const guard = "/usr/lib/dracut/modules.d/37sealroot/guard.sh";
  for (const shell of ["dash", "bash", "busybox sh"]) {
    const script = `${shell} ${guard} /good; if ${shell} ${guard} /bad 2>/tmp/said; then exit 1; else echo $?; fi; grep -c SR-E610 /tmp/said`;
    expect(await inTree(root, ["sh", "-ec", script], { layers: [layer] })).toBe("75\n1");
  }
}, 600_000);
