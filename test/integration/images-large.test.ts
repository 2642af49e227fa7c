/** Files that are no images are refused before they cost memory; and what the tools by their known names say on a terminal. */

import { expect, test } from "bun:test";
import { closeSync, ftruncateSync, openSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { program } from "../support/program.ts";
import { expectOneBlock } from "../support/refusal.ts";
import { TestRepository } from "../support/repositories.ts";
import { TemporaryDirectory } from "../support/temporary.ts";

/** 1.9 GiB of holes, behind these bytes. */
function sparse(files: TemporaryDirectory, name: string, start: Uint8Array): string {
  const path = join(files.path, name);
  writeFileSync(path, start);
  const file = openSync(path, "r+");
  ftruncateSync(file, 1.9 * 2 ** 30 - ((1.9 * 2 ** 30) % 4096));
  closeSync(file);
  return path;
}

/** Started by a process of its own, because Linux counts for a child what its parent had at the fork, and this one may have gigabytes. */
const MEASURE = `
  const child = Bun.spawnSync(process.argv.slice(1), { env: { PATH: "/usr/bin:/bin" }, timeout: 60_000 });
  console.log(JSON.stringify({ memory: child.resourceUsage.maxRSS / 1024, stderr: child.stderr.toString() }));
`;

/** @returns memory in KiB */
function peak(args: readonly string[]): { readonly memory: number; readonly stderr: string } {
  return JSON.parse(Bun.spawnSync([process.execPath, "-e", MEASURE, ...program(), ...args]).stdout.toString()) as { memory: number; stderr: string };
}

test("files of almost 2 GiB", () => {
  using files = new TemporaryDirectory();
  using repository = new TestRepository("sha256-v1");
  const image = new Uint8Array(readFileSync(repository.objectPath(repository.kept)));
  for (const [name, start, code] of [["zeros", new Uint8Array(1), "SR-E501"], ["image", image, "SR-E503"]] as const) {
    const path = sparse(files, name, start);
    for (const args of [["image", "inspect"], ["image", "import", "--repo", repository.path], ["karg"]]) {
      const { memory, stderr } = peak([...args, path]);
      expectOneBlock(stderr, code);
      expect(memory).toBeLessThan(400_000);
    }
    expect(peak(["composefs-info", "dump", path]).memory).toBeLessThan(400_000);
  }
}, 60_000);

test("on a terminal a name is shown, not obeyed; in a pipe it is what the C tool writes", () => {
  const name = "/nowhere/\u001b[31mred\u0007";
  const quoted = (text: string): string => `'${text}'`;
  const command = [...program(), "composefs-info", "dump", name].map(quoted).join(" ");
  const onTerminal = Bun.spawnSync(["script", "-qec", command, "/dev/null"], { stdin: "ignore", env: { PATH: "/usr/bin:/bin", SHELL: "/bin/sh" } }).stdout.toString();
  expect(onTerminal).toContain("\\x1b[31mred\\x07");
  expect(onTerminal).not.toContain("\u001b");
  expect(Bun.spawnSync([...program(), "composefs-info", "dump", name]).stderr.toString()).toContain("\u001b[31mred");
});
