/** A tree in which everything is fixed, times and owners too, so that its digests can be written down: every type of file, and the root of a system. */

import { chmodSync, chownSync, linkSync, lstatSync, lutimesSync, mkdirSync, readdirSync, symlinkSync, truncateSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { O, openPath, setXattr } from "../../src/linux/index.ts";

/** Bytes that no two files share. */
const content = (length: number, seed: number): Uint8Array => new Uint8Array(length).map((_, index) => index * 31 + (index >> 8) * seed + seed);

const label = (name: string): string => `system_u:object_r:${name}_t:s0`;

/** A policy with what such files have: types, alternatives, classes, escapes, bytes, no label, and a path that stands for another. */
const FILE_CONTEXTS = [
  "# comment", `/.*\t\t${label("default")}`, `/\t-d\t${label("root")}`, `/usr(/.*)?\t${label("usr")}`, `/usr/bin(/.*)?\t${label("bin")}`, `/usr/lib(/.*)?\t${label("lib")}`,
  `/usr/lib/modules(/.*)?\t--\t${label("modules_object")}`, `/etc\t-d\t${label("etc")}`, `/etc/.*\t\t${label("etc")}`, `/etc/size-[46]+\t--\t${label("sized")}`, "/etc/size-0\t--\t<<none>>",
  `/b/(link|fifo)\t${label("lf")}`, `/b/[^/]*too\t--\t${label("too")}`, `/b/whiteout\t-c\t${label("wh")}`, `/b/term.{2,5}\t-c\t${label("tty")}`, `/b/\\xff.*\t${label("odd")}`,
  `(/usr)?/sysroot\t-d\t${label("sys")}`, `/boot\t${label("boot")}`, `/alias/.*\t${label("aliased")}`, `/usr/lib/spars?e\t--\t${label("sparse")}`,
  `/usr/lib/modules/a-name-that-fills-directories-1[[:digit:]]\t--\t${label("digits")}`, `/usr/lib/modules/a-name\\-that\\-fills\\-directories\\-2[0-9]{2}\t--\t${label("many")}`, "",
].join("\n");

function writePolicy(top: string): void {
  const files = join(top, "etc/selinux/targeted/contexts/files");
  mkdirSync(files, { recursive: true });
  writeFileSync(join(top, "etc/selinux/config"), "# SELINUXTYPE=no\nSELINUX=enforcing\n selinuxtype = targeted \n");
  writeFileSync(join(files, "file_contexts"), FILE_CONTEXTS);
  writeFileSync(join(files, "file_contexts.local"), `/usr/lib/large -- ${label("large")}\n`);
  writeFileSync(join(files, "file_contexts.subs"), "/etc/a /alias\n");
}

/** @param top made; needs root, for devices and owners @param policy whether it has an SELinux policy */
export function writeFixedTree(top: string, policy = false): void {
  const at = (path: string): string => join(top, path);
  for (const path of ["usr/bin", "usr/lib/modules", "boot/loader", "sysroot/ostree", "run/left", "etc/a/deep", "b"]) mkdirSync(at(path), { recursive: true });
  writeFileSync(at("usr/bin/program"), content(100_000, 3));
  for (const path of ["usr/lib/other-name", "run/left/program", "b/z", "etc/a/deep/first"]) linkSync(at("usr/bin/program"), at(path));
  writeFileSync(at("usr/lib/large"), content(3_000_001, 5));
  for (const size of [0, 1, 64, 65, 4096, 4097]) writeFileSync(at(`etc/size-${size}`), content(size, size));
  linkSync(at("etc/size-64"), at("b/small-too"));
  linkSync(at("etc/size-0"), at("b/empty-too"));
  writeFileSync(at("usr/lib/sparse"), "begin");
  truncateSync(at("usr/lib/sparse"), 300_000);
  writeFileSync(Buffer.concat([Buffer.from(at("b/")), Buffer.from([0xff, 0x0a, 0x20, 0x5c])]), "odd");
  symlinkSync("../usr/bin", at("b/link"));
  for (let index = 0; index < 300; index++) writeFileSync(at(`usr/lib/modules/a-name-that-fills-directories-${index}`), "");
  const made = Bun.spawnSync(["sh", "-c", "mknod b/whiteout c 0 0; mknod b/terminal c 5 1; mknod b/disk b 259 70000; mkfifo b/fifo"], { cwd: top });
  if (made.exitCode !== 0) throw new Error(made.stderr.toString());
  chmodSync(at("usr"), 0o711);
  chmodSync(at("b"), 0o1777);
  chmodSync(at("usr/bin/program"), 0o4755);
  chownSync(at("b/terminal"), 5, 70_000);
  using program = openPath(at("usr/bin/program"), O.RDONLY);
  setXattr(program, "security.capability", Buffer.from("0100000200200000000000000000000000000000", "hex"));
  setXattr(program, "trusted.overlay.opaque", Buffer.from("y"));
  using etc = openPath(at("etc"), O.RDONLY | O.DIRECTORY);
  setXattr(etc, "security.selinux", Buffer.from("system_u:object_r:etc_t:s0\0"));
  if (policy) writePolicy(top);
  setTimes(Buffer.from(top), 0);
}

/** Children first, since touching them changes the time of their directory. @returns a number that is different for each file */
function setTimes(path: Buffer, from: number): number {
  let next = from;
  for (const name of readdirSync(path, { encoding: "buffer" }).toSorted((a, b) => Buffer.compare(a, b))) {
    const child = Buffer.concat([path, Buffer.from("/"), name]);
    if (lstatSync(child).isDirectory()) next = setTimes(child, next);
    else lutimesSync(child, 1_700_000_000 + next * 3600.5, 1_700_000_000 + next * 3600.5);
    next += 1;
  }
  lutimesSync(path, 1_600_000_000 + next * 60.25, 1_600_000_000 + next * 60.25);
  return next + 1;
}
