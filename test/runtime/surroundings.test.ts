/** What may be missing or odd around a program that runs early in the boot. Needs root (mount namespaces) and dist/sealroot. */

import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { spawnSync } from "node:child_process";
import { mkdirSync, readFileSync, rmSync } from "node:fs";
import { join } from "node:path";
import { buildProbes, type Outcome, run, scratchDirectory, shipped } from "./programs.ts";

const directory = scratchDirectory();
const probes = buildProbes(directory);
afterAll(() => rmSync(directory, { recursive: true }));

beforeAll(() => {
  if (process.getuid?.() !== 0) throw new Error("these tests make mount namespaces and need root");
});

/** Runs a line of shell in its own mount namespace; "$0" is the program. */
function shell(script: string, program: string): Outcome {
  const child = spawnSync("unshare", ["--mount", "--propagation", "private", "sh", "-c", script, program], { encoding: "utf8", cwd: "/", timeout: 30_000, env: { PATH: "/usr/sbin:/usr/bin:/sbin:/bin" } });
  if (child.error !== undefined) throw child.error;
  return { status: child.status ?? child.signal ?? "?", stdout: child.stdout, stderr: child.stderr };
}

const EXPLAIN = ["explain", "SR-E210"];
const quiet = run(shipped(), EXPLAIN);
const command = `"$0" ${EXPLAIN.join(" ")}`;

describe("without /proc", () => {
  const hide = "mount -t tmpfs none /proc && ";

  test("a control dies of it, with a report of a crash", () => {
    const { status, stderr } = shell(`${hide} "$0"`, probes.compiled);
    expect(status).not.toBe(0);
    expect(stderr).toContain("panic");
  });

  test("ours says so in one line, with the code and exit status of the catalogue", () => {
    const { status, stdout, stderr } = shell(hide + command, shipped());
    expect(stdout).toBe("");
    expect(stderr).toBe("sealroot: /proc is not mounted: mount -t proc proc /proc, then run it again  [SR-E104]\n");
    expect(status).toBe(13);
  });

  test("the same with standard error closed: quiet, and the same exit status", () => {
    expect(shell(`${hide}exec ${command} 2>&-`, shipped())).toEqual({ status: 13, stdout: "", stderr: "" });
  });
});

describe("closed standard streams", () => {
  const descriptors = (prepare: string, redirections: string): unknown => {
    const out = join(directory, "report.json");
    rmSync(out, { force: true });
    expect(shell(`${prepare} exec "$0" report ${out} ${redirections}`, probes.finished).status).toBe(0);
    return (JSON.parse(readFileSync(out, "utf8")) as { descriptors: unknown }).descriptors;
  };

  test("all three are opened on /dev/null, never on a file that the program opens", () => {
    expect(descriptors("", "<&- >&- 2>&-")).toEqual(["/dev/null", "/dev/null", "/dev/null"]);
  });

  test("without /dev they lead nowhere", () => {
    expect(descriptors("mount -t tmpfs none /dev;", "<&- >&- 2>&-")).toEqual(["/", "/", "/"]);
  });

  test("open ones stay as they are", () => {
    expect(descriptors("", "</etc/passwd >/dev/zero 2>&-")).toEqual(["/etc/passwd", "/dev/zero", "/dev/null"]);
  });

  test("dist/sealroot ends with its usual status", () => {
    expect(shell(`exec ${command} <&- >&- 2>&-`, shipped())).toEqual({ status: 0, stdout: "", stderr: "" });
    expect(shell(`exec ${command} <&-`, shipped())).toEqual(quiet);
  });
});

describe("odd surroundings change nothing", () => {
  const cases: readonly (readonly [string, string])[] = [
    ["no /dev", `mount -t tmpfs none /dev; ${command}`],
    ["no /sys", `mount -t tmpfs none /sys; ${command}`],
    ["no /tmp, /var, /home, /root", `for d in /tmp /var /home /root; do [ -e "$0" ] && mount --bind "$0" /mnt; done 2>/dev/null; exec 8<"$0"; mount -t tmpfs none /var; mount -t tmpfs none /home; ${command}`],
    ["a working directory that is gone", `mkdir -p ${directory}/gone && cd ${directory}/gone && rmdir ${directory}/gone && ${command}`],
    ["everything read-only", `for at in / /tmp /var /run; do mount --bind $at $at && mount -o remount,bind,ro $at; done; ${command}`],
    ["few descriptors", `ulimit -n 24; ${command}`],
    ["no core files, no locked memory", `ulimit -c 0; ulimit -l 0; ${command}`],
    ["files may not grow", `ulimit -f 0; ${command} | cat`],
    ["a small stack", `ulimit -s 256; ${command}`],
    ["a huge stack", `ulimit -s unlimited; ${command}`],
    ["another root", `mkdir -p ${directory}/root && mount --bind / ${directory}/root && mount --bind /proc ${directory}/root/proc && chroot ${directory}/root "$0" ${EXPLAIN.join(" ")}`],
  ];
  test.each(cases)("%s", (_what, script) => {
    expect(shell(script, shipped())).toEqual(quiet);
  });
});

describe("without memory for compiled code", () => {
  const refusal: Outcome = {
    status: 19,
    stdout: "",
    stderr: "sealroot: there is no memory for compiled code: remove MemoryDenyWriteExecute= and LimitAS= from the unit, raise ulimit -v; with SELinux, allow execmem  [SR-E109]\n",
  };

  test.each([500_000, 1_500_000, 2_300_000])("%d KiB of address space: one line", (limit) => {
    expect(shell(`ulimit -v ${limit}; ${command}`, shipped())).toEqual(refusal);
  });

  test("a process that may not have memory both writable and executable: the same line", () => {
    const script = `
      const { dlopen } = require("bun:ffi");
      const { symbols } = dlopen("libc.so.6", { prctl: { args: ["i32", "u64", "u64", "u64", "u64"], returns: "i32" } });
      if (symbols.prctl(65 /* PR_SET_MDWE */, 1 /* PR_MDWE_REFUSE_EXEC_GAIN */, 0, 0, 0) !== 0) throw new Error("this needs Linux 6.3");
      process.execve(${JSON.stringify(shipped())}, ["sealroot", ${EXPLAIN.map((word) => JSON.stringify(word)).join()}], {});
    `;
    expect(run(process.execPath, ["-e", script])).toEqual(refusal);
  });

  test("3 GiB are enough", () => {
    expect(shell(`ulimit -v 3145728; ${command}`, shipped())).toEqual(quiet);
  });

  test("a control ends in a stack trace", () => {
    expect(shell('ulimit -v 500000; "$0" call', probes.compiled).stderr).toContain("requires the JIT");
  });
});

test("a directory whose name is odd", () => {
  const odd = join(directory, 'a "b" \n é');
  mkdirSync(odd);
  expect(run(shipped(), EXPLAIN, { cwd: odd })).toEqual(quiet);
});
