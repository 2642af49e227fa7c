/** mount.composefs with real mounts, beside the C tool: what is mounted, how, and what is in it. Its arguments are in peer-tools.test.ts. */

import { afterAll, describe, expect, test } from "bun:test";
import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { cTools, ourTools } from "../support/peer-tools.ts";
import { TemporaryDirectory } from "../support/temporary.ts";

const scratch = new TemporaryDirectory();
afterAll(() => scratch[Symbol.dispose]());
const ours = ourTools(join(scratch.path, "ours"));
const theirs = await cTools(join(scratch.path, "theirs"));

for (const name of ["tree/sub", "half", "mnt", "objects"]) mkdirSync(join(scratch.path, name), { recursive: true });
writeFileSync(join(scratch.path, "tree/large"), "large ".repeat(1000));
writeFileSync(join(scratch.path, "tree/sub/other"), "other ".repeat(100));
writeFileSync(join(scratch.path, "tree/small"), "small\n");

/** Runs in a mount namespace of its own, where `mount.composefs` is that of a directory, upper directories are empty, and so is mnt. */
function inside(tools: string, script: string): readonly [number | null, string] {
  const setup = `set -u; PATH=${tools}:$PATH; rm -rf up work; mkdir up work; exec 2>&1\n`;
  const done = Bun.spawnSync(["unshare", "--mount", "--propagation=private", "bash", "-c", setup + script], { cwd: scratch.path, stdout: "pipe", stderr: "pipe", timeout: 60_000 });
  return [done.exitCode, done.stdout.toString()];
}

const made = Bun.spawnSync([join(theirs, "mkcomposefs"), "--digest-store=objects", "tree", "image.cfs"], { cwd: scratch.path });
if (made.exitCode !== 0) throw new Error(made.stderr.toString());

/** The mount's source, type and options but for the layers, which we name by descriptor; then everything in it. */
const SHOW = `echo "status $?"; findmnt -n -o SOURCE,FSTYPE,OPTIONS mnt | sed -E 's/(lowerdir|datadir|upperdir|workdir)\\+?=[^,]*,?//g; s/ +/ /g; s/,$//'; (cd mnt && find . -printf '%p %y %m %s\\n' | sort; cat large sub/other small | sha256sum); umount mnt; grep -c "$PWD" /proc/self/mountinfo`;

describe("the mount is the C tool's", () => {
  for (const options of ["basedir=objects", "basedir=objects,ro", "basedir=objects,ro,rw", "basedir=half:objects", "basedir=objects,upperdir=up,workdir=work", "basedir=objects,verity", "basedir=objects,tryverity", "basedir=./objects,digest="]) {
    test(options, () => {
      const script = `mount.composefs -o ${options} image.cfs mnt; ${SHOW}`;
      const [exit, said] = inside(ours, script);
      expect(said).toStartWith("status 0\ncomposefs overlay ");
      expect([exit, said]).toEqual([...inside(theirs, script)]);
    });
  }

  test("what is written goes to the upper directory", () => {
    for (const tools of [ours, theirs]) expect(inside(tools, "mount.composefs -o basedir=objects,upperdir=up,workdir=work image.cfs mnt && echo new > mnt/sub/new && cat up/sub/new")).toEqual([0, "new\n"]);
  });

  test("owners through a user namespace", () => {
    const script = `unshare --user sleep 60 & sleep 0.5; echo '0 100000 65536' > /proc/$!/uid_map; echo '0 100000 65536' > /proc/$!/gid_map
mount.composefs -o basedir=objects,idmap=/proc/$!/ns/user image.cfs mnt; echo $?; stat -c %u:%g mnt/small; kill $!`;
    const [exit, said] = inside(theirs, script);
    expect(said).toBe("0\n100000:100000\n");
    expect(inside(ours, script)).toEqual([exit, said]);
  });
});

describe("nothing is left", () => {
  const left = `echo "status $?"; grep -c -e "$PWD" -e sealroot -e composefs /proc/self/mountinfo; ls -d /tmp/.composefs.* /run/sealroot/mount.* 2>/dev/null`;

  for (const [what, command] of [
    ["a store that is not there", "mount.composefs -o basedir=nowhere image.cfs mnt"], ["a mount point that is not there", "mount.composefs -o basedir=objects image.cfs nowhere"],
    ["an image that is cut off", "head -c 1100 image.cfs > cut.cfs; mount.composefs -o basedir=objects cut.cfs mnt"], ["no user namespace", "mount.composefs -o basedir=objects,idmap=tree/small image.cfs mnt"],
  ] as const) {
    test(`after ${what}`, () => {
      const [exit, said] = inside(ours, `${command}; ${left}`);
      expect(said).toMatch(/^mount\.composefs: Failed to mount composefs [^\n]+\n\nstatus 1\n0\n$/);
      expect([exit, said.split("\n")[0]]).toEqual([exit, inside(theirs, command)[1].split("\n")[0]]);
    });
  }

  test("after an upper directory that is a file, of which ours says so", () => {
    const command = "mount.composefs -o basedir=objects,upperdir=tree/small,workdir=work image.cfs mnt";
    expect(inside(theirs, command)[1]).toBe("mount.composefs: Failed to mount composefs image.cfs: Invalid argument\n\n");
    expect(inside(ours, `${command}; ${left}`)[1]).toBe("mount.composefs: Failed to mount composefs image.cfs: Not a directory\n\nstatus 1\n0\n");
  });

  test("after one that worked and was unmounted", () => {
    expect(inside(ours, `mount.composefs -o basedir=objects image.cfs mnt && umount mnt; ${left}`)[1]).toBe("status 0\n0\n");
  });
});
