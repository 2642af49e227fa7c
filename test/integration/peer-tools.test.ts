/**
 * The tools by their known names beside the C tools (Debian's package), in the same run and in equal directories: what they print, byte
 * for byte, how they end, what they leave. Where we differ on purpose is said in peer-differences.test.ts, and nowhere else passes.
 */

import { describe, expect, test } from "bun:test";
import { createHash } from "node:crypto";
import { chmodSync, linkSync, mkdirSync, readdirSync, symlinkSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { type ToolName, TOOLS } from "../support/peer-tools.ts";
import { program } from "../support/program.ts";
import { type Case, DIGEST, golden, images, outcome, ours, prepared, scratch, SMALL, theirs } from "../support/tool-outcomes.ts";

function same(tool: ToolName, args: readonly string[], how: Case = {}): void {
  const environment = Object.entries(how.env ?? {}).map(([name, value]) => `${name}=${value} `).join("");
  test(`${environment}${tool} ${args.map((word) => (word === "" ? "''" : word)).join(" ")}`, () => {
    const expected = outcome(theirs, tool, args, how);
    expect(expected.exit).not.toBeNull();
    expect(outcome(ours, tool, args, how)).toEqual(expected);
  });
}

describe("mkcomposefs: arguments", () => {
  for (const args of [
    [], [""], ["--help"], ["-h"], ["--version"], ["--nothing"], ["-C"], ["-R"], ["-x"], ["--print-digest=x"], ["--skip"], ["--print"], ["--"], ["small.dump"], ["a", "b", "c"], ["--from-file"],
    ["--from-file", "small.dump"], ["--from-file", "", "out"], ["--print-digest-only", "--from-file", "small.dump", "out"], ["--print-digest-only"], ["--print-digest-only", ""],
    ["--min-version"], ["--min-version=", "a"], ["--min-version=x", "a", "b"], ["--max-version=1x", "a", "b"], ["--max-version", "--min-version=1"], ["--threads=0", "a", "b"], ["--threads=x"],
    ["--threads=-3"], ["--threads=4294967296"], ["--threads= 2", "--from-file", "small.dump", "out"], ["--digest-store"], ["--threads=2", "--nothing", "--min-version=x"], ["--min-version=x", "--nothing"],
  ]) same("mkcomposefs", args);
});

describe("mkcomposefs: from a dumpfile", () => {
  for (const args of [
    ["--from-file", "small.dump", "out"], ["small.dump", "out", "--from-file"], ["--from", "small.dump", "out"], ["--from-file", "--", "small.dump", "out"], ["small.dump", "--from-file", "--", "out"],
    ["--from-file", "--print-digest", "small.dump", "out"], ["--from-file", "--print-digest-only", "small.dump"], ["--from-file", "--print-digest-o", "small.dump"],
    ["--from-file", "small.dump", "-"], ["--from-file", "--print-digest", "small.dump", "-"], ["--from-file", "--print-digest", "--print-digest-only", "small.dump"],
    ["--from-file", "--use-epoch", "--skip-devices", "--skip-xattrs", "--user-xattrs", "--digest-store=store", "small.dump", "out"], ["--from-file", "--user", "small.dump", "out"],
    ["--from-file", "--min-version=0", "small.dump", "out"], ["--from-file", "--min-version=1", "small.dump", "out"], ["--from-file", "--max-version=1", "small.dump", "out"],
    ["--from-file", "--max-version=0", "small.dump", "out"], ["--from-file", "--min-version=1", "--max-version=0", "small.dump", "out"], ["--from-file", "--min-version", "1", "--max", "1", "small.dump", "out"],
    ["--from-file", "--min=1", "small.dump", "out"], ["--from-file", "--min-version=4294967297", "small.dump", "out"], ["--from-file", "--min-version=+1", "small.dump", "out"], ["--from-file", "--threads=9", "small.dump", "out"],
    ["--from-file", "nowhere", "--print-digest-only"], ["--from-file", "small.dump", "nowhere/out"], ["--from-file", "nowhere", "nowhere/out"], ["--from-file", "small.dump", "."],
    ["--from-file", "--print-digest-only", "."], ["--from-file", "--print-digest-only", "empty"], ["--from-file", "--print-digest-only", "bad.dump"], ["--from-file", "small.dump", "/dev/full"],
    ["--from-file", "--print-digest-only", "--min-version=2", "small.dump"], ["--from-file", "--print-digest-only", "--max-version=2", "small.dump"], ["--from-file", "--print-digest-only", "--min-version=-1", "small.dump"],
  ]) same("mkcomposefs", args);
  same("mkcomposefs", ["--from-file", "-", "out"], { stdin: SMALL });
  same("mkcomposefs", ["--from-file", "-", "-"], { stdin: SMALL });
  same("mkcomposefs", ["--from-file", "--print-digest-only", "-"], { stdin: "" });
  same("mkcomposefs", ["--from-file", "--print-digest-only", "-"], { stdin: "/ 0 40755 1 0 0 0 0.0 - - -" });
  same("mkcomposefs", ["--from-file", "--print-digest-only", "-"], { stdin: "/ 0 40755 1 0 0 0 0.0 - - -", env: { CFS_PARSE_STRICT: "" } });
  same("mkcomposefs", ["small.dump", "--from-file", "out"], { env: { POSIXLY_CORRECT: "1" } });
});

describe("mkcomposefs: where the image goes", () => {
  const over: readonly (readonly [string, (directory: string) => void])[] = [
    ["a file with its permissions", (directory) => {
      writeFileSync(join(directory, "out"), "old".repeat(9000));
      chmodSync(join(directory, "out"), 0o640);
    }],
    ["a file with two names", (directory) => {
      writeFileSync(join(directory, "out"), "old".repeat(9000));
      linkSync(join(directory, "out"), join(directory, "other"));
    }],
    ["a link to a file", (directory) => {
      writeFileSync(join(directory, "real"), "old");
      symlinkSync("real", join(directory, "out"));
    }],
    ["a link to nothing", (directory) => symlinkSync("real", join(directory, "out"))],
  ];
  for (const [what, before] of over) {
    test(what, () => {
      const args = ["--from-file", "small.dump", "out"];
      expect(outcome(ours, "mkcomposefs", args, { before })).toEqual(outcome(theirs, "mkcomposefs", args, { before }));
    });
  }

  test("a pipe", () => {
    for (const tools of [ours, theirs]) {
      const done = Bun.spawnSync(["sh", "-c", `mkfifo pipe; "$0" --from-file small.dump pipe & cat pipe | sha256sum`, join(tools, "mkcomposefs")], { cwd: prepared(), stdout: "pipe", timeout: 30_000 });
      expect(done.stdout.toString()).toStartWith(createHash("sha256").update(outcomeBytes()).digest("hex"));
    }
  });

  test("/dev/stdout", () => {
    for (const tools of [ours, theirs]) {
      // through a shell's pipe: the runtime's own are sockets, which cannot be opened
      const done = Bun.spawnSync(["sh", "-c", `"$0" --from-file small.dump /dev/stdout | sha256sum`, join(tools, "mkcomposefs")], { cwd: prepared(), stdout: "pipe", timeout: 30_000 });
      expect(done.stdout.toString()).toStartWith(createHash("sha256").update(outcomeBytes()).digest("hex"));
    }
  });

  /** The image of SMALL, whose whiteout makes it version 1. */
  const outcomeBytes = (): Buffer => images.get("v1.cfs") ?? Buffer.alloc(0);
});

/** A directory with everything that a directory can have. */
const tree = join(scratch.path, "tree");

function writeTree(): void {
  for (const name of ["", "/sub", "/sub/deep", "/empty"]) mkdirSync(tree + name);
  for (const size of [0, 1, 63, 64, 65, 4095, 4096, 4097, 5000, 5001, 70_000]) writeFileSync(`${tree}/size-${size}`, Buffer.alloc(size, `${size}.`));
  writeFileSync(`${tree}/twin`, Buffer.alloc(5000, "5000."));
  linkSync(`${tree}/size-70000`, `${tree}/sub/linked`);
  symlinkSync("../anywhere", `${tree}/sub/deep/link`);
  symlinkSync("x".repeat(4000), `${tree}/long`);
  writeFileSync(Buffer.concat([Buffer.from(`${tree}/sub/`), Buffer.from([0x62, 0xff, 0x20, 0x0a])]), "name");
  writeFileSync(`${tree}/user-bit`, "set");
  const shell = [
    "chmod 6755 user-bit; chmod 1777 empty; chown 70000:80000 size-65",
    "mkfifo pipe; mknod char c 5 1; mknod block b 259 70000; mknod sub/whiteout c 0 0",
    "setfattr -n user.a -v 1 size-1; setfattr -n user.empty size-1; setfattr -n trusted.overlay.opaque -v y sub; setfattr -n trusted.t -v x size-65; setfattr -n user.big -v $(printf %2000s | tr ' ' b) twin",
    "touch -d @-5.5 size-63; touch -h -d @1.000000001 long; touch -d @4294967296.25 size-64; touch -d @100 . sub empty",
    "truncate -s 100M sparse",
  ].join("; ");
  const done = Bun.spawnSync(["bash", "-ec", shell], { cwd: tree, stderr: "pipe" });
  if (done.exitCode !== 0) throw new Error(done.stderr.toString());
}
writeTree();

describe("mkcomposefs: from a directory", () => {
  for (const args of [
    ["--print-digest", tree, "out"], ["--print-digest-only", tree], [`${tree}/`, "--print-digest-only"], ["--use-epoch", tree, "out"], ["--skip-devices", tree, "out"], ["--skip-xattrs", tree, "out"], ["--user-xattrs", tree, "out"],
    ["--use-epoch", "--skip-devices", "--user-x", tree, "out"], ["--skip-xattrs", "--user-xattrs", "--print-digest-only", tree], ["--min-version=1", tree, "out"], ["--max-version=0", tree, "out"], ["--threads=1", tree, "out"], ["--threads=5", tree, "-"],
    ["--digest-store=store", tree, "out"], ["--digest-store=a/b/c", "--print-digest-only", tree], ["--digest-store=store", "--threads=1", `${tree}/sub`, "out"], ["--digest-store=bad.dump", "--print-digest-only", tree], ["--print-digest-only", `${tree}/empty`],
    ["--print-digest-only", "nowhere"], ["--print-digest-only", `${tree}/long`], ["--print-digest-only", `${tree}/pipe`], ["--print-digest-only", `${tree}/size-1`], ["--print-digest-only", `${tree}/block`], ["--print-digest-only", "/dev/null"],
    ["--print-digest-only", "bad.dump/x"], ["--print-digest-only", "--min-version=3", tree], ["--from-file", "--print-digest-only", tree], [tree, "nowhere/out"],
  ]) same("mkcomposefs", args);

  test("into a store that has some of the objects", () => {
    const args = ["--digest-store=store", tree, "out"];
    const before = (directory: string): void => {
      expect(Bun.spawnSync([join(theirs, "mkcomposefs"), "--digest-store=store", `${tree}/sub`, "out"], { cwd: directory }).exitCode).toBe(0);
    };
    expect(outcome(ours, "mkcomposefs", args, { before })).toEqual(outcome(theirs, "mkcomposefs", args, { before }));
  });

  test("as somebody who may not read everything", () => {
    const args = ["--print-digest-only", join(scratch.path, "closed")];
    mkdirSync(join(scratch.path, "closed/inner"), { recursive: true });
    chmodSync(join(scratch.path, "closed/inner"), 0);
    chmodSync(scratch.path, 0o755);
    const as = (tools: string): readonly [number | null, string, string] => {
      const done = Bun.spawnSync(["setpriv", "--reuid=65534", "--regid=65534", "--clear-groups", join(tools, "mkcomposefs"), ...args], { stdout: "pipe", stderr: "pipe", env: {} });
      return [done.exitCode, done.stdout.toString(), done.stderr.toString()];
    };
    expect(as(theirs)).toEqual([1, "", `mkcomposefs: error accessing ${join(scratch.path, "closed/inner")}: Permission denied\n`]);
    expect(as(ours)).toEqual(as(theirs));
  });
});

describe("composefs-info", () => {
  const before = (directory: string): void => {
    mkdirSync(join(directory, "objects/ab"), { recursive: true });
    writeFileSync(join(directory, "objects/ab/cd"), "");
  };
  for (const args of [
    [], [""], ["--help"], ["-h"], ["-x"], ["--zzz=1"], ["--basedir"], ["--b"], ["--filter"], ["--filter=a/b", "ls", "v0.cfs"], ["nothing"], ["nothing", "v0.cfs"], ["--", "ls", "v0.cfs"],
    ["ls"], ["dump"], ["measure-file"], ["ls", "v0.cfs"], ["dump", "v0.cfs"], ["objects", "v0.cfs"], ["missing-objects", "v0.cfs"], ["ls", "v1.cfs", "v0.cfs"], ["dump", "v1.cfs", "hard.cfs"],
    ["objects", "v1.cfs", "hard.cfs"], ["ls", "hard.cfs"], ["--basedir=objects", "missing-objects", "v0.cfs", "hard.cfs"], ["missing-objects", "--basedir", "objects", "v0.cfs"], ["--bas=objects", "missing-objects", "v0.cfs"],
    ["--basedir=nowhere", "ls", "v0.cfs"], ["--basedir=nowhere", "ls"], ["--basedir=nowhere", "nothing"], ["--basedir=small.dump", "ls", "v0.cfs"], ["--basedir=nowhere", "measure-file", "small.dump"],
    ["--filter=inline", "dump", "v0.cfs"], ["--filter=inline", "--filter=a b", "dump", "v0.cfs"], ["--filter=link", "dump", "v0.cfs"], ["--filter=link", "ls", "v0.cfs"], ["--filter=", "ls", "v0.cfs"],
    ["--filter=nowhere", "dump", "v0.cfs"], ["--filter=link", "objects", "v0.cfs"], ["--fil=sym", "ls", "v0.cfs"], ["dump", "v0.cfs", "--filter=sym"],
    ["ls", "nowhere"], ["ls", "empty"], ["ls", "small.dump"], ["ls", "."], ["ls", "v0.cfs", "nowhere"], ["measure-file", "small.dump", "v0.cfs"], ["measure-file", "nowhere"], ["measure-file", "v0.cfs", "nowhere"],
  ]) same("composefs-info", args, { before });
  same("composefs-info", ["ls", "--filter=sym", "v0.cfs"], { env: { POSIXLY_CORRECT: "1" } });
  same("composefs-info", ["ls", "v2.cfs"], {
    before: (directory) => {
      const bytes = Buffer.from(images.get("v0.cfs") ?? "");
      bytes[4] = 2;
      writeFileSync(join(directory, "v2.cfs"), bytes);
    },
  });

  for (const name of readdirSync(golden).filter((file) => file.endsWith(".dump") && !file.startsWith("16-"))) {
    test(`ls, dump and objects of ${name}`, () => {
      const image = join(scratch.path, `${name}.cfs`);
      expect(Bun.spawnSync([join(theirs, "mkcomposefs"), "--from-file", join(golden, name), image], { env: {} }).exitCode).toBe(0);
      for (const command of ["ls", "dump", "objects"]) expect(outcome(ours, "composefs-info", [command, image], {})).toEqual(outcome(theirs, "composefs-info", [command, image], {}));
    });
  }
});

describe("mount.composefs: arguments", () => {
  for (const args of [
    [], ["-h"], ["-n"], ["-v", "a", "b"], ["--help"], ["--", "-h"], ["-t"], ["-t", "ext4"], ["-text4", "a", "b"], ["-o"], ["v0.cfs"], ["v0.cfs", "mnt"], ["-o", "", "v0.cfs", "mnt"], ["-o", "basedir", "v0.cfs", "mnt"],
    ["-o", "basedir=", "v0.cfs", "mnt"], ["-o", "basedir=a:", "v0.cfs", "mnt"], ["-o", "basedir=a,", "v0.cfs", "mnt"], ["-o", "basedir=a,nothing", "v0.cfs", "mnt"], ["-o", "basedir=a,up\\,per", "v0.cfs", "mnt"],
    ["-o", "basedir=a,upperdir=b", "v0.cfs", "mnt"], ["-o", "basedir=a,workdir=b", "v0.cfs", "mnt"], ["-o", "digest", "v0.cfs", "mnt"], ["-o", "idmap", "v0.cfs", "mnt"], ["-o", "basedir=a,idmap=nowhere", "v0.cfs", "mnt"],
    ["-o", "basedir=a", "nowhere", "mnt"], ["-o", "basedir=a", "empty", "mnt"], ["-o", "basedir=a", "small.dump", "mnt"], ["-o", "basedir=a", ".", "mnt"], ["-o", "basedir=a,digest=x", "v0.cfs", "mnt"], ["-o", "basedir=a,digest=abc", "v0.cfs", "mnt"],
    ["-o", `basedir=a,digest=${DIGEST}`, "v0.cfs", "mnt"], ["-o", `basedir=a,digest=${"ab".repeat(65)}`, "v0.cfs", "mnt"], ["-o", "nothing", "-o", "basedir=a", "nowhere", "mnt"], ["nowhere", "mnt", "-o", "basedir=a"],
    ["-t", "composefs", "-obasedir=a", "nowhere", "mnt"], ["-o", "basedir=a", "v0.cfs", "mnt"], ["-o", "basedir=.", "v0.cfs", "nowhere"],
  ]) same("mount.composefs", args);
});

describe("as sealroot NAME", () => {
  const direct = (...args: readonly string[]): readonly [number | null, string, string] => {
    const done = Bun.spawnSync([...program(), ...args], { stdin: new Blob([SMALL]), stdout: "pipe", stderr: "pipe", timeout: 30_000, env: {} });
    return [done.exitCode, done.stdout.toString(), done.stderr.toString()];
  };

  test("the same program", () => {
    const [exit, stdout, stderr] = direct("mkcomposefs", "--print-digest-only", "--from-file", "-");
    expect([exit, stderr]).toEqual([0, ""]);
    expect(stdout).toBe(outcome(theirs, "mkcomposefs", ["--print-digest-only", "--from-file", "-"], { stdin: SMALL }).stdout);
    expect(direct("composefs-info", "ls")).toEqual([1, "", "No image path specified\nusage: composefs-info [--basedir=path] [ls|objects|dump|missing-objects|measure-file] IMAGES...\n"]);
  });

  test("--help is ours, with an example", () => {
    for (const name of TOOLS) {
      const [exit, stdout, stderr] = direct(name, "--help");
      expect([exit, stderr]).toEqual([0, ""]);
      expect(stdout).toStartWith(`usage: sealroot ${name} `);
      expect(stdout).toContain("examples:");
    }
  });
});
