/** Links and objects that are not what they say: nothing boots, is mounted or is shown under a name that people trust. */

import { describe, expect, test } from "bun:test";
import { cpSync, rmSync } from "node:fs";
import { Initramfs } from "../support/initramfs.ts";
import { faultyProgram, program, programDirectory } from "../support/program.ts";
import { expectOneBlock } from "../support/refusal.ts";
import { TestRepository } from "../support/repositories.ts";
import { projectTop } from "../vm/lab/cache.ts";

/** The kept image's name leads to the other image. */
function misname(repository: TestRepository): void {
  rmSync(repository.at(`images/${repository.kept}`));
  repository.link(`images/${repository.kept}`, repository.unnamed);
}

describe("a link named by one digest that leads to another image", () => {
  for (const kind of ["sha256-v1", "sha512-v2"] as const) {
    test(`karg, inspect, diff, ls: ${kind}`, () => {
      using repository = new TestRepository(kind);
      misname(repository);
      const { kept, unnamed } = repository;
      for (const name of ["kept", kept, kept.slice(0, 12)]) {
        const { stdout, stderr } = repository.run("karg", name);
        expect(stdout).toBe("");
        expectOneBlock(stderr, "SR-E540");
      }
      expect(repository.json("image inspect", "kept").value["misnamed"]).toBe(true);
      expect(repository.run("image diff", "kept", unnamed).stderr).toContain(`images/${kept} is another image than its name says`);
      const images = repository.json("image ls").value["images"] as { name: string; fault: string | null }[];
      expect(images.find(({ name }) => name === kept)?.fault).toBe("its link leads to another object");
      expect(images.find(({ name }) => name === unnamed)?.fault).toBeNull();
    });
  }

  test("image mount", async () => {
    using repository = new TestRepository("sha256-v1");
    misname(repository);
    using namespace = await Initramfs.create({ show: [repository.top, programDirectory] });
    cpSync(repository.path, namespace.at("/tmp/composefs"), { recursive: true, verbatimSymlinks: true });
    namespace.shell("mkdir -p /tmp/mount");
    expectOneBlock(namespace.run([...program(), "image", "mount", "--repo", "/tmp/composefs", "kept", "/tmp/mount"]).stderr, "SR-E210");
    expect(namespace.shell("ls /tmp/mount")).toBe("");
  });
});

test("karg does not take another algorithm than the repository has", () => {
  using repository = new TestRepository("sha256-v1");
  expectOneBlock(repository.run("karg", "--algorithm", "sha512", "kept").stderr, "SR-E100");
  expect(repository.run("karg", "--algorithm", "sha256", "kept").exit).toBe(0);
  expect(repository.run("karg", "--algorithm", "sha512", repository.objectPath(repository.kept)).exit).toBe(0);
});

test("image mount wants fs-verity where the repository demands it", async () => {
  using repository = new TestRepository("sha256-v1");
  using namespace = await Initramfs.create({ show: [repository.top, projectTop] });
  cpSync(repository.path, namespace.at("/tmp/composefs"), { recursive: true, verbatimSymlinks: true });
  namespace.shell("mkdir -p /tmp/mount");
  const mount = (...args: readonly string[]): string => namespace.run([...faultyProgram(), "image", "mount", "--repo", "/tmp/composefs", ...args, "kept", "/tmp/mount"], { env: { FAULTS: JSON.stringify({ measuredNames: { "/meta.json": "0".repeat(64) } }) } }).stderr;
  expectOneBlock(mount(), "SR-E212");
  expect(namespace.shell("ls /tmp/mount")).toBe("");
  expect(mount("--verity", "off")).toContain("without fs-verity");
  expect(namespace.shell("cat /tmp/mount/d/small")).toBe("small\n");
});
