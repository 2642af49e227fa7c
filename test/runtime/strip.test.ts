/**
 * Tools that rewrite executables: dracut and package builders strip what they put into an image.
 * A stripped program must be the same program, and one that lost its program must not become something else.
 * Takes the tools from the Debian archive.
 */

import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { spawnSync } from "node:child_process";
import { copyFileSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { offsetOf, readElf } from "../../src/build/elf.ts";
import { findProgram } from "../../src/build/program-part.ts";
import { cached } from "../vm/lab/cache.ts";
import { hostPackages } from "../vm/lab/host.ts";
import { bootstrap, foreign } from "../vm/lab/tree.ts";
import { buildProbes, run, scratchDirectory, shipped } from "./programs.ts";

const directory = scratchDirectory();
const probes = buildProbes(directory);
afterAll(() => rmSync(directory, { recursive: true }));

let tools = "";
beforeAll(async () => {
  await hostPackages();
  const packages = "binutils,elfutils";
  tools = join(await cached("strip", ["trixie", packages, "1"], (into) => bootstrap("trixie", ["--variant=extract", `--include=${packages}`], join(into, "root"))), "root");
}, 600_000);

/** What dracut calls (strip -g -p, eu-strip where there is one), and what package builders call. */
const COMMANDS: readonly (readonly [string, ...string[]])[] = [
  ["strip", "-g", "-p"],
  ["strip", "--strip-unneeded", "-p"],
  ["strip"],
  ["objcopy", "--strip-debug"],
  ["eu-strip", "-g", "-p"],
  ["eu-strip", "--remove-comment"],
];

function stripped(program: string, [tool, ...options]: readonly [string, ...string[]]): string {
  const copy = join(directory, "stripped");
  copyFileSync(program, copy);
  const [command = "", ...args] = [...foreign(tools, join(tools, "usr/bin", tool)), ...options, copy];
  const { status, stderr } = spawnSync(command, args, { encoding: "utf8" });
  expect({ status, stderr }).toEqual({ status: 0, stderr: "" });
  return copy;
}

describe.each(COMMANDS.map((command) => [command.join(" "), command] as const))("%s", (_what, command) => {
  test("dist/sealroot stays the same program", () => {
    const quiet = run(shipped(), ["explain"]);
    expect(run(stripped(shipped(), command), ["explain"])).toEqual(quiet);
  });

  test("and is as deaf to the environment as before", () => {
    const { stdout, status } = run(stripped(probes.finished, command), ["--revision"], { environment: { BUN_BE_BUN: "1", BUN_OPTIONS: "--revision" } });
    expect(stdout).toStartWith('{"environment":{}');
    expect(status).toBe(0);
  });
});

test("a control loses its program and is the bun command from then on", () => {
  expect(run(stripped(probes.compiled, ["strip", "-g", "-p"]), ["--version"]).stdout).toBe("1.4.5\n");
});

test("without its program it says so, and does nothing else", () => {
  const damaged = join(directory, "damaged");
  const bytes = readFileSync(shipped());
  const elf = readElf(bytes);
  const program = findProgram(bytes, elf);
  const expected = { status: 98, stdout: "", stderr: "sealroot: the executable is damaged: install the file as it was built  [SR-E901]\n" };
  for (const address of [program.slot, program.address]) {
    const copy = Buffer.from(bytes);
    copy.fill(0, offsetOf(elf, address), offsetOf(elf, address) + 8);
    writeFileSync(damaged, copy, { mode: 0o755 });
    expect(run(damaged, ["--version"])).toEqual(expected);
    expect(run(damaged, ["-e", "1"], { environment: { BUN_BE_BUN: "1" } })).toEqual(expected);
  }
});
