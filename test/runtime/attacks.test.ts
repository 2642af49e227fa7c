/** None of the attacks changes what the executable does; each that can work does work on a control. Needs dist/sealroot. */

import { afterAll, describe, expect, test } from "bun:test";
import { mkdtempSync, rmSync } from "node:fs";
import { join } from "node:path";
import { ATTACKS, type Scene } from "./attacks.ts";
import { type Build, buildProbes, type Outcome, run, scratchDirectory, shipped } from "./programs.ts";

const directory = scratchDirectory();
const probes = buildProbes(directory);
afterAll(() => rmSync(directory, { recursive: true }));

function strike(program: string, prepare: (directory: string) => Scene): { struck: boolean; outcome: Outcome } {
  const scene = prepare(mkdtempSync(join(directory, "attack-")));
  const outcome = run(program, scene.args ?? [], scene);
  return { struck: scene.marked?.() === true || scene.shown?.(outcome) === true, outcome };
}

const CONTROLS: Readonly<Record<"plain" | "compiled" | "never", readonly Build[]>> = { plain: ["plain"], compiled: ["compiled"], never: [] };

describe.each(ATTACKS.map((attack) => [attack.what, attack] as const))("%s", (_what, attack) => {
  for (const build of CONTROLS[attack.works]) {
    test(`on a control (${build}): it does`, () => {
      expect(strike(probes[build], attack.prepare).struck).toBe(true);
    });
  }

  test("built as we build: it does not, and the program runs on", () => {
    const { struck, outcome } = strike(probes.finished, attack.prepare);
    expect(struck).toBe(false);
    expect(outcome).toMatchObject({ status: 0, stderr: "" });
    expect(outcome.stdout).toStartWith('{"environment":{');
  });

  test("dist/sealroot: the same output and exit status as without it", () => {
    const scene = attack.prepare(mkdtempSync(join(directory, "attack-")));
    const args = scene.args ?? ["explain", "SR-E210"];
    const quiet = run(shipped(), args);
    const outcome = run(shipped(), args, scene);
    expect(outcome).toEqual(quiet);
    expect(scene.marked?.() ?? false).toBe(false);
  });
});
