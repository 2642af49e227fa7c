/** ACLs and file capabilities as their own programs set them, from a directory: our image is the C tool's, and what is mounted has them. */

import { afterAll, expect, test } from "bun:test";
import { mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { readImage } from "../../src/erofs/index.ts";
import { binaryOf, ROOT, type Tree } from "../../src/tree/index.ts";
import { debianProgram } from "../support/debian-program.ts";
import { cTools, ourTools } from "../support/peer-tools.ts";
import { TemporaryDirectory } from "../support/temporary.ts";
import { output, run } from "../vm/lab/run.ts";

const scratch = new TemporaryDirectory();
afterAll(() => scratch[Symbol.dispose]());
const tools = { ours: ourTools(join(scratch.path, "ours")), theirs: await cTools(join(scratch.path, "theirs")) };
for (const [program, name] of [["setfacl", "acl"], ["getfacl", "acl"], ["setcap", "libcap2-bin"], ["getcap", "libcap2-bin"]] as const) debianProgram(program, name);

const tree = join(scratch.path, "tree");
const plain = join(scratch.path, "plain");
for (const path of [tree, plain]) {
  mkdirSync(join(path, "shared/below"), { recursive: true });
  for (const name of ["file", "large", "shared/inherits", "ping"]) writeFileSync(join(path, name), name.repeat(name === "file" ? 1 : 100));
}
// entries of users, groups and masks; one directory whose default is another than its own; what is made below it inherits
await run(["sh", "-ec", `
setfacl -m u:1000:rw-,g:70000:r--,m::rw- file
setfacl -m u:4294967294:--x large
setfacl -m u:1000:rwx shared
setfacl -d -m u:1000:rwx,g:100:r-x,o::--- shared
mkdir shared/made; echo made > shared/made/file
setfacl -d -m u::r-x shared/below
chmod 755 ping; setcap cap_net_raw,cap_net_admin+ep ping; setcap -n 100000 cap_sys_admin=i large`], { cwd: tree });

interface Held {
  readonly path: string;
  readonly names: readonly string[];
}

function xattrsOf(read: Tree): Held[] {
  const held: Held[] = [];
  for (let inode = ROOT; inode < read.inodes.count; inode++) {
    const names = read.inodes.xattrs(inode).map(({ name }) => name).filter((name) => !name.startsWith("security.selinux"));
    if (names.length > 0) held.push({ path: read.path(inode).map((name) => binaryOf(name)).join("/"), names: names.toSorted() });
  }
  return held.toSorted((a, b) => (a.path < b.path ? -1 : 1));
}

const FLAGS_AT = 8;
const made = (name: string): Uint8Array => new Uint8Array(readFileSync(join(scratch.path, name)));

test.each([[], ["--min-version=1"], ["--use-epoch"], ["--user-xattrs"], ["--skip-xattrs"]].map((options) => ({ options })))("the image is the C tool's: $options", async ({ options }) => {
  for (const [name, path] of Object.entries(tools)) await run([join(path, "mkcomposefs"), ...options, tree, join(scratch.path, `${name}.image`)]);
  expect(Buffer.compare(made("ours.image"), made("theirs.image"))).toBe(0);
});

test("all of them are in it, and the header says that there are ACLs", async () => {
  await run([join(tools.ours, "mkcomposefs"), tree, join(scratch.path, "image")]);
  expect(xattrsOf(readImage(made("image")).tree)).toEqual([
    { path: "file", names: ["system.posix_acl_access"] },
    { path: "large", names: ["security.capability", "system.posix_acl_access"] },
    { path: "ping", names: ["security.capability"] },
    { path: "shared", names: ["system.posix_acl_access", "system.posix_acl_default"] },
    { path: "shared/below", names: ["system.posix_acl_default"] },
    { path: "shared/made", names: ["system.posix_acl_access", "system.posix_acl_default"] },
    { path: "shared/made/file", names: ["system.posix_acl_access"] },
  ]);
  expect(made("image")[FLAGS_AT]).toBe(1);
  await run([join(tools.ours, "mkcomposefs"), plain, join(scratch.path, "image.plain")]);
  expect(made("image.plain")[FLAGS_AT]).toBe(0);
});

test("what is mounted has them, as their programs show it", async () => {
  const show = "find . | sort | getfacl -n - && getcap -r -n . | sort";
  const expected = await output(["sh", "-ec", show], { cwd: tree });
  for (const word of ["user:1000:rw-", "group:70000:r--", "default:user:1000:rwx", "user:4294967294:--x", "ping cap_net_admin,cap_net_raw=ep", "[rootid=100000]"]) expect(expected).toContain(word);
  const script = `mkdir -p mnt store; "$0/mkcomposefs" --digest-store=store tree mounted.image; "$0/mount.composefs" -o basedir=store mounted.image mnt; cd mnt; ${show}`;
  expect(await output(["unshare", "--mount", "--propagation=private", "sh", "-ec", script, tools.ours], { cwd: scratch.path })).toBe(expected);
});
