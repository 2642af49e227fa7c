/** Checking and repairing a repository where the kernel has fs-verity: it measures, it notices a byte that changed on the disk, and repaired objects have it again. */

import { CATALOGUE } from "../../src/errors/index.ts";
import { expect } from "bun:test";
import { type Checked, onKernels } from "./lab/suite.ts";

/** Three files that become objects; the good copy lies on a tmpfs, which has no fs-verity. */
const MAKE = `mkdir -p rootfs && i=0
for name in flipped bare other; do i=$((i + 1)); yes "the content of $name, which no other file has" | head -n 200 > rootfs/$name; done
rm -rf composefs.new
{ sealroot repo init --algorithm sha256 composefs.new
sealroot image create --recipe mkcomposefs --repo composefs.new --name system rootfs; } > /run/created
cp -a composefs.new /run/good
object() { grep -rl "content of $1," composefs.new/objects; }
bare=$(object bare); cp "$bare" copy && mv -f copy "$bare"
other=$(object other); rm "$other"; echo "other content" > "$other"
rm -r rootfs; sync
for at in $(busybox strings -t d -n 40 "$DISK" | sed -n "s/^ *\\([0-9]*\\) the content of flipped, .*/\\1/p"); do
  i=$((i + 1)); [ $((i % 40)) -eq 0 ] && printf X | dd of="$DISK" bs=1 seek="$at" conv=notrunc 2> /dev/null
done
sync; echo 3 > /proc/sys/vm/drop_caches
{ sealroot fsck --repo composefs.new --json; echo "first $?"
sealroot fsck --repo composefs.new --quick; echo "quick $?"
sealroot fsck --repo composefs.new --repair /run/good; echo "repair $?"
echo 3 > /proc/sys/vm/drop_caches
sealroot fsck --repo composefs.new --json; echo "second $?"
sealroot gc --repo composefs.new --sysroot none; echo "gc $?"
sealroot fsck --repo composefs.new; echo "last $?"
sealroot karg --repo composefs.new system; } > /run/made 2>&1 || :`;

const DAMAGED = CATALOGUE["SR-E540"].exit;

const cases: Record<string, Checked> = {
  "checked and repaired on ext4": {
    make: ({ ext4 }) => ({ disk: ext4.path, filesystem: "ext4", cmdline: "quiet", prepare: MAKE, facts: "cat /run/made" }),
    check: ({ facts }) => {
      const reports = [...facts.matchAll(/^\{\n[\s\S]*?\n\}$/gm)].map(([text]) => JSON.parse(text) as { ok: boolean; checked: { objects: number; measured: number }; problems: { fault: string; found: string; hurts: { files: string[] }[] }[] });
      const [first, second] = reports;
      const faults = (first?.problems ?? []).map(({ fault, hurts }) => [hurts[0]?.files[0], fault]);
      expect(Object.fromEntries(faults)).toEqual({ "/flipped": "unreadable", "/bare": "no fs-verity", "/other": "digest" });
      // all repaired objects, and the image, have fs-verity; a quick look sees only that one has another size
      expect(second).toMatchObject({ ok: true, problems: [], checked: { objects: 4, measured: 4 } });
      for (const line of [`first ${DAMAGED}`, `quick ${DAMAGED}`, "repair 0", "second 0", "gc 0", "last 0"]) expect(facts).toContain(`${line}\n`);
      expect(facts).toMatch(/composefs\.digest=v1-sha256-12:[0-9a-f]{64}\n$/);
    },
  },
};

onKernels("repository", cases, ["6.12"]);
