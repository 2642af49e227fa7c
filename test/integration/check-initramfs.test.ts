/** The command itself: what it prints, its exit statuses, files that are none. Whole images by real tools are in dracut.test.ts. */

import { describe, expect, test } from "bun:test";
import { mkdirSync, symlinkSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { TemporaryDirectory } from "../support/temporary.ts";
import { program } from "../support/program.ts";
import { elf } from "../unit/initramfs/build.ts";
import { COMMAND_LINE, goodInitramfs, goodUki, UNITS } from "../unit/initramfs/good.ts";

interface Result {
  readonly exit: number | null;
  readonly stdout: string;
  readonly stderr: string;
}

function check(...args: readonly string[]): Result {
  const done = Bun.spawnSync([...program(), "check-initramfs", ...args], { stdin: "ignore", stdout: "pipe", stderr: "pipe", timeout: 60_000, env: {} });
  return { exit: done.exitCode, stdout: done.stdout.toString(), stderr: done.stderr.toString() };
}

function withFile<T>(content: Uint8Array, work: (path: string) => T): T {
  using directory = new TemporaryDirectory();
  const path = join(directory.path, "image");
  writeFileSync(path, content);
  return work(path);
}

describe("what it says", () => {
  test("of one that boots", () => {
    withFile(goodInitramfs(), (path) => {
      const { exit, stdout, stderr } = check(path);
      expect({ exit, stderr }).toEqual({ exit: 0, stderr: "" });
      expect(stdout).toStartWith(`${path}\n  initramfs, x86-64, zstd, `);
      expect(stdout).toEndWith("\n\n  can boot a sealed root, by sealroot\n");
      expect(stdout).not.toContain("\x1b");
    });
  });

  test("of one that does not: the findings, then the block with code and next step", () => {
    withFile(goodInitramfs({ without: ["usr/bin/sealroot"] }), (path) => {
      const { exit, stdout, stderr } = check(path);
      expect(exit).toBe(70);
      expect(stdout).toMatch(/^ {2}error {4}executable +\/usr\/bin\/sealroot is not in it\n +next: /m);
      expect(stderr).toContain("[SR-E600]");
      expect(stderr).toMatch(/findings {2}1: executable/);
    });
  });

  test("as JSON", () => {
    withFile(goodUki(COMMAND_LINE), (path) => {
      const { exit, stdout } = check("--json", path);
      expect(exit).toBe(0);
      expect(JSON.parse(stdout)).toMatchObject({ file: path, kind: "uki", machine: "x86-64", helper: "sealroot", bootable: true, ok: true, findings: expect.any(Array) });
    });
    withFile(goodUki("quiet"), (path) => {
      const { exit, stdout } = check("--json", path);
      expect(exit).toBe(70);
      expect(JSON.parse(stdout)).toMatchObject({ bootable: false, ok: false });
    });
  });

  test("warnings count with --strict", () => {
    withFile(goodInitramfs({ without: ["usr/lib/sealroot"] }), (path) => {
      expect(check(path).exit).toBe(0);
      expect(check("--strict", path)).toMatchObject({ exit: 70, stderr: expect.stringContaining("findings  1: guard") });
    });
  });

  test("of names that would forge its lines", () => {
    const name = "x\n  ok       executable  all is well\x1b[2K";
    const changes = {
      without: [`${UNITS}/sealroot-setup-root.service`],
      with: [
        { path: `usr/lib/${name}/unit`, data: "[Service]\nExecStart=/usr/bin/sealroot\n" },
        { path: `${UNITS}/sealroot-setup-root.service`, kind: "symlink", data: `/usr/lib/${name}/unit` } as const,
      ],
    };
    withFile(goodInitramfs(changes), (path) => {
      const { stdout } = check(path);
      expect(stdout).not.toContain("\x1b");
      expect(stdout).not.toMatch(/^ {2}ok {7}executable {2}all is well/m);
      expect(stdout).toContain("x\\x0a  ok       executable");
    });
  });
});

describe("what is refused", () => {
  test.each([
    ["an ELF file", elf(), 71, "SR-E601"],
    ["nothing", new Uint8Array(0), 71, "SR-E601"],
    ["half an image", goodInitramfs().subarray(0, 3000), 72, "SR-E602"],
  ])("%s", (_, content, exit, code) => {
    withFile(content, (path) => {
      const result = check(path);
      expect([result.exit, result.stdout]).toEqual([exit, ""]);
      expect(result.stderr).toContain(`[${code}]`);
      expect(result.stderr).toContain(path);
      expect(result.stderr).not.toMatch(/^\s+at /m);
    });
  });

  test("what unpacks to more than it may", () => {
    const big = goodInitramfs({ with: [{ path: "big", data: new Uint8Array(3 << 20) }] });
    withFile(big, (path) => {
      expect(check("--max-size", "2", path)).toMatchObject({ exit: 72, stderr: expect.stringContaining("unpacks to more than 2097152 bytes") });
      expect(check("--max-size", "8", path).exit).toBe(0);
      expect(check("--max-size", "2x", path)).toMatchObject({ exit: 2, stderr: expect.stringContaining("[SR-E100]") });
    });
  });

  test("what is no file, without waiting for it", () => {
    using directory = new TemporaryDirectory();
    const at = (name: string): string => join(directory.path, name);
    mkdirSync(at("directory"));
    symlinkSync("nowhere", at("dangling"));
    expect(Bun.spawnSync(["mkfifo", at("pipe")]).exitCode).toBe(0);
    for (const path of [at("directory"), at("dangling"), at("pipe"), at("missing"), "/dev/zero"]) {
      expect(check(path)).toMatchObject({ exit: 73, stdout: "", stderr: expect.stringContaining("[SR-E603]") });
    }
  });

  test("arguments that are none", () => {
    expect(check()).toMatchObject({ exit: 2, stderr: expect.stringContaining("FILE is missing") });
    expect(check("a", "b").exit).toBe(2);
    expect(check("--jsn", "a").exit).toBe(2);
  });
});

test("its help has an example and the exit statuses", () => {
  const { exit, stdout } = check("--help");
  expect(exit).toBe(0);
  expect(stdout).toContain("sealroot check-initramfs --strict --json build/system.efi");
  expect(stdout).toContain("70 it cannot (SR-E600)");
});
